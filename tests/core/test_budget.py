"""What a session may use, and how it ends when that is used."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.rig import FALSE_VAD, SERVER_VAD, Talk

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.budget import Budget
from bargein.core.notices import (
    BudgetNear,
    BudgetSpent,
    Fault,
    InterruptionSettled,
    Lost,
    TurnEnded,
)
from bargein.errors import LocalValueError


def budgeted(turns: Any = SERVER_VAD, *, push_to_talk: bool = False, **budget: Any) -> Talk:
    return Talk(turns, push_to_talk=push_to_talk, budget=Budget(**budget))


def costs(talk: Talk, response_id: str, tokens: int, status: str = "completed") -> None:
    """The response is over, and so is everything that would be heard of it."""
    usage = {"total_tokens": tokens, "input_tokens": tokens // 2, "output_tokens": tokens // 2}
    response = {"id": response_id, "status": status, "output": [], "usage": usage}
    talk.receive("response.done", response=response)


def written(talk: Talk, response_id: str, tokens: int) -> None:
    """A response of no words at that price."""
    talk.response(response_id)
    costs(talk, response_id, tokens)


def closes(talk: Talk) -> list[str]:
    return [command.reason for command in talk.done_of(commands.Close)]


def refusal(talk: Talk, ask_id: int) -> str | None:
    answer = next(one for one in talk.done_of(commands.Answer) if one.ask_id == ask_id)
    assert answer.kind in (None, "local")
    return answer.error


def test_a_budget_that_is_nearly_used_is_told_once_of_each() -> None:
    talk = budgeted(tokens=100, output_tokens=100)
    written(talk, "r1", 79)
    assert talk.told(BudgetNear) == []
    written(talk, "r2", 1)
    written(talk, "r3", 1)
    assert talk.told(BudgetNear) == [BudgetNear("tokens", 80, 100)]
    assert closes(talk) == []


def test_the_first_budget_that_is_used_up_is_told_and_closes_the_session_by_its_name() -> None:
    talk = budgeted(tokens=100, output_tokens=50)
    written(talk, "r1", 120)
    assert talk.told(BudgetSpent) == [BudgetSpent("tokens", 120, 100)]
    assert closes(talk) == ["the budget of tokens is spent"]
    talk.give(inputs.PipeClosed(1000, ""))
    assert talk.told(Lost) == [Lost(1000, "the budget of tokens is spent")]


def test_a_session_within_its_budget_is_told_nothing_and_goes_on() -> None:
    talk = budgeted(tokens=1_000, spoken_s=100, listened_s=100)
    talk.capture(1_000)
    written(talk, "r1", 500)
    talk.pass_ms(100_000)
    assert (talk.told(BudgetNear), talk.told(BudgetSpent), closes(talk)) == ([], [], [])


def test_the_reply_that_runs_is_heard_to_its_end_and_then_the_session_is_closed() -> None:
    talk = budgeted(spoken_s=2)
    talk.speaking(ms=2_500)
    assert [told.kind for told in talk.told(BudgetSpent)] == ["spoken_s"]
    talk.delta("A", 500)
    talk.audio_done("A")
    talk.item_done("A")
    costs(talk, "r1", 10)
    talk.heard("A", 2_900)
    assert (talk.stops, closes(talk)) == ([], [])
    talk.heard("A", 3_000)
    assert (talk.stops, closes(talk)) == ([], ["the budget of spoken_s is spent"])


def test_the_reply_that_runs_is_cut_where_that_is_the_policy_and_settled_before_the_end() -> None:
    talk = budgeted(spoken_s=2, running_reply="cut")
    talk.speaking(ms=2_500)
    talk.heard("A", 700)
    talk.pass_ms(1)
    talk.stopped({"A": 700})
    costs(talk, "r1", 10, "cancelled")
    assert closes(talk) == []
    talk.truncated("A", 700)
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.heard_ms, settled.kept_ms, settled.exactness) == (700, 700, "exact")
    assert closes(talk) == ["the budget of spoken_s is spent"]


def test_the_stop_of_the_last_reply_is_the_first_command() -> None:
    """`Watch` sees to it in every test; here a budget and another wait come to their ends at
    once."""
    talk = budgeted(spoken_s=2, running_reply="cut")
    talk.speaking(ms=2_500)
    talk.heard("A", 700)
    before = len(talk.commands)
    talk.pass_ms(1)
    assert isinstance(talk.commands[before], commands.StopPlayback)


def test_the_last_reply_may_take_so_long_and_no_longer() -> None:
    talk = budgeted(spoken_s=2, finish_s=3)
    talk.speaking(ms=2_500)
    talk.heard("A", 100)
    talk.pass_ms(2_999)
    assert talk.stops == []
    talk.pass_ms(1)
    assert len(talk.stops) == 1
    talk.stopped({"A": 2_000})
    talk.pass_ms(10_000)
    assert closes(talk) == ["the budget of spoken_s is spent"]


def test_a_spent_budget_asks_for_no_reply_and_refuses_who_does() -> None:
    talk = budgeted(spoken_s=2)
    talk.speaking(ms=1_500)
    waiting = talk.ask(asks.Respond())
    talk.delta("A", 1_000)
    assert [(ended.status, ended.ask_ids) for ended in talk.told(TurnEnded)] == [
        ("superseded", (waiting,))
    ]
    talk.sent()
    for ask in (
        asks.Respond(),
        asks.Say("And?"),
        asks.Press(),
        asks.SendEvent(events.ResponseCreate()),
    ):
        error = refusal(talk, talk.ask(ask))
        assert error == "the budget of spoken_s is spent, and the session is ending"
    assert talk.sent() == []
    assert refusal(talk, talk.ask(asks.Say("By the way.", reply=False))) is None
    assert refusal(talk, talk.ask(asks.Mute(True))) is None


def test_a_turn_that_a_spent_budget_leaves_unanswered_keeps_no_cut_open() -> None:
    """The service could not answer it beside a reply; then that one is cut, and costs the rest."""
    turns = {**FALSE_VAD, "create_response": True}
    talk = Talk(turns, barge_in="keep_talking", budget=Budget(tokens=100))
    talk.speaking(ms=2_500)
    talk.speech_started()
    talk.speech_ended()
    talk.refuse_as_active("r1", ours=False)
    talk.ask(asks.Interrupt())
    talk.stopped({"A": 700})
    costs(talk, "r1", 100)
    talk.truncated("A", 700)
    assert len(talk.told(InterruptionSettled)) == 1
    assert closes(talk) == ["the budget of tokens is spent"]


def test_a_reply_that_was_asked_for_before_may_be_heard() -> None:
    talk = budgeted(FALSE_VAD, tokens=100)
    talk.response("r1", conversation_id=None)
    talk.ask(asks.Respond())
    costs(talk, "r1", 100)
    assert closes(talk) == []
    talk.answer_create("r2")
    talk.pass_ms(10)
    assert (talk.stops, closes(talk)) == ([], [])
    costs(talk, "r2", 10)
    assert closes(talk) == ["the budget of tokens is spent"]


def test_a_reply_that_the_service_begins_by_itself_ends_the_session_at_once() -> None:
    talk = budgeted(spoken_s=2)
    talk.speaking(ms=2_500)
    talk.cut_at(1_000)
    costs(talk, "r1", 10, "cancelled")
    talk.response("r2")
    talk.pass_ms(1)
    assert talk.sent()[-1].startswith("cancel r2")
    talk.truncated("A", 1_000)
    costs(talk, "r2", 10, "cancelled")
    assert closes(talk) == ["the budget of spoken_s is spent"]


def test_sound_of_the_microphone_is_counted_as_it_is_sent() -> None:
    talk = budgeted(None, push_to_talk=True, listened_s=1)
    talk.capture(5_000)
    assert talk.told(BudgetSpent) == []
    talk.ask(asks.Press())
    talk.capture(900)
    assert [told.kind for told in talk.told(BudgetNear)] == ["listened_s"]
    talk.capture(100)
    assert talk.told(BudgetSpent) == [BudgetSpent("listened_s", 1.0, 1)]
    assert closes(talk) == ["the budget of listened_s is spent"]


def test_the_time_of_a_session_runs_from_when_it_stands() -> None:
    talk = Talk(budget=Budget(session_s=10, warn_at=0.5), connected=False)
    talk.pass_ms(1_000)
    talk.give(inputs.PipeOpened())
    talk.receive("session.created", session=talk.session())
    talk.pass_ms(4_999)
    assert talk.told(BudgetNear) == []
    talk.pass_ms(1)
    assert talk.told(BudgetNear) == [BudgetNear("session_s", 5.0, 10)]
    talk.pass_ms(4_999)
    assert closes(talk) == []
    talk.pass_ms(1)
    assert talk.told(BudgetSpent) == [BudgetSpent("session_s", 10, 10)]
    assert closes(talk) == ["the budget of session_s is spent"]


def test_tokens_of_transcriptions_are_tokens() -> None:
    talk = budgeted(tokens=30)
    talk.receive(
        "conversation.item.input_audio_transcription.completed",
        item_id="U",
        content_index=0,
        transcript="Hello?",
        usage={"type": "tokens", "total_tokens": 30, "input_tokens": 22, "output_tokens": 8},
    )
    assert talk.told(BudgetSpent) == [BudgetSpent("tokens", 30, 30)]


def test_who_leaves_while_the_last_reply_runs_is_let_go() -> None:
    talk = budgeted(spoken_s=2)
    talk.speaking(ms=2_500)
    talk.heard("A", 500)
    leave = talk.ask(asks.Leave())
    talk.stopped({"A": 500})
    costs(talk, "r1", 10, "cancelled")
    talk.truncated("A", 500)
    assert refusal(talk, leave) is None
    assert closes(talk) == [""]


def test_a_pipe_that_ends_by_itself_says_why() -> None:
    talk = budgeted(tokens=10)
    talk.give(inputs.PipeClosed(1001, "Your session hit the maximum duration."))
    assert talk.told(Lost) == [Lost(1001, "Your session hit the maximum duration.")]
    assert talk.told(Fault) == []
    assert talk.machine.deadline_us is None


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, "budget: nothing is limited"),
        ({"tokens": 0}, "budget.tokens: 0; give more than 0"),
        ({"session_s": float("nan")}, "budget.session_s: nan; give more than 0"),
        ({"spoken_s": -1.0}, "budget.spoken_s: -1.0; give more than 0"),
        ({"tokens": 1, "finish_s": 0}, "budget.finish_s: 0; give more than 0"),
        ({"tokens": 1, "warn_at": 1.5}, "budget.warn_at: 1.5; give a share up to 1"),
        ({"tokens": 1, "running_reply": "stop"}, "budget.running_reply: 'stop'; give"),
    ],
)
def test_a_budget_that_cannot_be_is_refused_by_name(given: dict[str, Any], error: str) -> None:
    with pytest.raises(LocalValueError) as raised:
        Budget(**given)
    assert str(raised.value).startswith(error)
