"""What a session and a response may be told, from the wire (protocol.md §2.2, §3.2, §3.3)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.server.refusal_frames import session
from tests.server.wire.test_ladders import COMMITTED, asked
from tests.server.wire.test_refusals import offend, refused
from tests.server.wire.wire_rig import AT_ONCE, Wire, climbed, wire, written

from bargein.server.model import score
from bargein.server.model.options import Options


async def update(client: Wire, **session: Any) -> dict[str, Any]:
    await client.send("session.update", session={"type": "realtime", **session})
    (updated,) = await climbed(client, "session.updated")
    shown: dict[str, Any] = updated["session"]
    return shown


@pytest.mark.parametrize("law", ["audio/pcmu", "audio/pcma"])
async def test_telephone_sound_goes_both_ways_in_its_own_samples(law: str) -> None:
    async with wire(AT_ONCE) as client:
        one_way = {"format": {"type": law}}
        shown = await update(
            client, audio={"input": {**one_way, "turn_detection": None}, "output": one_way}
        )
        assert shown["audio"]["input"]["format"] == {"type": law}
        await client.append(bytes(range(256)) * 5)  # 160 ms at 8 kHz
        await client.send("input_audio_buffer.commit")
        committed, *_ = await climbed(client, *COMMITTED)
        await client.send("conversation.item.retrieve", item_id=committed["item_id"])
        (retrieved,) = await climbed(client, "conversation.item.retrieved")
        (part,) = retrieved["item"]["content"]
        assert base64.b64decode(part["audio"]) == bytes(range(256)) * 5
        response, turn = await asked(client)
        assert response["audio"]["output"]["format"] == {"type": law}
        turn.play(score.OpenMessage(), score.OpenPart("audio"), score.Sound(bytes(8_000)))
        delta = await client.until("response.output_audio.delta")
        assert len(base64.b64decode(delta["delta"])) == 8_000
        await client.truncate(delta["item_id"], 0, 1_000)
        await client.until("conversation.item.truncated")
        await client.truncate(delta["item_id"], 0, 1_001)
        body = (await client.until("error"))["error"]
        assert body["message"] == "Audio content of 1000ms is already shorter than 1001ms"


async def test_an_update_is_whole_or_nothing_and_what_is_absent_keeps_its_value() -> None:
    async with wire() as client:
        before = await update(client, instructions="Be kind.", max_output_tokens=100)
        await client.send(
            "session.update",
            session={"type": "realtime", "instructions": "Be rude.", "max_output_tokens": 0},
        )
        (error,) = await climbed(client, "error")
        assert error["error"]["code"] == "integer_below_min_value"
        assert await update(client) == before
        cleared = await update(
            client, tools=[], prompt=None, audio={"input": {"turn_detection": None}}
        )
        assert cleared["audio"]["input"]["turn_detection"] is None
        assert cleared["instructions"] == "Be kind." and cleared["max_output_tokens"] == 100


async def test_max_output_tokens_end_a_response_on_the_wire() -> None:
    async with wire(AT_ONCE) as client:
        _, turn = await asked(client, output_modalities=["text"], max_output_tokens=2)
        turn.end(*written("Twelve letters and more"))
        done = (await client.until("response.done"))["response"]
        assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
        assert done["output"][0]["content"][0]["text"] == "Twelve l"
        assert done["usage"]["output_tokens"] == done["max_output_tokens"] == 2


@pytest.mark.parametrize(
    ("metadata", "code", "param"),
    [
        ({str(key): "v" for key in range(16)}, None, None),
        ({"k" * 64: "v" * 512}, None, None),
        ({"k" * 65: "v"}, "string_above_max_length", "response.metadata"),
        ({"k": "v" * 513}, "string_above_max_length", "response.metadata.k"),
        ({"k": 1}, "invalid_type", "response.metadata.k"),
    ],
)
async def test_metadata_comes_back_within_its_limits(
    metadata: dict[str, Any], code: str | None, param: str | None
) -> None:
    async with wire() as client:
        await client.send("response.create", response={"metadata": metadata})
        told = await client.next()
        if code is None:
            assert told["response"]["metadata"] == metadata
        else:
            assert (told["error"]["code"], told["error"]["param"]) == (code, param)


async def test_parallel_calls_are_every_models_or_not() -> None:
    async with wire(AT_ONCE, model="gpt-realtime") as client:
        assert (await update(client, parallel_tool_calls=True))["parallel_tool_calls"] is True
    strict = Options(parallel_calls_need_reasoning=True)
    async with wire(strict, model="gpt-realtime-2.1") as client:
        await update(client, parallel_tool_calls=True)
    async with wire(strict, model="gpt-realtime") as client:
        for frame in (
            session(parallel_tool_calls=False),
            {"type": "response.create", "response": {"parallel_tool_calls": True}},
        ):
            await offend(client, frame)
            text = "Parallel tool calls are not supported by the model 'gpt-realtime'."
            await refused(client, "no_parallel_calls", "invalid_parameter", None, text)
