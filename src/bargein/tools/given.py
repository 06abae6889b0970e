"""What `connect(tools=…)` was given, sorted by who runs it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bargein.errors import LocalValueError
from bargein.tools.adapters import adapted
from bargein.tools.hosted import McpServer
from bargein.tools.registry import Tool, tool


@dataclass(frozen=True, slots=True)
class Given:
    """`tools` run here, `servers` are called by the service with our consent, and what is only
    `plain` is declared as it is: its calls the application answers."""

    tools: tuple[Tool, ...]
    servers: tuple[McpServer, ...]
    plain: tuple[dict[str, Any], ...]

    def declared(self) -> list[Mapping[str, Any]]:
        """As `session.tools` has them."""
        ours = [one.declared() for one in self.tools]
        return [*ours, *(one.declared() for one in self.servers), *self.plain]


def sorted_out(given: Iterable[Any]) -> Given:
    """A plain function is made a tool, and a tool of a framework is adapted.

    Raises `LocalValueError` for what is none of them, and for a name that is there twice.
    """
    tools: list[Tool] = []
    servers: list[McpServer] = []
    plain: list[dict[str, Any]] = []
    for index, one in enumerate(given):
        if isinstance(one, Tool):
            tools.append(one)
        elif isinstance(one, McpServer):
            servers.append(one)
        elif isinstance(one, Mapping):
            plain.append(dict(one))
        elif inspect.isroutine(one):
            tools.append(tool(one))
        elif (theirs := adapted(one)) is not None:
            tools += theirs
        else:
            raise LocalValueError(
                f"tools[{index}]: {type(one).__name__}; give a function, a bargein.Tool, a tool of "
                "LlamaIndex, LangChain or pydantic-ai, a bargein.mcp_server, or a mapping as in "
                "session.tools"
            )
    _distinct([one.name for one in tools] + [str(one["name"]) for one in plain if "name" in one])
    labels = [str(one["server_label"]) for one in plain if "server_label" in one]
    _distinct([one.label for one in servers] + labels)
    return Given(tuple(tools), tuple(servers), tuple(plain))


def _distinct(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise LocalValueError(f"tools: {name!r} is there {names.count(name)} times")
