"""Given what the recorded clients sent, the server answers with the recorded types and fields.

The model's words are taken from the recording and played as a score. What the recordings have and
this server has not is left out: input transcription (no text comes from silence) and the moment of
`rate_limits.updated`, which falls between other events by chance.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.server.model.model_rig import Rig

from bargein.server.model import score

RECORDINGS = Path(__file__).parents[2] / "recordings"


def play(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the service answered, and what this server answers."""
    frames = yaml.safe_load((RECORDINGS / name).read_text())["interactions"]
    recorded = [frame["data"] for frame in frames if frame["direction"] == "received"]
    rig = Rig(recorded[0]["session"]["model"])
    answered = list(rig.log)
    calls: dict[str, str] = {}
    ended = 0
    for frame in frames:
        event = frame["data"]
        kind = event["type"]
        if frame["direction"] == "sent":
            item = event.get("item", {})
            if item.get("call_id") in calls and item["type"] == "function_call_output":
                item["call_id"] = calls[item["call_id"]]
            answered += rig.say(**event)
            continue
        running = rig.machine.running_response_ids
        if not running or "response" not in kind:
            continue
        action = _action(event)
        if action is not None:
            made = rig.produce(running[0], action, final=False)
            answered += made
            if isinstance(action, score.OpenCall):
                calls[event["item"]["call_id"]] = made[0]["item"]["call_id"]
        elif kind.endswith(".done") and ended < len(rig.started):
            ended = len(rig.started)
            answered += rig.produce(running[0])
    return _compared(recorded), _compared(answered)


def _action(event: dict[str, Any]) -> score.Action | None:
    match event["type"]:
        case "response.output_item.added" if event["item"]["type"] == "message":
            return score.OpenMessage(event["item"].get("phase"))
        case "response.output_item.added":
            return score.OpenCall(event["item"]["name"])
        case "response.content_part.added":
            return score.OpenPart(event["part"]["type"])
        case "response.output_text.delta" | "response.output_audio_transcript.delta":
            return score.SayText(event["delta"])
        case "response.function_call_arguments.delta":
            return score.Arguments(event["delta"])
        case _:
            return None


def _compared(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in log if event["type"] != "rate_limits.updated"]


def fields(value: Any, path: str = "") -> set[str]:
    """The paths of all fields in it."""
    if isinstance(value, list):
        return {found for each in value for found in fields(each, f"{path}[]")}
    if not isinstance(value, dict):
        return set()
    return {
        found
        for name, each in value.items()
        for found in ({f"{path}.{name}"} | fields(each, f"{path}.{name}"))
    }


NAMES = [
    "openai_ws__tool_call_round.yaml",
    "openai_ws__message_history_seeding.yaml",
    "parity_ws__text_tool_round_parity_openai-current.yaml",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_types_come_in_the_recorded_order(name: str) -> None:
    recorded, answered = play(name)
    assert [event["type"] for event in answered] == [event["type"] for event in recorded]


@pytest.mark.parametrize("name", NAMES)
def test_each_event_has_the_recorded_fields(name: str) -> None:
    recorded, answered = play(name)
    for one, other in zip(recorded, answered, strict=True):
        assert fields(other) == fields(one), one["type"]


@pytest.mark.parametrize("name", NAMES)
def test_the_session_is_the_recorded_one_but_for_id_and_end(name: str) -> None:
    recorded, answered = play(name)
    for one, other in zip(recorded, answered, strict=True):
        if one["type"].startswith("session."):
            own = {"id": "", "expires_at": 0}
            assert {**other["session"], **own} == {**one["session"], **own}


@pytest.mark.parametrize("name", NAMES)
def test_predecessors_are_the_recorded_ones_quirk_included(name: str) -> None:
    recorded, answered = play(name)

    def predecessors(log: list[dict[str, Any]]) -> list[int | None]:
        order = [e["item"]["id"] for e in log if e["type"] == "conversation.item.added"]
        shown = [e["previous_item_id"] for e in log if "previous_item_id" in e]
        return [None if item_id is None else order.index(item_id) for item_id in shown]

    assert predecessors(answered) == predecessors(recorded)
