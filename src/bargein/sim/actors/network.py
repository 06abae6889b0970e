"""One link each way: ordered and lossless, as WebSocket over TCP, with delay, jitter and stalls.

1. A message never overtakes another; what is sent while the link stalls comes when it goes on.
2. When a message will arrive is known when it is sent. The world uses that to place the moments of
   the user around an arrival.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bargein.sim.choices import Choices
from bargein.sim.world import World
from bargein.units import US_PER_S

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """Base delay, jitter on top, and a stall of up to `stall_us` once in
    so many messages (0: never)."""

    base_us: int = 1_000
    jitter_us: int = 0
    stall_one_in: int = 0
    stall_us: int = 2 * US_PER_S


class Link(Generic[T]):
    """Carries messages to `deliver`."""

    def __init__(
        self,
        name: str,
        options: LinkOptions,
        *,
        world: World,
        choices: Choices,
        deliver: Callable[[T], None],
    ) -> None:
        self._stream = f"network.{name}"
        self._options = options
        self._world = world
        self._choices = choices
        self._deliver = deliver
        self.last_us = 0
        """When the last message arrives, or arrived."""
        self._calm = False
        self._open = True
        self.under_way = 0
        self.stalls = 0

    def send(self, message: T) -> int:
        """Send; gives the time of arrival. On a closed link nothing arrives."""
        options = self._options
        delay_us = options.base_us
        if not self._calm:
            if options.jitter_us:
                delay_us += self._choices.draw(self._stream, 0, options.jitter_us)
            if options.stall_one_in and self._choices.rarely(self._stream, options.stall_one_in):
                delay_us += self._choices.draw(self._stream, 0, options.stall_us)
                self.stalls += 1
        self.last_us = max(self.last_us, self._world.now_us + delay_us)
        if self._open:
            self.under_way += 1
            self._world.at(self.last_us, lambda: self._arrive(message))
        return self.last_us

    def calm(self) -> None:
        """End the faults: from now on the base delay is all."""
        self._calm = True

    def close(self) -> None:
        """Lose what is under way and all that comes."""
        self._open = False
        self.under_way = 0

    def _arrive(self, message: T) -> None:
        if self._open:
            self.under_way -= 1
            self._deliver(message)
