"""A runner for one call, and a conversation in which the model makes one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

import bargein
from bargein.server.engines.scenario import Scenario
from bargein.server.serving import serve_local
from bargein.tools import Runner
from bargein.tools.base import Returned, ToolReport
from bargein.tools.given import sorted_out


async def outcome(tools: Sequence[Any], name: str, arguments: Any = None) -> tuple[str, bool]:
    """What the model is told of a call as `connect(tools=…)` would have it run, and whether it
    failed."""
    reported: asyncio.Future[ToolReport] = asyncio.get_running_loop().create_future()
    runner = Runner(sorted_out(tools).tools, approve=lambda call: True)
    runner.attach(reported.set_result)
    runner.run("call_1", name, msgspec.json.encode(arguments or {}).decode())
    report = await reported
    assert isinstance(report, Returned)
    await runner.close()
    return report.output, report.failed


async def failure(tools: Sequence[Any], name: str, arguments: Any = None) -> str:
    """The error that the model is told."""
    output, failed = await outcome(tools, name, arguments)
    assert failed, output
    error: str = msgspec.json.decode(output)["error"]
    return error


async def spoken(
    tools: Sequence[Any], name: str, arguments: dict[str, Any], **settings: Any
) -> tuple[str, bargein.ToolAnswered]:
    """Over the wire: what the assistant says in a reply that calls the tool, and the answer."""
    calls = [{"write": "Let me look."}, {"call": name, "arguments": arguments}]
    replies = [
        {"when": "weather", "outputs": calls},
        {"after_call": name, "outputs": [{"write": "Take a coat."}]},
        {"outputs": [{"write": "Hello."}]},
    ]
    scenario = Scenario.of({"first_event_after_ms": 0, "replies": replies})
    async with (
        serve_local(scenario) as server,
        bargein.connect(url=server.url, api_key=server.api_key, tools=tools, **settings) as session,
    ):
        told = session.notices(bargein.ToolAnswered)
        text = await (await session.say("What is the weather?")).text()
        answered = await anext(told)
    assert isinstance(answered, bargein.ToolAnswered)
    return text, answered
