"""Every row of the table of refusals, provoked by a client, word for word (protocol.md §6.2).

A case without a frame that provokes it cannot be written, and a row without a case fails the last
test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from tests.server.image_files import png
from tests.server.model.model_rig import Rig, error, silence
from tests.server.refusal_frames import FRAMES, mcp, session, user_image

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


for _row, _refused in FRAMES.items():

    def _provoke(frame: dict[str, Any] = _refused.frame) -> tuple[Rig, list[dict[str, Any]]]:
        rig = Rig()
        return rig, rig.say(event_id="mine", **frame)

    CASES[_row] = (_provoke, _refused.code, _refused.param, _refused.message)


def limited(**limits: int) -> Rig:
    return Rig(options=Options(limits=Limits(**limits)))


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


@case(
    "audio_too_long",
    "invalid_value",
    "audio",
    "Invalid 'audio'. Expected at most 15728640 bytes of audio, but got 15728643 instead.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    return rig, rig.say("input_audio_buffer.append", audio="A" * 20_971_524)


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


@case(
    "no_turn_detection",
    None,
    None,
    "Turn detection is not supported for this transcription model.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig(kind="transcription")
    transcription = {"model": "gpt-realtime-whisper"}
    settings = {"type": "transcription", "audio": {"input": {"transcription": transcription}}}
    return rig, rig.say("session.update", session=settings)


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


@case(
    "speed_fixed",
    "invalid_parameter",
    "session.audio.output.speed",
    "Cannot update a session's speed while a response is in progress.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig()
    rig.respond()
    return rig, rig.say(**session(audio={"output": {"speed": 1.5}}))


@case(
    "too_long",
    "conversation_too_long",
    None,
    "Conversation is too long to create a Response.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig(options=Options(context_tokens=100))
    rig.say(**session(truncation="disabled", instructions="Be kind."))
    rig.user_says("a" * 400)
    return rig, rig.say("response.create")


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


@case(
    "images_full",
    "conversation_full",
    None,
    "Error adding item: the conversation holds 0 bytes of images already, of at most 10. Delete "
    "some first.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = limited(image_bytes=10)
    return rig, rig.say("conversation.item.create", item=user_image(png(1, 1)))


@case(
    "append_beside_track",
    "invalid_value",
    "type",
    "The input audio of this session comes from its audio track: send it there.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig(pipe="webrtc")
    return rig, rig.append(silence(20))


@case(
    "texts_full",
    "conversation_full",
    None,
    "Error adding item: the conversation holds 0 characters of text already, of at most 4. Delete "
    "some first.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = limited(text_characters=4)
    content = [{"type": "input_text", "text": "Hello"}]
    item = {"type": "message", "role": "user", "content": content}
    return rig, rig.say("conversation.item.create", item=item)


@case(
    "no_parallel_calls",
    "invalid_parameter",
    None,
    "Parallel tool calls are not supported by the model 'gpt-realtime'.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = Rig(options=Options(parallel_calls_need_reasoning=True))
    return rig, rig.say(**session(parallel_tool_calls=True))


@case(
    "mcp_servers_full",
    "too_many_mcp_servers",
    "session.tools[1].server_label",
    "Cannot declare the MCP server 'snow': a session has at most 1 of them.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = limited(mcp_servers=1)
    tools = [mcp(server_url="http://a"), {**mcp(server_url="http://a"), "server_label": "snow"}]
    return rig, rig.say(**session(tools=tools))


@case(
    "mcp_declarations_full",
    "too_many_mcp_servers",
    None,
    "The declarations of the session's MCP servers would take 62 bytes; at most 61 fit.",
)
def _() -> tuple[Rig, list[dict[str, Any]]]:
    rig = limited(mcp_bytes=61)
    return rig, rig.say(**session(tools=[mcp(server_url="http://a.b")]))


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
    "The server had an error while processing your request. Sorry about that! Please contact us "
    "through our help center at help.openai.com if the error persists. (include session ID "
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
