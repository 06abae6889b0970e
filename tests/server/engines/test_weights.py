"""The weights that ship with the package."""

from __future__ import annotations

import pytest

from bargein.server.engines.weights import silero_weights
from bargein.server.model.vad import WEIGHT_SHAPES


def test_the_package_ships_every_weight_of_the_detector() -> None:
    weights = silero_weights()
    assert {name: array.shape for name, array in weights.items()} == WEIGHT_SHAPES
    assert {array.dtype.name for array in weights.values()} == {"float32"}


def test_the_weights_are_read_once_and_cannot_be_changed() -> None:
    assert silero_weights() is silero_weights()
    with pytest.raises(ValueError, match="read-only"):
        silero_weights()["output.bias"][0] = 0
