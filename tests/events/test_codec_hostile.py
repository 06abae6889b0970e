"""Frames that are broken, hostile or merely wrong: a reason each, never an exception."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bargein.errors import LocalValueError
from bargein.events import (
    FunctionTool,
    InputAudioBufferSpeechStarted,
    Malformed,
    ResponseCancel,
    ResponseCreate,
    ResponseParams,
    Session,
    SessionUpdate,
    Tracing,
    Unknown,
    decode_client,
    decode_server,
    encode,
)

RECORDINGS = Path(__file__).parent.parent / "recordings"
PLACE = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
SPEECH = {
    "type": "input_audio_buffer.speech_started",
    "event_id": "event_1",
    "audio_start_ms": 1460,
    "item_id": "item_1",
}


def recorded(direction: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(RECORDINGS.glob("*.yaml")):
        for each in yaml.safe_load(file.read_text("utf-8"))["interactions"]:
            if each.get("direction") == direction:
                yield file.stem, each["data"]


def audio_frame(value: str, **more: Any) -> str:
    event = {"type": "response.output_audio.delta", "event_id": "event_1", **PLACE, **more}
    return json.dumps(event | {"delta": value}, separators=(",", ":"))


def reason(frame: str | bytes) -> str:
    event = decode_server(frame)
    assert isinstance(event, Malformed), event
    return event.reason


@pytest.mark.parametrize("size", [4, 4000])
@pytest.mark.parametrize("wrong", ["AA*A", "AAA", "AA A", "AA\nA", "AA=A", "A===", "ÄAAA"])
def test_what_is_no_base64_is_malformed_and_the_field_is_named(size: int, wrong: str) -> None:
    assert reason(audio_frame("A" * size + wrong)) == "delta: not base64"
    assert reason(audio_frame("A" * size + wrong, more=1)) == "delta: not base64"
    client = decode_client(
        json.dumps({"type": "input_audio_buffer.append", "audio": "A" * size + wrong})
    )
    assert isinstance(client, Malformed)
    assert client.reason == "audio: not base64"


def test_whole_numbers_written_with_a_fraction_are_whole_numbers() -> None:
    event = decode_server(json.dumps(SPEECH | {"audio_start_ms": 1200.0}))
    assert isinstance(event, InputAudioBufferSpeechStarted)
    assert event.audio_start_ms == 1200
    assert type(event.audio_start_ms) is int
    assert "audio_start_ms" in reason(json.dumps(SPEECH | {"audio_start_ms": 1200.5}))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"item_id": 5}, "item_id: expected a string, got an integer"),
        ({"item_id": None}, "item_id: expected a string, got null"),
        ({"audio_start_ms": "1"}, "audio_start_ms: expected an integer, got a string"),
        ({"audio_start_ms": True}, "audio_start_ms: expected an integer, got a boolean"),
        ({"audio_start_ms": 1.5}, "audio_start_ms: expected an integer, got a fraction"),
        ({"type": 5}, "type: missing, or not a string"),
        ({"type": "conversation.item.added"}, "item: missing"),
        (
            {"type": "conversation.item.added", "item": []},
            "item: expected an object, got an array",
        ),
    ],
)
def test_the_reason_names_the_field_and_the_problem(change: dict[str, Any], expected: str) -> None:
    assert reason(json.dumps(SPEECH | change)).startswith(expected)


def test_a_wrong_value_deep_inside_is_named_with_its_path() -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "*"}]}
    frame = {"type": "conversation.item.added", "event_id": "e", "item": item}
    assert reason(json.dumps(frame)) == "item.content[0].audio: not base64"
    secret = {"metadata": {"my secret": 7}, "id": "r", "status": "s", "output": []}
    frame = {"type": "response.done", "event_id": "e", "response": secret}
    assert reason(json.dumps(frame)) == "response.metadata.*: expected a string, got an integer"


@pytest.mark.parametrize(
    "frame",
    ["", "{", "null", "[]", "7", '"x"', "NaN", '{"type":"error","event_id":NaN}', "\ufeff{}"],
)
def test_what_is_no_object_is_malformed(frame: str) -> None:
    assert isinstance(decode_server(frame), Malformed)
    assert isinstance(decode_client(frame.encode()), Malformed)


@pytest.mark.parametrize("depth", [100, 1_000, 100_000])
def test_deep_nesting_never_raises(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    for frame in (
        deep,
        json.dumps(SPEECH)[:-1] + f',"x":{deep}}}',
        f'{{"type":"x","x":{deep}}}',
        '{"a":' * depth + "1" + "}" * depth,
        f'{{"type":"session.updated","event_id":"e","session":{{"tracing":{{"metadata":{deep}}}}}}}',
    ):
        event = decode_server(frame)
        if depth == 100_000:
            assert isinstance(event, Malformed)
            assert len(event.raw) <= 200


def test_a_number_too_large_for_its_field_is_malformed() -> None:
    segment = {
        "type": "conversation.item.input_audio_transcription.segment",
        "event_id": "e",
        "item_id": "item_1",
        "start": 10**400,
        "end": 1.5,
    }
    assert reason(json.dumps(segment)) == "start: the number is out of range"


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("response.content_part.done", {"response_id": "r", "item_id": "i"}),
        ("response.function_call_arguments.done", {"response_id": "r", "item_id": "i"}),
        ("response.output_audio_transcript.done", {"response_id": "r", "item_id": "i"}),
        ("conversation.item.input_audio_transcription.completed", {"item_id": "i"}),
        ("conversation.item.input_audio_transcription.delta", {"item_id": "i"}),
        ("conversation.item.added", {"item": {"type": "message", "role": "assistant"}}),
        ("error", {"error": {}}),
        ("rate_limits.updated", {}),
        ("response.done", {"response": {}}),
    ],
)
def test_only_what_an_event_is_about_must_be_there(kind: str, needed: dict[str, Any]) -> None:
    frame = {"type": kind, **needed}
    event = decode_server(json.dumps(frame))
    assert not isinstance(event, Unknown | Malformed), event
    assert json.loads(encode(event)) == frame
    for name in needed:
        less = {each: value for each, value in frame.items() if each != name}
        assert reason(json.dumps(less)) == f"{name}: missing"


def test_numbers_and_texts_beyond_what_python_holds_never_raise() -> None:
    frame = json.dumps(SPEECH)
    for number in ("1e400", "-1e400", "9" * 400, "9" * 6000, "1" + "0" * 400 + ".0"):
        for text in (frame.replace("1460", number), frame[:-1] + f',"x":{number}}}'):
            decode_server(text)
    for broken in (frame.replace("item_1", "\ud800"), frame.replace("item_1", r"\ud800")):
        assert isinstance(decode_server(broken), Malformed)
    assert isinstance(decode_server(frame.encode().replace(b"item_1", b"\xff")), Malformed)


def test_the_beginning_of_a_malformed_frame_is_kept_and_can_be_printed() -> None:
    event = decode_server("\ud800" * 1000)
    assert isinstance(event, Malformed)
    assert 0 < len(event.raw) <= 200
    event.raw.encode()
    event = decode_server(b"\xff" * 1000)
    assert isinstance(event, Malformed)
    event.raw.encode()


def test_what_json_cannot_hold_is_refused_with_a_reason() -> None:
    with pytest.raises(LocalValueError, match="Unicode"):
        encode(ResponseCancel(response_id="\ud800"))
    foreign = FunctionTool(name="f", parameters={"x": object()})
    with pytest.raises(LocalValueError, match="object"):
        encode(ResponseCreate(response=ResponseParams(tools=(foreign,))))
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    tool = FunctionTool(name="f", parameters={"x": deep})
    with pytest.raises(LocalValueError, match="deeply"):
        encode(ResponseCreate(response=ResponseParams(tools=(tool,))))
    while deep:
        deep = deep.pop()
    assert "NaN" not in encode(SessionUpdate(session=Session(tracing=Tracing(metadata=math.nan))))


SEEDS = [json.dumps(frame) for _, frame in recorded("received")][::5]


@given(st.one_of(st.text(st.characters()), st.binary(), st.text(st.characters()).map(json.dumps)))
def test_no_text_or_bytes_make_the_decoder_raise(frame: str | bytes) -> None:
    for decode in (decode_server, decode_client):
        decode(frame)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_no_mutation_of_a_recorded_frame_makes_the_decoder_raise(data: st.DataObject) -> None:
    frame = data.draw(st.sampled_from(SEEDS))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(frame)))
        cut = data.draw(st.integers(0, 6))
        frame = frame[:at] + data.draw(st.text(max_size=4)) + frame[at + cut :]
    else:
        whole = json.loads(frame)
        node = whole
        while True:
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else [0]))
            if isinstance(node[key], dict) and node[key] and data.draw(st.booleans()):
                node = node[key]
                continue
            node[key] = data.draw(JSON)
            break
        frame = json.dumps(whole)
    event = decode_server(frame)
    assert isinstance(event, Malformed) or encode(event)
