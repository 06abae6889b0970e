"""Where things wait until their turn is chosen.

1. A gate keeps order. What was sent in one breath (one input of one machine) is one burst and
   passes as one; what carries no choice travels with the burst before it.
2. A gate that does not hold lets each burst pass after a moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from bargein.sim.world import World

T = TypeVar("T")

PASSAGE_US = 1_000
"""How long a burst takes through a gate that does not hold."""


class Gate(Generic[T]):
    """`begins` says that a message opens a burst of its own, `follows` that it never does."""

    def __init__(
        self,
        name: str,
        *,
        world: World,
        deliver: Callable[[T], None],
        begins: Callable[[T], bool] = lambda item: False,
        follows: Callable[[T], bool] = lambda item: False,
    ) -> None:
        self.name = name
        self._world = world
        self._deliver = deliver
        self._begins = begins
        self._follows = follows
        self._bursts: deque[list[T]] = deque()
        self._coming = 0
        self._breath: object = None
        self._holds = False
        self._shut = False

    @property
    def ready(self) -> bool:
        """Whether a burst waits for its turn."""
        return bool(self._bursts) and not self._coming

    @property
    def under_way(self) -> bool:
        """Whether anything has not arrived."""
        return bool(self._bursts)

    def put(self, item: T, breath: object) -> None:
        """Take what is to pass, in its order. What comes after `shut` is lost."""
        if self._shut:
            return
        if self._bursts and (
            self._follows(item) or (breath == self._breath and not self._begins(item))
        ):
            self._bursts[-1].append(item)
            return
        self._breath = breath
        self._bursts.append([item])
        if not self._holds or (self._follows(item) and len(self._bursts) == 1):
            self._send_off()

    def let_go(self) -> list[T]:
        """Let the first waiting burst pass, now; gives it."""
        burst = self._bursts.popleft()
        for item in burst:
            self._deliver(item)
        return burst

    def keep(self, wanted: Callable[[T], bool]) -> None:
        """Drop bursts that nobody wants any more."""
        if self._bursts and not self._coming:
            self._bursts = deque(burst for burst in self._bursts if wanted(burst[0]))

    def hold(self) -> None:
        """Keep what comes from now on."""
        self._holds = True

    def open(self) -> None:
        """Keep nothing any more."""
        self._holds = False
        for _ in range(len(self._bursts) - self._coming):
            self._send_off()

    def shut(self) -> None:
        """Lose what waits and all that comes."""
        self._shut = True
        self._bursts.clear()
        self._coming = 0

    def _send_off(self) -> None:
        self._coming += 1
        self._world.after(PASSAGE_US, self._arrive)

    def _arrive(self) -> None:
        if self._coming:
            self._coming -= 1
            self.let_go()
