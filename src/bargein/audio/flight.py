"""What a card holds: taken from the queue, not yet heard. Pure."""

from __future__ import annotations

from collections import deque

from bargein.audio.base import Mark
from bargein.audio.ear import Heard
from bargein.audio.formats import Samples
from bargein.audio.ring import Span


class Flight:
    """Sound on its way to the ear. Frames here are those of the card's clock; what is heard is
    told on the ear's axis, which is `late_frames` behind.
    """

    def __init__(self, late_frames: int) -> None:
        self._late = late_frames
        self._pieces: deque[Heard] = deque()
        self._end = 0
        self.empty = True
        """Whether every block that held marked sound has sounded to its end."""

    def take(self, frame: int, pcm: Samples, spans: tuple[Span, ...]) -> None:
        """The card took a block with sound in it; its first sample is `frame`."""
        begin = frame + self._late
        self._end = begin + len(pcm)
        self.empty = False
        for span in spans:
            sound = pcm[span.offset : span.offset + span.samples]
            self._pieces.append(Heard(begin + span.offset, span.mark, span.first, sound))

    def leave(self, left: int) -> list[Heard]:
        """Every frame below `left` has sounded: gives the marked pieces that are new, in order."""
        left += self._late
        heard: list[Heard] = []
        pieces = self._pieces
        while pieces and pieces[0].frame < left:
            piece = pieces.popleft()
            sounded = left - piece.frame
            if sounded < len(piece.pcm):
                rest = Heard(left, piece.mark, piece.first + sounded, piece.pcm[sounded:])
                pieces.appendleft(rest)
                piece = Heard(piece.frame, piece.mark, piece.first, piece.pcm[:sounded])
            heard.append(piece)
        if left >= self._end:
            self.empty = True
        return heard

    def drop(self) -> list[tuple[Mark, Samples]]:
        """Empty the card: gives the sound that has not left it, in order."""
        dropped = [(piece.mark, piece.pcm) for piece in self._pieces]
        self._pieces.clear()
        self.empty = True
        return dropped

    def holds(self, mark: Mark) -> int:
        """Samples of the mark that have not left the card."""
        return sum(len(piece.pcm) for piece in self._pieces if piece.mark == mark)
