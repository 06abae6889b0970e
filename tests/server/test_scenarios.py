"""The built-in scenarios play through the server's machine from beginning to end."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.host_rig import Peer, begin, played

from bargein.server.engines.scenario import builtin_scenarios, load_scenario
from bargein.server.engines.script import ScriptEngine
from bargein.server.host import Host
from bargein.server.model.vad import EnergyVad


async def responses(name: str, count: int, *said: str, **session: Any) -> list[dict[str, Any]]:
    """The first responses of a session, each after something was typed, if anything was."""
    scenario = load_scenario(name)
    host = Host(lambda: ScriptEngine(scenario), new_detector=EnergyVad)
    peer = Peer()
    task = begin(host, peer)
    if session:
        peer.say("session.update", session={"type": "realtime", **session})
    done: list[dict[str, Any]] = []
    for turn in range(count):
        if said:
            content = [{"type": "input_text", "text": said[turn % len(said)]}]
            item = {"type": "message", "role": "user", "content": content}
            peer.say("conversation.item.create", item=item)
        peer.say("response.create")
        done.append((await peer.until("response.done"))["response"])
        peer.got = [event for event in peer.got if event["type"] == "error"]
    assert peer.got == []
    peer.leave()
    await task
    return done


@pytest.mark.parametrize("modality", ["audio", "text"])
@pytest.mark.parametrize("name", sorted(builtin_scenarios()))
def test_every_reply_ends_as_its_file_says(name: str, modality: str) -> None:
    async def scenario() -> None:
        script = load_scenario(name)
        in_turn = [r for r in script.replies if r.when is None and r.after_call is None]
        done = await responses(name, len(in_turn) + 1, output_modalities=[modality])
        expected = [reply.ending.status if reply.ending else "completed" for reply in in_turn]
        assert [response["status"] for response in done] == [*expected, expected[0]]

    played(scenario)


def test_the_troubles_are_what_they_promise() -> None:
    async def scenario() -> None:
        done = await responses("trouble", 10)
        details = [response["status_details"] for response in done]
        assert [each and (each.get("reason") or each["error"]["code"]) for each in details] == [
            *(None, None, None, None, None),
            *("content_filter", "max_output_tokens"),
            *("insufficient_quota", "rate_limit_exceeded", None),
        ]
        assert [len(response["output"]) for response in done] == [1, 2, 1, 1, 0, 1, 1, 0, 0, 1]
        parts = [part["type"] for part in done[1]["output"][1]["content"]]
        assert parts == ["output_audio", "output_text"]
        audio_tokens = done[5]["usage"]["output_token_details"]["audio_tokens"]
        assert audio_tokens == 900 / 50

    played(scenario)


def test_a_call_between_two_messages_keeps_its_place() -> None:
    async def scenario() -> None:
        tools = [{"type": "function", "name": "lookup", "parameters": {"type": "object"}}]
        (response,) = await responses("trouble", 1, "Look it up", tools=tools)
        kinds = [item["type"] for item in response["output"]]
        assert kinds == ["message", "function_call", "message"]
        assert response["output"][1]["arguments"] == '{"what": "some'

    played(scenario)


def test_the_storyteller_never_runs_out() -> None:
    async def scenario() -> None:
        done = await responses("storyteller", 12, "Go on", "hello", "Will it rain?")
        assert {response["status"] for response in done} == {"completed"}
        assert all(response["output"] for response in done)

    played(scenario)
