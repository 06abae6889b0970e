"""The service's own events, both ways, beside the friendly face."""

import asyncio

import bargein
from bargein import events


async def watch(raw: bargein.Subscription[bargein.Passed]) -> None:
    async for passed in raw:
        match passed:
            case bargein.Dropped(count=count):
                print(f"!! {count} events were not read in time")
            case bargein.Passed(direction="sent", event=event):
                print(f"-> {type(event).__name__}")
            case bargein.Passed(event=events.Unknown(type=name)):
                print(f"<- {name} (new to this version)")
            case bargein.Passed(event=event):
                print(f"<- {type(event).__name__}")


async def main() -> None:
    async with bargein.connect("gpt-realtime-2.1") as session:
        watching = asyncio.create_task(watch(session.events()))

        # An event of one's own, as plain JSON values. It keeps its place in the order of sending.
        item = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Go on."}],
        }
        await session.send({"type": "conversation.item.create", "item": item})
        reply = await session.respond()
        await reply.done()
    await watching


asyncio.run(main())
