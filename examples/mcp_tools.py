"""The tools of an MCP server in a conversation. The server is this file, as another process."""

import asyncio
import sys

from mcp.server.mcpserver import MCPServer

import bargein
from bargein.tools.adapters import mcp

station = MCPServer("weather station")


@station.tool()
def weather(city: str) -> str:
    """Tell the weather."""
    return f"Rain in {city}."


async def main() -> None:
    async with (
        mcp.stdio(sys.executable, [__file__, "serve"], timeout_s=10) as tools,
        bargein.connect(tools=tools) as session,
    ):
        told = session.notices(bargein.ToolAnswered)
        reply = await session.say("What is the weather in Lisbon?")
        print("assistant:", await reply.text())
        answer = await anext(told)
        if isinstance(answer, bargein.ToolAnswered):
            print(f"{answer.name}: {answer.status}, {answer.output}")


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        station.run()
    else:
        asyncio.run(main())
