"""A pair of pipes in one process: what one end sends, the other receives.

1. Each direction holds `limit_characters` and one frame at most; a sender waits while it is full,
   as on a socket whose peer does not read.
2. The peer of an end that closed still reads what was sent before; the closing end reads no more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any

from bargein.errors import LocalValueError, TransportError
from bargein.transports.base import PipeEnd


class _Lane:
    """One direction: a sender, a reader, and an event that says something changed."""

    def __init__(self, limit_characters: int) -> None:
        self.limit_characters = limit_characters
        self.frames: deque[str | bytes] = deque()
        self.held_characters = 0
        self.end: PipeEnd | None = None
        self.readable = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()

    def put(self, frame: str | bytes) -> None:
        self.frames.append(frame)
        self.held_characters += len(frame)
        self.readable.set()
        if self.held_characters >= self.limit_characters:
            self.writable.clear()

    def take(self) -> str | bytes | PipeEnd | None:
        if self.frames:
            frame = self.frames.popleft()
            self.held_characters -= len(frame)
            if self.held_characters < self.limit_characters:
                self.writable.set()
            return frame
        if self.end is None:
            self.readable.clear()
        return self.end

    def finish(self, end: PipeEnd, *, keep_frames: bool) -> None:
        if self.end is None:
            self.end = end
        if not keep_frames:
            self.frames.clear()
            self.held_characters = 0
        self.readable.set()
        self.writable.set()


class MemoryPipe:
    """One end. Made by `pair`."""

    def __init__(self, outgoing: _Lane, incoming: _Lane) -> None:
        self._outgoing = outgoing
        self._incoming = incoming

    async def open(self) -> None:
        """It is open from the beginning. Raises `TransportError` once it was closed."""
        if self._incoming.end is not None:
            raise TransportError("memory pipe: it was closed")

    async def send(self, frame: str | bytes) -> None:
        """See `Pipe.send`."""
        while not self._outgoing.writable.is_set():
            await self._outgoing.writable.wait()
        if self._outgoing.end is not None:
            raise TransportError("memory pipe: it was closed", code=self._outgoing.end.code)
        self._outgoing.put(frame)

    def send_at_once(self, frame: str) -> Coroutine[Any, Any, None] | None:
        """See `PromptPipe.send_at_once`."""
        if not self._outgoing.writable.is_set():
            return self.send(frame)
        if self._outgoing.end is not None:
            raise TransportError("memory pipe: it was closed", code=self._outgoing.end.code)
        self._outgoing.put(frame)
        return None

    async def receive(self) -> str | bytes | PipeEnd:
        """See `Pipe.receive`."""
        while (frame := self._incoming.take()) is None:
            await self._incoming.readable.wait()
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close both directions, at once."""
        self._finish(PipeEnd(code, reason))

    def cut(self) -> None:
        """Break the connection without a close frame, as a lost network does."""
        self._finish(PipeEnd(None, ""))

    def _finish(self, end: PipeEnd) -> None:
        self._outgoing.finish(end, keep_frames=True)
        self._incoming.finish(end, keep_frames=False)


def pair(limit_characters: int = 65_536) -> tuple[MemoryPipe, MemoryPipe]:
    """Two ends of one connection. Raises `LocalValueError` for a limit below 1."""
    if limit_characters < 1:
        raise LocalValueError(f"limit_characters: {limit_characters}; give at least 1")
    there, back = _Lane(limit_characters), _Lane(limit_characters)
    return MemoryPipe(there, back), MemoryPipe(back, there)
