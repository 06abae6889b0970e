"""A conversation in writing: no microphone, no loudspeaker, no turns to detect."""

import asyncio

import bargein


async def main() -> None:
    async with bargein.connect("gpt-realtime-2.1", instructions="Be brief.") as session:
        for question in ("Tell me a story.", "And what about the clockmaker?"):
            reply = await session.say(question)
            print(f"> {question}\n{await reply.text()}\n")

        # A response outside of the conversation: it is not remembered.
        summary = await session.respond(
            "Summarise the conversation in one sentence.", response={"conversation": "none"}
        )
        print(f"In short: {await summary.text()}")
        print(f"{len(session.conversation)} items, {session.usage.total_tokens} tokens")


asyncio.run(main())
