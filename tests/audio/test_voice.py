"""One mark's sound through several streams: the counts run on over all of them."""

from __future__ import annotations

import numpy as np

from bargein.audio.voice import Voice


def test_counts_go_back_to_the_own_rate_through_every_stream() -> None:
    voice = Voice(8_000, 24_000, begin=50)
    for samples in (100, 7):
        voice.push(np.ones(samples, dtype=np.int16))
        voice.pause()
    assert (voice.received, voice.given) == (157, 321)
    own = [voice.own_samples(card) for card in (0, 3, 299, 300, 302, 303, 320, 321)]
    assert own == [50, 51, 149, 150, 150, 151, 156, 157]
