"""The conversation of a session, read: over the socket of the local server."""

from __future__ import annotations

import asyncio
import json

from tests.server.serving_rig import a_server, says, story_that_stalls

import bargein
from bargein.core.readable import from_json

SPOKEN = {"output_modalities": ["audio"]}


async def test_what_was_cut_is_told_as_it_was_heard_and_restored_as_the_same_text() -> None:
    replies = ({"when": "story", **story_that_stalls()}, says("Fine."))
    async with a_server(*replies) as server:
        async with bargein.connect(
            url=server.url, api_key=server.api_key, session=SPOKEN
        ) as session:
            floor = session.notices(bargein.FloorChanged)
            settled = session.notices(bargein.InterruptionSettled)
            reply = await session.say("Tell me a story.")
            await anext(floor)
            await asyncio.sleep(0.7)
            await session.interrupt()
            await reply.done()
            await anext(settled)
            talk = session.conversation
            asked, told = talk.messages()
            heard = talk[1].text
            shown = talk.to_markdown()
            assert from_json(talk.to_json()) == talk.items
        assert asked == {"role": "user", "content": "Tell me a story."}
        assert told == {"role": "assistant", "content": f"{heard.rstrip()} [interrupted]"}
        assert 0 < len(heard) < len(await reply.text())
        assert "*\\[interrupted\\]*" in shown and "; cut at 0." in shown
        async with bargein.connect(url=server.url, api_key=server.api_key) as session:
            stored = json.loads(json.dumps([asked, told]))
            edited = await session.conversation.edit(stored)
            assert edited.differences == ()
            assert session.conversation.messages() == [asked, told]
            assert not any(item.cut for item in session.conversation)
