"""Images that a client gives: which are taken, and what they cost.

1. An `image_url` is a data URI of a PNG or a JPEG in base64 (API reference, `input_image`). Nothing
   is fetched: a web address is refused.
2. What the bytes are is decided by how they begin, as image readers do, and not by the name in the
   URI.
3. The cost is counted in tiles, as the service's guide to images tells it for its omni models: 85
   tokens, and at a `detail` other than low 170 for each tile of 512 by 512 pixels, after the image
   was made to fit 2048 by 2048 and 768 on its shorter side. No public log shows the count of a
   Realtime session.
"""

from __future__ import annotations

from collections.abc import Iterator

import pybase64

_SCHEME = "data:"
_TYPES = ("image/png", "image/jpeg", "image/jpg")
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HEAD_CHARACTERS = 256 * 1024
"""How much of an image is read to find its size: a JPEG may have a thumbnail in front."""

BASE_TOKENS = 85
_TILE_TOKENS = 170
_TILE = 512
_LONGEST, _SHORTEST = 2048, 768


class BadImageError(ValueError):
    """What the URI is instead of an image, to be said behind "but got"."""


def check(uri: str) -> None:
    """Raises `BadImageError` if this is no data URI, and `ValueError` if it holds no PNG or
    JPEG."""
    if not uri.startswith(_SCHEME):
        raise BadImageError("a value without the 'data:' prefix")
    kind, comma, encoded = uri.removeprefix(_SCHEME).partition(",")
    name, *parameters = kind.split(";")
    if name.lower() not in _TYPES:
        raise BadImageError(f"unsupported MIME type '{name[:100]}'")
    if not comma or parameters[-1:] != ["base64"]:
        raise BadImageError("a value that is not base64-encoded")
    try:
        image = pybase64.b64decode(encoded, validate=True)
    except ValueError:
        raise BadImageError("an invalid base64-encoded value") from None
    if not image:
        raise BadImageError("empty base64-encoded bytes")
    if not image.startswith((_PNG, _JPEG)):
        raise ValueError("no image")


def tokens(uri: str, detail: str | None) -> int:
    """What an image costs that was taken; `detail` as the client gave it."""
    size = None if detail == "low" else _size(uri)
    if size is None:
        return BASE_TOKENS if detail == "low" else BASE_TOKENS + _TILE_TOKENS
    shorter, longer = sorted(size)
    if longer > _LONGEST:
        shorter, longer = max(1, shorter * _LONGEST // longer), _LONGEST
    if shorter > _SHORTEST:
        shorter, longer = _SHORTEST, longer * _SHORTEST // shorter
    return BASE_TOKENS + _TILE_TOKENS * -(-shorter // _TILE) * -(-longer // _TILE)


def _size(uri: str) -> tuple[int, int] | None:
    """Width and height in pixels; None where they cannot be found."""
    encoded = uri.partition(",")[2][:_HEAD_CHARACTERS]
    try:
        head = pybase64.b64decode(encoded[: len(encoded) // 4 * 4], validate=True)
    except ValueError:
        return None
    if head.startswith(_PNG):
        found = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    else:
        found = next(_jpeg_sizes(head), (0, 0))
    return found if min(found) > 0 else None


def _jpeg_sizes(head: bytes) -> Iterator[tuple[int, int]]:
    """Width and height of each frame header, segment by segment."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if marker in _FRAME_HEADERS:
            height, width = head[at + 5 : at + 7], head[at + 7 : at + 9]
            yield int.from_bytes(width, "big"), int.from_bytes(height, "big")
        at += 2 + max(2, length)
