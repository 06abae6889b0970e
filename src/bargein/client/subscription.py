"""One listener's queue: of notices, or of raw events.

1. It holds so many; beyond that the oldest is dropped, and the listener is told by a `Dropped`
   before the next one it gets.
2. Waiting may be cancelled at any time; nothing is lost by that.
3. At the end of the session what waits is still given; then the iteration ends, or raises what
   the session failed with.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

from bargein.core.notices import Dropped

T = TypeVar("T")


class Subscription(Generic[T]):
    """An async iterator. Several tasks may share it: each element goes to one of them."""

    def __init__(
        self, wants: Callable[[object], bool], limit: int, what: Literal["notices", "events"]
    ) -> None:
        self._wants, self._limit, self._what = wants, limit, what
        self._waiting: deque[T] = deque()
        self._dropped = 0
        self._changed = asyncio.Event()
        self._over = False
        self._failure: BaseException | None = None
        self._told: Callable[[], None] | None = None

    def offer(self, element: T) -> None:
        """Queue it, if it is wanted."""
        if self._over or not self._wants(element):
            return
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(element)
        self._changed.set()

    def finish(
        self, failure: BaseException | None = None, told: Callable[[], None] | None = None
    ) -> None:
        """Nothing comes any more. `told` is called when the failure has reached the listener."""
        if not self._over:
            self._over, self._failure, self._told = True, failure, told
            self._changed.set()

    def close(self) -> None:
        """Listen no more; what waits is forgotten."""
        self._waiting.clear()
        self._dropped = 0
        self._over, self._failure = True, None
        self._changed.set()

    def __enter__(self) -> Subscription[T]:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __aiter__(self) -> Subscription[T]:
        return self

    async def __anext__(self) -> T | Dropped:
        """The next one. Raises what the session failed with, once all before it was given."""
        while True:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                return Dropped(self._what, dropped)
            if self._waiting:
                return self._waiting.popleft()
            if self._failure is not None:
                if self._told is not None:
                    self._told()
                raise self._failure
            if self._over:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
