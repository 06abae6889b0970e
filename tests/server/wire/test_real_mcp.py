"""Real MCP servers behind a session, from the wire (protocol.md §4.13): declared by `server_url`,
asked, called and approved. What is played by a scenario is in `test_remote_tools`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.server.engines.chat.services import DONE as END
from tests.server.engines.chat.services import chunk, says, services, streams
from tests.server.mcp.mcp_rig import Weather, listening
from tests.server.serving_rig import scenario
from tests.server.wire.test_ladders import ADDED, CLOSED, DONE, OPENED
from tests.server.wire.test_remote_tools import (
    ARGUED,
    BROKE,
    FAILED,
    IN_PROGRESS,
    LISTED,
    RAN,
    RUNS,
    answer,
)
from tests.server.wire.wire_rig import AT_ONCE, Wire, climbed, wire

from bargein.server.engines.chat.making import chat_engine

KEY = "tok-0123456789"
CALLED = (*OPENED, *(ARGUED[0],) * 3, ARGUED[1])


def call(name: str = "forecast", **arguments: str) -> dict[str, Any]:
    given = arguments or {"city": "Rome"}
    return {"outputs": [{"call": name, "server": "weather", "arguments": given}]}


@asynccontextmanager
async def beside_a_real_server(
    *replies: dict[str, Any], **serving: Any
) -> AsyncIterator[tuple[Wire, Weather, str]]:
    """A session whose model calls tools, and an MCP server."""
    weather = Weather()
    fine = {"outputs": [{"write": "Fine."}]}
    manner = serving.pop("manner", {})
    async with listening(weather) as origin:
        script = scenario(*replies, fine, **manner)
        async with wire(AT_ONCE, scenario=script, **serving) as client:
            yield client, weather, f"{origin}/mcp"


async def declare(client: Wire, url: str, *rungs: str, **fields: Any) -> list[dict[str, Any]]:
    tool = {"type": "mcp", "server_label": "weather", "server_url": url, **fields}
    session = {"type": "realtime", "tools": [tool], "output_modalities": ["text"]}
    await client.send("session.update", session=session)
    return await climbed(client, "session.updated", *IN_PROGRESS, *rungs)


async def test_the_server_that_was_named_is_asked_and_called_with_what_it_was_given() -> None:
    async with beside_a_real_server(call()) as (client, weather, url):
        told = await declare(client, url, *LISTED, authorization=KEY, require_approval="never")
        assert [tool["name"] for tool in told[-2]["item"]["tools"]] == [
            "forecast",
            "numbers",
            "fail",
        ]
        await client.send("response.create")
        told = await climbed(client, "response.created", *CALLED, RUNS, RAN, *CLOSED, *DONE)
        assert told[-3]["item"]["output"] == "Rain in Rome"
        assert {headers["authorization"] for _, headers in weather.requests} == {f"Bearer {KEY}"}


@pytest.mark.parametrize("approve", [True, False])
async def test_a_call_waits_for_approval_before_the_server_hears_of_it(approve: bool) -> None:
    async with beside_a_real_server(call()) as (client, weather, url):
        await declare(client, url, *LISTED)
        asked_before = len(weather.requests)
        await client.send("response.create")
        *_, added, _ = await climbed(client, "response.created", *CALLED, *ADDED)
        assert added["item"]["type"] == "mcp_approval_request"
        assert len(weather.requests) == asked_before
        given = answer(added["item"], approve=approve)
        await client.send("conversation.item.create", item=given)
        rungs = (RUNS, RAN) if approve else (BROKE,)
        told = await climbed(client, *ADDED, *rungs, *CLOSED, *DONE)
        assert told[-3]["item"]["output"] == ("Rain in Rome" if approve else None)
        assert (len(weather.requests) > asked_before) is approve


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (call("fail", why="There is no such city."), "There is no such city."),
        (call(), "The tool's output has 256001 characters; at most 256000 fit."),
    ],
)
async def test_a_tool_that_fails_or_says_too_much_is_a_failed_call(
    reply: dict[str, Any], message: str
) -> None:
    async with beside_a_real_server(reply) as (client, weather, url):
        weather.says = "x" * 256_001
        await declare(client, url, *LISTED, require_approval="never")
        await client.send("response.create")
        await client.until(BROKE)
        done = await client.until("response.done")
        assert done["response"]["status"] == "completed"
        (item,) = done["response"]["output"]
        assert item["error"] == {"type": "tool_execution_error", "message": message}
        assert item["output"] is None


async def test_a_server_that_cannot_be_asked_is_a_failed_import_and_the_reason_is_logged(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    trace = tmp_path / "frames.jsonl"
    async with beside_a_real_server(trace=trace) as (client, _, url):
        for _ in range(2):
            await declare(client, f"{url}/nowhere/{KEY}", *FAILED, authorization=KEY)
        other = "https://mcp.example.org/mcp"
        await declare(client, other, *FAILED)
    place = url.removeprefix("http://").removesuffix("/mcp")
    # Once for a label: a client could fill the log.
    assert [record.getMessage() for record in caplog.records if record.name.startswith("bar")] == [
        f"session-1: the tools of the MCP server 'weather': {place} answered 404 Not Found."
    ]
    assert KEY not in caplog.text
    written = trace.read_text()
    assert KEY not in written and f"http://{place}/[masked]" in written


@pytest.mark.parametrize("reach", ["off", "loopback", "any", None])
async def test_who_is_reached_is_the_servers_to_say(reach: str | None) -> None:
    async with beside_a_real_server(mcp=reach) as (client, weather, url):
        await declare(client, url, *(FAILED if reach == "off" else LISTED))
        assert bool(weather.requests) is (reach != "off")


async def test_a_server_that_others_can_reach_reaches_nobody_unless_it_is_told_to() -> None:
    async with beside_a_real_server(host="0.0.0.0") as (client, weather, url):
        await declare(client, url, *FAILED)
        assert not weather.requests


async def test_what_the_scenario_plays_is_not_reached() -> None:
    played = [{"label": "weather", "tools": [{"name": "forecast", "result": "Snow"}]}]
    async with beside_a_real_server(call(), manner={"mcp": played}) as (client, weather, url):
        await declare(client, url, *LISTED, require_approval="never")
        await client.send("response.create")
        done = await client.until("response.done")
        assert done["response"]["output"][0]["output"] == "Snow"
        assert not weather.requests


async def test_a_mind_behind_a_url_calls_a_real_server_and_speaks_about_the_answer() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "forecast", "arguments": '{"city":"Rome"}'}}
    async with services() as served, listening(Weather()) as origin:
        served.minds(
            streams(chunk({"tool_calls": [call]}), chunk(finish="tool_calls"), END),
            says("It rains."),
        )
        engine = chat_engine(served.options())
        async with wire(AT_ONCE, engine=engine) as client:
            await declare(client, f"{origin}/mcp", *LISTED, require_approval="never")
            await client.type("Is it raining in Rome?")
            await client.send("response.create")
            done = await client.until("response.done")
            assert done["response"]["output"][0]["output"] == "Rain in Rome"
            await client.send("response.create")
            done = await client.until("response.done")
            assert done["response"]["output"][0]["content"][0]["text"] == "It rains."
        *_, told = served.asked[-1].body["messages"]
        assert (told["role"], told["content"]) == ("tool", "Rain in Rome")
