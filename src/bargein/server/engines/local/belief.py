"""Whom to believe of an ear's two recognisers: the grammar or the free model. Pure.

1. The grammar hears one of its sentences in whatever is said. It is believed only if its path fits
   nearly as well as sounds without any words do, and if its words have about as many sounds as were
   heard: a short sentence, stretched over a long one, fits surprisingly well.
2. Otherwise the free model is believed, which knows all words but mistakes more of them.

The two bounds are measured: of sentences of the domain by four flite and two espeak-ng voices 88 %
are heard right and believed, of others 5 % are taken for one of the domain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

LEAST_FIT = -1.4
LEAST_SOUNDS = 0.75


def is_believed(heard: Mapping[str, Any]) -> bool:
    """Whether what the grammar heard was said. `heard` is what `ear_child` tells first."""
    return (
        bool(heard["grammar"])
        and fit(heard) >= LEAST_FIT
        and heard["grammar_sounds"] >= LEAST_SOUNDS * heard["sounds"]
    )


def fit(heard: Mapping[str, Any]) -> float:
    """How much worse the grammar's path fits than mere sounds do: the difference of the logarithms
    of their scores, for 1 000 frames of 10 ms. Below zero, mostly."""
    score, sounds, frames = heard["score"], heard["sounds_score"], heard["frames"]
    if score <= 0 or sounds <= 0 or frames <= 0:
        return -math.inf
    return (math.log(score) - math.log(sounds)) * 1_000 / float(frames)
