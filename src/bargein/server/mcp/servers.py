"""What a session asks of MCP servers: their tools, and calls of them.

1. Each list and each call has a connection of its own, which ends with it: nothing is kept for a
   server that is not asked any more. State that a server keeps with a connection does not outlive
   a call.
2. The official SDK is loaded when the first server is asked, in a thread: it costs a second and
   35 MB, which a process that reaches none does not pay.
3. What goes wrong is a `ToolError` of one of the protocol's three types (protocol.md §4.13).
   Deadlines are the caller's, who cancels.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from importlib.util import find_spec

from bargein import events
from bargein.errors import LocalValueError
from bargein.server.engines.base import ToolError
from bargein.server.mcp.reach import Reach, address_of
from bargein.server.model.commands import CallTool, ListTools

_MISSING = 'MCP servers need the official SDK; pip install "bargein[mcp]"'
_SDK = "mcp"


class McpServers:
    """The servers that may be reached from here, for all sessions of a process."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach

    @classmethod
    def asked_for(cls, reach: Reach) -> McpServers:
        """Of a reach that somebody named. Raises `LocalValueError` if the SDK is not there."""
        if reach != "off" and find_spec(_SDK) is None:
            raise LocalValueError(_MISSING)
        return cls(reach)

    async def list_tools(self, request: ListTools) -> tuple[events.McpListedTool, ...]:
        """What the server offers. Raises `ToolError`."""
        address = address_of(request.server, self.reach)
        await _load()
        from bargein.server.mcp import link

        return await link.list_tools(address)

    async def call_tool(self, request: CallTool) -> str:
        """What the tool answers. Raises `ToolError`."""
        address = address_of(request.server, self.reach)
        arguments = _object(request.arguments)
        await _load()
        from bargein.server.mcp import link

        return await link.call_tool(address, request.name, arguments)


def _object(arguments: str) -> dict[str, object]:
    """The arguments as the model wrote them. Raises `ToolError` if they are no object."""
    try:
        read = json.loads(arguments or "{}")
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise ToolError("The arguments of the call are no JSON object.")
    return read


async def _load() -> None:
    """Have the SDK in this process. Raises `ToolError` if it is not there."""
    try:
        await asyncio.to_thread(importlib.import_module, "bargein.server.mcp.link")
    except ModuleNotFoundError as error:
        raise ToolError(_MISSING) from error
