"""What waits to be sent to one client."""

from __future__ import annotations

from bargein.server.outgoing import Outgoing


def test_what_waits_is_counted_until_it_is_dropped() -> None:
    out = Outgoing()
    out.put("one")
    out.put("three")
    assert (list(out.frames), out.waiting_bytes, out.changed.is_set()) == (
        ["one", "three"],
        8,
        True,
    )
    out.drop()
    assert (list(out.frames), out.waiting_bytes) == ([], 0)


def test_the_first_close_that_was_asked_for_counts() -> None:
    out = Outgoing()
    out.close(1001, "away")
    out.close(1011, "")
    assert out.closing == (1001, "away")
