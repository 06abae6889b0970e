"""Clients written in JavaScript hold the whole conversation with our server: the official `openai`
package over `ws`, and `@openai/agents-realtime` with a session of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.server.serving_rig import user_speech
from tests.strangers import node_rig
from tests.strangers.stage import GREETING, HEARS, RESULT, STORY_MS, YES, a_stage, user

pytestmark = pytest.mark.timeout(300)
"""The first use installs the packages."""

CUT_MS = 300


async def test_the_official_package_holds_the_whole_conversation(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        steps = await node_rig.run("sdk.mjs", stage, tmp_path, voice=user_speech())
    assert steps["greeting"]["said"] == GREETING
    assert steps["greeting"]["bytes"] > 24_000
    assert steps["tool"]["name"] == "weather"
    assert steps["tool"]["arguments"] == '{"city": "Paris"}'
    assert steps["tool"]["said"] == RESULT
    assert (steps["cancelled"]["status"], steps["cancelled"]["reason"]) == (
        "cancelled",
        "turn_detected",
    )
    asked, truncated = steps["interruption"]["asked"], steps["interruption"]["truncated"]
    assert asked["audio_end_ms"] == CUT_MS
    assert {name: truncated[name] for name in asked} == asked
    assert steps["interruption"]["said"] == YES
    assert sorted(steps["heard"]["words"]) == sorted(HEARS)
    refusal = steps["refusal"]
    assert refusal["name"] == "OpenAIRealtimeError"
    assert refusal["error"] == {
        "type": "invalid_request_error",
        "code": "response_cancel_not_active",
        "message": "Cancellation failed: no active response found",
        "param": None,
        "event_id": "mine",
    }
    assert len(stage.refusals) == 1, "nothing else was refused"
    assert steps["closed"]["code"] == 1_000


async def test_the_agents_kit_holds_the_whole_conversation(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as stage:
        steps = await node_rig.run("agents.mjs", stage, tmp_path, voice=user())
    greeting, tool, interruption = (steps[name] for name in ("greeting", "tool", "interruption"))
    assert [greeting["said"], tool["said"], interruption["said"]] == [GREETING, RESULT, YES]
    assert greeting["counts"]["audio"] > 1
    assert tool["counts"]["agent_tool_start"] == tool["counts"]["agent_tool_end"] == 1
    assert "rain in Paris" in [item.get("output") for item in tool["history"]]
    # It takes three replies for cut: the two before the story when the user spoke again, too.
    assert interruption["counts"]["audio_interrupted"] == 3
    told = stage.told("conversation.item.truncated")
    asked = stage.asked("conversation.item.truncate")
    assert [places(cut) for cut in told] == [places(cut) for cut in asked]
    assert {cut["item_id"] for cut in asked} <= {*stage.spoken_items[:3]}
    assert asked[-1]["item_id"] == stage.spoken_items[2]
    assert asked[-1]["audio_end_ms"] <= STORY_MS
    (own,) = steps["refusal"]["refusals"]
    assert own["error"]["code"] == "item_delete_invalid_item_id"
    assert own["error"]["event_id"] == "mine"
    assert len(stage.refusals) == 1, "nothing else was refused"


def places(cut: dict[str, Any]) -> tuple[Any, ...]:
    return cut["item_id"], cut["content_index"], cut["audio_end_ms"]
