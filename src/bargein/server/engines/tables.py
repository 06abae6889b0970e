"""What the tables of a scenario file have in common, and those of its MCP servers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from bargein import events

MAX_MS = 3_600_000


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


def check(table: Table, **bounds: tuple[float, float]) -> None:
    """Raises `ValueError` for the first field that is out of its bounds."""
    for name, (least, greatest) in bounds.items():
        value = getattr(table, name)
        if value is not None and not least <= value <= greatest:
            raise ValueError(f"{name} is {value}: give {least} to {greatest}")


_PLACE = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_SHOWN_CHARACTERS = 80


def explain(
    problem: str,
    values: Any,
    top: type[Table],
    tables: Mapping[str, type[Table]],
    words: Mapping[str, tuple[str, ...]],
) -> str:
    """The validator's words, with the place first, the value there and the way out.

    `tables` are the file's tables by the keys they stand at, `words` what may stand at a key where
    only some words may.
    """
    match = _PLACE.search(problem)
    path = match[1] if match else ""
    text = problem[: match.start()] if match else problem
    # TOML has no null, so what says "or null" says nothing.
    text = text.replace(" | null", "")
    value: Any = values
    table: type[Table] | None = top
    key = ""
    for key, index in _STEP.findall(path):
        try:
            value = value[key] if key else value[int(index)]
        except (LookupError, TypeError):
            return f"{path.lstrip('.')}: {text}"
        if key:
            table = tables.get(key)
    place = path.lstrip(".") or "the top of the file"
    if text.startswith("Object contains unknown field") and table is not None:
        known = ", ".join(sorted(table.__struct_fields__))
        return f"{place}: {_lower(text)}; known here: {known}"
    if isinstance(value, dict):
        return f"{place}: {_lower(text)}"
    if text.startswith("Invalid enum value"):
        text = f"give one of {', '.join(map(repr, words.get(key, ())))}"
    shown = repr(value)
    if len(shown) > _SHOWN_CHARACTERS:
        shown = shown[:_SHOWN_CHARACTERS] + "..."
    return f"{place} is {shown}: {_lower(text)}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


class RemoteFault(Table, frozen=True, kw_only=True):
    """How a remote tool fails (protocol.md §4.13)."""

    type: Literal["protocol_error", "tool_execution_error", "http_error"] = "tool_execution_error"
    code: int | None = None
    message: str = "The scenario says that this tool fails."

    def __post_init__(self) -> None:
        if (self.type == "tool_execution_error") is not (self.code is None):
            raise ValueError(
                f"type is {self.type!r} and code is {self.code!r}: give 'protocol_error' and "
                "'http_error' a code, and 'tool_execution_error' none"
            )


class RemoteToolTable(Table, frozen=True, kw_only=True):
    """A tool of an MCP server, and what it answers: `result`, or `error`."""

    name: str
    description: str | None = None
    input_schema: dict[str, Any] = msgspec.field(default_factory=lambda: {"type": "object"})
    read_only: bool = False
    result: str | None = None
    error: RemoteFault | None = None
    after_ms: int = 0
    """How long a call takes."""

    def __post_init__(self) -> None:
        if (self.result is None) is (self.error is None):
            raise ValueError("a tool answers one thing: give it one of 'result' and 'error'")
        check(self, after_ms=(0, MAX_MS))

    def listed(self) -> events.McpListedTool:
        """As its server lists it."""
        return events.McpListedTool(
            name=self.name,
            description=self.description,
            input_schema=self.input_schema,
            annotations={"readOnlyHint": self.read_only},
        )


class RemoteServerTable(Table, frozen=True, kw_only=True):
    """An MCP server that the scenario plays, for whoever declares one with this label."""

    label: str
    tools: tuple[RemoteToolTable, ...] = ()
    list_after_ms: int = 0
    """How long its list of tools takes."""
    fails: str | None = None
    """Why its tools cannot be listed."""

    def __post_init__(self) -> None:
        names = [tool.name for tool in self.tools]
        if len(set(names)) < len(names):
            raise ValueError(f"two tools of {self.label!r} have one name: give each its own")
        check(self, list_after_ms=(0, MAX_MS))
