"""Captions of what is heard: the words appear as they sound, and stop where the voice is cut.

python examples/captions.py
"""

import asyncio

import bargein


async def captions(session: bargein.Session, item_id: str) -> None:
    shown = ""
    while True:
        words = session.words_heard(item_id)
        if words.startswith(shown):
            print(words[len(shown) :], end="", flush=True)
            shown = words
        await asyncio.sleep(0.2)


async def main() -> None:
    showing = None
    async with bargein.connect(session={"output_modalities": ["audio"]}) as session:
        await session.say("Tell me a story.")
        async for notice in session:
            match notice:
                case bargein.Transcript(role="assistant", item_id=item_id, final=False):
                    # These words are made, not heard: seconds of them come at once.
                    showing = showing or asyncio.create_task(captions(session, item_id))
                case bargein.FloorChanged(floor="assistant"):
                    await asyncio.sleep(3)
                    await session.interrupt()
                case bargein.Transcript(role="assistant", text=text, cut=True):
                    print(f"\nheard: {text}")
                    break
        if showing is not None:
            showing.cancel()


asyncio.run(main())
