"""Scenarios 1 to 7: what number goes into the truncate."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.rig import FALSE_VAD, SEMANTIC_VAD, SERVER_VAD, Talk

from bargein import events
from bargein.core import asks, inputs
from bargein.core.notices import Interruption, InterruptionSettled
from bargein.units import AudioFormat


@pytest.mark.parametrize("audio", list(AudioFormat))
@pytest.mark.parametrize("turns", [SERVER_VAD, SEMANTIC_VAD], ids=["server_vad", "semantic_vad"])
def test_speech_over_a_reply_truncates_it_where_the_ear_got_to(
    turns: dict[str, Any], audio: AudioFormat
) -> None:
    """Scenario 1: no cancel, because the service cancels by itself."""
    talk = Talk(turns, audio=audio)
    talk.speaking(ms=2_000)
    talk.heard("A", 700)
    talk.speech_started()
    assert talk.sent() == [], "nothing is told before the stop is answered"
    talk.stopped({"A": 700})
    assert talk.sent() == ["truncate A/0 700"]
    (interruption,) = talk.told(Interruption)
    assert (interruption.askers, interruption.heard_ms) == (("speech",), 700)


def test_every_truncate_carries_an_id_and_all_its_fields() -> None:
    """Scenario 1."""
    talk = Talk()
    talk.speaking()
    talk.cut_at(700)
    (truncate,) = talk.events_sent(events.ConversationItemTruncate)
    frame = events.encode(truncate)
    assert truncate.event_id
    for field in ('"item_id":"A"', '"content_index":0', '"audio_end_ms":700'):
        assert field in frame


def test_where_the_service_does_not_cancel_the_client_does() -> None:
    """Scenario 1 under `interrupt_response: false`."""
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    assert talk.sent() == ["cancel r1"]
    talk.stopped({"A": 700})
    assert talk.sent() == ["truncate A/0 700"]


def test_the_effective_turn_detection_decides_and_not_the_requested_one() -> None:
    """Rule 9: what `session.updated` says is in effect counts."""
    talk = Talk(SERVER_VAD)
    talk.ask(asks.Update(events.Session()))
    talk.receive("session.updated", session=talk.session(FALSE_VAD))
    talk.sent()
    talk.speaking()
    talk.cut_at(700)
    assert talk.sent() == ["cancel r1", "truncate A/0 700"]


@pytest.mark.parametrize("audio", list(AudioFormat))
def test_a_reply_made_faster_than_it_is_heard_is_truncated_and_not_cancelled(
    audio: AudioFormat,
) -> None:
    """Scenario 2."""
    talk = Talk(audio=audio)
    talk.speaking(ms=10_000)
    talk.done()
    talk.cut_at(3_200)
    assert talk.sent() == ["truncate A/0 3200"]


@pytest.mark.parametrize("turns", [SERVER_VAD, FALSE_VAD], ids=["cancels", "does not cancel"])
def test_a_reply_heard_whole_is_left_alone(turns: dict[str, Any]) -> None:
    """Scenario 3."""
    talk = Talk(turns)
    talk.speaking(ms=10_000)
    talk.done()
    talk.heard("A", 10_000)
    talk.pass_ms(1)
    talk.speech_started()
    assert talk.sent() == []
    assert talk.stops == []
    assert talk.told(Interruption) == []


def test_a_reply_that_was_heard_whole_before_the_stop_came_is_left_alone() -> None:
    """Scenario 3, one sample earlier: the player had played it out when it was told to stop."""
    talk = Talk()
    talk.speaking(ms=10_000)
    talk.done()
    talk.heard("A", 9_999)
    talk.speech_started()
    assert len(talk.stops) == 1
    talk.stopped({"A": 10_000})
    assert talk.sent() == []
    assert talk.told(InterruptionSettled) == []


def test_a_gap_in_the_sound_counts_for_nothing() -> None:
    """Scenario 4."""
    talk = Talk()
    talk.speaking(ms=500)
    talk.heard("A", 500)
    talk.give(inputs.Starved(48_000))
    talk.pass_ms(2_000)
    talk.delta("A", 500)
    talk.cut_at(700)
    assert talk.sent() == ["truncate A/0 700"]


def test_a_pause_in_the_ear_counts_for_nothing() -> None:
    """Scenario 5."""
    talk = Talk()
    talk.speaking(ms=2_000)
    talk.heard("A", 480)
    hold = talk.ask(asks.Hold())
    assert talk.answer(hold) is None
    talk.held("A", 500)
    assert talk.answer(hold) is not None
    talk.pass_ms(3_000)
    talk.speech_started()
    talk.stopped({"A": 500})
    assert talk.sent() == ["truncate A/0 500"]


@pytest.mark.parametrize("device_says_ms", [820, 1_000])
def test_what_the_card_still_holds_counts_as_the_device_says(device_says_ms: int) -> None:
    """Scenario 6: 820 where the stop discards the card's 180 ms, 1000 where it plays them out."""
    talk = Talk()
    talk.speaking(ms=1_000)
    talk.heard("A", 820)
    talk.speech_started()
    talk.stopped({"A": device_says_ms})
    assert talk.sent() == [f"truncate A/0 {device_says_ms}"]


@pytest.mark.parametrize("hours", [0, 1, 100])
def test_no_clock_takes_part_in_the_number(hours: int) -> None:
    """Scenario 7: the only time the machine sees passes, and the count stands."""
    talk = Talk()
    talk.speaking(ms=2_000)
    talk.heard("A", 700)
    talk.pass_ms(hours * 3_600_000)
    talk.speech_started()
    talk.stopped({"A": 700})
    assert talk.sent() == ["truncate A/0 700"]


@pytest.mark.parametrize(
    ("audio", "samples", "ms"),
    [
        (AudioFormat.PCM, 23_999, 999),
        (AudioFormat.PCM, 24_000, 1_000),
        (AudioFormat.PCM, 24_023, 1_000),
        (AudioFormat.PCMU, 7_999, 999),
        (AudioFormat.PCMA, 8_007, 1_000),
    ],
)
def test_milliseconds_are_rounded_down_in_the_format_of_the_part(
    audio: AudioFormat, samples: int, ms: int
) -> None:
    """Rule 10."""
    talk = Talk(audio=audio)
    talk.speaking(ms=2_000)
    part = inputs.Part("r1", "A", 0)
    talk.speech_started()
    talk.give(inputs.PlaybackStopped(talk.stops[-1], (inputs.Heard(part, samples),)))
    assert talk.sent() == [f"truncate A/0 {ms}"]


def test_no_more_is_asked_for_than_arrived() -> None:
    """Rule 10: a player that counts more than it was given is not believed."""
    talk = Talk()
    talk.speaking(ms=900)
    talk.speech_started()
    talk.stopped({"A": 5_000})
    assert talk.sent() == ["truncate A/0 900"]
