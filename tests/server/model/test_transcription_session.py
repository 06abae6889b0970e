"""A session that only writes down what it hears (protocol.md §2.6)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.model.model_rig import Rig, error, silence, speech, types

from bargein.server.model.options import Options

COMPLETED = "conversation.item.input_audio_transcription.completed"


def rig(**options: Any) -> Rig:
    return Rig("", kind="transcription", **options)


def update(made: Rig, **audio_input: Any) -> list[dict[str, Any]]:
    return made.say(
        "session.update", session={"type": "transcription", "audio": {"input": audio_input}}
    )


def test_it_shows_the_input_side_and_nothing_else() -> None:
    created = rig().log[0]
    assert created["type"] == "session.created"
    session = created["session"]
    assert session.pop("id").startswith("sess_") and session.pop("expires_at") > 0
    assert session == {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                },
            }
        },
        "include": None,
    }


def test_an_update_is_partial_and_shows_the_whole() -> None:
    made = rig()
    update(made, transcription={"model": "whisper-1", "language": "en"})
    (sent,) = update(made, turn_detection=None)
    assert sent["type"] == "session.updated"
    shown = sent["session"]["audio"]["input"]
    assert shown["turn_detection"] is None
    assert shown["transcription"] == {"model": "whisper-1", "language": "en", "prompt": None}
    assert shown["format"]["rate"] == 24_000


def test_what_is_the_services_own_cannot_be_set() -> None:
    made = rig()
    before = made.log[0]["session"]
    session = {"type": "transcription", "id": "mine", "object": "x", "expires_at": 1}
    (sent,) = made.say("session.update", session=session)
    assert sent["session"] == before


def test_turns_are_written_down_and_nobody_answers() -> None:
    made = rig()
    update(made, transcription={"model": "whisper-1"})
    made.append(silence(500))
    sent = made.append(speech(500)) + made.append(silence(700))
    assert types(sent) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    (completed,) = made.hear(sent[0]["item_id"], "Hello.")
    assert (completed["type"], completed["transcript"]) == (COMPLETED, "Hello.")
    assert made.started == [] and made.wait(120_000) == []


def test_the_kinds_are_not_mixed() -> None:
    made = rig()
    body = error(made.say("session.update", session={"type": "realtime"}, event_id="mine"))
    expected = "Passing a realtime session update event to a transcription session is not allowed."
    assert (body["code"], body["message"]) == ("invalid_parameter", expected)
    assert (body["param"], body["event_id"]) == (None, "mine")


@pytest.mark.parametrize(
    ("type", "fields"),
    [
        ("response.create", {}),
        ("response.cancel", {}),
        ("conversation.item.retrieve", {"item_id": "x"}),
        ("conversation.item.delete", {"item_id": "x"}),
        ("conversation.item.truncate", {"item_id": "x", "content_index": 0, "audio_end_ms": 0}),
    ],
)
def test_what_is_for_conversations_is_refused(type: str, fields: dict[str, Any]) -> None:
    made = rig()
    body = error(made.say(type, **fields))
    expected = f"Event '{type}' is not supported in this kind of session."
    assert body["message"] == expected and made.machine.memory == ()


@pytest.mark.parametrize("field", ["instructions", "voice", "tools"])
def test_what_is_for_speakers_is_unknown(field: str) -> None:
    body = error(rig().say("session.update", session={"type": "transcription", field: "x"}))
    assert (body["code"], body["param"]) == ("unknown_parameter", f"session.{field}")


@pytest.mark.parametrize("model", ["gpt-realtime-whisper", "gpt-live-transcribe"])
def test_a_live_model_has_no_turn_detection(model: str) -> None:
    made = rig()
    refused = "Turn detection is not supported for this transcription model."
    assert error(update(made, transcription={"model": model}))["message"] == refused
    (sent,) = update(made, transcription={"model": model}, turn_detection=None)
    assert sent["session"]["audio"]["input"]["transcription"]["model"] == model
    body = error(update(made, turn_detection={"type": "server_vad"}))
    assert body["message"] == refused and body["code"] is None
    made.append(speech(500))
    assert types(made.say("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


def test_its_time_is_limited_too() -> None:
    made = rig(options=Options(session_us=2_000_000))
    sent = made.wait(2_000)
    assert error(sent)["code"] == "session_expired" and made.closed is not None
