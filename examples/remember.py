"""A conversation that goes on another day: what was heard is stored, and told to a new session."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import bargein

BUDGET = bargein.Budget(tokens=20_000, session_s=600)
TRUNCATION = bargein.RetentionRatio(retention_ratio=0.8)


async def talk(question: str, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    async with bargein.connect("gpt-realtime-2.1", budget=BUDGET, truncation=TRUNCATION) as session:
        if before:
            await session.conversation.edit(before)
        reply = await session.say(question)
        await reply.done()
        print(session.conversation.to_markdown())
        print(
            f"{reply.usage.output_tokens} of {session.usage.total_tokens} tokens were the reply\n"
        )
        return session.conversation.messages()


def main(file: Path) -> None:
    for question in ("Tell me a story.", "And the clockmaker?"):
        before = json.loads(file.read_text()) if file.exists() else []
        file.write_text(json.dumps(asyncio.run(talk(question, before))))


with tempfile.TemporaryDirectory() as folder:
    main(Path(folder, "conversation.json"))
