"""What a card holds: taken from the queue, not yet heard. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from bargein.audio.base import Mark
from bargein.audio.ear import Heard
from bargein.audio.formats import Samples
from bargein.audio.ring import Span


@dataclass(frozen=True, slots=True)
class _Block:
    frame: int
    pcm: Samples
    spans: tuple[Span, ...]


class Flight:
    """Blocks on their way to the ear, by the frame numbers of the card's clock."""

    def __init__(self) -> None:
        self._blocks: deque[_Block] = deque()
        self._left = 0

    @property
    def empty(self) -> bool:
        """Whether no marked sound is on its way."""
        return not self._blocks

    def take(self, frame: int, pcm: Samples, spans: tuple[Span, ...]) -> None:
        """The card took a block with sound in it; its first sample is `frame`."""
        self._blocks.append(_Block(frame, pcm, spans))

    def leave(self, left: int) -> list[Heard]:
        """Every frame below `left` has sounded: gives the marked pieces that are new, in order."""
        heard: list[Heard] = []
        left = max(self._left, left)
        while self._blocks:
            block = self._blocks[0]
            end = block.frame + len(block.pcm)
            heard += _pieces(block, self._left, min(left, end))
            if left < end:
                break
            self._blocks.popleft()
        self._left = left
        return heard

    def drop(self) -> list[tuple[Mark, Samples]]:
        """Empty the card: gives the sound that has not left it, in order."""
        dropped: list[tuple[Mark, Samples]] = []
        for block in self._blocks:
            pieces = _pieces(block, self._left, block.frame + len(block.pcm))
            dropped += [(piece.mark, piece.pcm) for piece in pieces]
        self._blocks.clear()
        return dropped

    def holds(self, mark: Mark) -> int:
        """Samples of the mark that have not left the card."""
        return sum(
            len(piece.pcm)
            for block in self._blocks
            for piece in _pieces(block, self._left, block.frame + len(block.pcm))
            if piece.mark == mark
        )


def _pieces(block: _Block, low: int, high: int) -> list[Heard]:
    """The marked sound of a block between two frames."""
    pieces: list[Heard] = []
    for span in block.spans:
        at = block.frame + span.offset
        begin, end = max(low, at), min(high, at + span.samples)
        if begin < end:
            sound = block.pcm[begin - block.frame : end - block.frame]
            pieces.append(Heard(begin, span.mark, span.first + begin - at, sound))
    return pieces
