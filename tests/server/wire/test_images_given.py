"""Images in items, from the wire (protocol.md §4.14)."""

from __future__ import annotations

from typing import Any

from tests.server.image_files import jpeg, png
from tests.server.wire.test_ladders import ADDED, DONE
from tests.server.wire.wire_rig import AT_ONCE, Wire, climbed, wire

from bargein import events
from bargein.server.model.options import Options


def seen(image: str, **detail: str) -> dict[str, Any]:
    content = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": image, **detail},
    ]
    return {"type": "message", "role": "user", "content": content}


async def show(client: Wire, item: dict[str, Any]) -> dict[str, Any]:
    await client.send("conversation.item.create", item=item)
    added, done = await climbed(client, *ADDED)
    assert added["item"] == done["item"]
    shown: dict[str, Any] = added["item"]
    return shown


async def test_an_image_is_shown_kept_given_to_the_engine_and_paid_for() -> None:
    async with wire(AT_ONCE) as client:
        item = seen(jpeg(600, 400), detail="high")
        shown = await show(client, item)
        assert shown["content"] == item["content"]
        await client.send("conversation.item.retrieve", item_id=shown["id"])
        (retrieved,) = await climbed(client, "conversation.item.retrieved")
        assert retrieved["item"]["content"] == item["content"]
        _, turn = await client.respond()
        (given,) = turn.request.context
        assert isinstance(given, events.MessageItem)
        assert given.content[1] == events.InputImage(image_url=jpeg(600, 400), detail="high")
        turn.end()
        done, _ = await climbed(client, *DONE)
        details = done["response"]["usage"]["input_token_details"]
        assert details["image_tokens"] == 85 + 2 * 170
        assert details["audio_tokens"] == 0 < details["text_tokens"]


async def test_an_image_may_be_the_input_of_one_response() -> None:
    async with wire(AT_ONCE) as client:
        _, turn = await client.respond(conversation="none", input=[seen(png(9, 9), detail="low")])
        turn.end()
        done, _ = await climbed(client, *DONE)
        assert done["response"]["usage"]["input_token_details"]["image_tokens"] == 85
        bad = seen("https://example.org/cat.png")
        await client.send("response.create", response={"input": [bad]})
        (error,) = await climbed(client, "error")
        assert error["error"]["param"] == "response.input[0].content[1].image_url"


async def test_a_server_that_does_not_echo_images_still_keeps_them() -> None:
    async with wire(Options(echo_images=False)) as client:
        shown = await show(client, seen(png(9, 9)))
        assert shown["content"][1] == {"type": "input_image"}
        await client.send("conversation.item.retrieve", item_id=shown["id"])
        (retrieved,) = await climbed(client, "conversation.item.retrieved")
        assert retrieved["item"]["content"][1]["image_url"] == png(9, 9)
