"""Scenarios 14 to 19: cancels, and what crosses them on the way."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein import events
from bargein.core import asks
from bargein.core.notices import Fault, Interruption, InterruptionSettled, TurnEnded


def test_sound_of_a_cut_reply_that_arrives_late_is_dropped() -> None:
    """Scenario 14."""
    talk = Talk()
    talk.speaking(ms=2_000)
    talk.cut_at(700)
    talk.delta("A", 300)
    talk.cancelled()
    assert talk.sent() == ["truncate A/0 700"]
    assert talk.played_ms("A") == 2_000
    assert len(talk.stops) == 1


def test_what_arrived_late_does_not_make_the_next_speech_cut_again() -> None:
    """Scenario 15."""
    talk = Talk()
    talk.speaking(ms=2_000)
    talk.cut_at(700)
    talk.delta("A", 300)
    talk.cancelled()
    talk.truncated("A", 700)
    talk.pass_ms(2_000)
    talk.sent()
    talk.speech_started("U2")
    assert talk.sent() == []
    assert len(talk.stops) == 1
    assert len(talk.told(Interruption)) == 1


def test_under_turn_detection_that_cancels_no_cancel_meets_the_next_response() -> None:
    """Scenario 16."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    talk.cancelled()
    talk.stopped({"A": 700})
    talk.speech_ended()
    talk.speaking("r2", "B")
    assert talk.sent() == ["truncate A/0 700"]
    assert talk.played_ms("B") == 2_000


def test_a_bare_cancel_of_the_application_names_the_response_it_means() -> None:
    """Scenario 16: so it cannot hit the next response."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.SendEvent(events.ResponseCancel()))
    assert talk.sent() == ["cancel r1"]


def test_a_cancel_that_crosses_the_end_of_its_response_is_absorbed() -> None:
    """Scenario 16: the refusal tells nobody anything new, and the next response is untouched."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.Interrupt())
    talk.done()
    talk.stopped({"A": 700})
    talk.speaking("r2", "B")
    talk.refuse_the_cancel()
    assert talk.sent() == ["cancel r1", "truncate A/0 700"]
    assert talk.told(Fault) == []
    assert talk.played_ms("B") == 2_000


def test_after_response_done_nothing_is_cancelled() -> None:
    """Rule 9, whoever asks."""
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.done()
    talk.heard("A", 700)
    talk.ask(asks.Interrupt())
    talk.stopped({"A": 700})
    assert talk.sent() == ["truncate A/0 700"]


def test_a_reply_cut_before_it_was_created_is_cancelled_when_it_appears() -> None:
    """Scenario 17."""
    talk = Talk()
    reply = talk.ask(asks.Respond())
    assert talk.sent() == ["create"]
    stop = talk.ask(asks.Interrupt())
    assert talk.answer(stop) is not None, "there is nothing to be silenced"
    assert talk.stops == []
    talk.answer_create("r1")
    assert talk.sent() == ["cancel r1"]
    talk.item("A")
    talk.delta("A", 500)
    talk.cancelled(reason="client_cancelled")
    assert talk.played_ms("A") == 0
    assert talk.sent() == ["delete A"]
    talk.agree()
    ended = talk.told(TurnEnded)[-1]
    assert (ended.status, ended.ask_ids) == ("cancelled", (reply,))
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.askers, settled.response_ids) == (("interrupt",), ("r1",))


def test_a_cut_of_a_reply_to_come_touches_only_that_reply() -> None:
    """Rule 8: the memory ends with its `created`; it is no flag."""
    talk = Talk()
    talk.ask(asks.Respond())
    talk.ask(asks.Interrupt())
    talk.answer_create("r1")
    talk.cancelled("r1", "client_cancelled")
    talk.ask(asks.Respond())
    talk.answer_create("r2")
    talk.item("B")
    talk.delta("B", 500)
    assert talk.sent() == ["create", "cancel r1", "create"]
    assert talk.played_ms("B") == 500


def test_the_memory_of_a_cut_create_ends_with_its_error() -> None:
    """Rule 8: refused, so what comes next is not meant."""
    talk = Talk()
    talk.ask(asks.Respond())
    talk.ask(asks.Interrupt())
    talk.refuse(
        events.ResponseCreate,
        "Conversation is too long to create a Response.",
        "conversation_too_long",
    )
    talk.response("r1")
    talk.item("A")
    talk.delta("A", 500)
    assert talk.sent() == ["create"]
    assert talk.played_ms("A") == 500
    assert len(talk.told(InterruptionSettled)) == 1


def test_a_turn_cut_before_the_service_answered_it_is_cancelled_when_answered() -> None:
    """Rule 8: the turns committed under `create_response` are requests too."""
    talk = Talk()
    talk.speech_started()
    talk.speech_ended()
    talk.ask(asks.Interrupt())
    talk.response("r1")
    assert talk.sent() == ["cancel r1"]
    talk.item("A")
    talk.delta("A", 500)
    assert talk.played_ms("A") == 0


def test_of_two_turns_the_newer_says_whether_the_answer_is_cut() -> None:
    """Rule 8: the user spoke again after the stop, so the answer is wanted."""
    talk = Talk()
    talk.speech_started("U1")
    talk.speech_ended("U1")
    talk.ask(asks.Interrupt())
    talk.speech_started("U2")
    talk.speech_ended("U2")
    talk.response("r1")
    talk.item("A")
    talk.delta("A", 500)
    assert talk.sent() == []
    assert talk.played_ms("A") == 500


def test_the_stop_button_cancels_under_turn_detection_that_cancels_only_speech() -> None:
    """Scenario 18."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    stop = talk.ask(asks.Interrupt())
    assert talk.sent() == ["cancel r1"]
    assert talk.answer(stop) is None, "it returns after the stop"
    talk.stopped({"A": 700})
    assert talk.sent() == ["truncate A/0 700"]
    answer = talk.answer(stop)
    assert answer is not None
    assert isinstance(answer.value, Interruption)
    assert answer.value.heard_ms == 700
    talk.delta("A", 500)
    assert talk.played_ms("A") == 2_000


def test_a_second_stop_finds_nothing_to_stop() -> None:
    """Scenario 18: the button is idempotent."""
    talk = Talk()
    talk.speaking()
    talk.cut_at(700)
    talk.cancelled()
    talk.agree()
    talk.sent()
    again = talk.ask(asks.Interrupt())
    answer = talk.answer(again)
    assert answer is not None
    assert answer.value is None
    assert talk.sent() == []


@pytest.mark.parametrize("interrupts", [False, True])
def test_a_policy_that_keeps_talking_holds_where_the_service_does_not_cancel(
    interrupts: bool,
) -> None:
    """Scenario 19; where the service cancels by itself, silence is the only truth."""
    turns = {**FALSE_VAD, "interrupt_response": interrupts}
    talk = Talk(turns, barge_in="keep_talking")
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    assert len(talk.stops) == interrupts
    assert talk.sent() == []
    assert talk.floor == "user"


def test_no_cancel_follows_a_response_over_late() -> None:
    """Rule 7: 5 s after a cancel the response counts as over, and the next one is asked for."""
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.Interrupt())
    talk.stopped({"A": 700})
    talk.ask(asks.Respond())
    talk.truncated("A", 700)
    assert talk.sent() == ["cancel r1", "truncate A/0 700"]
    talk.pass_ms(4_999)
    assert talk.sent() == []
    talk.pass_ms(1)
    assert talk.sent() == ["create"]


def test_the_refusal_of_a_cancel_that_came_too_late_is_absorbed_however_late_it_is() -> None:
    """A link that stalls brings it long after the response's own end."""
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.cut_at(700)
    talk.done("r1")
    talk.agree()
    talk.pass_ms(60_000)
    assert talk.machine.deadline_us is None
    talk.refuse_the_cancel()
    assert talk.told(Fault) == []
