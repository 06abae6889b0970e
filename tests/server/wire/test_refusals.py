"""Every refusal of protocol.md §6.2, from the wire: type, code, message, param and event id.

What one frame provokes stands in `refusal_frames`; what needs a story, here. A row of the server's
table, or a line of §6.2, that has no case fails the last tests.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

import pytest
from tests.server.image_files import png
from tests.server.model.model_rig import silence
from tests.server.refusal_frames import FRAMES, mcp, session, user_image
from tests.server.wire.wire_rig import Wire, wire, written

from bargein import events
from bargein.server.model.options import Limits, Options
from bargein.server.model.refusal import listed
from bargein.server.model.rules import RULES
from bargein.server.model.schema import EVENTS

Story = Callable[[Wire], Awaitable[str]]
STORIES: dict[str, tuple[Story, str | None, str | None, Options]] = {}
"""Row: what provokes it and gives the message that must come; its code, its param; the server."""

ELSEWHERE = {
    "session_expired": "test_websocket.test_the_end_of_a_session_is_told_by_an_error_and_1001",
    "no_parallel_calls": "test_settings.test_parallel_calls_are_every_models_or_not",
    "no_turn_detection": "test_transcription_session.test_a_live_model_has_no_turn_detection",
    "append_beside_track": "test_rules.test_a_refusal_says_what_the_service_says",
}
"""Rows with a test of their own: one that sees the close, and those of other kinds of session."""

UNNAMED = {"truncate_too_long", "no_reasoning", "session_expired", "internal"}
"""Refusals that name no event although one caused them (protocol.md §6.1, §6.2)."""
UNREADABLE = {"not_json", "binary_frame", "frame_too_long"}
"""Refusals of what has no `event_id` that could be read."""


def story(
    row: str,
    code: str | None,
    param: str | None = None,
    *,
    processing_us: int = 0,
    context_tokens: int | None = None,
    **limits: int,
) -> Callable[[Story], Story]:
    def keep(provoke: Story) -> Story:
        options = Options(
            processing_us=processing_us,
            context_tokens=context_tokens,
            limits=Limits(**limits),
        )
        STORIES[row] = (provoke, code, param, options)
        return provoke

    return keep


async def offend(client: Wire, frame: dict[str, Any]) -> None:
    await client.socket.send(json.dumps({**frame, "event_id": "mine"}))


@story("not_json", "invalid_json")
async def _(client: Wire) -> str:
    await client.socket.send('{"type":')
    return "Invalid event: failed to parse JSON value. Input data was truncated."


@story("no_type", "invalid_event")
async def _(client: Wire) -> str:
    await offend(client, {})
    return "The 'type' field is missing."


@story("binary_frame", "invalid_event")
async def _(client: Wire) -> str:
    await client.socket.send(b'{"type":"response.create","event_id":"mine"}')
    return "Expected a text WebSocket message; binary frames are not supported."


@story("frame_too_long", "invalid_event", frame_bytes=200)
async def _(client: Wire) -> str:
    await client.socket.send(f'{{"type":"{"x" * 200}"}}')
    return "Invalid event: too large. Expected at most 200 bytes, but got 211 instead."


@story("audio_too_long", "invalid_value", "audio")
async def _(client: Wire) -> str:
    await offend(client, {"type": "input_audio_buffer.append", "audio": "A" * 20_971_524})
    return "Invalid 'audio'. Expected at most 15728640 bytes of audio, but got 15728643 instead."


@story("voice_locked", "cannot_update_voice")
async def _(client: Wire) -> str:
    await client.speaking(20)
    await offend(client, session(audio={"output": {"voice": "echo"}}))
    return "Cannot update a conversation's voice if assistant audio is present."


@story("tracing_fixed", "invalid_parameter", "session.tracing")
async def _(client: Wire) -> str:
    await client.socket.send(json.dumps(session(tracing="auto")))
    await client.until("session.updated")
    await offend(client, session(tracing=None))
    return "Cannot update tracing once it is enabled."


@story("speed_fixed", "invalid_parameter", "session.audio.output.speed")
async def _(client: Wire) -> str:
    await client.respond()
    await offend(client, session(audio={"output": {"speed": 1.5}}))
    return "Cannot update a session's speed while a response is in progress."


@story("too_long", "conversation_too_long", context_tokens=100)
async def _(client: Wire) -> str:
    await client.configure(None, truncation="disabled", instructions="Be kind.")
    await client.type("a" * 400)
    await offend(client, {"type": "response.create"})
    return "Conversation is too long to create a Response."


@story("too_little_to_commit", "input_audio_buffer_commit_empty")
async def _(client: Wire) -> str:
    await client.configure(None)
    await client.append(silence(80))
    await offend(client, {"type": "input_audio_buffer.commit"})
    return (
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
        "but buffer only has 80.00ms of audio."
    )


@story("input_buffer_full", "input_audio_buffer_full", input_buffer_bytes=10_000)
async def _(client: Wire) -> str:
    await client.configure(None)
    await client.append(silence(200))
    await client.append(silence(20), event_id="mine")
    return (
        "Error appending to the input audio buffer: it holds 9600 bytes of at most 10000. Commit "
        "or clear it first."
    )


@story("already_active", "conversation_already_has_active_response")
async def _(client: Wire) -> str:
    response_id, _ = await client.respond()
    await offend(client, {"type": "response.create"})
    return (
        f"Conversation already has an active response in progress: {response_id}. Wait until the "
        "response is finished before creating a new one."
    )


@story("too_many_responses", "too_many_responses", responses=2)
async def _(client: Wire) -> str:
    await client.respond(conversation="none")
    await client.respond()
    await offend(client, {"type": "response.create", "response": {"conversation": "none"}})
    return "Cannot run more than 2 responses at once. Wait until one is finished."


@story("item_exists", "item_create_duplicate_item_id")
async def _(client: Wire) -> str:
    item = {"type": "message", "role": "user", "content": [], "id": "x"}
    await client.send("conversation.item.create", item=item)
    await client.until("conversation.item.done")
    await offend(client, {"type": "conversation.item.create", "item": item})
    return "Error adding item: an item with id 'x' already exists."


@story("conversation_full", "conversation_full", items=1)
async def _(client: Wire) -> str:
    await client.type("a")
    item = {"type": "message", "role": "user", "content": []}
    await offend(client, {"type": "conversation.item.create", "item": item})
    return "Error adding item: the conversation holds 1 items already. Delete some first."


@story("images_full", "conversation_full", image_bytes=10)
async def _(client: Wire) -> str:
    await offend(client, {"type": "conversation.item.create", "item": user_image(png(1, 1))})
    return (
        "Error adding item: the conversation holds 0 bytes of images already, of at most 10. "
        "Delete some first."
    )


@story("texts_full", "conversation_full", text_characters=4)
async def _(client: Wire) -> str:
    content = [{"type": "input_text", "text": "Hello"}]
    item = {"type": "message", "role": "user", "content": content}
    await offend(client, {"type": "conversation.item.create", "item": item})
    return (
        "Error adding item: the conversation holds 0 characters of text already, of at most 4. "
        "Delete some first."
    )


@story("mcp_servers_full", "too_many_mcp_servers", "session.tools[1].server_label", mcp_servers=1)
async def _(client: Wire) -> str:
    tools = [mcp(server_url="http://a"), {**mcp(server_url="http://a"), "server_label": "snow"}]
    await offend(client, session(tools=tools))
    return "Cannot declare the MCP server 'snow': a session has at most 1 of them."


@story("mcp_declarations_full", "too_many_mcp_servers", mcp_bytes=61)
async def _(client: Wire) -> str:
    await offend(client, session(tools=[mcp(server_url="http://a.b")]))
    return "The declarations of the session's MCP servers would take 62 bytes; at most 61 fit."


@story("truncate_not_audio", "unsupported_content_type")
async def _(client: Wire) -> str:
    _, turn = await client.respond(output_modalities=["text"])
    turn.end(*written("Hello"))
    done = await client.until("response.done")
    await client.until("rate_limits.updated")
    await client.truncate(done["response"]["output"][0]["id"], 0, 0, event_id="mine")
    return "Only model output audio messages can be truncated"


@story("truncate_no_such_part", "invalid_value", "content_index")
async def _(client: Wire) -> str:
    _, item_id = await client.speaking(100)
    await client.truncate(item_id, 1, 0, event_id="mine")
    return f"Error truncating item: the item with id '{item_id}' has no content at index 1."


@story("truncate_too_long", "invalid_value")
async def _(client: Wire) -> str:
    _, item_id = await client.speaking(6_000, 350)
    await client.truncate(item_id, 0, 8_160, event_id="mine")
    return "Audio content of 6350ms is already shorter than 8160ms"


@story("too_much_waiting", "too_many_events", processing_us=50_000, waiting_bytes=2_000)
async def _(client: Wire) -> str:
    await client.append(silence(30))
    await client.append(silence(30), event_id="mine")
    return "Too many events are waiting to be handled. Send them more slowly."


@story("internal", None)
async def _(client: Wire) -> str:
    # What passes the schema is in the vocabulary, so this takes a broken decoder.
    broken = events.Malformed(reason="broken", raw="")
    with patch.object(events, "decode_client", return_value=broken):
        await offend(client, {"type": "input_audio_buffer.clear"})
        client.put_back(await client.next())
    session_id = client.seen[0]["session"]["id"]
    return (
        "The server had an error while processing your request. Sorry about that! Please "
        "contact us through our help center at help.openai.com if the error persists. (include "
        f"session ID in your message: {session_id}). We recommend you retry your request."
    )


async def refused(client: Wire, row: str, code: str | None, param: str | None, text: str) -> None:
    """The error is exactly that of the row, and the session goes on."""
    event = await client.next()
    assert list(event) == ["type", "event_id", "error"]
    assert event["event_id"].startswith("event_")
    named = row not in UNNAMED and row not in UNREADABLE
    assert event["error"] == {
        "type": RULES[row].type,
        "code": code,
        "message": text,
        "param": param,
        "event_id": "mine" if named else None,
    }
    assert list(event["error"]) == ["type", "code", "message", "param", "event_id"]
    await client.lives()


async def test_one_frame_is_refused_word_for_word() -> None:
    async with wire(model="gpt-realtime") as client:
        for row, case in FRAMES.items():
            await offend(client, case.frame)
            await refused(client, row, case.code, case.param, case.message)


@pytest.mark.parametrize("row", STORIES)
async def test_what_a_story_leads_to_is_refused_word_for_word(row: str) -> None:
    provoke, code, param, options = STORIES[row]
    async with wire(options) as client:
        await refused(client, row, code, param, await provoke(client))


def test_every_row_of_the_servers_table_is_provoked_from_the_wire() -> None:
    assert set(FRAMES) | set(STORIES) | set(ELSEWHERE) == set(RULES)
    assert not set(FRAMES) & set(STORIES)


LINES_OF_THE_RECORD = {
    "not JSON": ["not_json"],
    "`type` missing": ["no_type"],
    "binary frame": ["binary_frame"],
    "unknown event type": ["unknown_type"],
    "missing field": ["missing"],
    "unknown field": ["unknown"],
    "wrong JSON type": ["wrong_type"],
    "enum value wrong": ["wrong_value"],
    "one legal value only": ["one_value"],
    "wrong part type for user": ["wrong_user_part"],
    "wrong session.type": ["wrong_session_type"],
    "int too small": ["integer_too_small"],
    "int too big": ["integer_too_big"],
    "decimal out of range": ["decimal_too_small", "decimal_too_big"],
    "text too long": ["text_too_long"],
    "modalities (GA)": ["modalities"],
    "bad base64/PCM": ["not_audio"],
    "empty `audio` in append": ["no_audio"],
    "commit, too little audio": ["too_little_to_commit"],
    "response.create while one active": ["already_active"],
    "response.cancel, none active": ["nothing_to_cancel"],
    "truncate past end": ["truncate_too_long"],
    "truncate non-audio": ["truncate_not_audio"],
    "truncate unknown item": ["truncate_unknown"],
    "delete unknown item": ["delete_unknown"],
    "retrieve unknown item": ["retrieve_unknown"],
    "create, id exists": ["item_exists"],
    "create, bad previous_item_id": ["previous_item_unknown"],
    "tool output for unknown call": ["call_unknown"],
    "voice change after audio": ["voice_locked"],
    "session kind mix-up": ["session_kind"],
    "reasoning on non-2.x": ["no_reasoning"],
    "VAD on live transcription model": ["no_turn_detection"],
    "context full with truncation disabled": ["too_long"],
    "session end": ["session_expired"],
    "server fault": ["internal"],
}
"""The lines of protocol.md §6.2 for a WebSocket in GA, each with its cases. Limits and quotas
are told in `response.done`."""

MORE: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # The same row of the table with a text of its own in §6.2.
    "unknown_type": (
        {"type": "nope"},
        "invalid_value",
        "type",
        (f"Invalid value: 'nope'. Supported values are: {listed(tuple(EVENTS))}."),
    ),
    "wrong_user_part": (
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "content": [{"type": "text", "text": ""}]},
        },
        "invalid_value",
        "item.content[0].type",
        "Invalid value: 'text'. Supported values are: 'input_text' and 'input_audio'.",
    ),
    "wrong_session_type": (
        {"type": "session.update", "session": {"type": "session"}},
        "invalid_value",
        "session.type",
        "Invalid value: 'session'. Supported values are: 'realtime' and 'transcription'.",
    ),
}


@pytest.mark.parametrize("case", MORE)
async def test_a_line_of_the_record_with_words_of_its_own(case: str) -> None:
    frame, code, param, text = MORE[case]
    async with wire() as client:
        await offend(client, frame)
        await refused(client, "wrong_value", code, param, text)


MISSING: dict[str, dict[str, Any]] = {
    "content_index": {"type": "conversation.item.truncate", "item_id": "x", "audio_end_ms": 1},
    "audio_end_ms": {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0},
    "item": {"type": "conversation.item.create"},
    "item.type": {"type": "conversation.item.create", "item": {}},
    "item.call_id": {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "content": [], "role": "user"},
    },
    "item.content[0].audio": {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_audio"}]},
    },
    "session.type": {"type": "session.update", "session": {}},
    "session.tools[0].name": session(tools=[{"type": "function"}]),
}
"""Every path that §6.2 names for `missing_required_parameter`, and S4's wrong shape."""


async def test_what_is_missing_is_named_by_its_path() -> None:
    async with wire() as client:
        for path, frame in MISSING.items():
            await offend(client, frame)
            text = f"Missing required parameter: '{path}'."
            await refused(client, "missing", "missing_required_parameter", path, text)


def test_every_line_of_the_record_has_its_cases() -> None:
    cases = {case for cases in LINES_OF_THE_RECORD.values() for case in cases}
    assert cases <= set(FRAMES) | set(STORIES) | set(ELSEWHERE) | set(MORE)
    recorded = {row for row, rule in RULES.items() if rule.source is not None}
    assert recorded <= cases, recorded - cases
