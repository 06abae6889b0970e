"""What is said of a server to a client, where a question was not asked."""

from __future__ import annotations

import pytest

from bargein.events.dialect import Dialect
from bargein.lab.conformance.learned import capabilities_of, learned


@pytest.mark.parametrize("spoken", ["ga", "beta"])
def test_the_dialect_that_was_spoken_is_assumed_where_the_session_was_not_asked_about(
    spoken: Dialect,
) -> None:
    assert capabilities_of(learned([], spoken)).dialect == spoken
