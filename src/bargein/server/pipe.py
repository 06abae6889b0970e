"""One connection of a session: what it says, and what waits to be told to it.

1. What is to be sent waits in a queue. While much waits, nothing more is read from that connection.
2. One that takes nothing for `write_deadline_s`, or for which too much waits, is cut off: it is
   dropped with what waits, and `gone` is told why. Nobody else notices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from bargein.server.limits import HostLimits
from bargein.server.longframe import LongFrame, LongReceived
from bargein.server.model.commands import SendMedia
from bargein.server.model.inputs import FrameReceived
from bargein.server.outgoing import Outgoing


class Connection(Protocol):
    """One client, admitted. One reader and one writer at a time."""

    async def receive(self) -> str | bytes | LongFrame | None:
        """The next frame; None once the client is gone."""

    async def send(self, frame: str) -> None:
        """Write one text frame; returns when there is room for more. Silent if the client is
        gone."""

    async def close(self, code: int, reason: str) -> None:
        """Send the close frame. Silent if the client is gone."""

    def abort(self) -> None:
        """Drop the connection and what still waits to be written. Any number of times."""


class Media(Protocol):
    """The two tracks of a call."""

    async def receive(self) -> bytes | None:
        """The next sound of the client's, as much as time has passed: PCM at 24 kHz. None once it
        is gone."""

    def play(self, frame: SendMedia) -> None:
        """Send it now."""

    def silence(self) -> None:
        """What was announced does not follow."""


class Pipe:
    """`heard` takes each frame, and waits while there is no room for it."""

    def __init__(
        self,
        number: int,
        connection: Connection,
        limits: HostLimits,
        *,
        heard: Callable[[FrameReceived | LongReceived], Awaitable[None]],
        gone: Callable[[str], None],
    ) -> None:
        self._number = number
        self._connection = connection
        self._limits = limits
        self._heard = heard
        self._gone = gone
        self._out = Outgoing()

    @property
    def closing(self) -> bool:
        """Whether it was asked to be closed."""
        return self._out.closing is not None

    def put(self, frame: str) -> None:
        """Send it in its turn."""
        out = self._out
        out.put(frame)
        if out.waiting_bytes > self._limits.outgoing_bytes:
            self._cut_off(f"{out.waiting_bytes} bytes wait for it")
        elif out.waiting_bytes > self._limits.unread_bytes:
            out.roomy.clear()

    def close(self, code: int, reason: str) -> None:
        """Close it behind what waits; the first code asked for counts."""
        self._out.close(code, reason)

    def abort(self) -> None:
        """Drop it and what waits."""
        self._out.drop()
        self._connection.abort()

    async def read(self) -> None:
        """Until the client is gone."""
        while True:
            await self._out.roomy.wait()
            frame = await self._connection.receive()
            if frame is None:
                return
            if isinstance(frame, LongFrame):
                await self._heard(LongReceived(frame, self._number))
            else:
                await self._heard(FrameReceived(frame, self._number))

    async def write(self) -> None:
        """Until it is closed or cut off."""
        out = self._out
        while True:
            while out.frames:
                frame = out.frames.popleft()
                try:
                    async with asyncio.timeout(self._limits.write_deadline_s):
                        await self._connection.send(frame)
                except TimeoutError:
                    self._cut_off(f"nothing was taken for {self._limits.write_deadline_s} s")
                    return
                out.waiting_bytes -= len(frame)
                if out.waiting_bytes <= self._limits.unread_bytes:
                    out.roomy.set()
            if out.closing is not None:
                await self._connection.close(*out.closing)
                return
            out.changed.clear()
            await out.changed.wait()

    def _cut_off(self, why: str) -> None:
        self.abort()
        self._gone(why)
