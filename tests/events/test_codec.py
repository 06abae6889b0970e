"""Frames in and out: recordings, audio, and what lies outside the vocabulary."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec import UNSET

from bargein.events import (
    ConversationItemAdded,
    ConversationItemCreate,
    ConversationItemRetrieved,
    ConversationItemTruncate,
    Error,
    Fields,
    InputAudio,
    InputAudioBufferAppend,
    InputAudioBufferSpeechStarted,
    Malformed,
    MessageItem,
    OutputAudio,
    ResponseCancel,
    ResponseCreate,
    ResponseCreated,
    ResponseDone,
    ResponseOutputAudioDelta,
    ResponseOutputTextDelta,
    ResponseParams,
    Session,
    SessionUpdate,
    SessionUpdated,
    Unknown,
    UnknownItem,
    UnknownPart,
    UnknownVariant,
    decode_client,
    decode_server,
    encode,
    oddities,
)

RECORDINGS = Path(__file__).parent.parent / "recordings"
PLACE = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
SPEECH = {
    "type": "input_audio_buffer.speech_started",
    "event_id": "event_1",
    "audio_start_ms": 1460,
    "item_id": "item_1",
}

# Recorded events of other services that the vocabulary does not have.
FOREIGN_EVENTS = {("xai_ws__text_in_audio_out_turn", "ping")}
# Recorded services whose frames hold more or less than the vocabulary.
ODD_SERVICES = ("azure_ws", "xai_ws")


def recorded(direction: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(RECORDINGS.glob("*.yaml")):
        for each in yaml.safe_load(file.read_text("utf-8"))["interactions"]:
            if each.get("direction") == direction:
                yield file.stem, each["data"]


def audio_frame(value: str, **more: Any) -> str:
    event = {"type": "response.output_audio.delta", "event_id": "event_1", **PLACE, **more}
    return json.dumps(event | {"delta": value}, separators=(",", ":"))


def test_every_recorded_frame_of_a_service_is_a_known_event_and_encodes_to_the_same_json() -> None:
    frames = list(recorded("received"))
    assert len(frames) > 250
    foreign = set()
    for name, frame in frames:
        event = decode_server(json.dumps(frame))
        assert not isinstance(event, Malformed), (name, frame)
        assert json.loads(encode(event)) == frame
        if isinstance(event, Unknown):
            foreign.add((name, event.type))
        elif not name.startswith(ODD_SERVICES):
            assert oddities(event) == ()
    assert foreign == FOREIGN_EVENTS


def test_every_recorded_frame_of_a_client_is_a_known_event_and_encodes_to_the_same_json() -> None:
    frames = list(recorded("sent"))
    assert len(frames) > 70
    for name, frame in frames:
        event = decode_client(json.dumps(frame))
        assert not isinstance(event, Unknown | Malformed), (name, event)
        assert json.loads(encode(event)) == frame


def test_events_of_openai_keep_the_order_of_their_keys() -> None:
    for name, frame in recorded("received"):
        if name.startswith("openai_ws"):
            event = decode_server(json.dumps(frame))
            assert not isinstance(event, Malformed)
            assert list(json.loads(encode(event))) == list(frame)


def test_encoding_is_dense_keeps_text_as_it_is_and_leaves_an_absent_event_id_out() -> None:
    event = ConversationItemTruncate(item_id="ü", content_index=0, audio_end_ms=1200)
    assert encode(event) == (
        '{"type":"conversation.item.truncate","item_id":"ü","content_index":0,"audio_end_ms":1200}'
    )
    assert encode(ResponseCancel(event_id="e")) == '{"type":"response.cancel","event_id":"e"}'


def test_absent_null_and_empty_fields_of_a_session_stay_three_things() -> None:
    sessions: list[dict[str, Any]] = [
        {},
        {"tools": None},
        {"tools": []},
        {"audio": {"input": None}},
    ]
    for session in sessions:
        frame = {"type": "session.update", "session": {"type": "realtime", **session}}
        event = decode_client(json.dumps(frame))
        assert isinstance(event, SessionUpdate)
        assert oddities(event) == ()
        assert json.loads(encode(event)) == frame
    event = SessionUpdate(session=Session(tools=None))
    assert encode(event) == '{"type":"session.update","session":{"type":"realtime","tools":null}}'


@pytest.mark.parametrize("size", [0, 1, 2, 3, 383, 384, 385, 511, 512, 4800, 16384])
def test_audio_is_bytes_behind_the_codec_and_base64_on_the_wire(size: int) -> None:
    audio = bytes(i * 7 % 256 for i in range(size))
    text = base64.b64encode(audio).decode()
    frame = audio_frame(text)
    for variant in (frame, frame.encode(), json.dumps(json.loads(frame))):
        event = decode_server(variant)
        assert isinstance(event, ResponseOutputAudioDelta)
        assert event.delta == audio
        assert encode(event) == frame
    append = InputAudioBufferAppend(audio=audio)
    assert encode(append) == f'{{"type":"input_audio_buffer.append","audio":"{text}"}}'
    assert decode_client(encode(append)) == append


def test_audio_inside_items_is_bytes_too() -> None:
    content: tuple[InputAudio | OutputAudio, ...] = (
        InputAudio(audio=b"\x01\x02", transcript=None),
        OutputAudio(transcript="hi", audio=bytes(2000)),
    )
    item = MessageItem(id="item_1", role="user", content=content)
    event = ConversationItemRetrieved(event_id="event_1", item=item)
    frame = encode(event)
    assert json.loads(frame)["item"]["content"][0]["audio"] == "AQI="
    assert decode_server(frame) == event
    with_extra = decode_server(json.dumps(json.loads(frame) | {"more": 1}))
    assert isinstance(with_extra, ConversationItemRetrieved)
    assert with_extra.item == item


def test_audio_written_with_json_escapes_is_read() -> None:
    for size in (4, 4000):
        frame = audio_frame("SLASH" + "A" * (size - 1)).replace("SLASH", r"\/")
        event = decode_server(frame)
        assert isinstance(event, ResponseOutputAudioDelta)
        assert event.delta == base64.b64decode("/" + "A" * (size - 1))


def test_a_large_frame_means_what_json_says_whatever_its_shape() -> None:
    large = "A" * 4000
    twice = audio_frame(large).replace('"delta":', '"delta":"BBBB","delta":')
    event = decode_server(twice)
    assert isinstance(event, ResponseOutputAudioDelta)
    assert event.delta == bytes(3000)
    event = decode_server(audio_frame(large)[:-1] + ',"delta":"BBBB"}')
    assert isinstance(event, ResponseOutputAudioDelta)
    assert event.delta == base64.b64decode("BBBB")
    event = decode_server(audio_frame(large)[:-1] + ',"d\\u0065lta":""}')
    assert isinstance(event, ResponseOutputAudioDelta)
    assert event.delta == b""
    event = decode_server(audio_frame("BBBB", nested={"delta": large}))
    assert isinstance(event, ResponseOutputAudioDelta)
    assert event.delta == base64.b64decode("BBBB")
    assert event.extra == Fields({"nested": {"delta": large}})
    text = audio_frame(large).replace("output_audio.delta", "output_text.delta")
    event = decode_server(text)
    assert isinstance(event, ResponseOutputTextDelta)
    assert event.delta == large


def test_fields_that_only_look_like_audio_are_encoded_as_texts() -> None:
    event = ResponseOutputAudioDelta(
        event_id='"delta":""', response_id='{"delta":"', item_id="\\", output_index=0,
        content_index=0, delta=bytes(3000),
    )  # fmt: skip
    assert decode_server(encode(event)) == event


def test_an_unknown_event_is_kept_whole() -> None:
    frame = {"type": "ping", "event_id": "e", "timestamp": 1785214080296, "deep": [{"a": None}]}
    event = decode_server(json.dumps(frame))
    assert isinstance(event, Unknown)
    assert event == Unknown(type="ping", event_id="e", raw=Fields(frame))
    assert json.loads(encode(event)) == frame
    assert isinstance(decode_client('{"type":"session.close"}'), Unknown)
    assert decode_server('{"type":"x","event_id":7}') == Unknown(
        type="x", raw=Fields({"type": "x", "event_id": 7})
    )


def test_fields_outside_the_vocabulary_are_readable_and_survive_at_any_depth() -> None:
    frame = {
        **SPEECH,
        "extra": {"a": 1},
        "latency": "0.53",
    }
    event = decode_server(json.dumps(frame))
    assert isinstance(event, InputAudioBufferSpeechStarted)
    assert event.extra == Fields({"extra": {"a": 1}, "latency": "0.53"})
    assert json.loads(encode(event)) == frame
    response = {"id": "resp_1", "status": "done", "output": [], "usage": {"grok_tokens": 3}}
    done = {"type": "response.done", "event_id": "e", "response": response}
    event = decode_server(json.dumps(done))
    assert isinstance(event, ResponseDone)
    assert oddities(event) == ("response.usage.grok_tokens",)
    assert json.loads(encode(event)) == done


def test_an_unknown_item_part_or_setting_does_not_make_the_event_unknown() -> None:
    item = {"type": "hologram", "id": "item_1", "points": [1, 2]}
    frame = {"type": "conversation.item.added", "event_id": "e", "item": item}
    event = decode_server(json.dumps(frame))
    assert isinstance(event, ConversationItemAdded)
    assert isinstance(event.item, UnknownItem)
    assert (event.item.type, event.item.id) == ("hologram", "item_1")
    assert event.item.raw == Fields(item)
    assert json.loads(encode(event)) == frame
    message = {"type": "message", "role": "user", "content": [{"type": "smell", "x": 1}]}
    event = decode_server(json.dumps(frame | {"item": message}))
    assert isinstance(event, ConversationItemAdded)
    assert isinstance(event.item, MessageItem)
    assert isinstance(event.item.content[0], UnknownPart)
    assert json.loads(encode(event))["item"] == message
    vad = {"type": "azure_semantic_vad", "remove_filler_words": True}
    session = {"type": "realtime", "audio": {"input": {"turn_detection": vad}}}
    updated = decode_server(
        json.dumps({"type": "session.updated", "event_id": "e", "session": session})
    )
    assert isinstance(updated, SessionUpdated)
    assert oddities(updated) == ("session.audio.input.turn_detection",)
    assert json.loads(encode(updated))["session"] == session


def test_the_name_that_marks_unknown_shapes_is_itself_unknown_on_the_wire() -> None:
    item = {"type": "\0unknown", "raw": {}}
    frame = {"type": "conversation.item.added", "event_id": "e", "item": item}
    event = decode_server(json.dumps(frame))
    assert isinstance(event, ConversationItemAdded)
    assert isinstance(event.item, UnknownItem)
    assert event.item.raw == Fields(item)


def test_what_other_services_leave_out_gets_a_neutral_value_and_is_left_out_again() -> None:
    frame = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": ""}
    event = decode_server(json.dumps(frame))
    assert isinstance(event, ResponseOutputAudioDelta)
    assert (event.event_id, event.content_index, event.output_index) == ("", 0, 0)
    assert json.loads(encode(event)) == frame
    bare = {"type": "response.created", "event_id": "e", "response": {"id": "r", "output": None}}
    created = decode_server(json.dumps(bare))
    assert isinstance(created, ResponseCreated)
    assert created.response.output == ()
    assert json.loads(encode(created)) == bare
    session = {"type": "session.updated", "event_id": "e", "session": {"voice": "ara"}}
    updated = decode_server(json.dumps(session))
    assert isinstance(updated, SessionUpdated)
    assert isinstance(updated.session, Session)
    assert json.loads(encode(updated)) == session


def test_extra_given_by_the_application_is_sent() -> None:
    event = ResponseCreate(extra=Fields({"vendor": {"a": Fields({"b": 1})}}))
    assert encode(event) == '{"type":"response.create","vendor":{"a":{"b":1}}}'
    item = UnknownItem(raw=Fields({"type": "x", "id": "i"}))
    assert encode(ConversationItemCreate(item=item)) == (
        '{"type":"conversation.item.create","item":{"type":"x","id":"i"}}'
    )
    tool = UnknownVariant(raw=Fields({"type": "web_search"}))
    assert "web_search" in encode(ResponseCreate(response=ResponseParams(tools=(tool,))))


def test_an_error_without_a_code_differs_from_one_whose_code_is_null() -> None:
    for body in ({"message": "m"}, {"message": "m", "code": None}):
        event = decode_server(json.dumps({"type": "error", "event_id": "e", "error": body}))
        assert isinstance(event, Error)
        assert event.error.code is (None if "code" in body else UNSET)
        assert json.loads(encode(event))["error"] == body
