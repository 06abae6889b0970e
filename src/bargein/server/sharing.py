"""What a session has used of the loop that it shares with others, and when it may go on.

1. What is done for a session is charged, in microseconds of the processor. Each is paid by `price`
   microseconds of time: so a session may use 1 / `price` of the loop for ever, and what it does not
   use it saves, up to `saved_us` of time.
2. What is saved is used at 1 / `at_once` of the loop at most, but for the first moments of it
   (`breath_us` of time). A loop that has no rest for a second is what others feel, however small
   the pieces are: with a process that runs so long, a scheduler has no patience.
3. Who has not paid waits until it has. Who is alone on the loop neither waits nor is charged.
4. What holds the loop longer than `fine_us` at one go weighs more, and soon much more: it is what
   others wait for. The weight has an end (`heaviest`), so that nobody waits longer than `price` *
   `heaviest` times what it used last.
5. A live session needs a fiftieth of a core (docs/engines.md), so it never waits, and a machine
   that is four times as slow still bears it.

Pure: the edge (`pacing`) brings the time and measures what was used.
"""

from __future__ import annotations

from dataclasses import dataclass

from bargein.errors import LocalValueError
from bargein.units import US_PER_S


@dataclass(frozen=True, slots=True)
class Terms:
    """What a session may use beside others."""

    price: int = 4
    """A quarter of the loop."""
    saved_us: int = 5 * US_PER_S
    """A second of the loop: half a minute of sound in one go, and more."""
    at_once: int = 2
    """Half of the loop."""
    breath_us: int = 20_000
    """Ten milliseconds of the loop: a frame, or the begin of a reply."""
    begins_with_us: int = US_PER_S // 2
    """Less, so that to come again is no way to get more."""
    fine_us: int = 1_000
    heaviest: int = 75
    """So others find the loop held for long in a three-hundredth of the time."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise LocalValueError(f"{name} is {getattr(self, name)}: give 1 or more")


class Account:
    """One session's. Time does not run backwards."""

    def __init__(self, now_us: int, terms: Terms | None = None) -> None:
        self._terms = terms or Terms()
        self._paid_us = now_us - self._terms.begins_with_us
        self._rested_us = now_us - self._terms.breath_us

    def charge(self, used_us: int, now_us: int) -> None:
        """The loop was held for so long at one go."""
        terms = self._terms
        cost_us = used_us * terms.price
        if used_us > terms.fine_us:
            square, unit = used_us * used_us, terms.fine_us * terms.fine_us
            cost_us = cost_us * min(square, unit * terms.heaviest) // unit
        self._paid_us = max(self._paid_us, now_us - terms.saved_us) + cost_us
        rest_us = used_us * terms.at_once
        self._rested_us = max(self._rested_us, now_us - terms.breath_us) + rest_us

    def wait_us(self, now_us: int) -> int:
        """How long until all is paid and the loop had its rest; 0 for who may go on."""
        return max(0, max(self._paid_us, self._rested_us) - now_us)
