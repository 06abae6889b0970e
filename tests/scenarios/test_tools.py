"""Scenarios 27 to 33 and 50: the model calls functions, and the session answers its calls."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.scenarios.rig import SERVER_VAD, Talk

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.notices import Fault, ToolAnswered, ToolCalled, TurnEnded
from bargein.core.settings import AtBargeIn, ToolRule

MINUTE_MS = 60_000
CUT_OFF = '{"to":"bob","amount":10'


def calling(**rule: Any) -> Talk:
    """A session of one tool, and a response of which nothing has come yet."""
    talk = Talk(tools=(ToolRule(name="weather", **rule),))
    talk.response("r1")
    talk.sent()
    return talk


def runs(talk: Talk) -> list[str]:
    return [command.call_id for command in talk.done_of(commands.RunTool)]


def cancels(talk: Talk) -> list[str]:
    return [command.call_id for command in talk.done_of(commands.CancelTool)]


def answers(talk: Talk) -> list[str]:
    return [one.status for one in talk.told(ToolAnswered)]


def outputs(talk: Talk) -> list[str]:
    """What the model was told of its calls, in order."""
    items = [event.item for event in talk.events_sent(events.ConversationItemCreate)]
    return [item.output for item in items if isinstance(item, events.FunctionCallOutputItem)]


def kinds(talk: Talk) -> list[str]:
    """The first word of each line that was sent since."""
    return [line.split(" ")[0] for line in talk.sent()]


def test_a_call_whose_arguments_were_cut_off_is_not_run_but_closed_and_reported() -> None:
    """Scenario 27."""
    talk = calling()
    item = talk.call("c1", arguments=CUT_OFF, status="incomplete")
    body = {"id": "r1", "status": "incomplete", "output": [item], "conversation_id": "conv_1"}
    details = {"type": "incomplete", "reason": "max_output_tokens"}
    talk.receive("response.done", response={**body, "status_details": details})
    assert (talk.told(ToolCalled), runs(talk)) == ([], [])
    assert answers(talk) == ["incomplete"]
    assert "was cut off" in json.loads(outputs(talk)[0])["error"]
    assert [one.status for one in talk.told(TurnEnded)] == ["incomplete"]
    assert kinds(talk) == ["output", "create"], "the assistant does not fall silent"


def test_a_call_that_is_cut_off_again_and_again_is_spoken_about_once() -> None:
    """Scenario 27 under a limit that is too small for the call: no answer runs for ever."""
    talk = calling()
    for number in range(1, 4):
        talk.call(f"c{number}", arguments=CUT_OFF, status="incomplete")
        talk.take_items()
        talk.response_done(f"r{number}", "incomplete", "max_output_tokens")
        assert kinds(talk) == (["output", "create"] if number == 1 else ["output"])
        if number == 1:
            talk.answer_create("r2")
        else:
            talk.response(f"r{number + 1}")
    talk.response_done("r4")
    talk.response("r5")
    talk.call("c5", arguments=CUT_OFF, status="incomplete")
    talk.take_items()
    talk.response_done("r5", "incomplete", "max_output_tokens")
    assert kinds(talk) == ["output", "create"], "one that ended well begins the count anew"


def test_without_tools_of_ours_a_call_that_was_cut_off_is_reported_and_left_alone() -> None:
    """Scenario 27: the application answers its calls, and learns which one it cannot run."""
    talk = Talk()
    talk.response("r1")
    talk.call("c1", arguments=CUT_OFF, status="incomplete")
    talk.response_done("r1", "incomplete", "max_output_tokens")
    talk.pass_ms(MINUTE_MS)
    assert (talk.told(ToolCalled), answers(talk), talk.sent()) == ([], ["incomplete"], [])


@pytest.mark.parametrize(
    ("policy", "told"), [("finish", "returned"), ("cancel", "cancelled"), ("background", "")]
)
def test_a_user_who_speaks_while_a_tool_runs_is_heard_at_once_and_not_spoken_over(
    policy: AtBargeIn, told: str
) -> None:
    """Scenario 28: 3 s of a tool, speech from its 1st second to the 6th."""
    talk = calling(at_barge_in=policy)
    talk.item("A")
    talk.delta("A", 2_000)
    talk.call("c1")
    talk.heard("A", 1_000)
    talk.pass_ms(1_000)
    talk.speech_started()
    assert len(talk.stops) == 1, "the stop does not wait for the tool"
    talk.stopped({"A": 1_000})
    talk.cancelled()
    talk.agree()
    assert "truncate A/0 1000" in talk.sent()
    talk.take_items()
    talk.pass_ms(2_000)
    talk.give(inputs.ToolReturned("c1", "rain"))
    talk.take_items()
    talk.pass_ms(3_000)
    said = [outputs(talk)[0]]
    assert len(outputs(talk)) == 1, "one call, one output"
    assert ("rain" in said) is (policy == "finish")
    assert "create" not in talk.sent(), "the user speaks"
    talk.speech_ended()
    talk.response("r2")
    talk.response_done("r2")
    talk.pass_ms(MINUTE_MS)
    assert "create" not in talk.sent(), "the user's own reply has seen it all"
    assert answers(talk)[0] == (told or "returned")


def test_the_reply_to_a_user_who_spoke_while_the_tool_ran_is_followed_by_the_result() -> None:
    """Scenario 28 where the tool outlasts the user's turn: the reply could not use its result."""
    talk = calling()
    talk.call("c1")
    talk.response_done("r1")
    talk.speech_started()
    talk.speech_ended()
    talk.speaking("r2", "B", 1_000)
    talk.give(inputs.ToolReturned("c1", "rain"))
    talk.take_items()
    talk.done("r2")
    assert talk.sent() == ["output rain"], "the reply is still being heard"
    talk.heard("B", 1_000)
    assert talk.sent() == ["create"]


def test_the_output_of_a_fast_tool_is_sent_at_once_and_its_reply_asked_for_after_the_end() -> None:
    """Scenario 29."""
    talk = calling()
    talk.call("c1")
    talk.give(inputs.ToolReturned("c1", "rain"))
    assert talk.sent() == ["output rain"]
    talk.take_items()
    talk.pass_ms(4_000)
    assert talk.sent() == [], "a create beside an open response would be refused"
    talk.response_done("r1")
    assert talk.sent() == ["create"]


@pytest.mark.parametrize("status", ["completed", "incomplete"])
def test_a_call_of_a_response_that_is_cut_leaves_nothing_dangling(status: str) -> None:
    """Scenario 30: the response ends behind the user's speech, with the call whole or not."""
    talk = calling()
    talk.item("A")
    talk.delta("A", 2_000)
    talk.cut_at(700)
    talk.call("c1", arguments="{}" if status == "completed" else CUT_OFF, status=status)
    talk.cancelled()
    talk.agree()
    assert runs(talk) == []
    assert answers(talk) == ["cancelled" if status == "completed" else "incomplete"]
    assert len(outputs(talk)) == 1
    talk.take_items()
    talk.speech_ended()
    talk.response("r2")
    talk.response_done("r2")
    talk.pass_ms(MINUTE_MS)
    assert "create" not in talk.sent()


@pytest.mark.parametrize("policy", ["finish", "cancel"])
def test_a_tool_that_ran_when_its_response_was_cancelled_ends_as_its_policy_says(
    policy: AtBargeIn,
) -> None:
    """Scenario 30: `arguments.done`, then speech, then `cancelled`; the tool runs already."""
    talk = calling(at_barge_in=policy)
    talk.call("c1")
    talk.speech_started()
    talk.response_done("r1", "cancelled", "turn_detected")
    assert (runs(talk), cancels(talk)) == (["c1"], ["c1"] if policy == "cancel" else [])
    talk.give(inputs.ToolReturned("c1", "rain"))
    talk.take_items()
    talk.speech_ended()
    talk.response("r2")
    talk.response_done("r2")
    talk.pass_ms(MINUTE_MS)
    assert len(outputs(talk)) == 1
    assert kinds(talk) == ["output"], "recorded silently: the user's reply has seen it"


def test_a_tool_that_raises_is_an_error_the_model_speaks_about_and_the_session_lives() -> None:
    """Scenario 31: what the runner makes of an exception; the next call runs as ever."""
    talk = calling()
    talk.call("c1")
    talk.response_done("r1")
    talk.give(inputs.ToolReturned("c1", '{"error":"The tool failed: OSError."}', failed=True))
    assert kinds(talk) == ["output", "create"]
    talk.take_items()
    talk.answer_create("r2")
    talk.call("c2")
    talk.response_done("r2")
    talk.give(inputs.ToolReturned("c2", "rain"))
    assert talk.sent() == ["output rain", "create"]
    assert answers(talk) == ["failed", "returned"]
    assert talk.told(Fault) == []


def test_a_tool_that_hangs_is_answered_after_its_time_and_never_again() -> None:
    """Scenario 32."""
    talk = calling(timeout_ms=30_000)
    talk.call("c1")
    talk.response_done("r1")
    talk.pass_ms(29_999)
    assert talk.sent() == []
    talk.pass_ms(1)
    assert cancels(talk) == ["c1"]
    assert kinds(talk) == ["output", "create"]
    assert "did not answer in time" in outputs(talk)[0]
    talk.take_items()
    talk.answer_create("r2")
    talk.response_done("r2")
    talk.give(inputs.ToolReturned("c1", "rain"))
    talk.pass_ms(MINUTE_MS)
    assert talk.sent() == []
    assert answers(talk) == ["timed_out", "late"]


def test_an_approval_is_withdrawn_when_the_question_was_interrupted_and_that_is_told() -> None:
    """Scenario 33."""
    talk = calling(approval=True)
    talk.item("A")
    talk.delta("A", 2_000)
    talk.call("c1")
    assert len(talk.done_of(commands.AskApproval)) == 1
    talk.cut_at(500)
    talk.cancelled()
    talk.agree()
    assert (cancels(talk), answers(talk)) == (["c1"], ["cancelled"])
    talk.take_items()
    talk.sent()
    talk.give(inputs.ToolApproved("c1", True))
    talk.pass_ms(MINUTE_MS)
    assert (runs(talk), talk.sent()) == ([], []), "a consent that came too late is none"


def test_an_approval_whose_question_was_heard_is_waited_for_while_the_user_speaks() -> None:
    """Scenario 33: speech after the question was heard whole is how people think aloud."""
    talk = calling(approval=True)
    talk.item("A")
    talk.delta("A", 1_000)
    talk.call("c1")
    talk.done("r1")
    talk.heard("A", 1_000)
    talk.speech_started()
    talk.speech_ended()
    talk.response("r2")
    talk.response_done("r2")
    talk.pass_ms(5 * MINUTE_MS)
    assert (cancels(talk), runs(talk), answers(talk)) == ([], [], [])
    talk.give(inputs.ToolApproved("c1", True))
    assert runs(talk) == ["c1"]
    talk.give(inputs.ToolReturned("c1", "rain"))
    assert talk.sent() == ["output rain", "create"]


@pytest.mark.parametrize("before", [True, False], ids=["created before", "created after"])
def test_a_result_while_the_user_speaks_is_paid_by_the_reply_that_saw_it(before: bool) -> None:
    """Scenario 50, by a tool of the session's own."""
    talk = calling()
    talk.call("c1")
    talk.response_done("r1")
    talk.speech_started()
    talk.give(inputs.ToolReturned("c1", "rain"))
    assert talk.sent() == ["output rain"], "at once"
    if not before:
        talk.take_items()
    talk.speech_ended()
    talk.response("r2")
    talk.take_items()
    talk.response_done("r2")
    assert talk.sent() == (["create"] if before else [])
    talk.pass_ms(MINUTE_MS)
    assert "create" not in talk.sent()


def test_a_tool_and_a_turn_that_were_both_left_unanswered_are_paid_by_one_reply() -> None:
    """Scenarios 50 and 53 together: the floor is asked for once."""
    turns = {**SERVER_VAD, "interrupt_response": False}
    talk = Talk(turns, barge_in="keep_talking", tools=(ToolRule(name="weather"),))
    talk.speaking(ms=3_000)
    talk.call("c1")
    talk.speech_started()
    talk.speech_ended()
    talk.refuse_as_active("r1", ours=False)
    talk.give(inputs.ToolReturned("c1", "rain"))
    talk.take_items()
    talk.done("r1")
    talk.heard("A", 3_000)
    assert talk.sent() == ["output rain", "create"]
    talk.answer_create("r2")
    talk.response_done("r2")
    talk.pass_ms(MINUTE_MS)
    assert talk.sent() == []


def test_a_call_that_was_deleted_by_the_application_is_not_answered() -> None:
    """Scenario 30: removed is as good as answered."""
    talk = calling()
    talk.call("c1")
    talk.response_done("r1")
    talk.ask(asks.SendEvent(events.ConversationItemDelete(item_id="C1")))
    talk.deleted("C1")
    talk.give(inputs.ToolReturned("c1", "rain"))
    talk.pass_ms(MINUTE_MS)
    assert talk.sent() == ["delete C1"]
