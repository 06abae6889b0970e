"""Functions as tools: from `connect` to what the model says about them, on the local server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import bargein
from bargein.server.engines.scenario import Scenario
from bargein.server.serving import serve_local


def scenario(arguments: dict[str, Any]) -> Scenario:
    """The model asks for the weather with these arguments, and says something about it."""
    calls = [{"write": "Let me look."}, {"call": "weather", "arguments": arguments}]
    replies = [
        {"when": "weather", "outputs": calls},
        {"after_call": "weather", "outputs": [{"write": "Take a coat."}]},
        {"outputs": [{"write": "Hello."}]},
    ]
    return Scenario.of({"first_event_after_ms": 0, "replies": replies})


async def test_a_function_is_called_answered_and_spoken_about_in_one_reply() -> None:
    cities: list[str] = []

    async def weather(city: str) -> str:
        """Tell the weather."""
        cities.append(city)
        return "rain"

    async with (
        serve_local(scenario({"city": "Rome"})) as server,
        bargein.connect(url=server.url, api_key=server.api_key, tools=[weather]) as session,
    ):
        told = session.notices(bargein.ToolCalled, bargein.ToolAnswered)
        reply = await session.say("What is the weather?")
        assert await reply.text() == "Let me look. Take a coat."
        called, answered = await anext(told), await anext(told)
        outputs = [
            (item.call_id, item.payload)
            for item in session.conversation
            if item.type == "function_call_output"
        ]
    assert cities == ["Rome"]
    assert isinstance(called, bargein.ToolCalled)
    assert isinstance(answered, bargein.ToolAnswered)
    assert (answered.call_id, answered.status, answered.output) == (
        called.call_id,
        "returned",
        "rain",
    )
    assert outputs == [(called.call_id, "rain")]


async def test_arguments_that_do_not_fit_are_answered_and_the_assistant_speaks() -> None:
    @bargein.tool
    def weather(city: str) -> str:
        """Tell the weather."""
        raise AssertionError("it is not run")

    async with (
        serve_local(scenario({"town": "Rome"})) as server,
        bargein.connect(url=server.url, api_key=server.api_key, tools=[weather]) as session,
    ):
        told = session.notices(bargein.ToolAnswered)
        assert "coat" in await (await session.say("What is the weather?")).text()
        answered = await anext(told)
    assert isinstance(answered, bargein.ToolAnswered)
    assert answered.status == "failed"
    assert "unknown field `town`" in answered.output


async def test_a_call_that_is_not_approved_is_answered_too() -> None:
    asked: list[bargein.ToolCall] = []

    @bargein.tool(approval=True)
    def weather(city: str) -> str:
        """Tell the weather."""
        raise AssertionError("it is not run")

    async def approve(call: bargein.ToolCall) -> bool:
        asked.append(call)
        return False

    async with (
        serve_local(scenario({"city": "Rome"})) as server,
        bargein.connect(
            url=server.url, api_key=server.api_key, tools=[weather], approve=approve
        ) as session,
    ):
        assert "coat" in await (await session.say("What is the weather?")).text()
    assert [call.name for call in asked] == ["weather"]


async def test_leaving_ends_a_tool_that_runs() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    @bargein.tool
    async def weather(city: str) -> None:
        """Tell the weather."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with (
        serve_local(scenario({"city": "Rome"})) as server,
        bargein.connect(url=server.url, api_key=server.api_key, tools=[weather]) as session,
    ):
        reply = await session.say("What is the weather?")
        await begun.wait()
    assert ended.is_set()
    assert reply.over


async def test_of_functions_an_update_takes_those_that_connect_was_given() -> None:
    @bargein.tool
    def weather(city: str) -> str:
        """Tell the weather."""
        return "rain"

    @bargein.tool
    def news() -> str:
        """Tell the news."""
        return "none"

    async with (
        serve_local(scenario({"city": "Rome"})) as server,
        bargein.connect(url=server.url, api_key=server.api_key, tools=[weather]) as session,
    ):
        assert (await session.update(tools=[])).tools == ()
        tools = (await session.update(tools=[weather])).tools
        assert isinstance(tools, tuple)
        assert len(tools) == 1
        with pytest.raises(bargein.LocalProtocolError, match="'news' was not given to connect"):
            await session.update(tools=[news])
