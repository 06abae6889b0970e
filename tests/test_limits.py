"""The bounds of a session."""

from __future__ import annotations

from dataclasses import fields

import pytest

from bargein.errors import LocalValueError
from bargein.limits import Limits


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_no_bound_may_be_nought(name: str, value: float) -> None:
    with pytest.raises(LocalValueError, match=name):
        Limits(**{name: value})  # type: ignore[arg-type]  # that is the test
