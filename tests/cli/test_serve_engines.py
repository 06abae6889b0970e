"""`bargein serve --engine`: a mind behind a URL, and an engine of one's own, as processes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.test_serve import line, run, serving
from tests.server.engines.chat.services import chunk, says, services, streams
from websockets.asyncio.client import connect

ROOT = Path(__file__).parents[2]
SECRET = "sk-mind-0123456789abcdef"


async def converse(told: dict[str, Any], text: str, **session: Any) -> dict[str, Any]:
    """One typed turn; the response as it was when it was done."""
    url = f"{told['ws_url']}?model=gpt-realtime"
    headers = {"Authorization": f"Bearer {told['api_key']}"}
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    async with asyncio.timeout(30), connect(url, additional_headers=headers) as socket:
        for event in (
            {"type": "session.update", "session": {"type": "realtime", **session}},
            {"type": "conversation.item.create", "item": item},
            {"type": "response.create"},
        ):
            await socket.send(json.dumps(event))
        async for frame in socket:
            event = json.loads(frame)
            assert event["type"] != "error", event
            if event["type"] == "response.done":
                response: dict[str, Any] = event["response"]
                return response
    raise AssertionError("the server closed before the response was done")


async def test_a_mind_behind_a_url_speaks_calls_and_costs_what_it_counted() -> None:
    call = {"index": 0, "id": "c0", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
    usage = {"prompt_tokens": 41, "completion_tokens": 12}
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    async with services() as served:
        served.minds(
            streams(
                chunk({"content": "Let me look. "}),
                chunk({"tool_calls": [call]}),
                chunk(finish="tool_calls", usage=usage),
            )
        )
        options = ("--engine", "chat", "--chat-url", served.url, "--chat-model", "tiny", "--json")
        with serving(*options, BARGEIN_CHAT_API_KEY=SECRET) as process:
            told = json.loads(await asyncio.to_thread(line, process))
            done = await converse(told, "Is it raining in Rome?", tools=[tool])
        (asked,) = served.asked
    assert told["engine"] == "chat" and told["scenario"] is None
    assert done["status"] == "completed"
    message, called = done["output"]
    assert message["content"][0]["transcript"] == "Let me look."
    assert (called["name"], called["arguments"]) == ("weather", '{"city":"Rome"}')
    assert done["usage"]["input_tokens"] == 41
    assert asked.body["tools"][0]["function"]["name"] == "weather"
    assert asked.headers["authorization"] == f"Bearer {SECRET}"


async def test_a_failure_of_the_mind_is_the_responses_and_shows_no_key() -> None:
    async with services() as served:
        served.minds(says("never"))
        url = f"{served.url}/nowhere"
        served.answers["/v1/nowhere/chat/completions"] = [_refusal]
        options = ("--engine", "chat", "--chat-url", url, "--chat-model", "tiny", "--json")
        with serving(*options, BARGEIN_CHAT_API_KEY=SECRET) as process:
            told = json.loads(await asyncio.to_thread(line, process))
            done = await converse(told, "Hi")
            process.terminate()
            out, errors = await asyncio.to_thread(process.communicate)
    assert done["status"] == "failed"
    assert done["status_details"]["error"]["code"] == "rate_limit_exceeded"
    assert SECRET not in out + errors + json.dumps(done) and "Traceback" not in errors


async def _refusal(asked: Any) -> Any:
    from starlette.responses import JSONResponse

    return JSONResponse({"error": {"message": f"Too many for {SECRET}"}}, 429)


async def test_an_engine_of_ones_own_is_served_by_its_import_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    with serving("--engine", "examples.own_engine:Parrot", "--json") as process:
        told = json.loads(await asyncio.to_thread(line, process))
        done = await converse(told, "Who is a pretty bird?")
    assert done["output"][0]["content"][0]["text"] == "Who is a pretty bird?"
    assert len((ROOT / "examples" / "own_engine.py").read_text().splitlines()) <= 40


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--engine", "chat"), "--engine chat needs --chat-url"),
        (("--engine", "robot"), "engine is 'robot': give script, local, chat, or MODULE:NAME"),
        (("--engine", "nowhere:Mind"), "there is no module 'nowhere'"),
        (("--engine", "local", "--speed", "0.5"), "speed is 0.5: give 1 to 20"),
        (("--engine", "local", "--scenario", "demo"), "--scenario is an option of the script"),
        (("--engine", "a:B", "--speed", "2"), "--speed is an option of the engines script and"),
        (("--chat-url", "http://a/v1"), "--chat-url is an option of the chat engine"),
        (("--mind-hears",), "--mind-hears is an option of the chat engine"),
        (("--engine", "chat", "--chat-url", "localhost"), "--chat-url is no http(s) URL"),
        (
            ("--engine", "chat", "--chat-url", "http://a/v1", "--chat-body", "{"),
            "--chat-body is no JSON",
        ),
        (
            ("--engine", "chat", "--chat-url", "http://a/v1", "--chat-body", "[]"),
            "--chat-body is '[]': give a JSON object",
        ),
    ],
)
def test_what_cannot_be_is_one_line(arguments: tuple[str, ...], fault: str) -> None:
    code, errors = run("serve", *arguments)
    assert code == 2 and errors.count("\n") == 1
    assert fault in errors


def test_a_key_that_can_be_none_is_named_by_its_variable_and_not_shown() -> None:
    options = ("--engine", "chat", "--chat-url", "http://a/v1")
    code, errors = run("serve", *options, BARGEIN_CHAT_API_KEY="hunter 2")
    assert code == 2 and "BARGEIN_CHAT_API_KEY: " in errors and "hunter" not in errors
