"""Every row of the table of refusals, provoked by a client, word for word (protocol.md §6.2).

A case without a frame that provokes it cannot be written, and a row without a case fails the last
test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from tests.server.model.model_rig import Rig, error, silence

from bargein import events
from bargein.server.model.inputs import FrameReceived
from bargein.server.model.options import Limits, Options
from bargein.server.model.rules import RULES

Case = Callable[[], tuple[Rig, list[dict[str, Any]]]]
CASES: dict[str, tuple[Case, str | None, str | None, str]] = {}
"""Row: how to provoke it, and the code, the param and the message that must come."""


def case(row: str, code: str | None, param: str | None, message: str) -> Callable[[Case], Case]:
    def keep(provoke: Case) -> Case:
        CASES[row] = (provoke, code, param, message)
        return provoke

    return keep


def says(row: str, code: str | None, param: str | None, message: str, **frame: Any) -> None:
    """A case that one frame to a new session provokes."""

    def provoke() -> tuple[Rig, list[dict[str, Any]]]:
        rig = Rig()
        return rig, rig.say(event_id="mine", **frame)

    CASES[row] = (provoke, code, param, message)


def session(**fields: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **fields}}


def limited(**limits: int) -> Rig:
    return Rig(options=Options(limits=Limits(**limits)))


def user_audio(audio: str) -> dict[str, Any]:
    part = {"type": "input_audio", "audio": audio}
    return {"type": "message", "role": "user", "content": [part]}


@case(
    "not_json",
    "invalid_json",
    None,
    "Invalid event: failed to parse JSON value. Input data was truncated.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    return rig, rig.give(FrameReceived('{"type":'))


@case("no_type", "invalid_event", None, "The 'type' field is missing.")
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    return rig, rig.give(FrameReceived('{"event_id":"mine"}'))


@case(
    "binary_frame",
    "invalid_event",
    None,
    "Expected a text WebSocket message; binary frames are not supported.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    return rig, rig.give(FrameReceived(b'{"type":"response.create"}'))


@case(
    "frame_too_long",
    "invalid_event",
    None,
    "Invalid event: too large. Expected at most 30 bytes, but got 33 instead.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = limited(frame_bytes=30)
    return rig, rig.say("input_audio_buffer.co")


says(
    "other_session_kind",
    "invalid_event",
    "type",
    "Event 'session.close' is not supported in a realtime session.",
    type="session.close",
)
says(
    "missing",
    "missing_required_parameter",
    "content_index",
    "Missing required parameter: 'content_index'.",
    type="conversation.item.truncate",
    item_id="x",
)
says(
    "unknown",
    "unknown_parameter",
    "session.temperature",
    "Unknown parameter: 'session.temperature'.",
    **session(temperature=0.8),
)
says(
    "wrong_type",
    "invalid_type",
    "session.audio.input.format",
    "Invalid type for 'session.audio.input.format': expected an object, but got a string instead.",
    **session(audio={"input": {"format": "pcm16"}}),
)
says(
    "wrong_value",
    "invalid_value",
    "session.reasoning.effort",
    "Invalid value: 'bogus'. Supported values are: 'minimal', 'low', 'medium', 'high', and "
    "'xhigh'.",
    **session(reasoning={"effort": "bogus"}),
)
says(
    "one_value",
    "invalid_value",
    "item.content[0].type",
    "Invalid value: 'text'. Value must be 'output_text'.",
    type="conversation.item.create",
    item={"type": "message", "role": "assistant", "content": [{"type": "text", "text": "a"}]},
)
says(
    "integer_too_small",
    "integer_below_min_value",
    "session.audio.input.format.rate",
    "Invalid 'session.audio.input.format.rate': integer below minimum value. "
    "Expected a value >= 24000, but got 16000 instead.",
    **session(audio={"input": {"format": {"type": "audio/pcm", "rate": 16000}}}),
)
says(
    "integer_too_big",
    "integer_above_max_value",
    "session.max_output_tokens",
    "Invalid 'session.max_output_tokens': integer above maximum value. "
    "Expected a value <= 4096, but got 5000 instead.",
    **session(max_output_tokens=5000),
)
says(
    "decimal_too_small",
    "decimal_below_min_value",
    "session.audio.output.speed",
    "Invalid 'session.audio.output.speed': decimal below minimum value. "
    "Expected a value >= 0.25, but got 0.1 instead.",
    **session(audio={"output": {"speed": 0.1}}),
)
says(
    "decimal_too_big",
    "decimal_above_max_value",
    "session.audio.input.turn_detection.threshold",
    "Invalid 'session.audio.input.turn_detection.threshold': decimal above maximum value. "
    "Expected a value <= 1, but got 1.5 instead.",
    **session(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 1.5}}}),
)
says(
    "text_too_long",
    "string_above_max_length",
    "item.id",
    "Invalid 'item.id': string too long. Expected a string with maximum length 32, but got a "
    "string with length 39 instead.",
    type="conversation.item.create",
    item={"type": "message", "role": "user", "content": [], "id": "i" * 39},
)
says(
    "array_too_long",
    "array_above_max_length",
    "session.tools",
    "Invalid 'session.tools': array too long. Expected an array with maximum length 128, but got "
    "an array with length 129 instead.",
    **session(tools=[{"type": "function", "name": "f"}] * 129),
)
says(
    "object_too_big",
    "object_above_max_properties",
    "response.metadata",
    "Invalid 'response.metadata': too many properties. Expected an object with at most 16 "
    "properties, but got an object with 17 properties instead.",
    type="response.create",
    response={"metadata": {str(key): "v" for key in range(17)}},
)
says(
    "nested_too_deep",
    "invalid_value",
    "session.tools[0].parameters",
    "Invalid 'session.tools[0].parameters': nested too deeply. Expected at most 64 levels.",
    **session(
        tools=[
            {
                "type": "function",
                "name": "f",
                "parameters": json.loads('{"a":' * 70 + "1" + "}" * 70),
            }
        ]
    ),
)
says(
    "modalities",
    "invalid_value",
    "session.output_modalities",
    "Invalid modalities: ['audio', 'text']. Supported combinations are: ['text'] and ['audio'].",
    **session(output_modalities=["audio", "text"]),
)
says(
    "not_audio",
    "invalid_value",
    "item.content[0].audio",
    "Invalid 'item.content[0].audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) "
    "but got an invalid value.",
    type="conversation.item.create",
    item=user_audio("***"),
)
says(
    "no_audio",
    "invalid_value",
    "audio",
    "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got empty "
    "bytes.",
    type="input_audio_buffer.append",
    audio="",
)


@case(
    "audio_too_long",
    "invalid_value",
    "audio",
    "Invalid 'audio'. Expected at most 15728640 bytes of audio, but got 15728643 instead.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    return rig, rig.say("input_audio_buffer.append", audio="A" * 20_971_524)


says(
    "session_kind",
    "invalid_parameter",
    None,
    "Passing a transcription session update event to a realtime session is not allowed.",
    type="session.update",
    session={"type": "transcription", "instructions": "x"},
)


@case(
    "voice_locked",
    "cannot_update_voice",
    None,
    "Cannot update a conversation's voice if assistant audio is present.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    rig.spoken(20)
    return rig, rig.say(**session(audio={"output": {"voice": "echo"}}))


says(
    "model_fixed",
    "invalid_parameter",
    "session.model",
    "Cannot change the model of a session from 'gpt-realtime' to 'gpt-realtime-2'.",
    **session(model="gpt-realtime-2"),
)


@case(
    "tracing_fixed",
    "invalid_parameter",
    "session.tracing",
    "Cannot update tracing once it is enabled.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    rig.say(**session(tracing="auto"))
    return rig, rig.say(**session(tracing=None))


says(
    "no_reasoning",
    "invalid_parameter",
    None,
    "Reasoning is not supported by the model 'gpt-realtime'.",
    **session(reasoning={"effort": "low"}),
)


@case(
    "session_expired",
    "session_expired",
    None,
    "Your session hit the maximum duration of 60 minutes.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    return rig, rig.wait(3_600_000)


@case(
    "too_little_to_commit",
    "input_audio_buffer_commit_empty",
    None,
    "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but "
    "buffer only has 80.00ms of audio.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    rig.configure(None)
    rig.append(silence(80))
    return rig, rig.say("input_audio_buffer.commit")


@case(
    "input_buffer_full",
    "input_audio_buffer_full",
    None,
    "Error appending to the input audio buffer: it holds 9600 bytes of at most 10000. Commit or "
    "clear it first.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = limited(input_buffer_bytes=10_000)
    rig.configure(None)
    rig.append(silence(200))
    return rig, rig.append(silence(20))


@case(
    "already_active",
    "conversation_already_has_active_response",
    None,
    "Conversation already has an active response in progress: {response_id}. Wait until the "
    "response is finished before creating a new one.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    rig.respond()
    return rig, rig.say("response.create")


says(
    "nothing_to_cancel",
    "response_cancel_not_active",
    None,
    "Cancellation failed: no active response found",
    type="response.cancel",
)


@case(
    "too_many_responses",
    "too_many_responses",
    None,
    "Cannot run more than 2 responses at once. Wait until one is finished.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = limited(responses=2)
    rig.respond(conversation="none")
    rig.respond()
    return rig, rig.say("response.create", response={"conversation": "none"})


says(
    "referenced_item_unknown",
    "item_reference_invalid_item_id",
    "response.input[0].id",
    "Error creating response: the item with id 'x' does not exist.",
    type="response.create",
    response={"input": [{"type": "item_reference", "id": "x"}]},
)


@case(
    "item_exists",
    "item_create_duplicate_item_id",
    None,
    "Error adding item: an item with id 'x' already exists.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    item = {"type": "message", "role": "user", "content": [], "id": "x"}
    rig.say("conversation.item.create", item=item)
    return rig, rig.say("conversation.item.create", item=item)


says(
    "previous_item_unknown",
    "item_create_invalid_previous_item_id",
    None,
    "Error adding item: the previous item with id 'x' does not exist.",
    type="conversation.item.create",
    item={"type": "message", "role": "user", "content": []},
    previous_item_id="x",
)
says(
    "call_unknown",
    "invalid_tool_call_id",
    None,
    "Tool call ID 'call-x' not found in conversation.",
    type="conversation.item.create",
    item={"type": "function_call_output", "call_id": "call-x", "output": "1"},
)


@case(
    "conversation_full",
    "conversation_full",
    None,
    "Error adding item: the conversation holds 1 items already. Delete some first.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = limited(items=1)
    rig.user_says("a")
    item = {"type": "message", "role": "user", "content": []}
    return rig, rig.say("conversation.item.create", item=item)


says(
    "truncate_unknown",
    "item_truncate_invalid_item_id",
    None,
    "Error truncating item: the item with id 'x' does not exist.",
    type="conversation.item.truncate",
    item_id="x",
    content_index=0,
    audio_end_ms=0,
)


def truncate(rig: Rig, item_id: str, index: int, ms: int) -> list[dict[str, Any]]:
    return rig.say(
        "conversation.item.truncate", item_id=item_id, content_index=index, audio_end_ms=ms
    )


@case(
    "truncate_not_audio",
    "unsupported_content_type",
    None,
    "Only model output audio messages can be truncated",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    return rig, truncate(rig, rig.user_says("a"), 0, 0)


@case(
    "truncate_no_such_part",
    "invalid_value",
    "content_index",
    "Error truncating item: the item with id '{item_id}' has no content at index 1.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    _, item_id = rig.speaking(100)
    return rig, truncate(rig, item_id, 1, 0)


@case(
    "truncate_too_long",
    "invalid_value",
    None,
    "Audio content of 6350ms is already shorter than 8160ms",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    _, item_id = rig.speaking(6_350)
    return rig, truncate(rig, item_id, 0, 8_160)


for _row, _code, _message in (
    ("delete", "item_delete_invalid_item_id", "Error deleting item"),
    ("retrieve", "item_retrieve_invalid_item_id", "Error retrieving item"),
):
    says(
        f"{_row}_unknown",
        _code,
        None,
        f"{_message}: the item with id 'yo' does not exist.",
        type=f"conversation.item.{_row}",
        item_id="yo",
    )


@case(
    "too_much_waiting",
    "too_many_events",
    None,
    "Too many events are waiting to be handled. Send them more slowly.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig(options=Options(processing_us=1_000, limits=Limits(waiting_bytes=2_000)))
    rig.append(silence(30))
    return rig, rig.append(silence(30))


@case(
    "internal",
    None,
    None,
    "The server had an error while processing your request. Sorry about that! (include session ID "
    "in your message: sess_E7VIl0000000000000001). We recommend you retry your request.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    # What passes the schema is in the vocabulary (`test_schema`), so this takes a broken decoder.
    rig = Rig()
    broken = events.Malformed(reason="broken", raw="")
    with patch.object(events, "decode_client", return_value=broken):
        return rig, rig.say("input_audio_buffer.clear")


@pytest.mark.parametrize("row", CASES)
def test_a_refusal_says_what_the_service_says(row: str) -> None:
    provoke, code, param, message = CASES[row]
    rig, sent = provoke()
    body = error(sent)
    assert body["code"] == code
    assert body["param"] == param
    item_id = rig.machine.memory[-1].id if "{item_id}" in message else ""
    running = rig.machine.running_response_ids
    response_id = running[0] if running else ""
    expected = message.replace("{item_id}", item_id).replace("{response_id}", response_id)
    assert body["message"] == expected
    assert body["type"] == RULES[row].type
    assert list(body) == ["type", "code", "message", "param", "event_id"]


@pytest.mark.parametrize(
    "row", [row for row in CASES if row not in ("session_expired", "audio_too_long")]
)
def test_a_refusal_does_not_end_the_session(row: str) -> None:
    rig, _ = CASES[row][0]()
    assert not rig.machine.ended and rig.closed is None
    assert rig.say("input_audio_buffer.clear") or rig.wait(1)


def test_a_refusal_names_the_client_event_unless_its_row_says_otherwise() -> None:
    rig = Rig()
    assert error(rig.say("response.cancel", event_id="mine"))["event_id"] == "mine"
    assert error(rig.say("nope", event_id="mine"))["event_id"] == "mine"
    assert error(rig.append(b"\0", event_id="mine"))["event_id"] == "mine"
    assert error(rig.say("response.cancel"))["event_id"] is None
    _, item_id = rig.speaking(100)
    refused = rig.say(
        "conversation.item.truncate",
        item_id=item_id,
        content_index=0,
        audio_end_ms=101,
        event_id="mine",
    )
    assert error(refused)["event_id"] is None
    assert error(rig.say(event_id="mine", **session(reasoning={})))["event_id"] is None


def test_an_event_id_that_is_none_is_not_echoed() -> None:
    rig = Rig()
    for odd in (7, "e" * 513, {"a": 1}):
        body = error(rig.say("response.cancel", event_id=odd))
        assert body["param"] == "event_id" and body["event_id"] is None


def test_every_row_of_the_table_has_a_case() -> None:
    assert set(CASES) == set(RULES)


def test_the_rows_without_a_source_are_marked_as_ours() -> None:
    ours = {name for name, rule in RULES.items() if rule.source is None}
    assert {"truncate_no_such_part", "input_buffer_full", "model_fixed"} < ours
    assert not ours & {"missing", "already_active", "truncate_too_long", "nothing_to_cancel"}
