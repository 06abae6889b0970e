"""Tools of MCP servers, from the wire (protocol.md §4.13): the lists, the calls, the approvals.

The servers are the scenario's own, so nothing is reached over a network.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from tests.server.serving_rig import scenario
from tests.server.wire.test_ladders import ADDED, CLOSED, DONE, OPENED
from tests.server.wire.wire_rig import AT_ONCE, Wire, climbed, wire

from bargein.server.model.options import Options

WROTE: dict[str, Any] = {"outputs": [{"write": "It rains."}]}
URL = "https://mcp.example.org/mcp"
FORECAST = {"name": "forecast", "description": "The weather.", "read_only": True, "result": "Rain"}
BOOK = {"name": "book", "result": "Booked"}
BROKEN = {"name": "broken", "error": {"type": "http_error", "code": 503, "message": "Down."}}
WEATHER = {"label": "weather", "tools": [FORECAST, BOOK, BROKEN]}
IN_PROGRESS = ("mcp_list_tools.in_progress", "conversation.item.added")
LISTED = ("conversation.item.done", "mcp_list_tools.completed")
FAILED = ("conversation.item.done", "mcp_list_tools.failed")
ARGUED = ("response.mcp_call_arguments.delta", "response.mcp_call_arguments.done")
RUNS, RAN, BROKE = (f"response.mcp_call.{what}" for what in ("in_progress", "completed", "failed"))


def calls(name: str, **reply: Any) -> dict[str, Any]:
    arguments = {"city": "Rome"}
    return {"outputs": [{"call": name, "server": "weather", "arguments": arguments}], **reply}


def served(
    *replies: dict[str, Any], options: Options = AT_ONCE, **server: Any
) -> AbstractAsyncContextManager[Wire]:
    script = scenario(*replies, {"outputs": [{"write": "Fine."}]}, mcp=[{**WEATHER, **server}])
    return wire(options, scenario=script)


def tool(**fields: Any) -> dict[str, Any]:
    return {"type": "mcp", "server_label": "weather", **fields}


OPEN = tool(server_url=URL, require_approval="never")


async def declared(client: Wire, **fields: Any) -> dict[str, Any]:
    """Declare the server, wait for its list, and give the list's item."""
    session = {"type": "realtime", "tools": [tool(server_url=URL, **fields)]}
    await client.send("session.update", session={**session, "output_modalities": ["text"]})
    *_, done, _ = await climbed(client, "session.updated", *IN_PROGRESS, *LISTED)
    item: dict[str, Any] = done["item"]
    return item


async def test_a_declared_server_is_asked_for_its_tools_beside_the_session() -> None:
    async with served() as client:
        session = {"type": "realtime", "tools": [{**OPEN, "authorization": "Bearer secret"}]}
        await client.send("session.update", session=session)
        updated, began, added, done, completed = await climbed(
            client, "session.updated", *IN_PROGRESS, *LISTED
        )
        # What it is reached with is for nobody's eyes.
        assert updated["session"]["tools"] == [OPEN]
        item_id = began["item_id"]
        assert added["item"]["id"] == done["item"]["id"] == completed["item_id"] == item_id
        assert added["item"]["tools"] == [] and added["previous_item_id"] is None
        assert done["item"] == {
            "type": "mcp_list_tools",
            "id": item_id,
            "server_label": "weather",
            "tools": [
                {
                    "name": name,
                    "description": description,
                    "input_schema": {"type": "object"},
                    "annotations": {"readOnlyHint": name == "forecast"},
                }
                for name, description in (
                    ("forecast", "The weather."),
                    ("book", None),
                    ("broken", None),
                )
            ],
        }
        await client.send("conversation.item.retrieve", item_id=item_id)
        (retrieved,) = await climbed(client, "conversation.item.retrieved")
        assert retrieved["item"] == done["item"]
        # The same server is not asked twice, nor one of which only the label is said.
        for again in (OPEN | {"authorization": "Bearer secret"}, tool()):
            await client.send("session.update", session={"type": "realtime", "tools": [again]})
            await climbed(client, "session.updated")
        other = tool(server_url=f"{URL}/other")
        await client.send("session.update", session={"type": "realtime", "tools": [other]})
        await climbed(client, "session.updated", *IN_PROGRESS, *LISTED)


@pytest.mark.parametrize(
    "fault", [{"fails": "No route."}, {"label": "elsewhere"}, {"tools": [BOOK], "list_after_ms": 5}]
)
async def test_tools_that_cannot_be_listed_are_told_so(fault: dict[str, Any]) -> None:
    async with served(**fault) as client:
        session = {"type": "realtime", "tools": [{**OPEN, "allowed_tools": ["forecast"]}]}
        for _ in range(2):  # What failed is tried again when it is declared again.
            await client.send("session.update", session=session)
            *_, done, _ = await climbed(client, "session.updated", *IN_PROGRESS, *FAILED)
            assert done["item"]["tools"] == []


async def test_a_call_that_needs_no_approval_runs_and_the_response_waits_for_it() -> None:
    async with served(calls("forecast"), {"after_call": "forecast", **WROTE}) as client:
        await declared(client, require_approval="never")
        rungs = (*OPENED, *(ARGUED[0],) * 3, ARGUED[1], RUNS, RAN, *CLOSED, *DONE)
        await client.send("response.create")
        _, opened, added, *told = await climbed(client, "response.created", *rungs)
        item = {
            "type": "mcp_call",
            "id": opened["item"]["id"],
            "server_label": "weather",
            "name": "forecast",
            "arguments": "",
            "approval_request_id": None,
            "output": None,
            "error": None,
        }
        assert opened["item"] == added["item"] == item
        text = '{"city": "Rome"}'
        assert "".join(each["delta"] for each in told[:3]) == told[3]["arguments"] == text
        assert told[4]["item_id"] == told[5]["item_id"] == item["id"]
        whole = {**item, "arguments": text, "output": "Rain"}
        assert told[6]["item"] == told[7]["item"] == whole
        assert told[8]["response"]["status"] == "completed"
        assert told[8]["response"]["output"] == [whole]
        # The model speaks about it when it is asked to.
        await client.send("response.create")
        done = await client.until("response.done")
        assert done["response"]["output"][0]["content"][0]["text"] == "It rains."


async def test_a_tool_that_fails_is_told_with_its_error() -> None:
    async with served(calls("broken")) as client:
        await declared(client, require_approval="never")
        await client.send("response.create")
        rungs = (*OPENED, *(ARGUED[0],) * 3, ARGUED[1], RUNS, BROKE, *CLOSED, *DONE)
        told = await climbed(client, "response.created", *rungs)
        item = told[-3]["item"]
        assert item["error"] == {"type": "http_error", "code": 503, "message": "Down."}
        assert item["output"] is None
        assert told[-2]["response"]["status"] == "completed"


async def asking(client: Wire) -> dict[str, Any]:
    """A response whose call waits for approval: the request's item."""
    await client.send("response.create")
    rungs = ("response.created", *OPENED, *(ARGUED[0],) * 3, ARGUED[1], *ADDED)
    *_, added, done = await climbed(client, *rungs)
    assert added["item"] == done["item"]
    item: dict[str, Any] = added["item"]
    return item


def answer(request: dict[str, Any], approve: bool, **fields: Any) -> dict[str, Any]:
    return {
        "type": "mcp_approval_response",
        "approval_request_id": request["id"],
        "approve": approve,
        **fields,
    }


async def test_what_needs_approval_waits_for_it_and_runs_then() -> None:
    async with served(calls("forecast")) as client:
        await declared(client)
        request = await asking(client)
        assert request == {
            "type": "mcp_approval_request",
            "id": request["id"],
            "server_label": "weather",
            "name": "forecast",
            "arguments": '{"city": "Rome"}',
        }
        await client.send("response.create")
        (error,) = await climbed(client, "error")
        assert error["error"]["code"] == "conversation_already_has_active_response"
        given = answer(request, approve=True, id="yes")
        await client.send("conversation.item.create", item=given)
        told = await climbed(client, *ADDED, RUNS, RAN, *CLOSED, *DONE)
        assert told[0]["item"] == {"id": "yes", **{n: given[n] for n in given if n != "id"}}
        assert told[-3]["item"]["approval_request_id"] == request["id"]
        assert told[-3]["item"]["output"] == "Rain"
        # It is answered once.
        await client.send("conversation.item.create", item=answer(request, approve=True))
        (error,) = await climbed(client, "error")
        assert error["error"]["code"] == "invalid_approval_request_id"


async def test_what_is_denied_fails_without_having_run() -> None:
    async with served(calls("forecast")) as client:
        await declared(client)
        denied = answer(await asking(client), approve=False, reason="Too dear")
        await client.send("conversation.item.create", item=denied)
        told = await climbed(client, *ADDED, BROKE, *CLOSED, *DONE)
        assert told[-3]["item"]["error"] == {
            "type": "tool_execution_error",
            "message": "The call was not approved: Too dear",
        }


async def test_a_cancel_ends_a_call_that_waits() -> None:
    async with served(calls("forecast")) as client:
        await declared(client)
        request = await asking(client)
        await client.send("response.cancel")
        told = await climbed(client, BROKE, *CLOSED, *DONE)
        assert told[-2]["response"]["status"] == "cancelled"
        await client.send("conversation.item.create", item=answer(request, approve=True))
        (error,) = await climbed(client, "error")
        assert error["error"]["code"] == "invalid_approval_request_id"


READ_ONLY = {"read_only": True}


@pytest.mark.parametrize(
    ("required", "asks"),
    [
        ("always", True),
        (None, True),
        ("never", False),
        ({"never": {"tool_names": ["forecast"]}}, False),
        ({"never": {"tool_names": ["book"]}}, True),
        ({"never": READ_ONLY}, False),
        ({"always": READ_ONLY}, True),
        ({"always": {"tool_names": ["book"]}}, False),
        ({"always": READ_ONLY, "never": READ_ONLY}, False),
    ],
)
async def test_who_needs_approval_is_the_clients_to_say(required: Any, asks: bool) -> None:
    async with served(calls("forecast")) as client:
        await declared(client, require_approval=required)
        await client.send("response.create")
        await client.until(ARGUED[1])
        behind = await client.next()
        assert behind["type"] == ("conversation.item.added" if asks else RUNS)


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        (None, ["forecast", "book", "broken"]),
        (["book"], ["book"]),
        ({"tool_names": ["book"]}, ["book"]),
        (READ_ONLY, ["forecast"]),
        ({"read_only": False}, ["book", "broken"]),
    ],
)
async def test_only_what_is_allowed_is_imported_and_called(allowed: Any, names: list[str]) -> None:
    async with served(calls("forecast")) as client:
        listed = await declared(client, allowed_tools=allowed, require_approval="never")
        assert [each["name"] for each in listed["tools"]] == names
        await client.send("response.create")
        done = await client.until("response.done")
        kinds = [item["type"] for item in done["response"]["output"]]
        assert kinds == ["mcp_call" if "forecast" in names else "message"]


async def test_a_response_that_brings_its_own_server_waits_for_its_list() -> None:
    async with served(calls("forecast"), list_after_ms=20) as client:
        response = {"tools": [OPEN], "output_modalities": ["text"]}
        await client.send("response.create", response=response)
        rungs = ("response.created", *IN_PROGRESS, *LISTED, *OPENED)
        told = [await client.next() for _ in rungs]
        assert [each["type"] for each in told] == list(rungs)
        assert told[5]["item"]["type"] == "mcp_call"
        await client.until("rate_limits.updated")
        # The session has not that tool, but knows the server by its label.
        for again, kind in (({}, "message"), ({"tools": [tool()]}, "mcp_call")):
            await client.send("response.create", response=again)
            opened = await client.until("response.output_item.added")
            assert opened["item"]["type"] == kind
            await client.until("response.done")


async def test_other_responses_do_not_wait_for_a_list() -> None:
    async with served(calls("forecast"), list_after_ms=60_000) as client:
        await client.send("session.update", session={"type": "realtime", "tools": [OPEN]})
        await climbed(client, "session.updated", *IN_PROGRESS)
        await client.send("response.create", response={"output_modalities": ["text"]})
        done = await client.until("response.done")
        assert done["response"]["output"][0]["type"] == "message"


async def test_a_tool_choice_may_demand_a_remote_tool() -> None:
    said = {"outputs": [{"write": "No."}]}
    async with served(said, calls("book"), calls("forecast")) as client:
        await declared(client, require_approval="never")
        for choice, name in (({"name": "forecast"}, "forecast"), ({}, "book")):
            wanted = {"type": "mcp", "server_label": "weather", **choice}
            await client.send("response.create", response={"tool_choice": wanted})
            done = await client.until("response.done")
            assert [item["name"] for item in done["response"]["output"]] == [name]
        wanted = {"type": "mcp", "server_label": "nobody"}
        await client.send("response.create", response={"tool_choice": wanted})
        error = await client.until("error")
        assert error["error"]["param"] == "response.tool_choice"


async def test_a_message_before_a_remote_call_is_closed_when_the_call_opens() -> None:
    both = {"outputs": [{"write": "Let me look."}, calls("forecast")["outputs"][0]]}
    async with served(both) as client:
        await declared(client, require_approval="never")
        await client.send("response.create")
        done = await client.until("response.done")
        closed = [e for e in client.seen if e["type"] == "response.output_item.done"]
        assert [each["output_index"] for each in closed] == [0, 1]
        message, call = done["response"]["output"]
        assert (message["phase"], call["output"]) == ("commentary", "Rain")
