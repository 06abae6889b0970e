"""One session's pace: measures what is done for it on the loop, and lets it wait where `sharing`
says so.

1. What is done at one go stands in a `with` of the pace, and nothing in that is waited for: the
   processor time of the loop's thread is the session's own, but for what the garbage collector took
   of it. That falls to whoever makes the object too many: in a process with much else in it 0.1 s
   and more, for which a session would have to wait half a minute.
2. Between two things the loop is everybody's. Who has more to do goes on when nobody else has
   anything to do, for what is done for one frame has several parts, in one round of the loop each,
   and a flood would step between them again and again. It waits for that for `_PATIENCE_S` at
   most: nobody starves.
"""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Callable
from typing import TypeVar

from bargein.server.sharing import Account, Terms
from bargein.units import US_PER_S

T = TypeVar("T")

_LOOK_S = 0.25
"""Who waits looks up so often whether it is alone by now."""
_QUIET_ROUNDS = 3
"""Between two parts of what is done for a frame there are one or two rounds without any."""
_PATIENCE_S = 0.02


class Crowd:
    """Those who share a loop."""

    def __init__(self) -> None:
        self.members = 0
        self.things_done = 0


_crowds: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Crowd] = weakref.WeakKeyDictionary()


class _Collector:
    """How long the garbage collector has run, in processor time of the threads that it stopped."""

    def __init__(self) -> None:
        self.ran_s = self._began_s = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began_s = time.thread_time()
        else:
            self.ran_s += time.thread_time() - self._began_s


_collector = _Collector()
gc.callbacks.append(_collector)


def working_s() -> float:
    """Processor time of this thread, without the garbage collector's."""
    return time.thread_time() - _collector.ran_s


def is_anybody_here() -> bool:
    """Whether anybody shares this loop."""
    crowd = _crowds.get(asyncio.get_running_loop())
    return crowd is not None and crowd.members > 0


class Pace:
    """To be made on the loop and left at the end. `used_s` is a clock of processor time."""

    def __init__(
        self, *, terms: Terms | None = None, used_s: Callable[[], float] = working_s
    ) -> None:
        self._crowd = _crowds.setdefault(asyncio.get_running_loop(), Crowd())
        self._crowd.members += 1
        self._has_left = False
        self._used_s = used_s
        self._account = Account(_now_us(), terms)
        self._began_s = 0.0

    def leave(self) -> None:
        """The session is over. Any number of times."""
        if not self._has_left:
            self._has_left = True
            self._crowd.members -= 1

    @property
    def is_alone(self) -> bool:
        """Whether nobody else shares the loop."""
        return self._crowd.members <= 1

    def __enter__(self) -> None:
        self._crowd.things_done += 1
        self._began_s = self._used_s()

    def __exit__(self, *fault: object) -> None:
        self.charge(self._used_s() - self._began_s)

    def measured(self, work: Callable[[], T]) -> tuple[T, float]:
        """Do it, in any thread, and say what it used."""
        began_s = self._used_s()
        done = work()
        return done, self._used_s() - began_s

    def charge(self, used_s: float) -> None:
        """So much was done for the session, here or in a thread."""
        if not self.is_alone:
            # The collector may have run in another thread.
            self._account.charge(max(0, round(used_s * US_PER_S)), _now_us())

    @property
    def wait_s(self) -> float:
        """How long to wait before anything more is done for the session; then ask again."""
        if self.is_alone:
            return 0.0
        return min(_LOOK_S, self._account.wait_us(_now_us()) / US_PER_S)

    async def give_way(self) -> None:
        """Let others go first, in the middle of long work or between two pieces of it."""
        await asyncio.sleep(self.wait_s)
        await self.paid()
        await self._quiet()

    async def paid(self) -> None:
        """Wait while there is debt."""
        wait_s = self.wait_s
        while wait_s > 0:
            await asyncio.sleep(wait_s)
            wait_s = self.wait_s

    async def _quiet(self) -> None:
        """Wait until nobody else has anything to do, for a while at most."""
        now_s = asyncio.get_running_loop().time
        due_s = now_s() + _PATIENCE_S
        seen, rounds = self._crowd.things_done, 0
        while rounds < _QUIET_ROUNDS and not self.is_alone and now_s() < due_s:
            await asyncio.sleep(0)
            rounds = rounds + 1 if self._crowd.things_done == seen else 0
            seen = self._crowd.things_done


def _now_us() -> int:
    return round(asyncio.get_running_loop().time() * US_PER_S)
