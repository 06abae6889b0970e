"""What was heard, sample for sample, on the card's own time axis. Pure."""

from __future__ import annotations

import msgspec
import numpy as np

from bargein.audio.base import Mark
from bargein.audio.formats import Samples


class Heard(msgspec.Struct, frozen=True, gc=False):
    """Samples of `mark` from its number `first`, at the card's rate; heard from `frame` on."""

    frame: int
    mark: Mark
    first: int
    pcm: Samples


class Ear:
    """Records everything that leaves the card. Frame 0 is the moment the card was opened.

    It keeps `limit_samples` of sound at most (an hour at 48 kHz unless told) and counts what it
    lost in `lost_samples`.
    """

    def __init__(self, limit_samples: int = 172_800_000) -> None:
        self._limit = limit_samples
        self._kept = 0
        self.heard: list[Heard] = []
        self.lost_samples = 0

    def hear(self, piece: Heard) -> None:
        """Take a piece that begins no earlier than the last one ended."""
        if self._kept + len(piece.pcm) > self._limit:
            self.lost_samples += len(piece.pcm)
            return
        self._kept += len(piece.pcm)
        self.heard.append(piece)

    def samples(self, mark: Mark) -> Samples:
        """All that was heard of one mark, in the order it was heard, at the card's rate."""
        pieces = [piece.pcm for piece in self.heard if piece.mark == mark]
        return np.concatenate([np.zeros(0, dtype=np.int16), *pieces])

    def sound(self, frames: int = 0) -> Samples:
        """The whole axis from frame 0, silence included; at least `frames` long."""
        end = self.heard[-1].frame + len(self.heard[-1].pcm) if self.heard else 0
        whole: Samples = np.zeros(max(frames, end), dtype=np.int16)
        for piece in self.heard:
            whole[piece.frame : piece.frame + len(piece.pcm)] = piece.pcm
        return whole
