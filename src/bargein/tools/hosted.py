"""MCP servers that the service itself reaches and calls: what it is told of them, and who consents.

1. The service has the tools, calls them and keeps the results; here is only who is asked before.
2. Without a word of ours every call is asked about. `approval=False` lets all run, `trusted` names
   those that may run unasked.
3. What the service reaches the server with is shown in no repr.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bargein.errors import LocalValueError
from bargein.tools.registry import Approver


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """Made by `mcp_server`. `label` is its name in the session, unique there."""

    label: str
    url: str | None = None
    connector_id: str | None = None
    authorization: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    description: str | None = None
    allowed_tools: tuple[str, ...] | None = None
    approval: bool | Approver = True
    trusted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.label, str) or not self.label:
            raise LocalValueError(f"mcp_server: label {self.label!r}; give it a name")
        where = f"mcp_server {self.label}"
        if (self.url is None) is (self.connector_id is None):
            raise LocalValueError(f"{where}: give one of url and connector_id")
        if self.url is not None and not self.url.startswith(("https://", "http://")):
            raise LocalValueError(f"{where}: url: give one that begins with https://")
        headers = {name.lower() for name in self.headers or ()}
        if self.authorization is not None and "authorization" in headers:
            raise LocalValueError(
                f"{where}: authorization is given twice; take it away from headers"
            )
        if self.trusted and not self.approval:
            raise LocalValueError(
                f"{where}: trusted says who need not ask, and with approval=False nobody does; "
                "give one of them"
            )

    @property
    def name(self) -> str:
        """For messages."""
        return f"MCP server {self.label}"

    def declared(self) -> dict[str, Any]:
        """As `session.tools` has it (protocol.md section 3.2)."""
        asks: Any = "always" if self.approval else "never"
        if self.trusted:
            asks = {"never": {"tool_names": list(self.trusted)}}
        whole = {
            "type": "mcp",
            "server_label": self.label,
            "server_url": self.url,
            "connector_id": self.connector_id,
            "authorization": self.authorization,
            "headers": None if self.headers is None else dict(self.headers),
            "server_description": self.description,
            "allowed_tools": None if self.allowed_tools is None else list(self.allowed_tools),
            "require_approval": asks,
        }
        return {name: value for name, value in whole.items() if value is not None}


def mcp_server(
    label: str,
    url: str | None = None,
    *,
    connector_id: str | None = None,
    authorization: str | None = None,
    headers: Mapping[str, str] | None = None,
    description: str | None = None,
    allowed_tools: Sequence[str] | None = None,
    approval: bool | Approver = True,
    trusted: Sequence[str] = (),
) -> McpServer:
    """An MCP server for `connect(tools=…)` whose tools the service calls: nothing of them runs
    here, and the server must be reachable for the service.

    `url` or `connector_id` says where it is, `authorization` (a token) and `headers` with what the
    service enters. `allowed_tools` are the names that the model may call; without it, all.
    `approval`: True asks what `connect(approve=…)` was given before each call, a callable is asked
    itself, False lets every call run; `trusted` names tools that run unasked.

    Raises `LocalValueError` naming what cannot be.
    """
    for name, given in (("allowed_tools", allowed_tools), ("trusted", trusted)):
        if isinstance(given, str):
            raise LocalValueError(f"mcp_server {label}: {name}: {given!r}; give a list of names")
    return McpServer(
        label=label,
        url=url,
        connector_id=connector_id,
        authorization=authorization,
        headers=headers,
        description=description,
        allowed_tools=None if allowed_tools is None else tuple(allowed_tools),
        approval=approval,
        trusted=tuple(trusted),
    )
