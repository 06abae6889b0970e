"""The sound that a card was given and that nobody has heard yet, as it came. Pure.

A device can be lost with what it holds, and another one may have another rate: whoever goes on
needs the sound itself, from the first sample that was not heard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from bargein.audio.base import Mark
from bargein.audio.formats import Samples


class Unheard:
    """In playing order, at the rate of each mark. The arrays are kept, not copied."""

    def __init__(self) -> None:
        self._chunks: deque[tuple[Mark, int, Samples]] = deque()

    def keep(self, mark: Mark, first: int, pcm: Samples) -> None:
        """It is queued behind all that is here; it begins with the mark's sample `first`."""
        self._chunks.append((mark, first, pcm))

    def let_go(self, heard: Callable[[Mark], int]) -> None:
        """Forget the chunks in front that were heard to their end."""
        while self._chunks:
            mark, first, pcm = self._chunks[0]
            if heard(mark) < first + len(pcm):
                return
            self._chunks.popleft()

    def clear(self) -> None:
        """None of it will be heard."""
        self._chunks.clear()

    def rest(self, heard: Callable[[Mark], int]) -> Iterator[tuple[Mark, Samples]]:
        """What is left of each chunk behind the samples that were heard."""
        for mark, first, pcm in self._chunks:
            over = max(0, heard(mark) - first)
            if over < len(pcm):
                yield mark, pcm[over:]
