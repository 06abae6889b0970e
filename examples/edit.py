"""A long conversation made short: a summary takes the place of its beginning."""

import asyncio

import bargein

KEPT = 2


async def main() -> None:
    async with bargein.connect("gpt-realtime-2.1", instructions="Be brief.") as session:
        for question in ("Tell me a story.", "And the clockmaker?", "What became of the bird?"):
            reply = await session.say(question)
            await reply.done()

        aside = await session.respond("Summarise.", response={"conversation": "none"})
        summary = {"role": "system", "content": f"So far: {await aside.text()}"}

        # The wish and the edit in one go: what is said from here on is kept.
        talk = session.conversation
        edited = await talk.edit([summary, *talk[-KEPT:]], delete=talk[:-KEPT])

        print(f"{len(edited.deleted)} items went, {len(edited.created)} came")
        for difference in edited.differences:
            print(f"{difference.item_id} is not as wished: {difference.why}")
        for item in talk:
            print(f"{item.role}: {item.text}")


asyncio.run(main())
