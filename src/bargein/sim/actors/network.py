"""The ways between client and server, as channels.

1. A `Link` is ordered and lossless, as WebSocket over TCP is: a message never overtakes another;
   what is sent while the link stalls comes when it goes on.
2. When a message will arrive is known when it is sent. The world uses that to place the moments of
   the user around an arrival.
3. A link with a rate takes its time for every byte. A link that breaks at a byte has carried what
   came before: the message with that byte in it never arrives, and neither does one behind it.
4. A link that is closed loses what is under way. One of two that is closed is a connection that is
   half open: the other one carries on.

The stage holds the channels of a connection as a set and asks of each only what `Channel` says.
What a link is besides, order and no loss, is known to nobody but it and whoever sends on it. So a
channel of media (frames that overtake each other, are lost in bursts and keep the time of a clock
of their own) is one more class here and one more member of the set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from bargein.sim.choices import Choices
from bargein.sim.world import Action, World
from bargein.units import US_PER_S

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """Base delay, jitter on top, and a stall of up to `stall_us` once in so many messages (0:
    never); bytes a second (0: any number at once), and the byte it breaks at (0: it does not)."""

    base_us: int = 1_000
    jitter_us: int = 0
    stall_one_in: int = 0
    stall_us: int = 2 * US_PER_S
    bytes_per_s: int = 0
    breaks_at_byte: int = 0


class Channel(Protocol):
    """One way between the two sides."""

    under_way: int
    """What was sent and has not arrived, without what is lost; the end of a link that breaks is
    under way too."""

    def calm(self) -> None:
        """End the faults: from now on it is as good as it can be."""
        ...

    def close(self) -> None:
        """Lose what is under way and all that comes."""
        ...


class Link(Generic[T]):
    """Carries messages to `deliver`; `size_of` gives the bytes of one. Where the link breaks,
    `broken` is called when the last byte before it has arrived."""

    def __init__(
        self,
        name: str,
        options: LinkOptions,
        *,
        world: World,
        choices: Choices,
        deliver: Callable[[T], None],
        size_of: Callable[[T], int] = lambda message: 0,
        broken: Action = lambda: None,
    ) -> None:
        self._stream = f"network.{name}"
        self._options = options
        self._world = world
        self._choices = choices
        self._deliver = deliver
        self._size_of = size_of
        self._broken = broken
        self._counts = bool(options.bytes_per_s or options.breaks_at_byte)
        self._bytes = 0
        self.free_us = 0
        """When what was sent has left: what is sent before that waits behind it."""
        self.last_us = 0
        """When the last message arrives, or arrived."""
        self._calm = False
        self._open = True
        self._whole = True
        self.under_way = 0
        self.stalls = 0

    def send(self, message: T) -> int:
        """Send; gives the time of arrival. On a closed or broken link nothing arrives."""
        options = self._options
        delay_us = options.base_us
        if not self._calm:
            if options.jitter_us:
                delay_us += self._choices.draw(self._stream, 0, options.jitter_us)
            if options.stall_one_in and self._choices.rarely(self._stream, options.stall_one_in):
                delay_us += self._choices.draw(self._stream, 0, options.stall_us)
                self.stalls += 1
        breaks = self._counts and self._write(self._size_of(message))
        self.last_us = max(self.last_us, self._world.now_us + delay_us, self.free_us + delay_us)
        if not self._open:
            return self.last_us
        if breaks:
            self._whole = False
            self.under_way += 1
            self._world.at(self.last_us, self._break)
        elif self._whole:
            self.under_way += 1
            self._world.at(self.last_us, partial(self._arrive, message))
        return self.last_us

    def behind(self, action: Action) -> None:
        """Do that at the far end, behind all that was sent; never if it does not get there."""

        def arrive() -> None:
            if self._open:
                action()

        if self._whole:
            self._world.at(max(self.last_us, self._world.now_us + self._options.base_us), arrive)

    def calm(self) -> None:
        """End the faults: from now on the base delay is all, and the rate."""
        self._calm = True

    def close(self) -> None:
        """Lose what is under way and all that comes."""
        self._open = False
        self.under_way = 0

    def _write(self, size: int) -> bool:
        """The bytes leave; whether the one at which the link breaks is among them."""
        options = self._options
        last, self._bytes = self._bytes, self._bytes + size
        breaks = not self._calm and last < options.breaks_at_byte <= self._bytes
        if breaks:
            size = options.breaks_at_byte - last
        if options.bytes_per_s:
            begins_us = max(self._world.now_us, self.free_us)
            self.free_us = begins_us + size * US_PER_S // options.bytes_per_s
        return breaks

    def _break(self) -> None:
        if self._open:
            self.under_way -= 1
            self._broken()

    def _arrive(self, message: T) -> None:
        if self._open:
            self.under_way -= 1
            self._deliver(message)
