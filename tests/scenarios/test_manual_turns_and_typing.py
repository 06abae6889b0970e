"""Scenarios 38 and 42: the user takes the floor by button and by keyboard."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, SERVER_VAD, Talk

from bargein.core import asks
from bargein.core.notices import InterruptionSettled, TurnEnded, TurnStarted
from bargein.units import AudioFormat


def manual(pre_roll_ms: int = 0) -> Talk:
    """A session with `turn_detection: null`."""
    return Talk(None, push_to_talk=True, pre_roll_ms=pre_roll_ms)


@pytest.mark.parametrize("audio", list(AudioFormat))
def test_a_press_stops_settles_clears_and_then_listens(audio: AudioFormat) -> None:
    """Scenario 38."""
    talk = Talk(None, push_to_talk=True, audio=audio)
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.Press())
    talk.capture(20)
    assert talk.sent() == ["cancel r1"], "what is captured waits for the stop"
    talk.stopped({"A": 700})
    assert talk.sent() == ["truncate A/0 700", "clear", "sound 20"]
    talk.capture(20)
    assert talk.sent() == ["sound 20"]
    assert talk.floor == "user"


def test_a_release_with_enough_commits_behind_its_sound_and_then_asks() -> None:
    """Scenario 38: the create waits for the end of the response that was cancelled."""
    talk = manual()
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.Press())
    talk.stopped({"A": 700})
    talk.capture(100)
    talk.sent()
    release = talk.ask(asks.Release())
    answer = talk.answer(release)
    assert answer is not None
    assert answer.value is True
    assert talk.sent() == ["commit"]
    talk.cancelled(reason="client_cancelled")
    assert talk.sent() == ["create"]


def test_the_settling_of_what_was_cut_comes_before_the_next_create() -> None:
    """Rule 5: deletes precede the next `response.create`."""
    talk = manual()
    talk.speaking()
    talk.ask(asks.Press())
    talk.stopped({"A": 0})
    talk.capture(100)
    talk.ask(asks.Release())
    talk.sent()
    talk.cancelled(reason="client_cancelled")
    assert talk.sent() == ["delete A", "create"]


@pytest.mark.parametrize("ms", [0, 20, 99])
def test_a_release_with_too_little_clears_and_does_nothing_else(ms: int) -> None:
    """Scenario 38."""
    talk = manual()
    talk.ask(asks.Press())
    if ms:
        talk.capture(ms)
    talk.sent()
    release = talk.ask(asks.Release())
    assert talk.sent() == ["clear"]
    answer = talk.answer(release)
    assert answer is not None
    assert answer.value is False
    talk.pass_ms(60_000)
    assert talk.sent() == []


def test_exactly_a_hundred_milliseconds_are_enough() -> None:
    """Scenario 38, protocol.md section 6.2: the service expects at least 100 ms."""
    talk = manual()
    talk.ask(asks.Press())
    talk.capture(100)
    talk.sent()
    talk.ask(asks.Release())
    assert talk.sent() == ["commit", "create"]


def test_only_sound_since_the_clear_counts() -> None:
    """Scenario 38: each press begins anew."""
    talk = manual()
    talk.ask(asks.Press())
    talk.capture(90)
    talk.ask(asks.Release())
    talk.ask(asks.Press())
    talk.capture(90)
    talk.sent()
    talk.ask(asks.Release())
    assert talk.sent() == ["clear"]


def test_nothing_goes_out_between_release_and_press() -> None:
    """Scenario 38: the microphone is on, the session is not listening."""
    talk = manual()
    talk.capture(500)
    talk.ask(asks.Press())
    talk.capture(200)
    talk.ask(asks.Release())
    talk.capture(500)
    assert talk.sent() == ["clear", "sound 200", "commit", "create"]


def test_a_release_before_the_stop_is_answered_waits_for_it() -> None:
    """Scenario 38, a quick thumb."""
    talk = manual()
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.Press())
    talk.capture(150)
    release = talk.ask(asks.Release())
    assert talk.sent() == ["cancel r1"]
    assert talk.answer(release) is None
    talk.stopped({"A": 700})
    assert talk.sent() == ["truncate A/0 700", "clear", "sound 150", "commit"]


def test_sound_captured_after_an_early_release_is_not_said() -> None:
    """Scenario 38: the button was up; what came after it is nobody's turn."""
    talk = manual()
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.Press())
    talk.capture(150)
    talk.ask(asks.Release())
    talk.capture(40)
    talk.sent()
    talk.stopped({"A": 700})
    assert talk.sent() == ["truncate A/0 700", "clear", "sound 150", "commit"]


def test_the_pre_roll_is_sent_behind_the_clear() -> None:
    """Scenario 38: people press late."""
    talk = manual(pre_roll_ms=60)
    for _ in range(5):
        talk.capture(20)
    talk.ask(asks.Press())
    assert talk.sent() == ["clear", "sound 20", "sound 20", "sound 20"]


@pytest.mark.parametrize("turns", [SERVER_VAD, FALSE_VAD], ids=["answers", "only tells"])
def test_push_to_talk_under_turn_detection_is_refused_before_anything_is_sent(
    turns: dict[str, object],
) -> None:
    """Scenario 38: the service would hear two turns."""
    talk = Talk(turns)
    talk.speaking()
    press = talk.ask(asks.Press())
    answer = talk.answer(press)
    assert answer is not None
    assert answer.kind == "local"
    assert "turn_detection" in str(answer.error)
    assert (talk.sent(), talk.stops) == ([], [])


def test_a_second_press_and_a_release_of_nothing_are_refused() -> None:
    """Scenario 38: `LocalProtocolError`."""
    talk = manual()
    release = talk.ask(asks.Release())
    talk.ask(asks.Press())
    again = talk.ask(asks.Press())
    kinds = [getattr(talk.answer(one), "kind", None) for one in (release, again)]
    assert kinds == ["local", "local"]
    assert talk.sent() == ["clear"]


def test_a_turn_by_button_begins_and_ends_for_the_application() -> None:
    """Scenario 38."""
    talk = manual()
    talk.ask(asks.Press())
    talk.capture(200)
    talk.ask(asks.Release())
    (started,) = talk.told(TurnStarted)
    (ended,) = talk.told(TurnEnded)
    assert (started.role, ended.role, ended.status) == ("user", "user", "completed")


def test_a_typed_message_interrupts_as_speech_does_then_says_its_piece() -> None:
    """Scenario 42."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.Say("Stop, please."))
    assert talk.sent() == ["cancel r1"]
    talk.stopped({"A": 700})
    assert talk.sent() == ["truncate A/0 700", "say Stop, please."]
    talk.cancelled(reason="client_cancelled")
    assert talk.sent() == ["create"]
    talk.agree()
    (settled,) = talk.told(InterruptionSettled)
    assert settled.askers == ("typed",)


def test_a_typed_message_over_a_reply_that_is_done_cancels_nothing() -> None:
    """Scenario 42: the reply is still in the ear, but no longer being made."""
    talk = Talk()
    talk.speaking(ms=10_000)
    talk.done()
    talk.heard("A", 700)
    talk.ask(asks.Say("Stop, please."))
    talk.stopped({"A": 700})
    assert talk.sent() == ["truncate A/0 700", "say Stop, please.", "create"]


def test_a_typed_message_is_answered_by_the_response_that_names_it() -> None:
    """Scenario 42: the reply that comes is the ask's."""
    talk = Talk()
    ask = talk.ask(asks.Say("Hello."))
    assert talk.sent() == ["say Hello.", "create"]
    talk.answer_create("r1")
    (started,) = talk.told(TurnStarted)
    assert (started.response_id, started.ask_ids) == ("r1", (ask,))


def test_a_message_without_a_reply_interrupts_nothing_and_asks_for_nothing() -> None:
    """Scenario 42, `reply=False`."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.Say("For your information.", reply=False))
    assert (talk.sent(), talk.stops) == (["say For your information."], [])


def test_a_message_typed_while_the_user_speaks_waits_for_the_floor() -> None:
    """Rules 7 and 13: the create waits while the user speaks, and the turn's own answer pays."""
    talk = Talk()
    talk.speech_started()
    answer = talk.answer(talk.ask(asks.Say("And quickly.")))
    assert answer is not None
    assert talk.sent() == ["say And quickly."]
    talk.user_item(answer.value, None, "And quickly.")
    talk.speech_ended()
    talk.pass_ms(300)
    talk.response("r1")
    talk.done("r1")
    talk.pass_ms(30_000)
    assert talk.sent() == []
