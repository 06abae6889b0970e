"""What a session has to handle, in order, and the one timer of its machine.

1. Frames, what the engine makes, and the machine's deadline stand in one queue with a bound; who
   finds it full waits.
2. A session with much to do lets the others have their turn between any two things; and after
   `_SHARE_S` of work without a pause it leaves the loop to them for as long as it worked, so that
   no flood has more than half of it. Who is alone has all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from bargein.server.model.inputs import Input, Tick
from bargein.units import US_PER_S

_SHARE_S = 0.002


class Inbox:
    """One session's. `next` and `give_way` have one caller, who is at work between two calls.
    `is_alone` says whether there is no other session."""

    def __init__(self, size: int, is_alone: Callable[[], bool]) -> None:
        self._is_alone = is_alone
        self._worked_s = 0.0
        self._since_s = 0.0
        self._queue: asyncio.Queue[Input] = asyncio.Queue(size)
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_us: int | None = None

    async def put(self, input: Input) -> None:
        """Add it when there is room."""
        await self._queue.put(input)

    async def next(self, deadline_us: int | None) -> Input:
        """The next input; a `Tick` when the machine's deadline comes first. While there are others
        none is needed, since every input makes the machine catch up."""
        if self._queue.empty():
            self._set_alarm(deadline_us)
            self._worked_s = 0.0
        else:
            await self.give_way()
        input = await self._queue.get()
        self._since_s = asyncio.get_running_loop().time()
        return input

    async def give_way(self) -> None:
        """Let others have the loop, in the middle of long work or between two pieces of it."""
        now = asyncio.get_running_loop().time
        self._worked_s += now() - self._since_s
        if self._worked_s < _SHARE_S or self._is_alone():
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(self._worked_s)
            self._worked_s = 0.0
        self._since_s = now()

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
