"""An event loop whose clock jumps to the next timer when nothing is ready, for hours in minutes.

1. Nothing here waits for the outside: no sockets, and what is given to an executor runs inline,
   because a thread at work looks like idleness and the clock would run away under it.
2. A loop that waits for nothing at all would hang; it raises `RuntimeError`.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Never sleeps: what the loop would have slept is added to `now_s`."""

    def __init__(self) -> None:
        super().__init__()
        # Not 0: a time that was never set must not look like the beginning.
        self.now_s = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task waits, and no timer is armed that could wake one")
        self.now_s += max(0.0, timeout)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds."""
        return self._jumping.now_s

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
    """Run a coroutine to its end on a fresh loop of virtual time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
