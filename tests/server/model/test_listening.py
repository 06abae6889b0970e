"""The input buffer and its turns, on the clock of the audio."""

from __future__ import annotations

import itertools

import pytest
from tests.server.model.model_rig import RATE, silence, speech

from bargein.server.model.ids import Ids
from bargein.server.model.listening import Listening, TurnStarted, TurnStopped
from bargein.server.model.options import Limits
from bargein.server.model.refusal import RefusedError
from bargein.server.model.session import Turns
from bargein.server.model.vad import EnergyVad, TurnSettings
from bargein.units import AudioFormat

TURNS = Turns(TurnSettings(silence_duration_ms=200), True, True)


def listening(turns: Turns | None = TURNS, limits: Limits | None = None) -> Listening:
    made = Listening(
        ids=Ids(itertools.count().__next__), detector=EnergyVad(), limits=limits or Limits()
    )
    made.configure(turns, AudioFormat.PCM)
    return made


def turn(ear: Listening) -> tuple[TurnStarted, TurnStopped]:
    """Half a second of speech in silence."""
    started, stopped = ear.append(silence(1_000) + speech(500) + silence(500))
    assert isinstance(started, TurnStarted) and isinstance(stopped, TurnStopped)
    return started, stopped


def test_a_turn_is_told_on_the_clock_whatever_was_committed_or_cleared() -> None:
    ear = listening()
    first = turn(ear)[0].audio_start_ms
    # 2016 ms is a whole number of frames, so the same sound gives the same moments later.
    ear.append(silence(16))
    ear.clear()
    assert turn(ear)[0].audio_start_ms == first + 2_016
    ear.append(silence(16))
    ear.commit()
    assert turn(ear)[0].audio_start_ms == first + 4_032


def test_a_turns_audio_is_what_the_client_appended_there_to_the_sample() -> None:
    ear = listening()
    ear.append(silence(1_000))
    told = speech(500)
    events = ear.append(told + silence(500))
    started, stopped = events
    assert isinstance(started, TurnStarted) and isinstance(stopped, TurnStopped)
    whole = silence(1_000) + told + silence(500)
    start, end = started.audio_start_ms * 48, stopped.audio_end_ms * 48
    assert stopped.audio == whole[start:end]


@pytest.mark.parametrize("chunk_ms", [1, 7, 20, 500])
def test_chunks_of_any_length_give_the_same_turn(chunk_ms: int) -> None:
    whole = silence(1_000) + speech(500) + silence(500)
    ear, size = listening(), 48 * chunk_ms
    told = [e for at in range(0, len(whole), size) for e in ear.append(whole[at : at + size])]
    expected = list(turn(listening()))
    assert told == expected


def test_two_turns_in_one_append_are_two_items() -> None:
    ear = listening()
    once = silence(1_000) + speech(300) + silence(400)
    told = ear.append(once + once)
    assert [type(event) for event in told] == [TurnStarted, TurnStopped] * 2
    assert told[0].item_id == told[1].item_id != told[2].item_id == told[3].item_id


def test_prefix_padding_that_an_item_has_taken_is_not_given_twice() -> None:
    ear = listening()
    turn(ear)
    held = ear.held_bytes
    started, stopped = ear.append(speech(300) + silence(400))
    assert isinstance(stopped, TurnStopped)
    # The padding reaches back to before the end of the last item; the audio begins behind it.
    assert len(stopped.audio) < (stopped.audio_end_ms - started.audio_start_ms) * 48  # type: ignore[union-attr]  # it started
    assert len(stopped.audio) + ear.held_bytes == held + len(speech(300) + silence(400))


def test_long_silence_is_let_go_and_the_clock_runs_on() -> None:
    ear = listening(limits=Limits(silence_kept_ms=1_000))
    for _ in range(100):
        ear.append(silence(100))
        assert ear.held_bytes <= 48 * 1_100
    assert ear.clock_ms == 10_000
    (started,) = ear.append(speech(300))
    assert isinstance(started, TurnStarted) and 9_700 <= started.audio_start_ms <= 10_100
    (stopped,) = ear.append(silence(400))
    assert isinstance(stopped, TurnStopped)
    assert len(stopped.audio) == (stopped.audio_end_ms - started.audio_start_ms) * 48


def test_speech_without_end_is_refused_at_the_limit() -> None:
    ear = listening(limits=Limits(input_buffer_bytes=48_000))
    ear.append(speech(900))
    with pytest.raises(RefusedError) as caught:
        ear.append(speech(200))
    assert caught.value.refusal.rule == "input_buffer_full"
    assert ear.clock_ms == 900


def test_half_a_sample_is_no_audio() -> None:
    ear = listening()
    with pytest.raises(RefusedError) as caught:
        ear.append(b"\0\0\0")
    assert caught.value.refusal.rule == "not_audio" and ear.clock_ms == 0


def test_turns_after_a_time_without_detection_are_told_on_the_same_clock() -> None:
    ear = listening(None)
    assert ear.append(silence(1_000) + speech(500) + silence(500)) == []
    ear.append(silence(16))
    ear.configure(TURNS, AudioFormat.PCM)
    assert turn(ear)[0].audio_start_ms == turn(listening())[0].audio_start_ms + 2_016


def test_a_change_of_format_drops_the_buffer_and_keeps_the_clock() -> None:
    ear = listening()
    ear.append(speech(500))
    assert ear.speaking_item_id is not None
    ear.configure(TURNS, AudioFormat.PCMU)
    assert ear.held_bytes == 0 and ear.clock_ms == 500
    ear.append(b"\xff" * 800)
    assert ear.clock_ms == 600
    assert ear.append(b"\xff" * 8_000) == [], "the turn was dropped, so it does not stop"
    assert ear.commit().audio == b"\xff" * 8_800


def test_new_settings_in_mid_speech_do_not_end_the_turn() -> None:
    ear = listening()
    ear.append(speech(500))
    item_id = ear.speaking_item_id
    ear.configure(Turns(TurnSettings(silence_duration_ms=900), True, True), AudioFormat.PCM)
    assert ear.append(silence(600)) == []
    (stopped,) = ear.append(silence(500))
    assert stopped.item_id == item_id


def test_a_commit_of_a_little_less_than_100_ms_says_how_little() -> None:
    ear = listening(None)
    ear.append(silence(99) + bytes(46))
    with pytest.raises(RefusedError, match=r"99\.96ms"):
        ear.commit()
    ear.append(bytes(2))
    assert len(ear.commit().audio) == RATE // 10 * 2
