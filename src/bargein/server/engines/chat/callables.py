"""What the mind may call: the client's functions, and tools of MCP servers, which to it are
functions as well.

1. A tool's name is made one that a function may have. Where that is another's already, the label of
   its server stands before it.
2. A call goes back to the tool by the name that the mind was told (`Callables.remote`), and what
   was called before is told by the same names.
3. A server that does not know `tool_choice` would call all the same: where nothing may be called,
   it is told of no tools.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bargein import events
from bargein.server.model.commands import RemoteTool
from bargein.tools.adapters.shared import legal

Function = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Callables:
    """`functions` are as the request has them; `remote` are those that are tools of MCP servers, by
    the names of their functions."""

    functions: tuple[Function, ...] = ()
    remote: Mapping[str, RemoteTool] = field(default_factory=dict)

    @classmethod
    def of(cls, params: events.ResponseParams, remote_tools: Iterable[RemoteTool]) -> Callables:
        """What a response with these parameters may call."""
        functions = [
            _function(tool.name, tool.description, tool.parameters)
            for tool in params.tools or ()
            if isinstance(tool, events.FunctionTool) and isinstance(tool.name, str)
        ]
        names = {each["function"]["name"] for each in functions}
        remote: dict[str, RemoteTool] = {}
        for each in remote_tools:
            name = _new_name(each, names)
            names.add(name)
            remote[name] = each
            functions.append(_function(name, each.tool.description, each.tool.input_schema))
        return cls(tuple(functions), remote)

    def name_of(self, server_label: str, name: str) -> str:
        """What the mind calls this tool; of one that it may not call now, what it would."""
        for known, each in self.remote.items():
            if (each.server_label, each.tool.name) == (server_label, name):
                return known
        return legal(name)

    def fields(self, params: events.ResponseParams) -> dict[str, Any]:
        """The fields of the request."""
        choice, functions = params.tool_choice, self.functions
        if not functions or choice == "none":
            return {}
        fields: dict[str, Any] = {}
        match choice:
            case "auto" | "required":
                fields["tool_choice"] = choice
            case events.ToolChoiceFunction(name=name):
                fields["tool_choice"] = _demanded(name)
            case events.ToolChoiceMcp(server_label=label, name=wanted):
                named = [
                    known
                    for known, each in self.remote.items()
                    if each.server_label == label
                    and (not isinstance(wanted, str) or each.tool.name == wanted)
                ]
                if named and isinstance(wanted, str):
                    fields["tool_choice"] = _demanded(named[0])
                elif named:
                    fields["tool_choice"] = "required"
                    functions = tuple(f for f in functions if f["function"]["name"] in named)
        fields["tools"] = list(functions)
        if isinstance(params.parallel_tool_calls, bool):
            fields["parallel_tool_calls"] = params.parallel_tool_calls
        return fields


def _new_name(tool: RemoteTool, taken: set[str]) -> str:
    plain = legal(tool.tool.name)
    if plain not in taken:
        return plain
    longer = legal(f"{tool.server_label}_{tool.tool.name}")
    number = 1
    name = longer
    while name in taken:
        number += 1
        end = f"_{number}"
        name = f"{longer[: 64 - len(end)]}{end}"
    return name


def _demanded(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def _function(name: str, description: object, parameters: object) -> Function:
    function: Function = {"name": name}
    if isinstance(description, str):
        function["description"] = description
    if isinstance(parameters, Mapping):
        function["parameters"] = parameters
    return {"type": "function", "function": function}
