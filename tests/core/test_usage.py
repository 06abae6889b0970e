"""What the session cost so far."""

from __future__ import annotations

from bargein import events
from bargein.core.usage import UsageTotal


def test_usages_add_up_and_what_is_left_out_counts_nothing() -> None:
    total = UsageTotal()
    total.add(events.Usage(total_tokens=10, input_tokens=7, output_tokens=3))
    total.add(events.Usage(total_tokens=5, input_tokens=None))
    assert (total.responses, total.total_tokens) == (2, 15)
    assert (total.input_tokens, total.output_tokens) == (7, 3)
