"""What a session has to handle, in order, and the one timer of its machine.

Frames, what the engine makes, and the machine's deadline stand in one queue with a bound; who finds
it full waits. Between two inputs the session gives way to others (`pacing`).
"""

from __future__ import annotations

import asyncio
import contextlib

from bargein.server.longframe import LongReceived
from bargein.server.model.inputs import Input, Tick
from bargein.server.pacing import Pace
from bargein.units import US_PER_S


class Inbox:
    """One session's. `next` has one caller, who is at work between two calls."""

    def __init__(self, size: int, pace: Pace) -> None:
        self._pace = pace
        self._queue: asyncio.Queue[Input | LongReceived] = asyncio.Queue(size)
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_us: int | None = None

    async def put(self, input: Input | LongReceived) -> None:
        """Add it when there is room."""
        await self._queue.put(input)

    async def next(self, deadline_us: int | None) -> Input | LongReceived:
        """The next input, when the session may go on; a `Tick` when the machine's deadline comes
        first. While there are others none is needed, since every input makes the machine catch
        up."""
        if self._queue.empty():
            self._set_alarm(deadline_us)
        else:
            await self._pace.give_way()
        input = await self._queue.get()
        await self._pace.paid()
        return input

    def close(self) -> None:
        """No timer is left behind."""
        self._set_alarm(None)

    def _set_alarm(self, due_us: int | None) -> None:
        """Most inputs leave the deadline where it is, and so the timer."""
        if due_us == self._alarm_us:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_us = None, due_us
        if due_us is not None:
            self._alarm = asyncio.get_running_loop().call_at(due_us / US_PER_S, self._ring)

    def _ring(self) -> None:
        self._alarm = self._alarm_us = None
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(Tick())
