"""Functions and tools of MCP servers, under the names that a mind calls them by."""

from __future__ import annotations

from typing import Any

from bargein import events
from bargein.server.engines.chat.callables import Callables
from bargein.server.model.commands import RemoteTool

WEATHER = events.FunctionTool(name="weather", description="d", parameters={"type": "object"})


def tool(name: str, label: str = "shop", **fields: Any) -> RemoteTool:
    return RemoteTool(label, events.McpListedTool(name=name, **fields), needs_approval=False)


def callables(*remote: RemoteTool, **params: Any) -> tuple[Callables, dict[str, Any]]:
    given = events.ResponseParams(**{"tools": (WEATHER,), **params})
    found = Callables.of(given, remote)
    return found, found.fields(given)


def test_a_tool_of_a_server_is_a_function_to_the_mind() -> None:
    schema = {"type": "object", "properties": {}}
    _, fields = callables(tool("buy", description="Buy.", input_schema=schema), tools=())
    function = {"name": "buy", "description": "Buy.", "parameters": schema}
    assert fields == {"tools": [{"type": "function", "function": function}]}


def test_each_has_a_name_of_its_own_that_a_function_may_have() -> None:
    remote = (
        tool("look.at/it"),
        tool("weather"),
        tool("weather", "sky"),
        tool("look_at_it"),
        tool("w" * 70),
        tool("w" * 71),
        tool("w" * 72),
    )
    found, fields = callables(*remote)
    names = [each["function"]["name"] for each in fields["tools"]]
    assert names[:5] == ["weather", "look_at_it", "shop_weather", "sky_weather", "shop_look_at_it"]
    assert len(set(names)) == len(names) and max(map(len, names)) == 64
    # Each goes back to where it came from.
    assert [found.remote[name] for name in names[1:]] == list(remote)
    assert [found.name_of(each.server_label, each.tool.name) for each in remote] == names[1:]
    assert found.name_of("gone", "look.at/it") == "look_at_it"


def test_a_demand_for_a_servers_tool_is_passed_on() -> None:
    remote = tool("buy"), tool("sell"), tool("rain", "sky")
    for wanted, demand in (
        (events.ToolChoiceMcp(server_label="shop", name="sell"), "sell"),
        (events.ToolChoiceFunction(name="weather"), "weather"),
    ):
        _, fields = callables(*remote, tool_choice=wanted)
        assert fields["tool_choice"] == {"type": "function", "function": {"name": demand}}
        assert len(fields["tools"]) == 4
    _, fields = callables(*remote, tool_choice=events.ToolChoiceMcp(server_label="shop"))
    assert fields["tool_choice"] == "required"
    assert [each["function"]["name"] for each in fields["tools"]] == ["buy", "sell"]
    # A server whose tools were not imported has none to be demanded.
    _, fields = callables(tool_choice=events.ToolChoiceMcp(server_label="shop"))
    assert "tool_choice" not in fields


def test_where_nothing_may_be_called_there_are_no_tools() -> None:
    assert callables(tool("buy"), tool_choice="none")[1] == {}
    assert callables(tools=(), parallel_tool_calls=True)[1] == {}
    assert callables(parallel_tool_calls=False)[1]["parallel_tool_calls"] is False
