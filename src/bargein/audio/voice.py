"""One mark's sound on its way to the card's rate, and the card's counts on their way back. Pure."""

from __future__ import annotations

from bisect import bisect_right

from bargein.audio.formats import Samples
from bargein.audio.resample import Resampler


class Voice:
    """Converts one mark's sound from its own rate to the card's.

    Usually that is one stream. Where another mark's sound comes in between, `pause` lets out what
    the filter holds back, and the next sound begins a new stream; the counts run on over all of
    them.
    """

    def __init__(self, rate: int, card_rate: int, *, begin: int = 0) -> None:
        """`begin`: so many samples of the mark came and were heard before, elsewhere.

        Raises `LocalValueError` as `Resampler` does.
        """
        self.rate = rate
        self._card_rate = card_rate
        self._streams = [Resampler(rate, card_rate)]
        self._card_starts = [0]
        self._own_starts = [begin]

    @property
    def received(self) -> int:
        """Samples that were pushed, at the sound's rate."""
        return self._own_starts[-1] + self._streams[-1].pushed

    @property
    def given(self) -> int:
        """Samples that came out, at the card's rate."""
        return self._card_starts[-1] + self._streams[-1].given

    def push(self, pcm: Samples) -> Samples:
        """Convert a chunk of any length."""
        return self._streams[-1].push(pcm)

    def pause(self) -> Samples:
        """Let out what is held back. Sound may follow; it begins a new stream."""
        if not self._streams[-1].pushed:
            return self._streams[-1].push(b"")
        tail = self._streams[-1].flush()
        own, card = self.received, self.given
        self._streams.append(Resampler(self.rate, self._card_rate))
        self._own_starts.append(own)
        self._card_starts.append(card)
        return tail

    def own_samples(self, card_samples: int) -> int:
        """How many whole samples at the sound's rate the first `card_samples` at the card's rate
        cover.

        Never falls, and is exactly `received` where all is out and covered.
        """
        at = 0
        if len(self._card_starts) > 1:
            at = bisect_right(self._card_starts, card_samples) - 1
        return self._own_starts[at] + self._streams[at].input_samples(
            card_samples - self._card_starts[at]
        )
