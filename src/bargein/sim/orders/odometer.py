"""Every sequence of draws, once each: a source that counts through them like an odometer.

It replays what it drew the time before, up to the last draw that can still be raised, raises that
one and goes on plainly. So nothing must be known beforehand of how many draws there will be and how
wide each is; a run may draw more or less, depending on what it drew before. The idea is that of
TigerBeetle's `exhaustigen.zig`.
"""

from __future__ import annotations

from fractions import Fraction


class OdometerSource:
    """A `choices.Source`. Play a run, then `advance`; it is False when all have been played."""

    def __init__(self) -> None:
        self._drawn: list[tuple[int, int]] = []
        self._position = 0

    def draw(self, stream: str, span: int) -> int:
        """An integer from 0 to `span`. Raises `ValueError` if a replayed draw is not as wide as it
        was: then the run is not decided by its draws alone."""
        position = self._position
        self._position += 1
        if position == len(self._drawn):
            self._drawn.append((0, span))
            return 0
        value, before = self._drawn[position]
        if before != span:
            raise ValueError(
                f"stream {stream!r}: draw {position} spans {span}, it spanned {before}"
            )
        return value

    @property
    def share(self) -> Fraction:
        """The part of all sequences that this one stands for, each draw being fair. Over all
        sequences the shares add up to 1; with one left out or played twice, they do not."""
        share = Fraction(1)
        for _, span in self._drawn:
            share /= span + 1
        return share

    def advance(self) -> bool:
        """Go to the next sequence, for the next run."""
        del self._drawn[self._position :]
        self._position = 0
        while self._drawn:
            value, span = self._drawn.pop()
            if value < span:
                self._drawn.append((value + 1, span))
                return True
        return False
