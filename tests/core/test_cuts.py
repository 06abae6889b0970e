"""One cut, one record, from the ask to the last acknowledgement."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, SERVER_VAD, Talk

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.cuts import SETTLED_LIMIT
from bargein.core.notices import (
    Interruption,
    InterruptionSettled,
    Transcript,
    TurnEnded,
    TurnStarted,
)


def test_stop_then_tell() -> None:
    """Rule 2: the stop is first, and nothing is truncated on a number from before it."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    before = len(talk.commands)
    talk.speech_started()
    assert isinstance(talk.commands[before], commands.StopPlayback)
    assert talk.sent() == []
    talk.stopped({"A": 742})
    assert talk.sent() == ["truncate A/0 742"]


def test_the_record_is_told_at_the_stop_and_again_when_it_is_settled() -> None:
    """P6: one id, told twice."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    talk.pass_ms(8)
    talk.stopped({"A": 700})
    (record,) = talk.told(Interruption)
    assert (record.askers, record.response_ids) == (("speech",), ("r1",))
    assert (record.heard_ms, record.stop_latency_us) == (700, 8_000)
    assert talk.told(InterruptionSettled) == []
    talk.pass_ms(92)
    talk.cancelled()
    talk.truncated("A", 700)
    (settled,) = talk.told(InterruptionSettled)
    assert settled.cut_id == record.cut_id == talk.stops[0]
    assert (settled.heard_ms, settled.kept_ms, settled.drift_ms) == (700, 700, 0)
    assert (settled.exactness, settled.settle_latency_us) == ("exact", 100_000)
    assert settled.commands == ("conversation.item.truncate",)
    (part,) = settled.parts
    assert (part.action, part.sent_ms, part.answer) == ("truncate", 700, "truncated")
    assert (part.received_samples, part.heard_samples, part.rate) == (48_000, 16_800, 24_000)


def test_a_record_is_not_settled_before_its_response_is_done() -> None:
    talk = Talk()
    talk.speaking()
    talk.cut_at(700)
    talk.truncated("A", 700)
    assert talk.told(InterruptionSettled) == []
    talk.cancelled()
    assert len(talk.told(InterruptionSettled)) == 1


def test_the_turn_of_a_cut_reply_ends_when_its_response_does() -> None:
    talk = Talk()
    talk.speaking()
    talk.words("A", "Once upon a time")
    talk.cut_at(700)
    talk.cancelled()
    ended = talk.told(TurnEnded)
    assert [(one.response_id, one.status, one.cut) for one in ended] == [("r1", "cancelled", True)]


def test_words_after_the_cut_are_not_told() -> None:
    talk = Talk()
    talk.speaking()
    talk.words("A", "Once upon")
    talk.cut_at(700)
    before = len(talk.told(Transcript))
    talk.words("A", " a time")
    talk.all_words("A", "Once upon a time")
    talk.cancelled()
    assert len(talk.told(Transcript)) == before


def test_an_ask_joins_the_cut_that_is_being_made() -> None:
    """Rule 15."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    first = talk.ask(asks.Interrupt())
    second = talk.ask(asks.Interrupt())
    talk.ask(asks.Say("Stop."))
    talk.stopped({"A": 700})
    answers = [talk.answer(first), talk.answer(second)]
    assert [answer.value.cut_id for answer in answers if answer] == talk.stops * 2
    (record,) = talk.told(Interruption)
    assert record.askers == ("interrupt", "typed")


def test_what_appears_while_the_stop_is_unanswered_joins_the_cut() -> None:
    """Rule 15: r2 was begun after the stop, and the second asker means it too."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    talk.cancelled()
    talk.speaking("r2", "B")
    talk.ask(asks.Interrupt())
    assert len(talk.stops) == 1
    talk.stopped({"A": 700})
    talk.cancelled("r2", "client_cancelled")
    talk.agree()
    assert talk.sent() == ["cancel r2", "truncate A/0 700", "delete B"]
    assert talk.played_ms("B") == 0
    (record,) = talk.told(Interruption)
    (settled,) = talk.told(InterruptionSettled)
    assert record.cut_id == settled.cut_id
    assert settled.response_ids == ("r1", "r2")
    assert settled.askers == ("speech", "interrupt")


def test_what_appears_after_the_stop_was_answered_is_a_cut_of_its_own() -> None:
    """Rule 15: r2 was begun after r1 was stopped, and is heard."""
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.done()
    talk.cut_at(700)
    talk.speaking("r2", "B")
    talk.heard("B", 300)
    talk.ask(asks.Interrupt())
    talk.stopped({"B": 300})
    assert talk.sent() == ["truncate A/0 700", "cancel r2", "truncate B/0 300"]
    first, second = talk.told(Interruption)
    assert first.cut_id != second.cut_id
    assert (first.askers, second.askers) == (("speech",), ("interrupt",))


def test_an_answer_to_no_stop_of_ours_changes_nothing() -> None:
    talk = Talk()
    talk.speaking()
    before = len(talk.commands)
    talk.stopped({"A": 700}, cut_id="cut_of_nobody")
    assert len(talk.commands) == before


def test_an_answer_after_the_player_broke_its_word_corrects_the_record() -> None:
    """200 ms late and then some: the estimate was truncated, the truth is smaller."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    talk.pass_ms(200)
    assert talk.sent() == ["truncate A/0 700"]
    talk.stopped({"A": 650})
    assert talk.sent() == ["truncate A/0 650"]
    talk.cancelled()
    talk.agree()
    settled = talk.told(InterruptionSettled)[-1]
    assert (settled.heard_ms, settled.kept_ms, settled.exactness) == (650, 650, "exact")


def test_a_stop_nobody_answers_frees_the_ask_that_waits_for_it() -> None:
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    stop = talk.ask(asks.Interrupt())
    talk.pass_ms(199)
    assert talk.answer(stop) is None
    talk.pass_ms(1)
    answer = talk.answer(stop)
    assert answer is not None
    assert answer.value.margin_samples is None


def test_what_was_finished_when_the_stop_came_was_not_interrupted() -> None:
    """P4: a moot cut leaves no record, and its turn ends as completed."""
    talk = Talk()
    talk.speaking(ms=1_000)
    talk.done()
    talk.heard("A", 999)
    stop = talk.ask(asks.Interrupt())
    talk.stopped({"A": 1_000})
    assert (talk.told(Interruption), talk.told(InterruptionSettled)) == ([], [])
    answer = talk.answer(stop)
    assert answer is not None
    assert answer.value is None
    assert [one.status for one in talk.told(TurnEnded)] == ["completed"]
    assert talk.mirrored("A").state == "there"


def test_only_the_last_few_settled_cuts_can_still_be_corrected() -> None:
    """Bounded: a session may have thousands."""
    talk = Talk()
    count = SETTLED_LIMIT + 2
    for number in range(count):
        talk.speaking(f"r{number}", f"A{number}")
        talk.cut_at(700, f"A{number}")
        talk.cancelled()
        talk.agree()
        talk.speech_ended()
        talk.response_done("none")
    talk.sent()
    talk.stopped({"A0": 600}, cut_id=talk.stops[0])
    assert talk.sent() == []
    talk.stopped({f"A{count - 1}": 600})
    assert talk.sent() == [f"truncate A{count - 1}/0 600"]


@pytest.mark.parametrize("settled", [False, True])
def test_when_the_pipe_ends_the_record_is_lost_and_told(settled: bool) -> None:
    """Rule 14."""
    talk = Talk()
    talk.speaking()
    talk.cut_at(700)
    if settled:
        talk.cancelled()
        talk.agree()
    talk.give(inputs.PipeClosed(1006, "gone"))
    exactness = [one.exactness for one in talk.told(InterruptionSettled)]
    assert exactness == (["exact"] if settled else ["lost"])
    before = len(talk.notices)
    talk.stopped({"A": 100})
    talk.pass_ms(60_000)
    assert talk.sent() == ["truncate A/0 700"]
    assert len(talk.notices) == before, "the record was closed with the pipe"


@pytest.mark.parametrize("turns", [SERVER_VAD, FALSE_VAD])
def test_a_correction_that_names_an_undecided_part_is_what_gets_told(
    turns: dict[str, object],
) -> None:
    """A second answer before the item is over: the delete is decided on the newest number."""
    talk = Talk(turns)
    talk.speaking()
    talk.speech_started()
    talk.stopped({"A": 0})
    talk.stopped({"A": 40})
    talk.cancelled()
    assert talk.sent()[-1] == "truncate A/0 40"


def test_a_reply_that_is_given_up_before_it_is_born_is_cancelled_then_and_never_heard() -> None:
    """Rule 8, for one reply."""
    talk = Talk()
    reply = talk.ask(asks.Respond())
    talk.ask(asks.CancelReply(reply))
    talk.answer_create("r1")
    talk.item("A")
    talk.delta("A", 500)
    assert talk.sent() == ["create", "cancel r1"]
    assert talk.played_ms("A") == 0


def test_giving_up_a_reply_that_a_cut_remembers_joins_that_cut_and_leaves_the_others() -> None:
    """Rule 15: nothing of it is left to be cut. What was asked for since is still wanted."""
    talk = Talk()
    first = talk.ask(asks.Respond())
    talk.ask(asks.Interrupt())
    second = talk.ask(asks.Respond())
    cancel = talk.ask(asks.CancelReply(first))
    (record,) = talk.told(Interruption)
    answer = talk.answer(cancel)
    assert answer is not None
    assert answer.value == record
    talk.answer_create("r1")
    talk.cancelled("r1", "client_cancelled")
    assert talk.sent() == ["create", "cancel r1", "create"]
    talk.answer_create("r2")
    assert [one.ask_ids for one in talk.told(TurnStarted)] == [(first,), (second,)]


def test_an_out_of_band_response_that_says_nothing_aloud_is_not_interrupted() -> None:
    """Rule 9: the user does not hear it, so nobody wants it stopped."""
    talk = Talk(FALSE_VAD)
    talk.ask(asks.Respond(events.ResponseParams(conversation="none")))
    talk.answer_create("r1")
    talk.speech_started()
    assert talk.sent() == ["create"]
    assert talk.told(Interruption) == []


def test_a_cancel_that_waits_is_taken_back_when_the_service_begins_to_cancel() -> None:
    """Rule 9: it never leaves, and the record does not name it."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.give(inputs.Blocked())
    talk.ask(asks.Interrupt())
    talk.stopped({"A": 700})
    talk.speech_started()
    talk.give(inputs.Drained())
    assert talk.sent() == ["truncate A/0 700"]
    talk.cancelled()
    talk.agree()
    (settled,) = talk.told(InterruptionSettled)
    assert settled.commands == ("conversation.item.truncate",)


def test_a_cancel_that_waits_is_taken_back_when_the_response_is_over() -> None:
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.heard("A", 700)
    talk.give(inputs.Blocked())
    talk.ask(asks.Interrupt())
    talk.stopped({"A": 700})
    talk.done()
    talk.give(inputs.Drained())
    assert talk.sent() == ["truncate A/0 700"]
    talk.agree()
    (settled,) = talk.told(InterruptionSettled)
    assert settled.commands == ("conversation.item.truncate",)


def test_a_cancel_out_of_band_that_waits_is_taken_back_when_the_response_is_over() -> None:
    talk = Talk(FALSE_VAD)
    reply = talk.ask(asks.Respond(events.ResponseParams(conversation="none")))
    talk.answer_create("r1")
    talk.sent()
    talk.give(inputs.Blocked())
    talk.ask(asks.CancelReply(reply))
    talk.response_done("r1")
    talk.give(inputs.Drained())
    assert talk.sent() == []


def test_asking_again_while_the_cancel_waits_does_not_move_it() -> None:
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.heard("A", 700)
    talk.give(inputs.Blocked())
    talk.ask(asks.Interrupt())
    talk.stopped({"A": 700})
    talk.ask(asks.Interrupt())
    talk.give(inputs.Drained())
    assert talk.sent() == ["cancel r1", "truncate A/0 700"]


def test_a_cut_of_a_response_that_was_made_whole_waits_for_no_end_of_it() -> None:
    talk = Talk()
    talk.speaking()
    talk.done()
    talk.cut_at(700)
    talk.agree()
    assert len(talk.told(InterruptionSettled)) == 1
    assert talk.machine.deadline_us is None


def test_a_correction_behind_the_close_is_recorded_and_not_said_to_be_sent() -> None:
    talk = Talk()
    talk.speaking()
    talk.cut_at(900)
    talk.cancelled()
    talk.ask(asks.Leave())
    talk.agree()
    assert talk.done_of(commands.Close), "all is settled"
    talk.stopped({"A": 860})
    talk.give(inputs.PipeClosed(1000, ""))
    first, second = talk.told(InterruptionSettled)
    assert second.commands == first.commands == ("conversation.item.truncate",)
    assert (second.heard_ms, second.exactness) == (860, "lost")


def test_what_the_service_cuts_off_meanwhile_does_not_let_sound_past_an_unanswered_stop() -> None:
    """Rule 2: r2 came to nothing by the service's own doing; r3 waits for the stop of r1."""
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.Interrupt())
    talk.response("r2")
    talk.item("B")
    talk.delta("B", 0)
    talk.cancelled("r2", "turn_detected")
    talk.response("r3")
    talk.item("C")
    talk.delta("C", 500)
    assert talk.played_ms("C") == 0
    talk.stopped({"A": 700})
    assert talk.played_ms("C") == 500


@pytest.mark.parametrize("answered", [False, True])
def test_a_correction_names_no_item_that_the_application_has_deleted(answered: bool) -> None:
    talk = Talk()
    talk.speaking()
    talk.cut_at(900)
    talk.cancelled()
    talk.agree()
    talk.ask(asks.SendEvent(events.ConversationItemDelete(item_id="A")))
    if answered:
        talk.deleted("A")
    talk.sent()
    talk.stopped({"A": 860})
    assert talk.sent() == []
