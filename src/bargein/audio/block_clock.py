"""When a card takes its blocks, by its own clock, which may be a little fast or slow. Pure.

1. Block k begins with frame k·block and is taken when that frame is due: `start + k·block / rate`.
2. A block for which the computer is late is missed: it is taken at its time, without sound.
"""

from __future__ import annotations

from bargein.audio.card_settings import CardSettings
from bargein.units import US_PER_S

_MILLION = 1_000_000
_PARTS = _MILLION * US_PER_S
_MANY = 1 << 60


class BlockClock:
    """Counts the blocks that were taken. `due_us` is when the next one is; `late`: so many blocks
    from there on are missed."""

    __slots__ = ("_block", "_frames", "_miss_every", "_start_us", "_taken", "due_us", "late")

    def __init__(self, settings: CardSettings, start_us: int) -> None:
        self._block = settings.block
        # Frames in 10^12 microseconds: a whole number at any error of the rate.
        self._frames = settings.rate * (_MILLION + settings.rate_error_ppm)
        self._miss_every = settings.miss_every
        self._start_us = start_us
        self._taken = 0
        self.due_us = start_us
        self.late = 0

    @property
    def next_frame(self) -> int:
        """The first frame of the next block."""
        return self._taken * self._block

    @property
    def punctual(self) -> int:
        """How many blocks come before the next one that is missed."""
        if self.late:
            return 0
        every = self._miss_every
        return every - 1 - self._taken % every if every else _MANY

    def frame_at(self, time_us: int) -> int:
        """Which frame is due at that time: the last one that begins at it or before."""
        return (time_us - self._start_us) * self._frames // _PARTS

    def lasts_us(self, frames: int) -> int:
        """How long so many frames last, rounded down."""
        return frames * _PARTS // self._frames

    def due_by(self, time_us: int) -> int:
        """How many blocks are due at that time and not taken."""
        return self.frame_at(time_us) // self._block + 1 - self._taken

    def due_from(self, time_us: int) -> int:
        """When the first block is due, of those that are not taken, that is due then or later."""
        if time_us <= self.due_us:
            return self.due_us
        before = (time_us - 1 - self._start_us) * self._frames // (self._block * _PARTS)
        return self._start_us - (-(before + 1) * self._block * _PARTS // self._frames)

    def take(self, blocks: int) -> None:
        """So many more blocks are taken."""
        self._taken += blocks
        self.due_us = self._start_us - (-self._taken * self._block * _PARTS // self._frames)

    def miss(self) -> None:
        """The next block is missed."""
        self.late -= self.late > 0
        self.take(1)
