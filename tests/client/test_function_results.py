"""The report of an assistant that went silent: a function's result in a shape of somebody's own."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.serving_rig import a_client

import bargein
from bargein.errors import LocalValueError
from bargein.server.engines.scenario import Scenario
from bargein.server.serving import serve_local

WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
SCENARIO = {
    "first_event_after_ms": 0,
    "replies": [
        {"when": "weather", "outputs": [{"call": "weather", "arguments": {"city": "Rome"}}]},
        {"after_call": "weather", "outputs": [{"write": "Take a coat."}]},
        {"outputs": [{"write": "Hello."}]},
    ],
}


def a_server() -> Any:
    return serve_local(Scenario.of(SCENARIO))


def as_reported(call_id: str, *, named_by_the_item: bool) -> dict[str, Any]:
    """The event of the report: all that matters is in `content`, where nobody looks."""
    inner = {"call_id": call_id, "name": "weather", "arguments": "{}", "output": "rain"}
    item = {"id": "msg_1", "type": "function_call_output", "status": "completed", "role": "system"}
    named = {"call_id": call_id} if named_by_the_item else {}
    whole = {**item, **named, "content": inner}
    return {"type": "conversation.item.create", "previous_item_id": None, "item": whole}


def as_it_must_be(call_id: str) -> dict[str, Any]:
    item = {"type": "function_call_output", "call_id": call_id, "output": "rain"}
    return {"type": "conversation.item.create", "item": item}


@pytest.mark.parametrize(
    ("named_by_the_item", "missing"), [(False, "item.call_id"), (True, "item.output")]
)
async def test_the_server_refuses_the_reported_shape_as_the_service_did(
    named_by_the_item: bool, missing: str
) -> None:
    async with a_server() as server, a_client(server) as client:
        await client.configure(None, tools=[WEATHER])
        await client.type("What is the weather?")
        await client.send("response.create")
        call_id = (await client.until("response.function_call_arguments.done"))["call_id"]
        await client.until("response.done")
        event = as_reported(call_id, named_by_the_item=named_by_the_item)
        await client.send(event.pop("type"), **event)
        error = (await client.until("error"))["error"]
    assert error == {
        "type": "invalid_request_error",
        "code": "missing_required_parameter",
        "message": f"Missing required parameter: '{missing}'.",
        "param": missing,
        "event_id": None,
    }


@pytest.mark.parametrize(
    ("named_by_the_item", "missing"), [(False, "item.call_id"), (True, "item.output")]
)
async def test_the_client_refuses_it_before_it_is_sent_and_the_right_one_is_spoken_about(
    named_by_the_item: bool, missing: str
) -> None:
    async with (
        a_server() as server,
        bargein.connect(url=server.url, api_key=server.api_key, tools=[WEATHER]) as session,
    ):
        told = session.notices(bargein.ToolCalled)
        await (await session.say("What is the weather?")).text()
        called = await anext(told)
        assert isinstance(called, bargein.ToolCalled)
        wrong = as_reported(called.call_id, named_by_the_item=named_by_the_item)
        with pytest.raises(LocalValueError, match=f"{missing}: missing"):
            await session.send(wrong)
        await session.send(as_it_must_be(called.call_id))
        assert await (await session.respond()).text() == "Take a coat."
        outputs = [item for item in session.conversation if item.type == "function_call_output"]
    assert [item.call_id for item in outputs] == [called.call_id]
