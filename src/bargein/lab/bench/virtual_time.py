"""An event loop on virtual time: when nothing is ready, the clock jumps to the next timer instead
of sleeping.

1. `loop.time()` begins at 1000 s and moves only by jumps: an hour of waiting costs what its
   callbacks cost.
2. Real sockets on loopback work: what the kernel has ready is served before the clock jumps, and
   before it jumps far the kernel is given a moment for what is on its way.
3. Executors run inline, because a thread at work looks like idleness and the clock would run away
   under it.
4. A loop that waits for nothing (no timer, no socket) would hang; here it raises `Deadlock`.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(RuntimeError):
    """All tasks wait, and nothing is there that could wake one."""


_FAR_S = 1.0
_MOMENT_S = 0.005
"""Real seconds, for a sandbox whose loopback is not done when `send` returns."""


class _JumpingSelector(selectors.DefaultSelector):
    """Polls; what the loop would have slept is added to its clock."""

    now = 1_000.0
    own_fds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is not None and timeout >= _FAR_S and len(self.get_map()) > self.own_fds:
            ready = super().select(_MOMENT_S)
            if ready:
                return ready
        if timeout is None:
            if len(self.get_map()) <= self.own_fds:
                raise Deadlock("every task waits, and there is no timer and no socket to wait for")
            return super().select(0.05)
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector loop whose clock is `_JumpingSelector.now`."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._jumping.own_fds = len(self._jumping.get_map())

    def time(self) -> float:
        """Virtual seconds."""
        return self._jumping.now

    def run_in_executor(  # type: ignore[override]  # inline, so no executor's type matters
        self, executor: object, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run it now, in this thread."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a fresh virtual loop; tasks that it left are cancelled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
