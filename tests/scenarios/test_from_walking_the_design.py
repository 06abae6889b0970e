"""Scenarios 47 to 54: what came up when the design was walked, again and again."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.rig import FALSE_VAD, SERVER_VAD, Talk

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core import asks, inputs
from bargein.core.notices import Fault, Interruption, InterruptionSettled, TurnEnded


def test_a_newer_response_is_not_played_until_the_stop_is_answered() -> None:
    """Scenario 47: it is not part of the cut, and then plays whole."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    talk.cancelled()
    talk.speaking("r2", "C", 1_000)
    assert talk.played_ms("C") == 0
    talk.stopped({"A": 700})
    assert talk.played_ms("C") == 1_000
    talk.delta("C", 500)
    assert talk.played_ms("C") == 1_500
    talk.done("r2")
    talk.agree()
    assert talk.sent() == ["truncate A/0 700"]
    (settled,) = talk.told(InterruptionSettled)
    assert settled.response_ids == ("r1",)
    assert [part.item_id for part in settled.parts] == ["A"]


def test_a_newer_response_is_held_back_no_longer_than_a_player_may_take_to_answer() -> None:
    """Scenario 47 and the player that breaks its word for 200 ms: it is treated as `Unknown`."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    talk.cancelled()
    talk.speaking("r2", "C", 1_000)
    talk.pass_ms(199)
    assert (talk.sent(), talk.played_ms("C")) == ([], 0)
    talk.pass_ms(1)
    assert (talk.sent(), talk.played_ms("C")) == (["truncate A/0 700"], 1_000)
    talk.truncated("A", 700)
    (settled,) = talk.told(InterruptionSettled)
    assert settled.exactness == "inexact"


def test_a_second_answer_to_a_stop_that_says_less_is_truncated_once_more() -> None:
    """Scenario 48."""
    talk = Talk()
    talk.speaking()
    talk.cut_at(900)
    talk.stopped({"A": 860})
    assert talk.sent() == ["truncate A/0 900", "truncate A/0 860"]
    talk.cancelled()
    talk.truncated("A", 900)
    assert talk.told(InterruptionSettled) == [], "the older one's answer settles nothing"
    talk.truncated("A", 860)
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.heard_ms, settled.kept_ms, settled.drift_ms) == (860, 860, 0)


def test_a_second_answer_to_a_stop_that_says_more_is_recorded_only() -> None:
    """Scenario 48: what is cut from a memory does not come back."""
    talk = Talk()
    talk.speaking()
    talk.cut_at(900)
    talk.stopped({"A": 940})
    assert talk.sent() == ["truncate A/0 900"]
    talk.cancelled()
    talk.agree()
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.heard_ms, settled.kept_ms, settled.drift_ms) == (940, 900, -40)


@pytest.mark.parametrize("ms", [2_000, 1_995, 1_960])
def test_a_part_left_whole_is_kept_whole_whatever_the_second_answer_says(ms: int) -> None:
    """Scenario 48 for a player that is off: by its margin the part was taken for wholly heard."""
    talk = Talk()
    talk.speaking()
    talk.audio_done("A")
    talk.item_done("A")
    talk.done("r1")
    talk.speaking("r2", "B", 1_000)
    talk.heard("A", 1_970)
    talk.speech_started()
    talk.stopped({"A": 1_970, "B": 0}, margin=960)
    talk.stopped({"A": ms, "B": 0}, margin=0 if ms == 2_000 else 960)
    talk.cancelled("r2")
    talk.agree()
    (part, _) = talk.told(InterruptionSettled)[-1].parts
    assert (part.action, part.heard_ms, part.kept_ms) == ("none", ms, 2_000)
    assert "truncate A/0" not in " ".join(talk.sent())


def test_a_second_answer_like_the_first_changes_nothing() -> None:
    """Scenario 48."""
    talk = Talk()
    talk.speaking()
    talk.cut_at(900)
    before = len(talk.commands)
    talk.stopped({"A": 900})
    assert len(talk.commands) == before


@pytest.mark.parametrize(("ms", "again"), [(860, True), (940, False)])
def test_a_settled_record_is_corrected_by_a_late_answer(ms: int, again: bool) -> None:
    """Scenario 48, after all was acknowledged."""
    talk = Talk()
    talk.speaking()
    talk.cut_at(900)
    talk.cancelled()
    talk.agree()
    talk.sent()
    talk.stopped({"A": ms})
    assert talk.sent() == ([f"truncate A/0 {ms}"] if again else [])
    talk.agree()
    first, second = talk.told(InterruptionSettled)
    assert first.cut_id == second.cut_id
    assert (first.heard_ms, second.heard_ms) == (900, ms)
    assert second.kept_ms == min(ms, 900)


@pytest.mark.parametrize("answered", [False, True], ids=["stop unanswered", "stop answered"])
@pytest.mark.parametrize("turns", [SERVER_VAD, FALSE_VAD], ids=["cancels", "only tells"])
def test_two_askers_make_one_cut(turns: dict[str, Any], answered: bool) -> None:
    """Scenario 49: one stop, one truncate, at most one cancel, one record naming both."""
    talk = Talk(turns)
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.Interrupt())
    if answered:
        talk.stopped({"A": 700})
    talk.pass_ms(80)
    talk.speech_started()
    if not answered:
        talk.stopped({"A": 700})
    talk.cancelled()
    talk.agree()
    assert talk.sent() == ["cancel r1", "truncate A/0 700"]
    assert len(talk.stops) == 1
    (settled,) = talk.told(InterruptionSettled)
    assert settled.askers == ("interrupt", "speech")


def test_a_button_pressed_after_speech_was_detected_cancels_nothing() -> None:
    """Scenario 49 the other way round: the service has cancelled already."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    talk.pass_ms(80)
    stop = talk.ask(asks.Interrupt())
    talk.stopped({"A": 700})
    assert talk.sent() == ["truncate A/0 700"]
    answer = talk.answer(stop)
    assert answer is not None
    assert answer.value.askers == ("speech", "interrupt")
    assert len(talk.stops) == 1


def _call_and_output(talk: Talk) -> None:
    """The model called a tool, and the application sends the result while the user speaks."""
    talk.response("r1")
    talk.receive(
        "response.output_item.done",
        response_id="r1",
        output_index=0,
        item={
            "id": "F",
            "type": "function_call",
            "status": "completed",
            "name": "weather",
            "call_id": "call_1",
            "arguments": "{}",
        },
    )
    talk.response_done("r1")
    talk.speech_started()
    talk.sent()
    item = events.FunctionCallOutputItem(id="out", call_id="call_1", output="rain")
    talk.ask(asks.SendEvent(events.ConversationItemCreate(item=item)))
    talk.ask(asks.SendEvent(events.ResponseCreate()))


def _output_added(talk: Talk) -> None:
    talk.receive(
        "conversation.item.added",
        previous_item_id=None,
        item={"id": "out", "type": "function_call_output", "call_id": "call_1", "output": "rain"},
    )


def test_a_tool_s_output_goes_out_at_once_and_its_reply_waits_for_the_floor() -> None:
    """Scenario 50: the service's own answer, made after the output was there, pays."""
    talk = Talk()
    _call_and_output(talk)
    assert talk.sent() == ["output rain"]
    _output_added(talk)
    talk.speech_ended()
    talk.response("r2")
    talk.done("r2")
    talk.pass_ms(30_000)
    assert talk.sent() == []


def test_an_answer_that_was_begun_before_the_tool_s_output_was_there_does_not_pay_for_it() -> None:
    """Scenario 50: the model has not seen the result, so one create is owed."""
    talk = Talk()
    _call_and_output(talk)
    talk.speech_ended()
    talk.response("r2")
    _output_added(talk)
    assert talk.sent() == ["output rain"]
    talk.done("r2")
    talk.pass_ms(30_000)
    assert talk.sent() == ["create"]


@pytest.mark.parametrize("learned", ["at the start", "from a change of device"])
def test_a_player_that_cannot_tell_is_not_waited_for_and_deletes_nothing(learned: str) -> None:
    """Scenario 51: the estimate is marked inexact."""
    margin = None if learned == "at the start" else 0
    talk = Talk(player_margin_samples=margin)
    if learned != "at the start":
        talk.give(inputs.DeviceChanged(None, "a loudspeaker on the network"))
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    assert len(talk.stops) == 1
    assert talk.sent() == ["truncate A/0 700"]
    talk.cancelled()
    talk.agree()
    (record,) = talk.told(Interruption)
    assert record.margin_samples is None
    (settled,) = talk.told(InterruptionSettled)
    assert settled.exactness == "inexact"


def test_a_player_that_cannot_tell_has_its_unheard_reply_truncated_and_kept() -> None:
    """Scenario 51: its 0 is an estimate."""
    talk = Talk(player_margin_samples=None)
    talk.speaking()
    talk.speech_started()
    talk.cancelled()
    assert talk.sent() == ["truncate A/0 0"]
    talk.agree()
    talk.pass_ms(10_000)
    assert talk.sent() == []
    assert talk.mirror == ["A"]


def test_what_was_never_given_to_such_a_player_is_deleted_all_the_same() -> None:
    """Scenario 51: that is not its word but ours."""
    talk = Talk(player_margin_samples=None)
    talk.response("r1")
    talk.item("A")
    talk.part("A")
    talk.speech_started()
    talk.cancelled()
    assert talk.sent() == ["delete A"]


def test_a_player_with_a_margin_says_so_in_the_record() -> None:
    """Scenario 51's neighbour: `Within(samples)` is acted upon."""
    talk = Talk(player_margin_samples=480)
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    talk.stopped({"A": 700}, margin=480)
    talk.cancelled()
    talk.agree()
    (settled,) = talk.told(InterruptionSettled)
    assert settled.exactness == "within"


@pytest.mark.parametrize("known", ["at speech_started", "at audio.done", "at response.done"])
def test_a_starved_part_of_a_cancelled_response_is_truncated_at_what_arrived(known: str) -> None:
    """Scenario 52: the server made more than it sent, and `output_audio.done` proves nothing."""
    talk = Talk()
    talk.speaking(ms=2_000)
    talk.heard("A", 2_000)
    if known == "at speech_started":
        talk.speech_started()
        talk.stopped({"A": 2_000})
    talk.audio_done("A")
    if known == "at audio.done":
        talk.speech_started()
    talk.item_done("A", "incomplete")
    talk.response_done(status="cancelled", reason="turn_detected")
    assert talk.sent() == ["truncate A/0 2000"]


def test_a_completed_item_of_a_cancelled_response_is_left_alone_when_it_was_heard() -> None:
    """Rule 4 beside scenario 52: truncating it would lose its transcript for nothing."""
    talk = Talk()
    talk.speaking(ms=2_000)
    talk.item_done("A", "completed")
    talk.heard("A", 2_000)
    talk.speech_started()
    talk.response_done(status="cancelled", reason="turn_detected")
    assert talk.sent() == []


def test_a_refused_automatic_answer_is_asked_for_once_when_the_floor_is_free() -> None:
    """Scenario 53."""
    turns = {**FALSE_VAD, "create_response": True}
    talk = Talk(turns, barge_in="keep_talking")
    talk.speaking(ms=3_000)
    talk.heard("A", 700)
    talk.speech_started()
    talk.speech_ended()
    talk.refuse_as_active("r1", ours=False)
    talk.done()
    assert talk.sent() == [], "the reply is still being heard"
    talk.heard("A", 3_000)
    assert talk.sent() == ["create"]
    talk.answer_create("r2")
    talk.done("r2")
    talk.pass_ms(30_000)
    assert talk.sent() == []
    assert talk.told(Fault) == [], "it crossed; nobody is told"


def test_a_debt_that_another_response_paid_is_not_asked_for() -> None:
    """Scenario 53 and rule 13: any later response of the default conversation pays."""
    turns = {**FALSE_VAD, "create_response": True}
    talk = Talk(turns, barge_in="keep_talking")
    talk.speaking(ms=3_000)
    talk.heard("A", 700)
    talk.speech_started()
    talk.speech_ended()
    talk.refuse_as_active("r1", ours=False)
    talk.done()
    talk.speaking("r2", "B", 500)
    talk.done("r2")
    talk.heard("A", 3_000)
    talk.heard("B", 500)
    talk.pass_ms(30_000)
    assert talk.sent() == []


def test_a_debt_that_was_paid_while_its_create_was_under_way_is_not_asked_for_again() -> None:
    """Rule 13: the create crossed the service's answer to the next turn. An ask is sent again,
    for its answer has to be told."""
    turns = {**FALSE_VAD, "create_response": True}
    talk = Talk(turns, barge_in="keep_talking")
    talk.speaking(ms=300)
    talk.speech_started()
    talk.speech_ended()
    talk.refuse_as_active("r1", ours=False)
    talk.heard("A", 300)
    talk.done()
    assert talk.sent() == ["create"]
    talk.speech_started("U2", 3_000)
    talk.speech_ended("U2", 4_000)
    talk.speaking("r2", "B", 500)
    talk.refuse_as_active("r2")
    talk.done("r2")
    talk.heard("B", 500)
    talk.pass_ms(30_000)
    assert talk.sent() == []
    assert talk.told(Fault) == [], "it crossed; nobody is told"


def test_a_turn_that_the_service_never_answers_is_asked_for_after_a_while() -> None:
    """Rule 13: time enough was given."""
    talk = Talk()
    talk.speech_started()
    talk.speech_ended()
    talk.pass_ms(4_999)
    assert talk.sent() == []
    talk.pass_ms(1)
    assert talk.sent() == ["create"]


def test_a_length_on_a_coarse_grid_is_refused_once_and_learned() -> None:
    """Scenario 54: received 2680, heard 2670, and the server counts in steps of 50."""
    talk = Talk()
    talk.speaking(ms=2_680)
    talk.heard("A", 2_670)
    talk.speech_started()
    talk.stopped({"A": 2_670})
    talk.cancelled()
    talk.sent()
    talk.refuse_as_shorter(2_650)
    assert talk.sent() == ["truncate A/0 2650"]
    talk.agree()
    talk.speech_ended()
    talk.speaking("r2", "B", 3_130)
    talk.heard("B", 3_120)
    talk.speech_started("U2")
    talk.stopped({"B": 3_120})
    assert talk.sent() == ["truncate B/0 3100"]


def test_a_completed_part_on_a_coarse_grid_settles_at_the_refusal_and_the_next_needs_none() -> None:
    """Scenario 54: completed, and heard to the grid; the second one is left alone."""
    talk = Talk()
    talk.speaking(ms=2_680)
    talk.done()
    talk.cut_at(2_670)
    talk.sent()
    talk.refuse_as_shorter(2_650)
    assert talk.sent() == []
    talk.speech_ended()
    talk.speaking("r2", "B", 3_130)
    talk.done("r2")
    talk.heard("B", 3_120)
    talk.speech_started("U2")
    talk.stopped({"B": 3_120})
    talk.pass_ms(10_000)
    assert talk.sent() == []


def test_a_turn_stopped_within_the_last_step_of_a_coarse_grid_ends() -> None:
    """Scenario 54, where nothing has to be sent: what was left of the part is never heard."""
    talk = Talk(can=Capabilities(lengths_grid_ms=50))
    talk.speaking(ms=1_648)
    talk.audio_done("A")
    talk.item_done("A")
    talk.done("r1")
    talk.cut_at(1_610)
    talk.pass_ms(10_000)
    assert talk.sent() == []
    assert [one.response_id for one in talk.told(TurnEnded) if one.role == "assistant"] == ["r1"]


def test_a_reply_that_the_service_broke_off_is_no_cut_once_the_pipe_is_gone() -> None:
    """Scenario 52 behind the end: nobody is there to be told, and nothing can be sent."""
    talk = Talk()
    talk.speaking(ms=300)
    talk.audio_done("A")
    talk.item_done("A", "incomplete")
    talk.done("r1", "cancelled")
    talk.give(inputs.PipeClosed(1001, ""))
    talk.heard("A", 300)
    assert talk.told(Interruption) == []
    assert [one.status for one in talk.told(TurnEnded)] == ["cancelled"]


def test_a_cut_without_a_stop_is_as_good_as_the_player_is() -> None:
    """Scenario 52: what was counted as heard is off by the player's margin."""
    talk = Talk(player_margin_samples=24)
    talk.speaking(ms=300)
    talk.audio_done("A")
    talk.item_done("A", "incomplete")
    talk.heard("A", 299)
    talk.done("r1", "cancelled")
    talk.agree()
    (told,) = talk.told(Interruption)
    (settled,) = talk.told(InterruptionSettled)
    assert (told.margin_samples, settled.exactness) == (24, "within")


@pytest.mark.parametrize("refused", ["before", "behind"])
def test_what_could_not_be_deleted_and_was_heard_after_all_is_truncated(refused: str) -> None:
    """Scenario 48 where the service refuses deletes: the better word comes before or behind it."""
    talk = Talk()
    talk.speaking()
    talk.cut_at(0)
    talk.cancelled()
    assert talk.sent() == ["delete A"]
    if refused == "before":
        talk.refuse(events.ConversationItemDelete, "No.", "unsupported_event")
        talk.stopped({"A": 25})
    else:
        talk.stopped({"A": 25})
        talk.refuse(events.ConversationItemDelete, "No.", "unsupported_event")
    assert talk.sent() == ["truncate A/0 25"]
    talk.agree()
    assert talk.told(InterruptionSettled)[-1].kept_ms == 25


@pytest.mark.parametrize("declared", [True, False])
def test_what_may_have_been_deleted_is_not_truncated_on_a_better_word(declared: bool) -> None:
    """Scenario 48 for a service that acknowledges nothing, and says so or not."""
    talk = Talk(can=Capabilities(acknowledges=not declared))
    talk.speaking()
    talk.cut_at(0)
    talk.cancelled()
    assert talk.sent() == ["delete A"]
    talk.pass_ms(0 if declared else 2_000)
    talk.stopped({"A": 65})
    assert talk.sent() == []
