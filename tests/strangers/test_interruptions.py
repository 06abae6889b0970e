"""What the page about strangers says of each client at an interruption is so: which items it asks
to cut, and whether the reply ends. (How many milliseconds: see the evidence that the page cites.)
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.strangers.interruptions import CLIENTS, SITUATIONS, Outcome, measure

pytestmark = pytest.mark.real_time


async def measured(client: str, situation: str, folder: Path) -> Outcome:
    return await measure(CLIENTS[client], SITUATIONS[situation], folder)


def asked(outcome: Outcome) -> list[str]:
    return [one["type"] for one in outcome.asked]


async def test_of_two_spoken_items_bargein_cuts_the_one_that_plays_and_deletes_the_unheard(
    tmp_path: Path,
) -> None:
    outcome = await measured("bargein", "two spoken items", tmp_path)
    assert asked(outcome) == ["conversation.item.truncate", "conversation.item.delete"]
    first, second = outcome.parts
    assert (second.heard_ms, second.kept_ms) == (0, None)
    assert first.kept_ms == first.heard_ms < first.sent_ms
    assert outcome.unheard_ms == 0 and outcome.refused == []


async def test_of_two_spoken_items_the_agents_kit_cuts_the_one_that_came_last(
    tmp_path: Path,
) -> None:
    outcome = await measured("openai-agents", "two spoken items", tmp_path)
    assert asked(outcome) == ["conversation.item.truncate"]
    first, second = outcome.parts
    assert first.heard_ms < first.sent_ms and second.heard_ms == 0
    assert first.kept_ms is not None and abs(first.kept_ms - first.sent_ms) <= 1
    assert second.kept_ms == outcome.asked[0]["audio_end_ms"] > 0


async def test_a_program_that_interrupts_the_agents_kit_does_not_end_the_reply(
    tmp_path: Path,
) -> None:
    """Under the session that the kit asks for itself, in which the server cancels at speech."""
    outcome = await measured("openai-agents", "by the program", tmp_path)
    assert asked(outcome) == ["conversation.item.truncate"]
    assert not outcome.cancelled
