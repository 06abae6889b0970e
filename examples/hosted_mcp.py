"""An MCP server that the service itself calls: you are asked before, at the terminal.

python examples/hosted_mcp.py URL [TOKEN]: where the service reaches the server.
"""

import asyncio
import sys

import bargein


def approve(call: bargein.ToolCall) -> bool:
    # No coroutine, so it has a thread of its own, and may take minutes.
    return input(f"may {call.server_label} run {call.name}({call.arguments})? ") == "yes"


async def main(url: str, token: str | None = None) -> None:
    files = bargein.mcp_server(
        "files",
        url,
        authorization=token,
        allowed_tools=["search", "delete"],
        trusted=["search"],
    )
    async with bargein.connect(tools=[files], approve=approve) as session:
        told = session.notices(bargein.ToolAnswered)
        reply = await session.say("Delete the plans.")
        print("assistant:", await reply.text())
        async for answer in told:
            if isinstance(answer, bargein.ToolAnswered):
                print(f"{answer.server_label}.{answer.name}: {answer.status}, {answer.output}")
                if answer.name == "delete":
                    break


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
