"""Whom to believe, on what an ear told of real turns."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bargein.server.engines.local.belief import fit, is_believed


def heard(**told: Any) -> dict[str, Any]:
    good = {
        "grammar": "tell me a story",
        "score": 0.648,
        "sounds_score": 0.667,
        "grammar_sounds": 12,
        "sounds": 12,
        "frames": 213,
    }
    return good | told


def test_a_path_that_fits_is_believed() -> None:
    assert is_believed(heard())


@pytest.mark.parametrize(
    "told",
    [
        {"grammar": ""},
        {"score": 0.32},
        {"sounds": 30},
        {"score": 0.0},
        {"frames": 0},
    ],
    ids=["no path", "fits badly", "too few sounds", "no score", "nothing heard"],
)
def test_one_that_does_not_is_not(told: dict[str, Any]) -> None:
    assert not is_believed(heard(**told))


def test_the_fit_is_per_thousand_frames() -> None:
    assert fit(heard(score=math.exp(-1), sounds_score=1.0, frames=500)) == pytest.approx(-2.0)
    assert fit(heard(sounds_score=0.0)) == -math.inf
