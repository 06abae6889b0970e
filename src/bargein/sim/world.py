"""Virtual time: one heap of (time, sequence, action), integer microseconds, one thread.

1. Actions at one time run in the order in which they were asked for. Nothing else decides.
2. An action may ask for others, at its own time or later; the past is closed.
3. Whoever has a deadline that moves owns one `Alarm`, so that the heap stays as small as the
   world.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TypeAlias

Action: TypeAlias = Callable[[], None]


class World:
    """The clock. `steps` counts the actions that ran."""

    def __init__(self) -> None:
        self.now_us = 0
        self.steps = 0
        self._sequence = 0
        self._heap: list[tuple[int, int, Action]] = []

    def at(self, time_us: int, action: Action) -> None:
        """Run the action at that time. Raises `ValueError` for a time that is over."""
        if time_us < self.now_us:
            raise ValueError(f"time_us: {time_us} is over, it is {self.now_us}")
        self._sequence += 1
        heapq.heappush(self._heap, (time_us, self._sequence, action))

    def after(self, delay_us: int, action: Action) -> None:
        """Run the action so much later."""
        self.at(self.now_us + delay_us, action)

    @property
    def next_us(self) -> int | None:
        """When something will happen; None if nothing will."""
        return self._heap[0][0] if self._heap else None

    def run(self, until_us: int, *, at_most: int) -> bool:
        """Let time pass until `until_us`, with all that happens by then. False if it took more than
        `at_most` actions: then time stands where it was."""
        heap = self._heap
        left = at_most
        while heap and heap[0][0] <= until_us:
            if not left:
                return False
            left -= 1
            self.now_us, _, action = heapq.heappop(heap)
            self.steps += 1
            action()
        self.now_us = max(self.now_us, until_us)
        return True


class Alarm:
    """One moving deadline. `ring` runs when it has come; then the alarm is off."""

    def __init__(self, world: World, ring: Action) -> None:
        self._world = world
        self._ring = ring
        self._due_us: int | None = None
        self._queued: set[int] = set()

    @property
    def due_us(self) -> int | None:
        """When it will ring."""
        return self._due_us

    def set(self, due_us: int | None) -> None:
        """Ring then instead, or never. What is overdue rings now, after what is due before it."""
        if due_us == self._due_us:
            return
        if due_us is not None:
            due_us = max(due_us, self._world.now_us)
            if due_us not in self._queued:
                self._queued.add(due_us)
                self._world.at(due_us, self._wake)
        self._due_us = due_us

    def _wake(self) -> None:
        now_us = self._world.now_us
        self._queued.discard(now_us)
        if self._due_us == now_us:
            self._due_us = None
            self._ring()
