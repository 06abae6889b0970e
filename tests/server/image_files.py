"""The beginnings of image files, as data URIs: enough for whoever asks what they are."""

from __future__ import annotations

import base64
import struct


def png(width: int, height: int) -> str:
    """The head of a PNG of this size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return uri("image/png", b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + bytes(4))


def jpeg(width: int, height: int, *, thumbnail_bytes: int = 0) -> str:
    """The head of a JPEG of this size, behind a segment with a thumbnail."""
    exif = b"\xff\xe1" + struct.pack(">H", 2 + thumbnail_bytes) + bytes(thumbnail_bytes)
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    return uri("image/jpeg", b"\xff\xd8" + exif + frame)


def uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
