"""Silence inside a mark: its sound ran out, and more of it came. Pure."""

from __future__ import annotations

from bargein.audio.base import Mark
from bargein.audio.ring import Span


class Gap:
    """Begins where the last sound of a mark ended, as long as more of it may come. `mark` is None
    where there is nothing that silence could be inside of."""

    __slots__ = ("_end", "mark")

    def __init__(self) -> None:
        self.mark: Mark | None = None
        self._end = 0

    def before(self, span: Span, frame: int) -> int:
        """Sound was taken, in a block that begins with `frame`: gives the frames of silence since
        the last sound of its mark. The next gap begins behind it."""
        begin = frame + span.offset
        silence = max(0, begin - self._end) if self.mark == span.mark else 0
        self.mark, self._end = span.mark, begin + span.samples
        return silence

    def none(self) -> None:
        """The mark is cut, held or whole: silence behind it is as it should be."""
        self.mark = None
