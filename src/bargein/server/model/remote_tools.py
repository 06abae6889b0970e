"""The tools of remote MCP servers: which a client declares, which were imported, which a response
may call (protocol.md §3.2, §4.13; the guide "Realtime with tools").

1. A server is known by its `server_label`, for the whole session. Who declares a label again may
   leave its address out; who gives another address, or other credentials, has it imported anew.
2. The import goes on beside everything else: `mcp_list_tools.in_progress`, the item, then, when
   the engine's side has answered, the item with the tools that are allowed and `.completed`, or
   `.failed`. The item can be retrieved from `in_progress` on, for a widespread client does that.
3. A name in `allowed_tools` that the server has not makes the import fail.
4. Only what was imported may be called. A response that brought its own servers is asked of the
   engine once their import has ended; no other response waits for one.
5. Without `require_approval` every call needs one. Of its two filters `never` counts first; where
   only `always` is given, the rest needs none.
6. Credentials are for whoever reaches the server: they stand in no event.
7. An item that was deleted while its import went on has no `conversation.item.done` (protocol.md
   §4.9: it is gone); how the import ended is told, for the session's responses go by it.
8. Labels, what their declarations take and what their lists take have limits (`options.Limits`). A
   list beyond them is an import that failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bargein import events
from bargein.server.model.commands import ListTools, RemoteTool, StopRemote
from bargein.server.model.entries import Entry
from bargein.server.model.memory import Conversation
from bargein.server.model.options import Limits
from bargein.server.model.outbox import Outbox
from bargein.server.model.rules import refuse

Tools = tuple[events.McpListedTool, ...]

MAX_LIST = 256_000
"""Bytes of one server's tools, as JSON: as many as any text may have characters."""

_ADDRESSES = ("server_url", "connector_id", "tunnel_id")
_CREDENTIALS = ("authorization", "headers")


@dataclass(slots=True, eq=False)
class _Server:
    """A declared server. `tools` is None until they were imported, and if that failed."""

    whole: dict[str, Any]
    entry: Entry
    bytes: int
    """Of the declaration, as JSON."""
    tools: Tools | None = None
    listing: bool = True


class RemoteTools:
    """The MCP servers of one session."""

    def __init__(self, *, outbox: Outbox, conversation: Conversation, limits: Limits) -> None:
        self._outbox = outbox
        self._conversation = conversation
        self._limits = limits
        self._servers: dict[str, _Server] = {}

    def check(self, tools: Iterable[Mapping[str, Any]], where: str) -> None:
        """Raises `RefusedError` for a declaration that cannot be; `where` begins its path."""
        labels: set[str] = set()
        most = self._limits.mcp_servers
        new: list[Mapping[str, Any]] = []
        for index, tool in enumerate(tools):
            if tool["type"] != "mcp":
                continue
            path, label = f"{where}.tools[{index}]", tool["server_label"]
            if label in labels:
                raise refuse("mcp_label_twice", path=path, label=label)
            labels.add(label)
            given = [name for name in _ADDRESSES if tool.get(name) is not None]
            if len(given) > 1:
                raise refuse("mcp_two_addresses", path=path, first=given[0], second=given[1])
            if not given and label not in self._servers:
                raise refuse("mcp_no_address", path=path)
            headers = {name.lower() for name in tool.get("headers") or {}}
            if "authorization" in headers and (
                tool.get("authorization") is not None or given == ["connector_id"]
            ):
                raise refuse("mcp_two_authorizations", path=path)
            if label not in self._servers and len(self._servers.keys() | labels) > most:
                raise refuse("mcp_servers_full", path=path, label=label, limit=most)
            if self._is_new(tool):
                new.append(tool)
        if new:
            self._check_declarations(new)
            self._conversation.check_room(len(new))

    def _check_declarations(self, new: Sequence[Mapping[str, Any]]) -> None:
        sizes = {label: server.bytes for label, server in self._servers.items()}
        sizes |= {tool["server_label"]: _bytes(self._whole(tool)) for tool in new}
        length, limit = sum(sizes.values()), self._limits.mcp_bytes
        if length > limit:
            raise refuse("mcp_declarations_full", length=length, limit=limit)

    def declare(self, tools: Iterable[Mapping[str, Any]]) -> frozenset[str]:
        """Import what is new among the tools; the ids of the items whose import goes on."""
        begun: set[str] = set()
        for tool in tools:
            if tool["type"] != "mcp":
                continue
            if self._is_new(tool):
                self._import(tool)
            server = self._servers[tool["server_label"]]
            if server.listing:
                begun.add(server.entry.id)
        return frozenset(begun)

    def _is_new(self, tool: Mapping[str, Any]) -> bool:
        """Whether the declaration makes an import."""
        server = self._servers.get(tool["server_label"])
        return server is None or not _is_same(tool, server.whole) or _has_failed(server)

    def _whole(self, tool: Mapping[str, Any]) -> dict[str, Any]:
        """The declaration, with what is known of the server if that gives no address."""
        before = self._servers.get(tool["server_label"])
        has_address = any(tool.get(name) is not None for name in _ADDRESSES)
        return dict(tool) if has_address or before is None else before.whole | dict(tool)

    def _import(self, tool: Mapping[str, Any]) -> None:
        whole = self._whole(tool)
        before = self._servers.get(tool["server_label"])
        if before is not None and before.listing:
            self._outbox.command(StopRemote(before.entry.id))
            self._end_import(before, None)
        label = str(tool["server_label"])
        item_id = self._outbox.ids.mint("item")
        item = events.McpListToolsItem(id=item_id, server_label=label, tools=())
        entry = Entry(item_id, "mcp_list_tools", fixed=item)
        self._conversation.append(entry, by_model=False)
        self._servers[label] = _Server(whole, entry, _bytes(whole))
        outbox = self._outbox
        outbox.send(events.McpListToolsInProgress(event_id=outbox.event_id(), item_id=item_id))
        outbox.send(
            events.ConversationItemAdded(
                event_id=outbox.event_id(), previous_item_id=entry.previous_id, item=item
            )
        )
        outbox.command(ListTools(item_id, msgspec.convert(whole, events.McpTool)))

    def listed(self, item_id: str, tools: Tools | None) -> None:
        """An import has ended; None: it failed. Ignored if nobody waits for it."""
        for server in self._servers.values():
            if server.entry.id == item_id and server.listing:
                self._end_import(server, tools)

    def _end_import(self, server: _Server, tools: Tools | None) -> None:
        server.listing = False
        allowed = server.whole.get("allowed_tools")
        names = allowed.get("tool_names") if isinstance(allowed, dict) else allowed
        if tools is not None and not set(names or ()) <= {tool.name for tool in tools}:
            tools = None
        entry, outbox = server.entry, self._outbox
        if tools is not None:
            length = _bytes(tools)
            fits = length <= MAX_LIST and self._conversation.keep_text(entry, length)
            tools = tools if fits else None
        server.tools = tools
        assert isinstance(entry.fixed, events.McpListToolsItem), "made by _import"
        shown = tuple(tool for tool in tools or () if _matches(allowed, tool))
        entry.fixed = msgspec.structs.replace(entry.fixed, tools=shown)
        if self._conversation.find(entry.id) is entry:
            outbox.send(
                events.ConversationItemDone(
                    event_id=outbox.event_id(),
                    previous_item_id=entry.done_previous_id,
                    item=entry.fixed,
                )
            )
        ending = events.McpListToolsFailed if tools is None else events.McpListToolsCompleted
        outbox.send(ending(event_id=outbox.event_id(), item_id=entry.id))

    def are_listing(self, item_ids: frozenset[str]) -> bool:
        """Whether an import of these goes on."""
        return any(
            server.listing and server.entry.id in item_ids for server in self._servers.values()
        )

    def callable_now(self, tools: Sequence[Mapping[str, Any]]) -> tuple[RemoteTool, ...]:
        """What a response with these tools may call, as far as it is imported."""
        found: list[RemoteTool] = []
        for given in tools:
            server = self._servers.get(given["server_label"]) if given["type"] == "mcp" else None
            if server is None or server.tools is None:
                continue
            whole = {**server.whole, **given}
            found += [
                RemoteTool(
                    given["server_label"],
                    tool,
                    _needs_approval(whole.get("require_approval"), tool),
                )
                for tool in server.tools
                if _matches(whole.get("allowed_tools"), tool)
            ]
        return tuple(found)

    def reached_by(self, label: str) -> events.McpTool:
        """The whole declaration of a server that has a tool."""
        return msgspec.convert(self._servers[label].whole, events.McpTool)

    def stop(self) -> None:
        """The session is over: nothing is waited for any more."""
        for server in self._servers.values():
            if server.listing:
                self._outbox.command(StopRemote(server.entry.id))


def _bytes(value: object) -> int:
    """How long it is as JSON."""
    return len(msgspec.json.encode(value))


def _is_same(tool: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    """Whether the declaration names the server that is known by its label, or only the label."""
    given = {name: tool.get(name) for name in (*_ADDRESSES, *_CREDENTIALS)}
    if not any(given.values()):
        return True
    return all(value == whole.get(name) for name, value in given.items())


def _has_failed(server: _Server) -> bool:
    return not server.listing and server.tools is None


def _matches(filter: Any, tool: events.McpListedTool) -> bool:
    """Whether a tool is among those that a filter names; without a filter, all are."""
    if filter is None:
        return True
    if not isinstance(filter, dict):
        return tool.name in filter
    names, read_only = filter.get("tool_names"), filter.get("read_only")
    return (names is None or tool.name in names) and (
        read_only is None or read_only == _is_read_only(tool)
    )


def _is_read_only(tool: events.McpListedTool) -> bool:
    annotations = tool.annotations
    return isinstance(annotations, dict) and annotations.get("readOnlyHint") is True


def _needs_approval(required: Any, tool: events.McpListedTool) -> bool:
    if not isinstance(required, dict):
        return bool(required != "never")
    never, always = required.get("never"), required.get("always")
    if never is not None:
        return not _matches(never, tool)
    return always is None or _matches(always, tool)
