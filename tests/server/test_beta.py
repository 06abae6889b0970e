"""`--dialect beta` from the wire: old names, old shapes, old refusals (protocol.md §2.1, §3.1,
§4.2, §6.2)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.server.serving_rig import (
    KEY,
    Client,
    a_client,
    a_server,
    says,
    story_that_stalls,
    types,
    user_speech,
)
from websockets.asyncio.client import connect

from bargein.server.serving import Server

OLD_MODEL = "gpt-4o-realtime-preview"
HEADER = {"Authorization": f"Bearer {KEY}", "OpenAI-Beta": "realtime=v1"}


def a_beta_client(server: Server) -> Any:
    return a_client(server, model=OLD_MODEL, additional_headers=HEADER)


async def first_event(server: Server, model: str = OLD_MODEL, **options: Any) -> dict[str, Any]:
    settings = {"additional_headers": HEADER, "compression": None, **options}
    async with connect(f"{server.ws_url}?model={model}", **settings) as socket:
        event: dict[str, Any] = json.loads(await socket.recv())
    return event


async def refused(client: Client, type: str, **fields: Any) -> dict[str, Any]:
    await client.send(type, event_id="mine", **fields)
    error: dict[str, Any] = (await client.until("error"))["error"]
    return error


async def test_the_session_is_flat() -> None:
    async with a_server(dialect="beta") as server:
        session = (await first_event(server))["session"]
    told = {
        "object": "realtime.session",
        "model": OLD_MODEL,
        "modalities": ["text", "audio"],
        "voice": "alloy",
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": None,
        "temperature": 0.8,
        "max_response_output_tokens": "inf",
        "tools": [],
        "tool_choice": "auto",
    }
    assert session.items() >= told.items()
    assert session["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "create_response": True,
        "interrupt_response": True,
    }
    assert not session.keys() & {"type", "audio", "output_modalities", "truncation"}


async def test_a_written_turn_has_the_old_ladder() -> None:
    reply = {"outputs": [{"write": "Hello."}]}
    async with a_server(reply, dialect="beta") as server, a_beta_client(server) as client:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "?"}]}
        await client.send("conversation.item.create", item=item)
        await client.send("response.create", response={"modalities": ["text"], "temperature": 0.7})
        done = await client.until("response.done")
        told = [name for name in types(client.seen) if name != "response.text.delta"]
    assert told == [
        "session.created",
        "conversation.item.created",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    assert [limit["name"] for limit in client.seen[3]["rate_limits"]] == ["requests", "tokens"]
    response = done["response"]
    assert (response["modalities"], response["temperature"]) == (["text"], 0.7)
    assert response["output_audio_format"] == "pcm16"
    (item,) = response["output"]
    assert item["object"] == "realtime.item"
    assert item["content"] == [{"type": "text", "text": "Hello."}]
    assert not any("obfuscation" in event for event in client.seen)


async def test_a_spoken_reply_is_cut_by_the_user_and_truncated() -> None:
    replies = story_that_stalls(500), says("Yes?")
    async with a_server(*replies, dialect="beta") as server, a_beta_client(server) as client:
        await client.send("response.create")
        delta = await client.until("response.audio.delta")
        await client.speak(user_speech())
        done = await client.until("response.done")
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        closing = types(client.seen)[-6:]
        assert closing == [
            "input_audio_buffer.speech_started",
            "response.audio.done",
            "response.audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.done",
        ]
        await client.send(
            "conversation.item.truncate",
            item_id=delta["item_id"],
            content_index=0,
            audio_end_ms=20,
        )
        await client.until("conversation.item.truncated")
        assert "conversation.item.done" not in types(client.seen)


async def test_a_function_is_called_by_the_old_events() -> None:
    call = {"outputs": [{"call": "look", "arguments": {"at": "the sea"}}]}
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}
    async with a_server(call, says("Blue."), dialect="beta") as server:
        async with a_beta_client(server) as client:
            await client.send("session.update", session={"tools": [tool]})
            await client.until("session.updated")
            await client.send("response.create")
            done = await client.until("response.function_call_arguments.done")
            assert "name" not in done and json.loads(done["arguments"]) == {"at": "the sea"}
            (item,) = (await client.until("response.done"))["response"]["output"]
            assert (item["object"], item["name"]) == ("realtime.item", "look")
            output = {"type": "function_call_output", "call_id": done["call_id"], "output": "blue"}
            await client.send("conversation.item.create", item=output)
            assert (await client.until("conversation.item.created"))["item"]["output"] == "blue"


async def test_sound_is_taken_in_the_old_formats() -> None:
    settings = {"turn_detection": None, "input_audio_format": "g711_ulaw"}
    async with a_server(dialect="beta") as server, a_beta_client(server) as client:
        await client.send("session.update", session=settings)
        assert (await client.until("session.updated"))["session"].items() >= settings.items()
        sound = base64.b64encode(bytes([0xFF]) * 800).decode()  # 100 ms of silence at 8 kHz
        await client.send("input_audio_buffer.append", audio=sound)
        await client.send("input_audio_buffer.commit")
        item_id = (await client.until("conversation.item.created"))["item"]["id"]
        await client.send("conversation.item.retrieve", item_id=item_id)
        (part,) = (await client.until("conversation.item.retrieved"))["item"]["content"]
        assert (part["audio"], part["format"]) == (sound, "g711_ulaw")


@pytest.mark.parametrize(
    ("session", "code", "message", "param"),
    [
        (
            {"modalities": ["audio"]},
            "invalid_value",
            (
                "Invalid modalities: ['audio']. Supported combinations are: ['text'] and "
                "['audio', 'text']."
            ),
            "session.modalities",
        ),
        (
            {"temperature": 0.3},
            "decimal_below_min_value",
            (
                "Invalid 'session.temperature': decimal below minimum value. "
                "Expected a value >= 0.6, but got 0.3 instead."
            ),
            "session.temperature",
        ),
        (
            {"input_audio_format": "mp3"},
            "invalid_value",
            "Invalid value: 'mp3'. Supported values are: 'pcm16', 'g711_ulaw', and 'g711_alaw'.",
            "session.input_audio_format",
        ),
        (
            {"turn_detection": {"type": "server_vad", "threshold": 2}},
            "decimal_above_max_value",
            (
                "Invalid 'session.turn_detection.threshold': decimal above maximum value. "
                "Expected a value <= 1, but got 2 instead."
            ),
            "session.turn_detection.threshold",
        ),
        (
            {"audio": {"output": {"voice": "sage"}}},
            "unknown_parameter",
            "Unknown parameter: 'session.audio'.",
            "session.audio",
        ),
        (
            {"max_response_output_tokens": 5_000},
            "integer_above_max_value",
            (
                "Invalid 'session.max_response_output_tokens': integer above maximum value. "
                "Expected a value <= 4096, but got 5000 instead."
            ),
            "session.max_response_output_tokens",
        ),
    ],
)
async def test_a_wrong_setting_is_refused_by_its_old_name(
    session: dict[str, Any], code: str, message: str, param: str
) -> None:
    async with a_server(dialect="beta") as server, a_beta_client(server) as client:
        error = await refused(client, "session.update", session=session)
    assert error == {
        "type": "invalid_request_error",
        "code": code,
        "message": message,
        "param": param,
        "event_id": "mine",
    }


async def test_what_had_no_code_in_beta_has_none() -> None:
    async with a_server(story_that_stalls(500), dialect="beta") as server:
        async with a_beta_client(server) as client:
            error = await refused(client, "response.cancel")
            assert error["code"] is None
            assert error["message"] == "Cancellation failed: no active response found"
            await client.send("response.create")
            delta = await client.until("response.audio.delta")
            error = await refused(client, "response.create")
            assert error["message"] == "Conversation already has an active response"
            cut = {"item_id": delta["item_id"], "content_index": 0, "audio_end_ms": 99_999}
            error = await refused(client, "conversation.item.truncate", **cut)
            assert error["code"] is None and "is already shorter than 99999ms" in error["message"]


async def test_the_other_generations_content_is_refused() -> None:
    async with a_server(dialect="beta") as server, a_beta_client(server) as client:
        content = [{"type": "output_text", "text": "Hi"}]
        item = {"type": "message", "role": "assistant", "content": content}
        error = await refused(client, "conversation.item.create", item=item)
        assert error["message"] == "Invalid value: 'output_text'. Value must be 'text'."
        picture = [{"type": "input_image", "image_url": "data:image/png;base64,AA=="}]
        item = {"type": "message", "role": "user", "content": picture}
        error = await refused(client, "conversation.item.create", item=item)
        assert error["code"] == "invalid_value"


async def test_where_both_are_spoken_the_header_decides() -> None:
    async with a_server(dialect="both") as server:
        assert "modalities" in (await first_event(server))["session"]
        offered: Any = [
            "realtime",
            f"openai-insecure-api-key.{KEY}",
            "openai-beta.realtime-v1",
        ]
        event = await first_event(server, additional_headers={}, subprotocols=offered)
        assert "modalities" in event["session"]
        bearer = {"Authorization": f"Bearer {KEY}"}
        session = (await first_event(server, additional_headers=bearer))["session"]
        assert session["output_modalities"] == ["audio"]


async def test_where_only_beta_is_spoken_no_header_is_needed() -> None:
    async with a_server(dialect="beta") as server:
        bearer = {"Authorization": f"Bearer {KEY}"}
        assert "modalities" in (await first_event(server, additional_headers=bearer))["session"]


@pytest.mark.parametrize("dialect", ["beta", "both"])
async def test_the_models_of_the_second_line_speak_no_beta(dialect: str) -> None:
    async with a_server(dialect=dialect) as server:
        error = (await first_event(server, "gpt-realtime-2"))["error"]
    assert error["message"] == "Model gpt-realtime-2 is only available on the GA API"


async def test_a_session_that_only_writes_down_has_the_old_names_too() -> None:
    async with a_server(dialect="beta") as server:
        url = f"{server.ws_url}?intent=transcription"
        async with connect(url, additional_headers=HEADER, compression=None) as socket:
            client = Client(socket)
            session = (await client.until("transcription_session.created"))["session"]
            assert session["object"] == "realtime.transcription_session"
            assert session["input_audio_format"] == "pcm16" and "type" not in session
            wanted = {"model": "whisper-1"}
            update = {"input_audio_transcription": wanted, "turn_detection": None}
            await client.send("transcription_session.update", session=update)
            session = (await client.until("transcription_session.updated"))["session"]
            assert session["input_audio_transcription"]["model"] == "whisper-1"
            error = await refused(client, "session.update", session={"voice": "sage"})
            assert error["message"] == (
                "Passing a realtime session update event to a transcription session is not allowed."
            )
