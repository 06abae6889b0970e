"""The cheapest client there can be: frames encoded beforehand, written as they are due, and of what
comes back only the heads of the frames are read.

It is a client for measuring servers with, so it must not be what is slow: no library, no JSON, one
timer for all sessions. The masking key of its frames is zero, which the protocol allows (RFC 6455,
section 5.3 asks for chance only to protect proxies) and which saves the masking.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from bargein.audio.formats import Samples, bytes_of

RATE = 24_000
CHUNK_MS = 20
_TEXT, _PING, _PONG = 0x81, 0x89, 0x8A
_DELTA = b'{"type":"response.output_audio.delta"'
_HEAD_BYTES = 48
_SMALL_BYTES = 32 * 1024


def frame(text: bytes, opcode: int = _TEXT) -> bytes:
    """One masked frame."""
    size = len(text)
    if size < 126:
        head = struct.pack(">BB", opcode, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", opcode, 0x80 | 126, size)
    else:
        head = struct.pack(">BBQ", opcode, 0x80 | 127, size)
    return head + b"\0\0\0\0" + text


def event(type: str, **fields: Any) -> bytes:
    """One event, as a frame."""
    return frame(json.dumps({"type": type, **fields}).encode())


def microphone(track: Samples) -> list[bytes]:
    """The track as appends of 20 ms each."""
    size = RATE * CHUNK_MS // 1_000
    return [
        event(
            "input_audio_buffer.append",
            audio=base64.b64encode(bytes_of(track[at : at + size])).decode(),
        )
        for at in range(0, len(track) - size + 1, size)
    ]


class Wire(asyncio.Protocol):
    """One connection. `told` gets the head of each text frame and its length; `silent` reads
    nothing at all once the session stands."""

    def __init__(self, told: Callable[[bytes, int], None], *, silent: bool = False) -> None:
        self._told = told
        self._silent = silent
        self._rest = bytearray()
        self._open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._skip = 0
        self.transport: asyncio.Transport | None = None
        self.audio_bytes = 0
        """Of base64, in deltas of sound."""
        self.is_lost = False
        self.lost = asyncio.Event()

    async def open(self, url: str, api_key: str) -> None:
        """Connect and have the session. Raises `OSError`."""
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        assert parts.hostname is not None and parts.port is not None, "a server's own URL"
        await loop.create_connection(lambda: self, parts.hostname, parts.port)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.write(
            f"GET {parts.path}?model=gpt-realtime HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\nAuthorization: Bearer {api_key}\r\n\r\n".encode()
        )
        await self._open
        if self._silent and self.transport is not None:
            self.transport.pause_reading()

    def send_in_small_pieces(self) -> None:
        """Let no call of the system copy megabytes: who shares this core waits for its end,
        whatever their priorities."""
        assert self.transport is not None, "it is open"
        own: socket.socket = self.transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SMALL_BYTES)

    def write(self, data: bytes) -> None:
        """Hand bytes to the socket."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def write_all(self, frames: Sequence[bytes]) -> None:
        self.write(b"".join(frames))

    @property
    def waiting_bytes(self) -> int:
        """What the socket has not taken yet."""
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a socket"
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self.lost.set()
        if not self._open.done():
            self._open.set_exception(ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        if not self._open.done():
            self._rest += data
            head, end, rest = bytes(self._rest).partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.close()
                return
            self._open.set_result(None)
            self._rest.clear()
            data = rest
        self._read(data)

    def _read(self, data: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._rest += data
        at, rest = 0, self._rest
        while len(rest) - at >= 10 or (len(rest) - at >= 2 and rest[at + 1] < 126):
            opcode, size, begin = rest[at], rest[at + 1] & 0x7F, at + 2
            if size == 126:
                (size,) = struct.unpack_from(">H", rest, begin)
                begin += 2
            elif size == 127:
                (size,) = struct.unpack_from(">Q", rest, begin)
                begin += 8
            needed = size if opcode == _PING else min(size, _HEAD_BYTES)
            if len(rest) - begin < needed:
                break
            if opcode == _PING:
                self.write(frame(bytes(rest[begin : begin + size]), _PONG))
            elif opcode == _TEXT:
                head = bytes(rest[begin : begin + needed])
                if head.startswith(_DELTA):
                    self.audio_bytes += size
                self._told(head, size)
            at = begin + size
            if at > len(rest):
                self._skip, at = at - len(rest), len(rest)
        del rest[:at]
