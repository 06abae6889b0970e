"""What every refusal has in common."""

from __future__ import annotations

from bargein.server.model.refusal import listed


def test_lists_are_written_as_the_service_writes_them() -> None:
    assert [listed(("a",)), listed(("a", "b")), listed(("a", "b", "c"))] == [
        "'a'", "'a' and 'b'", "'a', 'b', and 'c'",
    ]  # fmt: skip
