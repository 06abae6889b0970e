"""Each function call is told once, run once and answered once, whatever happens meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.scenarios.rig import Talk

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.calls import REMEMBERED_LIMIT
from bargein.core.notices import ToolAnswered, ToolCalled, TurnEnded, TurnStarted
from bargein.core.settings import AtBargeIn, ToolRule

MINUTE_MS = 60_000


def with_tools(*names: str, **rule: Any) -> Talk:
    """A talk in a session of these tools, in whose first response nothing was said yet."""
    talk = Talk(tools=tuple(ToolRule(name=name, **rule) for name in names or ("weather",)))
    talk.response("r1")
    talk.sent()
    return talk


def runs(talk: Talk) -> list[str]:
    return [command.call_id for command in talk.done_of(commands.RunTool)]


def cancels(talk: Talk) -> list[str]:
    return [command.call_id for command in talk.done_of(commands.CancelTool)]


def returned(
    talk: Talk, call_id: str = "c1", output: str = "rain", *, failed: bool = False
) -> None:
    talk.give(inputs.ToolReturned(call_id, output, failed))


def statuses(talk: Talk) -> list[tuple[str, str]]:
    return [(one.call_id, one.status) for one in talk.told(ToolAnswered)]


def over(talk: Talk, response_id: str = "r1") -> None:
    """The response is over and what we added is there."""
    talk.take_items()
    talk.response_done(response_id)


class TestTelling:
    """Without tools of ours."""

    def test_a_call_is_told_with_all_that_is_needed_to_answer_it(self) -> None:
        talk = Talk()
        talk.response("r1")
        talk.call("c1", arguments='{"city":"Rome"}')
        assert talk.told(ToolCalled) == [ToolCalled("c1", "weather", '{"city":"Rome"}', "C1", "r1")]
        assert runs(talk) == []

    def test_a_call_that_the_wire_shows_again_is_told_once(self) -> None:
        talk = Talk()
        talk.response("r1")
        item = talk.call("c1")
        talk.call("c1")
        body = {"id": "r1", "status": "completed", "output": [item], "conversation_id": "conv_1"}
        talk.receive("response.done", response=body)
        assert len(talk.told(ToolCalled)) == 1

    def test_a_call_that_only_the_end_of_the_response_shows_is_told(self) -> None:
        talk = Talk()
        talk.response("r1")
        item = {"id": "F", "type": "function_call", "status": "completed"}
        item |= {"name": "weather", "call_id": "c1", "arguments": "{}"}
        body = {"id": "r1", "status": "completed", "output": [item], "conversation_id": "conv_1"}
        talk.receive("response.done", response=body)
        assert [one.call_id for one in talk.told(ToolCalled)] == ["c1"]

    @pytest.mark.parametrize("status", ["incomplete", "in_progress"])
    def test_a_call_whose_arguments_are_cut_off_is_never_told(self, status: str) -> None:
        """Scenario 27."""
        talk = with_tools()
        talk.call("c1", arguments='{"to":"bob","amount":10', status=status)
        assert (talk.told(ToolCalled), runs(talk)) == ([], [])

    def test_a_call_that_is_completed_later_is_told_then(self) -> None:
        talk = Talk()
        talk.response("r1")
        talk.call("c1", status="in_progress")
        talk.call("c1")
        assert len(talk.told(ToolCalled)) == 1

    def test_a_call_without_a_call_id_is_known_by_its_item(self) -> None:
        talk = Talk()
        talk.response("r1")
        item = {"id": "F", "type": "function_call", "status": "completed"}
        item |= {"name": "weather", "arguments": "{}"}
        for _ in range(2):
            talk.receive("response.output_item.done", response_id="r1", output_index=0, item=item)
        assert [one.call_id for one in talk.told(ToolCalled)] == ["F"]

    def test_what_is_remembered_is_bounded_and_the_oldest_makes_room(self) -> None:
        talk = Talk()
        talk.response("r1")
        for number in range(REMEMBERED_LIMIT):
            talk.call(f"c{number}", held=False)
        talk.call("c0", held=False)
        assert len(talk.told(ToolCalled)) == REMEMBERED_LIMIT
        talk.call("one more", held=False)
        talk.call(f"c{REMEMBERED_LIMIT - 1}", held=False)
        assert len(talk.told(ToolCalled)) == REMEMBERED_LIMIT + 1
        talk.call("c0", held=False)
        assert len(talk.told(ToolCalled)) == REMEMBERED_LIMIT + 2


class TestAnswering:
    """A session with tools answers every call, once."""

    def test_a_call_is_run_answered_and_spoken_about(self) -> None:
        talk = with_tools()
        talk.call("c1", arguments='{"city":"Rome"}')
        assert talk.done_of(commands.RunTool) == [
            commands.RunTool("c1", "weather", '{"city":"Rome"}')
        ]
        talk.response_done("r1")
        talk.pass_ms(1_000)
        assert talk.sent() == []
        returned(talk)
        assert talk.sent() == ["output rain", "create"]
        (told,) = talk.told(ToolAnswered)
        assert told == ToolAnswered("c1", "weather", "returned", "rain", 1_000_000)

    def test_the_output_names_its_call(self) -> None:
        talk = with_tools()
        talk.call("c1")
        returned(talk)
        (event,) = talk.events_sent(events.ConversationItemCreate)
        assert isinstance(event.item, events.FunctionCallOutputItem)
        assert (event.item.call_id, event.item.output) == ("c1", "rain")

    def test_an_output_goes_out_before_the_response_is_done_and_the_create_after(self) -> None:
        """Scenario 29."""
        talk = with_tools()
        talk.call("c1")
        returned(talk)
        assert talk.sent() == ["output rain"]
        over(talk)
        assert talk.sent() == ["create"]

    def test_several_calls_are_answered_as_they_return_and_followed_by_one_create(self) -> None:
        talk = with_tools("weather", "time")
        talk.call("c1")
        talk.call("c2", "time")
        over(talk)
        returned(talk, "c2", "noon")
        assert talk.sent() == ["output noon"]
        talk.take_items()
        talk.pass_ms(5_000)
        assert talk.sent() == []
        returned(talk, "c1", "rain")
        assert talk.sent() == ["output rain", "create"]
        talk.take_items()
        talk.answer_create("r2")
        talk.response_done("r2")
        talk.pass_ms(MINUTE_MS)
        assert talk.sent() == []

    def test_a_batch_that_is_whole_does_not_wait_for_another(self) -> None:
        talk = with_tools("weather", "time")
        talk.call("c1")
        over(talk)
        talk.response("r2")
        talk.call("c2", "time")
        returned(talk, "c2", "noon")
        over(talk, "r2")
        assert talk.sent() == ["output noon", "create"]
        talk.answer_create("r3")
        talk.response_done("r3")
        returned(talk, "c1", "rain")
        assert talk.sent() == ["output rain", "create"]

    def test_the_create_waits_until_what_was_said_before_the_call_was_heard(self) -> None:
        talk = with_tools()
        talk.item("A")
        talk.delta("A", 1_000)
        talk.call("c1")
        returned(talk)
        talk.take_items()
        talk.done("r1")
        assert talk.sent() == ["output rain"]
        talk.heard("A", 1_000)
        assert talk.sent() == ["create"]

    def test_a_name_that_no_tool_has_is_answered_with_the_names_there_are(self) -> None:
        talk = with_tools("weather", "time")
        talk.call("c1", "wether")
        (event,) = talk.events_sent(events.ConversationItemCreate)
        assert isinstance(event.item, events.FunctionCallOutputItem)
        assert json.loads(event.item.output) == {
            "error": "There is no tool of the name 'wether'. There are: time, weather."
        }
        assert runs(talk) == []
        over(talk)
        assert talk.sent()[-1] == "create"
        assert statuses(talk) == [("c1", "unknown")]

    def test_a_tool_that_failed_is_spoken_about_too(self) -> None:
        talk = with_tools()
        talk.call("c1")
        returned(talk, output='{"error":"no such city"}', failed=True)
        over(talk)
        assert talk.sent() == ['output {"error":"no such city"}', "create"]
        assert statuses(talk) == [("c1", "failed")]

    def test_a_result_of_no_words_is_a_result(self) -> None:
        talk = with_tools()
        talk.call("c1")
        over(talk)
        returned(talk, output="")
        assert talk.sent() == ["output ", "create"]
        assert statuses(talk) == [("c1", "returned")]

    def test_an_output_of_the_applications_own_for_a_call_of_ours_is_refused(self) -> None:
        talk = with_tools()
        talk.call("c1")
        item = events.FunctionCallOutputItem(call_id="c1", output="sun")
        ask_id = talk.ask(asks.SendEvent(events.ConversationItemCreate(item=item)))
        answer = talk.answer(ask_id)
        assert answer is not None and answer.kind == "local"
        assert "item.call_id: c1 is a call of 'weather'" in str(answer.error)
        assert talk.sent() == []

    def test_a_tool_that_takes_too_long_is_stopped_and_the_model_told(self) -> None:
        talk = with_tools(timeout_ms=3_000)
        talk.call("c1")
        over(talk)
        talk.pass_ms(2_999)
        assert cancels(talk) == []
        talk.pass_ms(1)
        assert cancels(talk) == ["c1"]
        output, create = talk.sent()
        assert "did not answer in time" in output
        assert create == "create"

    def test_what_a_tool_says_after_its_time_is_told_as_late_and_sent_nowhere(self) -> None:
        talk = with_tools(timeout_ms=3_000)
        talk.call("c1")
        talk.pass_ms(3_000)
        talk.sent()
        returned(talk)
        returned(talk)
        assert talk.sent() == []
        assert statuses(talk) == [("c1", "timed_out"), ("c1", "late"), ("c1", "late")]
        assert talk.told(ToolAnswered)[1].name == "weather"

    def test_a_tool_without_a_limit_may_take_for_ever(self) -> None:
        talk = with_tools(timeout_ms=None)
        talk.call("c1")
        over(talk)
        talk.pass_ms(24 * 60 * MINUTE_MS)
        assert cancels(talk) == []
        returned(talk)
        assert talk.sent() == ["output rain", "create"]

    def test_a_call_out_of_band_is_told_and_not_answered(self) -> None:
        talk = with_tools()
        talk.response_done("r1")
        talk.response("r2", conversation_id=None)
        talk.call("c1", held=False)
        assert len(talk.told(ToolCalled)) == 1
        assert (runs(talk), talk.sent()) == ([], [])

    def test_an_output_that_the_service_refuses_is_not_spoken_about(self) -> None:
        talk = with_tools()
        talk.call("c1")
        returned(talk)
        talk.refuse(
            events.ConversationItemCreate,
            "Tool call ID 'c1' not found in conversation.",
            "invalid_tool_call_id",
        )
        talk.response_done("r1")
        talk.pass_ms(MINUTE_MS)
        assert talk.sent() == ["output rain"]

    def test_nothing_is_sent_for_a_call_that_was_deleted(self) -> None:
        talk = with_tools()
        talk.call("c1")
        talk.response_done("r1")
        talk.ask(asks.SendEvent(events.ConversationItemDelete(item_id="C1")))
        returned(talk)
        talk.deleted("C1")
        assert talk.sent() == ["delete C1"]
        assert statuses(talk) == [("c1", "returned")]


class TestTheFloor:
    """When the user speaks while a tool runs."""

    def test_nothing_is_asked_for_while_the_user_speaks_and_his_own_reply_pays(self) -> None:
        """Scenario 28."""
        talk = with_tools()
        talk.call("c1")
        over(talk)
        talk.speech_started()
        returned(talk)
        talk.take_items()
        assert talk.sent() == ["output rain"]
        talk.speech_ended()
        talk.response("r2")
        talk.response_done("r2")
        talk.pass_ms(MINUTE_MS)
        assert talk.sent() == []

    def test_a_reply_that_began_before_the_output_was_there_does_not_pay(self) -> None:
        talk = with_tools()
        talk.call("c1")
        over(talk)
        talk.speech_started()
        talk.speech_ended()
        talk.response("r2")
        returned(talk)
        talk.take_items()
        assert talk.sent() == ["output rain"]
        talk.response_done("r2")
        assert talk.sent() == ["create"]

    def test_a_stop_button_does_not_make_a_finishing_tool_silent(self) -> None:
        talk = with_tools()
        talk.item("A")
        talk.delta("A", 2_000)
        talk.call("c1")
        talk.heard("A", 500)
        talk.ask(asks.Interrupt())
        talk.stopped({"A": 500})
        talk.agree()
        talk.cancelled(reason="client_cancelled")
        talk.agree()
        talk.sent()
        returned(talk)
        assert talk.sent() == ["output rain", "create"]

    @pytest.mark.parametrize("stop", ["speech", "button"])
    def test_a_tool_that_an_interruption_cancels_is_answered_and_owes_nothing(
        self, stop: str
    ) -> None:
        talk = with_tools(at_barge_in="cancel")
        talk.call("c1")
        over(talk)
        if stop == "speech":
            talk.speech_started()
        else:
            talk.ask(asks.Interrupt())
        assert cancels(talk) == ["c1"]
        (output,) = talk.sent()
        assert "The user interrupted" in output
        assert statuses(talk) == [("c1", "cancelled")]
        returned(talk)
        talk.take_items()
        if stop == "button":
            talk.pass_ms(MINUTE_MS)
        assert talk.sent() == []

    def test_a_tool_in_the_background_is_answered_at_once_and_its_result_is_news(self) -> None:
        talk = with_tools(at_barge_in="background")
        talk.call("c1")
        over(talk)
        talk.speech_started()
        (output,) = talk.sent()
        assert "still running" in output
        talk.take_items()
        talk.speech_started("U2")
        talk.speech_ended("U2")
        talk.response("r2")
        talk.response_done("r2")
        assert talk.sent() == []
        returned(talk)
        (event,) = talk.events_sent(events.ConversationItemCreate)[1:]
        assert isinstance(event.item, events.MessageItem)
        assert event.item.role == "system"
        news, create = talk.sent()
        assert "rain" in news
        assert create == "create"
        assert statuses(talk) == [("c1", "returned")]

    def test_a_tool_in_the_background_has_its_time_all_the_same(self) -> None:
        talk = with_tools(at_barge_in="background", timeout_ms=3_000)
        talk.call("c1")
        over(talk)
        talk.ask(asks.Interrupt())
        talk.sent()
        talk.pass_ms(3_000)
        news, create = talk.sent()
        assert "did not answer in time" in news
        assert (create, cancels(talk)) == ("create", ["c1"])

    def test_a_cancel_that_finds_nothing_to_cancel_is_no_interruption(self) -> None:
        talk = with_tools(at_barge_in="cancel")
        talk.call("c1")
        over(talk)
        talk.ask(asks.SendEvent(events.ResponseCancel()))
        assert cancels(talk) == []

    def test_a_tool_that_finishes_is_left_alone(self) -> None:
        talk = with_tools(at_barge_in="finish")
        talk.call("c1")
        talk.speech_started()
        assert (cancels(talk), talk.machine.calls.open[0].state) == ([], "running")

    def test_a_call_that_ends_in_a_response_that_was_cut_is_not_run(self) -> None:
        """Scenario 30."""
        talk = with_tools()
        talk.item("A")
        talk.delta("A", 2_000)
        talk.cut_at(500)
        talk.call("c1")
        assert (runs(talk), statuses(talk)) == ([], [("c1", "cancelled")])

    def test_leaving_cancels_what_runs_and_sends_nothing_for_it(self) -> None:
        talk = with_tools()
        talk.call("c1")
        talk.ask(asks.Leave())
        assert (cancels(talk), talk.events_sent(events.ConversationItemCreate)) == (["c1"], [])

    def test_when_the_pipe_ends_what_runs_is_lost(self) -> None:
        talk = with_tools()
        talk.call("c1")
        talk.give(inputs.PipeClosed(None, ""))
        assert (cancels(talk), statuses(talk)) == (["c1"], [("c1", "lost")])
        assert talk.machine.deadline_us is None
        returned(talk)
        assert len(talk.told(ToolAnswered)) == 1, "nobody is there to be told"


class TestApproval:
    """A call that needs the application's consent."""

    @pytest.fixture
    def talk(self) -> Iterator[Talk]:
        talk = with_tools(approval=True, timeout_ms=3_000)
        talk.item("A")
        talk.delta("A", 1_000)
        talk.call("c1", arguments='{"city":"Rome"}')
        yield talk

    def test_it_is_asked_for_and_the_tool_waits(self, talk: Talk) -> None:
        assert talk.done_of(commands.AskApproval) == [
            commands.AskApproval("c1", "weather", '{"city":"Rome"}')
        ]
        talk.pass_ms(10 * MINUTE_MS)
        assert runs(talk) == []
        talk.give(inputs.ToolApproved("c1", True))
        talk.give(inputs.ToolApproved("c1", True))
        assert runs(talk) == ["c1"]

    def test_the_tools_time_begins_with_the_consent(self, talk: Talk) -> None:
        talk.pass_ms(MINUTE_MS)
        talk.give(inputs.ToolApproved("c1", True))
        talk.pass_ms(2_999)
        assert cancels(talk) == []
        talk.pass_ms(1)
        assert cancels(talk) == ["c1"]

    def test_without_it_the_model_is_told_and_speaks_about_it(self, talk: Talk) -> None:
        talk.give(inputs.ToolApproved("c1", False))
        assert statuses(talk) == [("c1", "refused")]
        talk.take_items()
        talk.done("r1")
        talk.heard("A", 1_000)
        assert [line.split(" ")[0] for line in talk.sent()] == ["output", "create"]
        assert runs(talk) == []

    def test_it_is_withdrawn_when_its_response_is_cut(self, talk: Talk) -> None:
        talk.cut_at(500)
        assert (cancels(talk), statuses(talk)) == (["c1"], [("c1", "cancelled")])
        talk.give(inputs.ToolApproved("c1", True))
        assert runs(talk) == []

    def test_speech_after_its_response_was_heard_does_not_withdraw_it(self, talk: Talk) -> None:
        talk.done("r1")
        talk.heard("A", 1_000)
        talk.speech_started()
        assert cancels(talk) == []


@pytest.mark.parametrize("policy", ["finish", "cancel", "background"])
def test_no_policy_answers_twice_whatever_the_order(policy: AtBargeIn) -> None:
    talk = with_tools(at_barge_in=policy, timeout_ms=3_000)
    talk.call("c1")
    over(talk)
    for _ in range(2):
        talk.speech_started()
        talk.speech_ended()
    returned(talk)
    talk.pass_ms(MINUTE_MS)
    returned(talk)
    outputs = [
        event
        for event in talk.events_sent(events.ConversationItemCreate)
        if isinstance(event.item, events.FunctionCallOutputItem)
    ]
    assert len(outputs) == 1


class TestWhoeverWaits:
    """A reply that was asked for goes on with the response about its tools."""

    @pytest.fixture
    def talk(self) -> Talk:
        talk = Talk(tools=(ToolRule(name="weather", timeout_ms=3_000),))
        self.ask_id = talk.ask(asks.Respond())
        talk.answer_create("r1")
        talk.call("c1")
        over(talk)
        return talk

    def ends(self, talk: Talk) -> list[tuple[str | None, str]]:
        """The turns that ended the ask, and how."""
        return [
            (one.response_id, one.status)
            for one in talk.told(TurnEnded)
            if self.ask_id in one.ask_ids
        ]

    def test_its_asker_is_told_of_the_end_of_the_last_response(self, talk: Talk) -> None:
        assert [one.response_id for one in talk.told(TurnEnded)] == ["r1"]
        assert self.ends(talk) == []
        returned(talk)
        talk.take_items()
        talk.answer_create("r2")
        assert talk.told(TurnStarted)[-1].ask_ids == (self.ask_id,)
        talk.response_done("r2")
        assert self.ends(talk) == [("r2", "completed")]

    def test_another_response_that_saw_the_outputs_ends_it_as_well(self, talk: Talk) -> None:
        talk.speech_started()
        returned(talk)
        talk.take_items()
        talk.speech_ended()
        talk.response("r2")
        talk.response_done("r2")
        assert self.ends(talk) == [("r2", "completed")]

    def test_a_second_round_of_calls_goes_on_further(self, talk: Talk) -> None:
        returned(talk)
        talk.take_items()
        talk.answer_create("r2")
        talk.call("c2")
        over(talk, "r2")
        assert self.ends(talk) == []
        returned(talk, "c2")
        talk.take_items()
        talk.answer_create("r3")
        talk.response_done("r3")
        assert self.ends(talk) == [("r3", "completed")]

    def test_an_output_that_is_refused_ends_it(self, talk: Talk) -> None:
        talk.speech_started()
        returned(talk)
        talk.refuse(events.ConversationItemCreate, "No.", "invalid_tool_call_id")
        assert self.ends(talk) == [(None, "superseded")]

    def test_giving_it_up_ends_it_and_leaves_the_tool_alone(self, talk: Talk) -> None:
        talk.ask(asks.CancelReply(self.ask_id))
        assert (self.ends(talk), cancels(talk)) == ([(None, "superseded")], [])

    def test_the_end_of_the_pipe_ends_it(self, talk: Talk) -> None:
        talk.give(inputs.PipeClosed(None, ""))
        assert self.ends(talk) == [(None, "lost")]

    @pytest.mark.parametrize("owed", [False, True])
    def test_leaving_ends_it(self, talk: Talk, owed: bool) -> None:
        if owed:
            talk.speech_started()
            returned(talk)
            talk.take_items()
        talk.ask(asks.Leave())
        assert self.ends(talk) == [(None, "superseded")]
