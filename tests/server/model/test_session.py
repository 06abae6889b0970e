"""The effective session: defaults, partial updates, and what is locked."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.model.model_rig import Rig, error, types

from bargein.server.model.inputs import SessionKind
from bargein.server.model.models import has_reasoning
from bargein.server.model.options import Options
from bargein.server.model.session import INSTRUCTIONS, SessionState


def session(model: str = "gpt-realtime") -> SessionState:
    return SessionState(session_id="sess_1", model=model, expires_at=5)


def update(rig: Rig, **fields: Any) -> dict[str, Any]:
    sent = rig.say("session.update", session={"type": "realtime", **fields})
    assert types(sent) == ["session.updated"], sent
    shown: dict[str, Any] = sent[0]["session"]
    return shown


@pytest.mark.parametrize(
    ("model", "silence_ms", "voice"),
    [
        ("gpt-realtime", 200, "alloy"),
        ("gpt-realtime-2025-08-28", 200, "alloy"),
        ("gpt-realtime-2.1", 500, "marin"),
    ],
)
def test_the_defaults_are_those_of_the_model(model: str, silence_ms: int, voice: str) -> None:
    shown = Rig(model).log[0]["session"]
    assert shown["audio"]["input"]["turn_detection"]["silence_duration_ms"] == silence_ms
    assert shown["audio"]["output"]["voice"] == voice
    assert has_reasoning(model) == (silence_ms == 500)


def test_what_an_update_leaves_out_keeps_its_value() -> None:
    rig = Rig()
    update(rig, instructions="Be brief.", max_output_tokens=7)
    shown = update(rig, output_modalities=["text"], audio={"output": {"voice": "echo"}})
    assert (shown["instructions"], shown["max_output_tokens"]) == ("Be brief.", 7)
    assert shown["audio"]["output"]["voice"] == "echo"
    assert shown["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24_000}
    assert shown["audio"]["input"]["turn_detection"]["type"] == "server_vad"


def test_null_and_an_empty_list_clear_and_empty_instructions_bring_back_the_services_own() -> None:
    rig = Rig()
    tool = {"type": "function", "name": "f"}
    update(rig, tools=[tool], instructions="x", prompt={"id": "p"})
    shown = update(rig, tools=[], instructions="", prompt=None)
    assert (shown["tools"], shown["prompt"]) == ([], None)
    assert shown["instructions"] == INSTRUCTIONS


def test_a_refused_update_changes_nothing() -> None:
    rig = Rig()
    before = update(rig)
    bad = {"type": "realtime", "instructions": "x", "audio": {"output": {"speed": 9}}}
    error(rig.say("session.update", session=bad))
    error(rig.say("session.update", session={"type": "realtime", "model": "other", "tools": []}))
    assert update(rig) == before


def test_turn_detection_comes_back_filled() -> None:
    rig = Rig()
    audio = {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.7}}}
    assert update(rig, audio=audio)["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.7,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }
    audio = {"input": {"turn_detection": {"type": "semantic_vad"}}}
    assert update(rig, audio=audio)["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }


def test_transcription_is_echoed_without_its_delay() -> None:
    rig = Rig()
    audio = {"input": {"transcription": {"model": "whisper-1", "delay": "low"}}}
    shown = update(rig, audio=audio)["audio"]["input"]["transcription"]
    assert shown == {"model": "whisper-1", "language": None, "prompt": None}


def test_a_format_is_replaced_as_a_whole() -> None:
    rig = Rig()
    shown = update(rig, audio={"input": {"format": {"type": "audio/pcmu"}}})
    assert shown["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    shown = update(rig, audio={"input": {"format": {"type": "audio/pcm"}}})
    assert shown["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24_000}


def test_the_client_cannot_set_what_is_the_services() -> None:
    rig = Rig()
    shown = update(rig, id="mine", object="x", expires_at=1)
    assert shown["id"] == rig.log[0]["session"]["id"]
    assert (shown["object"], shown["expires_at"]) == ("realtime.session", 1_785_460_927)


def test_the_voice_is_locked_by_audio_and_may_be_sent_again() -> None:
    rig = Rig()
    rig.spoken(20)
    assert update(rig, audio={"output": {"voice": "alloy"}})
    other = {"type": "realtime", "audio": {"output": {"voice": "echo"}}}
    assert error(rig.say("session.update", session=other))["code"] == "cannot_update_voice"
    response = {"audio": {"output": {"voice": "echo"}}}
    assert error(rig.say("response.create", response=response))["code"] == "cannot_update_voice"


def test_text_and_out_of_band_audio_do_not_lock_the_voice() -> None:
    from tests.server.model.model_rig import sound

    from bargein.server.model import score

    rig = Rig()
    rig.produce(
        rig.respond(conversation="none"), score.OpenMessage(), score.OpenPart("audio"), sound(10)
    )
    rig.produce(rig.respond(), score.OpenMessage(), score.OpenPart("text"), score.SayText("a"))
    assert update(rig, audio={"output": {"voice": "echo"}})


def test_a_response_has_the_sessions_parameters_under_its_own() -> None:
    state = session()
    state.update({"type": "realtime", "max_output_tokens": 9, "tool_choice": "required"})
    values = state.response_values(
        {"instructions": "x", "audio": {"output": {"format": {"type": "audio/pcma"}}}}
    )
    assert values["max_output_tokens"] == 9 and values["tool_choice"] == "required"
    assert values["instructions"] == "x"
    assert values["audio"] == {"output": {"format": {"type": "audio/pcma"}, "voice": "alloy"}}
    assert values["conversation"] == "auto" and values["metadata"] is None


def test_the_engine_is_told_the_speed_that_the_response_does_not_show() -> None:
    state = session()
    state.update({"type": "realtime", "audio": {"output": {"speed": 1.25}}})
    values = state.response_values({})
    params = state.engine_params(values)
    assert params.audio and params.audio.output and params.audio.output.speed == 1.25
    assert "speed" not in values["audio"]["output"]


def test_reasoning_is_for_the_models_that_have_it() -> None:
    assert update(Rig("gpt-realtime-2.1"), reasoning={"effort": "low"})["reasoning"] == {
        "effort": "low"
    }
    response = {"reasoning": {"effort": "low"}}
    body = error(Rig().say("response.create", response=response))
    assert "Reasoning is not supported" in body["message"]


def test_a_voice_must_be_one_of_the_services_or_of_the_accounts_own() -> None:
    rig = Rig()
    for where, kind in (("session", "session.update"), ("response", "response.create")):
        fields = {"audio": {"output": {"voice": "bob"}}}
        given = {where: {"type": "realtime", **fields} if where == "session" else fields}
        body = error(rig.say(kind, **given))
        assert body["param"] == f"{where}.audio.output.voice"
        assert body["message"] == (
            "Invalid value: 'bob'. Supported values are: 'alloy', 'ash', 'ballad', 'coral', "
            "'echo', 'sage', 'shimmer', 'verse', 'marin', and 'cedar'."
        )
    assert update(rig, audio={"output": {"voice": {"id": "voice_1"}}})
    anything = Rig(options=Options(any_voice=True))
    assert update(anything, audio={"output": {"voice": "bob"}})["audio"]["output"]["voice"] == "bob"


@pytest.mark.parametrize("kind", ["realtime", "transcription"])
def test_a_transcription_model_must_be_one_of_the_services(kind: SessionKind) -> None:
    unknown = {"type": kind, "audio": {"input": {"transcription": {"model": "whisper-9"}}}}
    body = error(Rig(kind=kind).say("session.update", session=unknown))
    assert body["param"] == "session.audio.input.transcription.model"
    assert body["message"] == (
        "Invalid value: 'whisper-9'. Supported values are: 'whisper-1', 'gpt-transcribe', "
        "'gpt-live-transcribe', 'gpt-4o-mini-transcribe', 'gpt-4o-mini-transcribe-2025-12-15', "
        "'gpt-4o-transcribe', 'gpt-4o-transcribe-diarize', and 'gpt-realtime-whisper'."
    )
    anything = Rig(kind=kind, options=Options(any_transcription_model=True))
    (updated,) = anything.say("session.update", session=unknown)
    assert updated["session"]["audio"]["input"]["transcription"]["model"] == "whisper-9"


def test_an_own_voice_is_locked_by_its_id() -> None:
    rig = Rig()
    own = {"audio": {"output": {"voice": {"id": "voice_1"}}}}
    update(rig, **own)
    rig.spoken(20)
    assert update(rig, **own)["audio"]["output"]["voice"] == {"id": "voice_1"}
    other = {"type": "realtime", "audio": {"output": {"voice": {"id": "voice_2"}}}}
    assert error(rig.say("session.update", session=other))["code"] == "cannot_update_voice"


def test_the_speed_changes_between_turns_only_unless_the_server_lets_it() -> None:
    faster = {"audio": {"output": {"speed": 1.5}}}
    rig = Rig()
    response_id = rig.respond()
    body = error(rig.say("session.update", session={"type": "realtime", **faster}))
    assert body["param"] == "session.audio.output.speed"
    # The speed that it has may be sent again, and a response out of band is no turn.
    update(rig, audio={"output": {"speed": 1.0}})
    rig.produce(response_id)
    rig.respond(conversation="none")
    assert update(rig, **faster)["audio"]["output"]["speed"] == 1.5
    lenient = Rig(options=Options(speed_in_response=True))
    lenient.respond()
    assert update(lenient, **faster)["audio"]["output"]["speed"] == 1.5


def test_a_tool_choice_must_name_a_tool_of_the_session_or_the_response() -> None:
    rig = Rig()
    tool, choice = {"type": "function", "name": "f"}, {"type": "function", "name": "f"}
    body = error(rig.say("response.create", response={"tool_choice": choice}))
    assert body["param"] == "response.tool_choice"
    update(rig, tools=[tool], tool_choice=choice)
    body = error(rig.say("session.update", session={"type": "realtime", "tools": []}))
    assert body["param"] == "session.tool_choice"
    rig.produce(rig.respond())
    rig.respond(tools=[{**tool, "name": "g"}], tool_choice={**choice, "name": "g"})
    lenient = Rig(options=Options(checks_tool_choice=False))
    assert update(lenient, tool_choice=choice)["tool_choice"] == choice
