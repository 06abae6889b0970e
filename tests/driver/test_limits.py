"""The bounds of a session."""

from __future__ import annotations

from dataclasses import fields

import pytest

from bargein.driver.limits import Limits
from bargein.errors import LocalValueError


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_no_bound_may_be_nought(name: str, value: float) -> None:
    with pytest.raises(LocalValueError, match=name):
        Limits(**{name: value})  # type: ignore[arg-type]  # that is the test
