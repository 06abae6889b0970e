"""An MCP server of the official SDK, for the tests: `python mcp_server.py [stdio|PORT]`."""

from __future__ import annotations

import asyncio
import os
import sys

from mcp.server.mcpserver import Image, MCPServer
from mcp.types import CallToolResult, TextContent

server = MCPServer("weather station")
PIXEL = b"\x89PNG\r\n\x1a\n"


@server.tool()
def weather(city: str, days: int = 1) -> str:
    """Tell the weather."""
    return f"rain in {city} for {days}"


@server.tool()
def numbers() -> list[int]:
    """Tell numbers."""
    return [1, 2, 3]


@server.tool(name="look.at/it")
def look() -> list[str | Image]:
    """Look."""
    return ["A cat.", Image(data=PIXEL, format="png")]


@server.tool()
def fail() -> CallToolResult:
    """Fail."""
    text = TextContent(type="text", text="There is no such city.")
    return CallToolResult(content=[text], is_error=True)


@server.tool()
def environment(name: str) -> str:
    """Tell a variable."""
    return os.environ.get(name, "not set")


@server.tool()
def die() -> None:
    """Die."""
    os._exit(3)


@server.tool()
async def wait() -> None:
    """Wait for ever."""
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["stdio"]:
        server.run()
    else:
        server.run("streamable-http", port=int(sys.argv[1]))
