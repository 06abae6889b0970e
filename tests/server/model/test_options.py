"""Settings that make no sense are refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from bargein.errors import LocalValueError
from bargein.server.model.options import Limits, Options


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("processing_us", -1),
        ("lengths_grid_ms", 0),
        ("rate_limits_after_us", -1),
        ("session_us", 999_999),
    ],
)
def test_an_option_below_its_least_value_is_named(name: str, value: int) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(LocalValueError, match=f"{name} is {value}: give"):
        Options(**options)


@pytest.mark.parametrize("name", Limits.__slots__)
def test_a_limit_of_nothing_is_named(name: str) -> None:
    with pytest.raises(LocalValueError, match=f"limits.{name} is 0: give 1"):
        Limits(**{name: 0})
