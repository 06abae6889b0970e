"""A peer made of bytes at the server's socket: requests whole and broken, frames legal and not,
pauses, and every way to go. Afterwards nothing of it is left, and nothing was logged as a fault.

The server runs on virtual time, so its deadlines cost nothing.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import struct
from contextlib import AsyncExitStack

from tests.fuzz.source import Source, one_of

from bargein.lab.bench.virtual_time import VirtualLoop
from bargein.server.engines.scenario import Scenario
from bargein.server.model.options import Limits, Options
from bargein.server.model.vad import EnergyVad
from bargein.server.serving import Server, serve_local

KEY = "sk-fuzz-0123456789abcdefghijklmnop"
LONGEST_S = 120
"""Longer than any deadline of the server's: pings, lingering, the head of a request."""
PATHS = (
    "/v1/realtime?model=gpt-realtime",
    "/v1/realtime?model=gpt-realtime",
    "/v1/realtime?intent=transcription",
    "/v1/realtime?model=gpt-nope",
    "/v1/realtime?call_id=rtc_1",
    "/v1/realtime",
    "/healthz",
    "/elsewhere",
    "/v1/realtime?model=%ff&model=%00",
    "*",
    "/" + "x" * 70_000,
)
KEYS = (
    f"Authorization: Bearer {KEY}",
    f"Authorization: Bearer {KEY}",
    f"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.{KEY}",
    "Authorization: Bearer sk-wrong",
    "Authorization: Basic Og==",
    "X: y",
)
HEADERS = (
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
    "Sec-WebSocket-Extensions: ,,;;=",
    "OpenAI-Beta: realtime=v1",
    "Origin: https://evil.example",
    "Origin: null",
    "Content-Length: 7",
    "Content-Length: -1",
    "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Connection: close",
    "Upgrade: h2c",
    "Sec-WebSocket-Version: 7",
    "Sec-WebSocket-Key: short",
    "Cookie: \xff\xfe",
    "Bad Name: x",
    " folded",
    "X-Long: " + "y" * 70_000,
)
EVENTS = (
    b'{"type":"response.create"}',
    b'{"type":"response.cancel"}',
    b'{"type":"input_audio_buffer.append","audio":"' + b"AEAA" * 600 + b'"}',
    b'{"type":"nope","event_id":"e"}',
    b"{",
    b"\xff\xfe",
    b"x" * 30_000,
)
CLOSES = (b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03", b"\x00\x01", b"\x03\xe8\xff", b"\x0f\xa0")


class Endpoint:
    """A server that lives as long as the process, on a loop of its own."""

    def __init__(self) -> None:
        self._loop = VirtualLoop()
        self._faults: list[str] = []
        self._listener = _Listener(self._faults)
        logging.getLogger().addHandler(self._listener)
        self._server = self._loop.run_until_complete(self._start())
        self._fds = self._open_fds()

    async def _start(self) -> Server:
        self._stack = AsyncExitStack()
        reply = {"outputs": [{"write": "Hello there."}]}
        serving = serve_local(
            Scenario.of({"replies": [reply]}),
            api_key=KEY,
            options=Options(limits=Limits(frame_bytes=20_000)),
            new_detector=EnergyVad,
        )
        return await self._stack.enter_async_context(serving)

    def close(self) -> None:
        """End the server and the loop."""
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()
        logging.getLogger().removeHandler(self._listener)

    def visit(self, data: bytes) -> None:
        """One peer, from its coming to when everything of it must be gone. Raises AssertionError
        if something is not."""
        self._loop.run_until_complete(asyncio.wait_for(self._visit(Source(data)), 1_000))
        assert not self._server.sessions, "a session is left"
        assert self._open_fds() == self._fds, "a socket is left"
        assert not asyncio.all_tasks(self._loop), "a task is left"
        assert not self._faults, self._faults

    def _open_fds(self) -> int:
        return len(self._loop._jumping.get_map())

    async def _visit(self, source: Source) -> None:
        peer = socket.create_connection((self._server.address, self._server.port))
        peer.setblocking(False)
        try:
            await self._send(peer, self._request(source))
            while source.more():
                await self._send(peer, _frame(source))
                if source.pick(4) == 3:
                    await asyncio.sleep(one_of(source, (0, 0.01, 1, 30)))
            ending = source.pick(4)
            if ending == 1:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if ending == 2:
                peer.shutdown(socket.SHUT_WR)
            if ending > 1:
                await asyncio.sleep(LONGEST_S)
        except OSError:
            pass
        finally:
            peer.close()
        await asyncio.sleep(LONGEST_S)

    async def _send(self, peer: socket.socket, data: bytes) -> None:
        """As much as the server takes at once; what it says is read and forgotten."""
        for start in range(0, len(data), 65_536):
            peer.send(data[start : start + 65_536])
            await asyncio.sleep(0)
            try:
                while peer.recv(65_536):
                    pass
            except BlockingIOError:
                pass

    def _request(self, source: Source) -> bytes:
        """A whole request for a session, or one that has something odd, or no request at all."""
        kind = source.pick(8)
        if kind == 7:
            return source.raw(200)
        method, path, version = "GET", PATHS[0], "1.1"
        lines = [
            f"Host: 127.0.0.1:{self._server.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
            KEYS[0],
        ]
        if kind > 3:
            path, lines[-1] = one_of(source, PATHS), one_of(source, KEYS)
        if kind > 4:
            method = one_of(source, ("GET", "POST", "HEAD"))
            version = one_of(source, ("1.1", "1.0", "2.0"))
            for _ in range(source.pick(3)):
                lines.insert(source.pick(len(lines)), one_of(source, HEADERS))
            if source.pick(4) == 3:
                lines[source.pick(len(lines))] = one_of(source, ("Host: evil.example", "A: b"))
        head = "\r\n".join([f"{method} {path} HTTP/{version}", *lines, "", ""]).encode("latin-1")
        return head[: source.pick(len(head))] if kind == 6 and source.pick(2) else head


def _frame(source: Source) -> bytes:
    """A frame, most often a legal one."""
    kind = source.pick(10)
    if kind == 9:
        return source.raw(64)
    opcode = one_of(source, (1, 1, 1, 1, 2, 0, 8, 9, 10, 3))
    payload = one_of(source, CLOSES) if opcode == 8 else one_of(source, EVENTS)
    if opcode > 8:
        payload = payload[:125]
    flags = one_of(source, (0x80, 0x80, 0x80, 0x80, 0x00, 0xC0, 0xF0))
    masked = 0x00 if source.pick(16) == 15 else 0x80
    length = len(payload) if source.pick(16) < 15 else one_of(source, (0, 2**31, 2**63))
    head = bytes([flags | opcode])
    if length < 126:
        head += bytes([masked | length])
    elif length < 65_536 and source.pick(8) < 7:
        head += bytes([masked | 126]) + struct.pack("!H", length)
    else:
        head += bytes([masked | 127]) + struct.pack("!Q", length)
    whole = head + (bytes(4) if masked else b"") + payload
    return whole[: source.pick(len(whole))] if source.pick(16) == 15 else whole


class _Listener(logging.Handler):
    """Keeps what is logged as a fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._faults = faults
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self._faults.append(self.format(record))
