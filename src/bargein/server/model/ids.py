"""The server's names for things, in the service's own form (protocol.md §2.0).

1. An id is `<prefix>_` and 21 characters of base62: 5 tell when it was made, 16 are drawn. A
   call's id has no time.
2. The draws come from outside, so a counter gives a run that repeats and a good source of chance
   gives ids that cannot be guessed. Nothing is decided by an id.
3. The time is a label. It starts with the wall time the session was opened at and moves with
   `now_us`.
"""

from __future__ import annotations

from collections.abc import Callable

from bargein.units import US_PER_S

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
EPOCH_S = 1_576_800_000
"""Where the time in an id begins to count, in unix seconds: found by calculation from logged
ids."""
_PAIRS = 62 * 62
_TWO_DIGITS = [tens + ones for tens in ALPHABET for ones in ALPHABET]
_TIME_CHARS = 5
_DRAWN_CHARS = 16
_DRAWN_IDS = 62**_DRAWN_CHARS
_MEDIA_DIGITS = 16


def base62(number: int, chars: int) -> str:
    """The last `chars` (1 or more) digits of a number of 0 or more in base 62, zeros in front."""
    digits = ""
    while number and len(digits) < chars:
        # Two digits at a time: each event has an id, and its minting costs half as much so.
        number, pair = divmod(number, _PAIRS)
        digits = _TWO_DIGITS[pair] + digits
    return digits.rjust(chars, ALPHABET[0])[-chars:]


class Ids:
    """Mints ids. `draw` gives any integers of 0 or more; two equal ones give two equal ids."""

    def __init__(self, draw: Callable[[], int]) -> None:
        self._draw = draw
        self._wall_time_s = EPOCH_S
        self._opened_us = 0
        self._second = -1
        self._time = base62(0, _TIME_CHARS)

    def start(self, *, wall_time_s: int, now_us: int) -> None:
        """Label what is made from here on, with `wall_time_s` belonging to `now_us`."""
        self._wall_time_s = wall_time_s
        self._opened_us = now_us
        self.at(now_us)

    def at(self, now_us: int) -> None:
        """Move the label to this moment."""
        second = self._wall_time_s + (now_us - self._opened_us) // US_PER_S - EPOCH_S
        if second != self._second:
            self._second = second
            self._time = base62(max(0, second), _TIME_CHARS)

    def mint(self, prefix: str) -> str:
        """A new id for an `event`, `item`, `resp`, `conv` or `sess`."""
        return f"{prefix}_{self._time}{base62(self._draw() % _DRAWN_IDS, _DRAWN_CHARS)}"

    def mint_media_event(self) -> str:
        """A new id for an event of the media server: 16 hex digits, no time (protocol.md §2.0)."""
        return f"event_{self._draw() % 16**_MEDIA_DIGITS:0{_MEDIA_DIGITS}x}"

    def mint_call(self) -> str:
        """A new id for a function call."""
        return f"call_{base62(self._draw() % _DRAWN_IDS, _DRAWN_CHARS)}"

    def pad(self, text: str) -> str:
        """The `obfuscation` of a text delta: as many characters as it lacks to 16 (protocol.md
        §2.3)."""
        lacking = _DRAWN_CHARS - len(text)
        return base62(self._draw() % _DRAWN_IDS, lacking) if lacking > 0 else ""
