"""Talks to a server that is not OpenAI's, with what `bargein conform --capabilities` found out."""

from __future__ import annotations

import asyncio
import sys

import bargein


async def ask(url: str, key: str, path: str) -> str:
    """Greet the server; the file at `path` says what it can do."""
    async with bargein.connect(url=url, api_key=key, capabilities=path) as session:
        reply = await session.say("Hello.")
        return await reply.text()


if __name__ == "__main__":
    print(asyncio.run(ask(*sys.argv[1:4])))
