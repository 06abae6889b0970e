"""What is sent of the microphone, and who the service says is speaking."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.scenarios.rig import FALSE_VAD, SEMANTIC_VAD, SERVER_VAD

from bargein import events
from bargein.capabilities import Interrupts
from bargein.core.listening import Listening, format_of
from bargein.units import AudioFormat


def session(turns: Any, wire: str = "audio/pcm") -> events.Session:
    audio = {"input": {"format": {"type": wire}, "turn_detection": turns}}
    return msgspec.convert({"type": "realtime", "audio": audio}, events.Session)


def listening(turns: Any, *, pre_roll_ms: int = 0, wire: str = "audio/pcm") -> Listening:
    made = Listening(pre_roll_ms)
    made.configure(session(turns, wire))
    return made


def pcm(ms: int, value: int = 0) -> bytes:
    return bytes([value]) * (48 * ms)


@pytest.mark.parametrize("turns", [SERVER_VAD, SEMANTIC_VAD, FALSE_VAD])
def test_with_turn_detection_every_sound_goes_out(turns: Any) -> None:
    assert listening(turns).captured(pcm(20)) == [pcm(20)]


@pytest.mark.parametrize(
    ("turns", "cancels"),
    [(SERVER_VAD, True), (SEMANTIC_VAD, True), (FALSE_VAD, False), (None, False)],
)
def test_whether_the_service_cancels_is_read_from_the_effective_settings(
    turns: Any, cancels: bool
) -> None:
    """Rule 9."""
    assert listening(turns).service_cancels is cancels


@pytest.mark.parametrize(
    ("interrupts", "turns", "cancels"),
    [
        ("never", SERVER_VAD, False),
        ("always", FALSE_VAD, True),
        ("always", None, False),
        ("as_told", FALSE_VAD, False),
    ],
)
def test_a_service_that_cancels_always_or_never_is_believed_to_do_so(
    interrupts: Interrupts, turns: Any, cancels: bool
) -> None:
    made = listening(turns)
    made.interrupts = interrupts
    assert made.service_cancels is cancels


def test_what_the_service_does_not_say_is_its_default() -> None:
    """protocol.md section 3.2: both flags are true unless set."""
    made = listening({"type": "server_vad"})
    assert (made.service_cancels, made.create_response) == (True, True)


def test_an_update_without_audio_changes_nothing() -> None:
    made = listening(FALSE_VAD)
    made.configure(events.Session(instructions="Be brief."))
    assert made.service_cancels is False


def test_without_turn_detection_nothing_goes_out_but_between_press_and_release() -> None:
    made = listening(None)
    assert made.captured(pcm(20, 1)) == []
    made.press()
    assert made.captured(pcm(20, 2)) == [], "the stop is not answered yet"
    assert made.listen() == [pcm(20, 2)]
    assert made.captured(pcm(20, 3)) == [pcm(20, 3)]
    made.release()
    assert made.captured(pcm(20, 4)) == []


def test_the_pre_roll_is_cut_to_the_sample() -> None:
    made = listening(None, pre_roll_ms=50)
    for value in range(4):
        made.captured(pcm(20, value))
    made.press()
    assert made.listen() == [pcm(10, 1), pcm(20, 2), pcm(20, 3)]


def test_the_pre_roll_is_sent_once() -> None:
    made = listening(None, pre_roll_ms=50)
    made.captured(pcm(20))
    made.press()
    made.listen()
    made.release()
    made.press()
    assert made.listen() == []


def test_the_pre_roll_of_g711_is_counted_in_its_own_samples() -> None:
    made = listening(None, pre_roll_ms=50, wire="audio/pcmu")
    made.captured(bytes(800))
    made.press()
    assert sum(len(audio) for audio in made.listen()) == 400


@pytest.mark.parametrize(("ms", "enough"), [(99, False), (100, True), (101, True)])
def test_a_hundred_milliseconds_since_the_press_may_be_committed(ms: int, enough: bool) -> None:
    made = listening(None, pre_roll_ms=500)
    made.captured(pcm(300))
    made.press()
    made.listen()
    made.captured(pcm(ms))
    assert made.enough() is enough, "the pre-roll is not said since the press"


def test_the_user_speaks_by_the_service_s_word_or_by_the_button() -> None:
    made = listening(SERVER_VAD)
    seen = [made.user_speaks]
    made.speaking_item = "U1"
    seen.append(made.user_speaks)
    made.configure(session(None))
    seen.append(made.user_speaks)
    made.press()
    seen.append(made.user_speaks)
    assert seen == [False, True, False, True], "who detects no turns has none open"


def test_speech_began_when_the_deciding_sound_was_captured() -> None:
    """`audio_start_ms` is the padding before it."""
    made = listening(SERVER_VAD)
    for number in range(1, 51):
        made.clock.appended(480, number * 20_000)
    assert made.speech_began_us(400) == 700_000


@pytest.mark.parametrize(
    ("wire", "audio_format"),
    [("audio/pcm", AudioFormat.PCM), ("audio/pcmu", AudioFormat.PCMU), ("opus", AudioFormat.PCMA)],
)
def test_a_format_that_nobody_knows_is_the_default(wire: str, audio_format: AudioFormat) -> None:
    config = events.AudioFormatConfig(type=wire)
    assert format_of(config, AudioFormat.PCMA) is audio_format
    assert format_of(None, AudioFormat.PCMU) is AudioFormat.PCMU


def test_before_the_session_stands_the_service_s_defaults_are_believed() -> None:
    made = Listening(0)
    assert made.audio_format is AudioFormat.PCM
    assert (made.manual, made.create_response, made.interrupt_response) == (False, True, True)
    assert (made.pressed, made.waiting, made.since_press_samples) == (False, False, 0)
    assert (made.service_cancels, made.user_speaks, made.turn_is_due) == (True, False, False)


def test_a_format_that_an_update_does_not_name_stays() -> None:
    made = listening(SERVER_VAD, wire="audio/pcmu")
    made.configure(session(SERVER_VAD, "audio/of-tomorrow"))
    assert made.audio_format is AudioFormat.PCMU


def test_the_deciding_sound_is_behind_the_padding_that_is_in_effect() -> None:
    """protocol.md section 5. Semantic turn detection names none: the last one stays."""
    made = listening({**SERVER_VAD, "prefix_padding_ms": 500})
    made.clock.appended(24_000, 5_000_000)
    assert made.speech_began_us(500) == 5_000_000
    assert made.speech_began_us(501) is None
    made.configure(session(SEMANTIC_VAD))
    assert made.prefix_padding_ms == 500


def test_all_sound_since_the_press_counts_and_none_before_it() -> None:
    made = listening(None)
    made.press()
    made.listen()
    made.captured(pcm(60))
    made.captured(pcm(40)[:-2])
    assert made.enough() is False, "one sample is missing"
    made.captured(bytes(2))
    assert made.enough() is True
    made.release()
    made.press()
    made.captured(pcm(100)[:-2])
    assert made.enough() is False


def test_the_pre_roll_is_as_long_after_a_press_as_before_it() -> None:
    made = listening(None, pre_roll_ms=50)
    for _ in range(2):
        made.captured(pcm(60))
        made.press()
        assert sum(len(audio) for audio in made.listen()) == len(pcm(50))
        made.release()


def test_only_the_last_turns_that_were_never_committed_are_remembered() -> None:
    made = Listening(0)
    made.speech_items.extend(f"U{number}" for number in range(33))
    assert (len(made.speech_items), made.speech_items[0]) == (32, "U1")


@pytest.mark.parametrize(
    ("held_ms", "enough", "said_ms"), [(0, False, 0), (199, False, 99), (200, True, 100)]
)
def test_what_is_said_at_another_peer_is_as_long_as_the_button_is_down(
    held_ms: int, enough: bool, said_ms: int
) -> None:
    """Less what the clear may have taken with it, if it was the slower one."""
    made = listening(None)
    made.press()
    made.sounded_elsewhere(held_ms * 1_000)
    assert (made.enough(), made.said_ms) == (enough, said_ms)
