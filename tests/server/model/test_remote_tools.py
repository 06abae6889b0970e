"""How many MCP servers a session may have, and what a deleted list leaves (the rest is told from
the wire: `tests/server/wire/test_remote_tools.py`)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.model.model_rig import Rig, error, types

from bargein import events
from bargein.server.model.commands import CallTool, ListTools
from bargein.server.model.inputs import ToolReturned, ToolsListed
from bargein.server.model.options import Limits, Options
from bargein.server.model.remote_tools import MAX_LIST
from bargein.server.model.score import Arguments, CloseCall, OpenCall

BEGUN = ["mcp_list_tools.in_progress", "conversation.item.added"]
LISTED = ["conversation.item.done", "mcp_list_tools.completed"]
FAILED = ["conversation.item.done", "mcp_list_tools.failed"]
FORECAST = events.McpListedTool(name="forecast", description="The weather.")
DELETE = "conversation.item.delete"


def limited(**limits: int) -> Rig:
    return Rig(options=Options(limits=Limits(**limits)))


def server(label: str = "weather", **fields: Any) -> dict[str, Any]:
    return {
        "type": "mcp",
        "server_label": label,
        "server_url": "https://mcp.example.org/mcp",
        "require_approval": "never",
        **fields,
    }


def declare(rig: Rig, *tools: dict[str, Any]) -> list[dict[str, Any]]:
    return rig.configure(tools=list(tools))


def imported(rig: Rig, *tools: events.McpListedTool) -> str:
    """Declare the server and have its tools listed; the item's id."""
    item_id: str = declare(rig, server())[1]["item_id"]
    assert types(rig.give(ToolsListed(item_id, tools))) == LISTED
    return item_id


def test_labels_are_bounded_also_when_each_update_brings_others() -> None:
    rig = limited(mcp_servers=3)
    for label in "abc":
        assert types(declare(rig, server(label))) == ["session.updated", *BEGUN]
    for refused in (
        declare(rig, server("d")),
        declare(rig, server("a"), server("d")),
        rig.say("response.create", response={"tools": [server("d")]}),
    ):
        assert error(refused)["code"] == "too_many_mcp_servers"
    # The labels that are known may be declared anew, with another address too.
    again = declare(rig, *(server(label, server_url=f"https://{label}.org/mcp") for label in "abc"))
    assert types(again) == ["session.updated", *[*FAILED, *BEGUN] * 3]
    assert len(rig.remote) == 6 and len(rig.stopped) == 3


def test_what_declarations_take_is_bounded_and_counted_once_for_a_label() -> None:
    rig = limited(mcp_bytes=400)
    big = {"authorization": "x" * 200}
    for _ in range(3):
        assert types(declare(rig, server("a", **big)))[0] == "session.updated"
    assert error(declare(rig, server("b", **big)))["code"] == "too_many_mcp_servers"
    assert types(declare(rig, server("a", authorization="y"), server("b")))[0] == "session.updated"


@pytest.mark.parametrize("limits", [{}, {"text_characters": MAX_LIST // 2}])
def test_a_list_that_is_too_long_is_an_import_that_failed(limits: dict[str, int]) -> None:
    rig = limited(**limits)
    item_id = declare(rig, server())[1]["item_id"]
    length = MAX_LIST if not limits else MAX_LIST // 2
    tool = events.McpListedTool(name="long", description="x" * length)
    sent = rig.give(ToolsListed(item_id, (tool,)))
    assert types(sent) == FAILED and sent[0]["item"]["tools"] == []
    # What failed is tried again when it is declared again.
    assert types(declare(rig, server())) == ["session.updated", *BEGUN]


def call(rig: Rig, output: str) -> dict[str, Any]:
    """The model calls the tool, which says that: the item of the call."""
    response_id = rig.respond()
    rig.produce(response_id, OpenCall("forecast", "weather"), Arguments("{}"), CloseCall())
    asked = rig.remote[-1]
    assert isinstance(asked, CallTool)
    sent = rig.give(ToolReturned(asked.item_id, output))
    rig.wait(100)
    item: dict[str, Any] = next(each["item"] for each in sent if "item" in each)
    return item


def test_outputs_of_tools_take_room_of_the_conversation_until_they_are_deleted() -> None:
    rig = limited(text_characters=1_000)
    imported(rig, FORECAST)
    first = call(rig, "x" * 600)
    assert first["output"] == "x" * 600
    refused = call(rig, "x" * 600)
    assert refused["output"] is None
    assert refused["error"]["message"].startswith("The conversation has no room")
    rig.say(DELETE, item_id=first["id"])
    assert call(rig, "x" * 600)["error"] is None


def test_a_list_that_was_deleted_while_it_was_made_is_not_told_as_an_item() -> None:
    rig = Rig()
    item_id = declare(rig, server())[1]["item_id"]
    assert types(rig.say(DELETE, item_id=item_id)) == ["conversation.item.deleted"]
    sent = rig.give(ToolsListed(item_id, (FORECAST,)))
    # The import itself has ended: who waits for the tools must hear of it.
    assert types(sent) == ["mcp_list_tools.completed"]
    assert sent[0]["item_id"] == item_id
    assert error(rig.say("conversation.item.retrieve", item_id=item_id))["code"] == (
        "item_retrieve_invalid_item_id"
    )
    # The tools are there, and are not asked for again.
    assert call(rig, "Rain")["output"] == "Rain"
    assert types(declare(rig, server())) == ["session.updated"]
    assert sum(isinstance(each, ListTools) for each in rig.remote) == 1


def test_an_import_that_fails_after_its_item_was_deleted_says_only_that() -> None:
    rig = Rig()
    item_id = declare(rig, server())[1]["item_id"]
    rig.say(DELETE, item_id=item_id)
    assert types(rig.give(ToolsListed(item_id, None))) == ["mcp_list_tools.failed"]
    assert types(rig.give(ToolsListed(item_id, None))) == []


def test_an_answer_to_a_call_that_was_not_approved_yet_is_ignored() -> None:
    rig = Rig()
    item_id = declare(rig, server(require_approval="always"))[1]["item_id"]
    rig.give(ToolsListed(item_id, (FORECAST,)))
    response_id = rig.respond()
    made = rig.produce(response_id, OpenCall("forecast", "weather"), Arguments("{}"), CloseCall())
    call_id = made[0]["item"]["id"]
    assert types(rig.give(ToolReturned(call_id, "Rain"))) == []
    assert rig.machine.running_response_ids == (response_id,)
