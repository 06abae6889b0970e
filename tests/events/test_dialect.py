"""The beta dialect and GA: what is said in one arrives in the other, and comes back the same."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.source import Source
from tests.fuzz.tale import Teller

from bargein import events
from bargein.events import dialect
from bargein.events.dialect import client_to_beta, client_to_ga, server_to_beta, server_to_ga

PLACE = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}


def server(type: str, **fields: Any) -> dict[str, Any]:
    return {"type": type, "event_id": "event_1", **fields}


# What the API reference shows of a beta session, and a session as the recorded service shows it.
BETA_SESSION = {
    "id": "sess_1",
    "object": "realtime.session",
    "model": "gpt-4o-realtime-preview",
    "modalities": ["text", "audio"],
    "instructions": "Be kind.",
    "voice": "alloy",
    "input_audio_format": "pcm16",
    "output_audio_format": "g711_ulaw",
    "input_audio_transcription": {"model": "whisper-1"},
    "turn_detection": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
    },
    "tools": [],
    "tool_choice": "auto",
    "temperature": 0.8,
    "max_response_output_tokens": "inf",
}
GA_SESSION = {
    "type": "realtime",
    "id": "sess_1",
    "object": "realtime.session",
    "model": "gpt-4o-realtime-preview",
    "output_modalities": ["audio"],
    "instructions": "Be kind.",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24_000},
            "transcription": {"model": "whisper-1"},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 200,
            },
        },
        "output": {"voice": "alloy", "format": {"type": "audio/pcmu"}},
    },
    "tools": [],
    "tool_choice": "auto",
    "temperature": 0.8,
    "max_output_tokens": "inf",
}


@pytest.mark.parametrize("name", ["session.created", "session.updated"])
def test_a_session_is_flat_in_beta_and_nested_in_ga(name: str) -> None:
    assert server_to_ga(server(name, session=BETA_SESSION)) == server(name, session=GA_SESSION)
    assert server_to_beta(server(name, session=GA_SESSION)) == server(name, session=BETA_SESSION)


def test_a_change_of_the_session_says_no_more_than_it_said() -> None:
    flat = {"type": "session.update", "session": {"voice": "sage", "turn_detection": None}}
    nested = {"input": {"turn_detection": None}, "output": {"voice": "sage"}}
    asked = {"type": "session.update", "session": {"type": "realtime", "audio": nested}}
    assert client_to_ga(flat) == asked
    assert client_to_beta(asked) == flat


def test_the_kind_of_a_session_is_in_the_events_name_in_beta() -> None:
    ga = {"type": "session.update", "session": {"type": "transcription"}}
    assert client_to_beta(ga) == {"type": "transcription_session.update", "session": {}}
    assert client_to_ga(client_to_beta(ga)) == ga
    shown = server("session.updated", session={"type": "transcription", "id": "sess_1"})
    beta = server_to_beta(shown)
    assert beta == server("transcription_session.updated", session={"id": "sess_1"})
    assert server_to_ga(beta) == shown


def test_an_item_of_the_assistant_has_other_content_and_an_object() -> None:
    item = {"id": "item_1", "type": "message", "role": "assistant"}
    ga = {**item, "content": [{"type": "output_audio", "transcript": "Hi"}]}
    beta = {
        **item,
        "object": "realtime.item",
        "content": [{"type": "audio", "transcript": "Hi"}],
    }
    added = server("conversation.item.added", previous_item_id=None, item=ga)
    created = server("conversation.item.created", previous_item_id=None, item=beta)
    assert server_to_beta(added) == created
    assert server_to_ga(created) == added


def test_what_the_user_said_is_called_the_same() -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    event = {"type": "conversation.item.create", "item": item}
    assert client_to_beta(event) == event == client_to_ga(event)


def test_a_response_is_flat_in_beta_and_keeps_its_limits_name() -> None:
    ga = {
        "id": "resp_1",
        "output": [],
        "output_modalities": ["audio"],
        "max_output_tokens": 7,
        "audio": {"output": {"voice": "alloy", "format": {"type": "audio/pcma"}}},
    }
    beta = {
        "id": "resp_1",
        "output": [],
        "modalities": ["text", "audio"],
        "max_output_tokens": 7,
        "voice": "alloy",
        "output_audio_format": "g711_alaw",
    }
    assert server_to_beta(server("response.done", response=ga)) == server(
        "response.done", response=beta
    )
    assert server_to_ga(server("response.done", response=beta)) == server(
        "response.done", response=ga
    )


def test_the_end_of_an_item_is_not_told_in_beta() -> None:
    event = server("conversation.item.done", previous_item_id=None, item={"id": "item_1"})
    assert server_to_beta(event) is None


@pytest.mark.parametrize(
    ("old", "new", "payload"),
    [
        ("response.text.delta", "response.output_text.delta", {"delta": "a"}),
        ("response.text.done", "response.output_text.done", {"text": "a"}),
        ("response.audio.delta", "response.output_audio.delta", {"delta": "AAAA"}),
        ("response.audio.done", "response.output_audio.done", {}),
        (
            "response.audio_transcript.delta",
            "response.output_audio_transcript.delta",
            {"delta": "a"},
        ),
        (
            "response.audio_transcript.done",
            "response.output_audio_transcript.done",
            {"transcript": "a"},
        ),
    ],
)
def test_an_old_name_is_read_as_the_new_one(old: str, new: str, payload: dict[str, Any]) -> None:
    event = dialect.decode_server(json.dumps(server(old, **PLACE, **payload)))
    assert event == events.decode_server(json.dumps(server(new, **PLACE, **payload)))
    assert not isinstance(event, events.Unknown | events.Malformed)
    said = dialect.encode_server(event)
    assert said is not None and json.loads(said) == server(old, **PLACE, **payload)


def test_large_sound_arrives_whole_under_its_old_name() -> None:
    sound = bytes(range(256)) * 100
    event = events.ResponseOutputAudioDelta(event_id="event_1", **PLACE, delta=sound)  # type: ignore[arg-type]  # the fields of PLACE are of the right types
    frame = dialect.encode_server(event)
    assert frame is not None and frame.startswith('{"type":"response.audio.delta",')
    assert dialect.decode_server(frame) == event


@pytest.mark.parametrize(
    "kind",
    [each for each in get_args(events.ServerEvent) if "obfuscation" in each.__struct_fields__],
)
def test_beta_pads_nothing(kind: Any) -> None:
    """Found by the fuzzer: the deltas of a remote call's arguments were padded."""
    needed = {name: "x" for name in kind.__struct_fields__ if not name.endswith("_index")}
    whole = kind(**{**dict.fromkeys(kind.__struct_fields__, 0), **needed, "extra": {}})
    frame = dialect.encode_server(whole)
    assert frame is not None and json.loads(frame)["delta"] == "x"
    assert "obfuscation" not in frame


def test_beta_has_no_padding_and_no_name_at_the_end_of_a_call() -> None:
    delta = events.ResponseOutputTextDelta(
        event_id="event_1",
        response_id="resp_1",
        item_id="item_1",
        output_index=0,
        content_index=0,
        delta="a",
        obfuscation="x" * 15,
    )
    assert "obfuscation" not in str(dialect.encode_server(delta))
    done = events.ResponseFunctionCallArgumentsDone(
        event_id="event_1",
        response_id="resp_1",
        item_id="item_1",
        output_index=0,
        call_id="call_1",
        name="look",
        arguments="{}",
    )
    assert "look" not in str(dialect.encode_server(done))


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"input_audio_buffer.cleared","event_id":"event_1"}',
        '{"type":"ping","event_id":"event_1"}',
        '{"type":"session.created","event_id":"event_1","session":{"type":"realtime"}}',
        '{"type":"conversation.item.deleted","event_id":"event_1","item_id":"item_1"}',
        "no JSON",
    ],
)
def test_what_is_ga_already_is_read_as_it_is(frame: str) -> None:
    assert dialect.decode_server(frame) == events.decode_server(frame)


ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "role", "content", "voice", "audio", "output", "item", "object", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "session.created",
        "session.update",
        "transcription_session.updated",
        "response.done",
        "response.create",
        "conversation.item.created",
        "conversation.item.create",
        "response.audio.delta",
    ]
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(NAMES, ODD, ODD, ODD)
def test_nothing_odd_raises(name: str, session: Any, response: Any, item: Any) -> None:
    event = {"type": name, "session": session, "response": response, "item": item}
    frame = msgspec.json.encode(event)
    dialect.decode_server(frame)
    dialect.decode_client(frame)
    for convert in (server_to_beta, server_to_ga, client_to_beta, client_to_ga):
        msgspec.json.encode(convert(event))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(min_size=4, max_size=60))
def test_what_a_client_asks_for_survives_the_way_to_beta_and_back(choices: bytes) -> None:
    """Events of the fuzzer's grammar, whole ones. What the server says is put to the same proof in
    every story that `tests.fuzz.judge` watches."""
    event = Teller(Source(choices)).event()
    decoded = events.decode_client(json.dumps(event))
    if isinstance(decoded, events.Unknown | events.Malformed):
        return
    assert dialect.decode_client(dialect.encode_client(decoded)) == decoded
    assert client_to_ga(client_to_beta(event)) == event
