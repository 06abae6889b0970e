"""What an application sees when the service calls the tools of an MCP server: items and events of
the vocabulary, no fault, and a conversation that is the server's."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.hosted import Hosted, hosted

from bargein import events
from bargein.driver.ports import Passed
from bargein.server.engines.scenario import Scenario

SCENARIO = Scenario.of(
    {
        "replies": [
            {"when": "weather", "outputs": [{"call": "forecast", "server": "weather"}]},
            {"after_call": "forecast", "outputs": [{"write": "It rains."}]},
            {"outputs": [{"write": "Fine."}]},
        ],
        "mcp": [{"label": "weather", "tools": [{"name": "forecast", "result": "Rain"}]}],
    }
)
TOOL = {"type": "mcp", "server_label": "weather", "server_url": "https://mcp.example.org"}


def test_a_remote_call_is_approved_answered_and_spoken_about() -> None:
    async def talk(server: Hosted) -> None:
        session_settings: dict[str, Any] = {"output_modalities": ["text"], "tools": [TOOL]}
        seen: list[Any] = []
        listed = asyncio.Event()
        async with server.connect(session=session_settings) as session:

            async def approve() -> None:
                async for passed in session.events():
                    assert isinstance(passed, Passed)
                    event = passed.event
                    seen.append(event)
                    if isinstance(event, events.McpListToolsCompleted):
                        listed.set()
                    item = getattr(event, "item", None)
                    if isinstance(event, events.ConversationItemDone) and isinstance(
                        item, events.McpApprovalRequestItem
                    ):
                        given = events.McpApprovalResponseItem(
                            approval_request_id=str(item.id), approve=True
                        )
                        await session.send(events.ConversationItemCreate(item=given))

            approving = asyncio.create_task(approve())
            await listed.wait()
            reply = await session.say("What is the weather?")
            await reply.done()
            spoken = await session.respond()
            assert await spoken.text() == "It rains."
            kinds = [view.type for view in session.conversation]
            faults = [each for each in seen if isinstance(each, events.Error)]
            odd = [each for each in seen if isinstance(each, events.Unknown | events.Malformed)]
            assert not faults and not odd
            (held,) = server.host.sessions.values()
            assert kinds == [item.kind for item in held.machine.memory]
            assert kinds[0] == "mcp_list_tools" and "mcp_call" in kinds
            assert [view.id for view in session.conversation] == [
                item.id for item in held.machine.memory
            ]
            approving.cancel()
            await asyncio.gather(approving, return_exceptions=True)

    hosted(talk, scenario=SCENARIO)
