"""What is used up is told, and ends the session politely."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sim.invariants.telling import details
from tests.sim.tale import ITEM, RESPONSE, Tale, begun

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.budget import Budget
from bargein.core.inputs import Part
from bargein.core.notices import PartRecord
from bargein.sim.history import Entry
from bargein.sim.options import Options
from bargein.units import US_PER_S

TOKENS = Budget(tokens=100)
REASON = "the budget of tokens is spent"


def standing(budget: Budget = TOKENS) -> Tale:
    tale = begun(Options(budget=budget))
    told(tale, notices.Connected(events.Session()))
    return tale


def told(tale: Tale, notice: notices.Notice) -> None:
    tale.write("command", commands.Notify(notice))


def cost(tale: Tale, tokens: int, response_id: str = RESPONSE) -> None:
    begun = events.Response(id=response_id, status="in_progress", output=())
    tale.told(events.ResponseCreated(event_id="e", response=begun))
    usage = events.Usage(total_tokens=tokens, input_tokens=tokens, output_tokens=0)
    response = events.Response(id=response_id, status="completed", output=(), usage=usage)
    tale.told(events.ResponseDone(event_id="e", response=response))


def spent(tale: Tale, kind: str = "tokens", used: float = 120, limit: float = 100) -> None:
    told(tale, notices.BudgetSpent(kind, used, limit))


def begins(tale: Tale, **metadata: str) -> None:
    response = events.Response(id="resp_9", status="in_progress", output=(), metadata=metadata)
    tale.told(events.ResponseCreated(event_id="e", response=response))


def later(tale: Tale, after_s: float, what: object) -> None:
    at_us = len(tale.entries) + round(after_s * US_PER_S)
    tale.entries.append(Entry(at_us, "command", what))


def found(tale: Tale, **end: Any) -> list[str]:
    return details(tale.judged(**end), "budget")


def test_a_budget_that_is_spent_ends_the_session_by_its_name() -> None:
    tale = standing()
    cost(tale, 120)
    spent(tale)
    later(tale, 1, commands.Close(1000, REASON))
    assert found(tale, left=True) == []


@pytest.mark.parametrize(
    ("tokens", "end", "detail"),
    [
        (120, {}, ["tokens is used up, and nobody is told"]),
        (99, {}, []),
        (120, {"left": True}, []),
        (120, {"lost": True}, []),
    ],
)
def test_what_is_used_up_is_told(tokens: int, end: dict[str, bool], detail: list[str]) -> None:
    tale = standing()
    cost(tale, tokens)
    assert found(tale, **end) == detail


def test_the_end_of_the_time_is_told() -> None:
    tale = standing(Budget(session_s=5))
    assert found(tale) == ["the time of the session is over, and nobody is told"]


@pytest.mark.parametrize(
    ("kind", "used"), [("tokens", 100), ("spoken_s", 5), ("listened_s", 5), ("session_s", 5)]
)
def test_what_is_not_used_up_is_not_told(kind: str, used: float) -> None:
    tale = standing(Budget(tokens=100, spoken_s=5, listened_s=5, session_s=5))
    spent(tale, kind, used, used)
    assert f"{kind} is told as spent, and is not" in found(tale, lost=True)


def test_that_it_is_nearly_used_is_told_once_and_in_time() -> None:
    tale = standing()
    cost(tale, 79)
    told(tale, notices.BudgetNear("tokens", 80, 100))
    cost(tale, 1, "resp_2")
    told(tale, notices.BudgetNear("tokens", 80, 100))
    assert found(tale) == [
        "tokens is told as nearly used, and is not",
        "that tokens is nearly used is told twice, or behind the end",
    ]


def test_no_reply_is_asked_for_behind_the_end_and_the_end_is_told_once() -> None:
    tale = standing()
    cost(tale, 120)
    spent(tale)
    spent(tale)
    tale.client(events.ResponseCreate())
    assert found(tale, lost=True) == [
        "tokens is told as spent, and then tokens",
        "a reply is asked for, and tokens is spent",
    ]


@pytest.mark.parametrize(
    ("leaves", "reason", "detail"),
    [
        (False, "", ["tokens is spent, and the reason is ''"]),
        (True, "", []),
        (False, REASON, []),
    ],
)
def test_the_reason_is_the_budget_unless_the_application_leaves(
    leaves: bool, reason: str, detail: list[str]
) -> None:
    tale = standing()
    cost(tale, 120)
    spent(tale)
    if leaves:
        tale.write("input", inputs.Asked(1, asks.Leave()))
    later(tale, 1, commands.Close(1000, reason))
    assert found(tale, left=True) == detail


@pytest.mark.parametrize(
    ("policy", "after_s", "late"),
    [("finish", 62, False), ("finish", 64, True), ("cut", 2, False), ("cut", 4, True)],
)
def test_the_session_is_closed_in_time(policy: Any, after_s: float, late: bool) -> None:
    tale = standing(Budget(tokens=100, running_reply=policy))
    cost(tale, 120)
    spent(tale)
    later(tale, after_s, commands.Close(1000, REASON))
    assert found(tale, left=True) == ["tokens is spent, and the session is closed late"][:late]


def test_the_session_is_closed_at_all() -> None:
    tale = standing()
    cost(tale, 120)
    spent(tale)
    assert found(tale) == ["tokens is spent, and the session goes on"]


@pytest.mark.parametrize("ours", [True, False])
def test_what_the_service_begins_by_itself_ends_it_at_once(ours: bool) -> None:
    tale = standing()
    cost(tale, 120)
    spent(tale)
    begins(tale, **({"bargein": "create_0_1"} if ours else {}))
    later(tale, 10, commands.Close(1000, REASON))
    assert found(tale, left=True) == (
        [] if ours else ["the service begins a reply that there is no budget for, and it goes on"]
    )


@pytest.mark.parametrize(
    ("policy", "asker", "leaves", "unasked", "broken"),
    [
        ("finish", "leave", False, False, True),
        ("finish", "speech", False, False, False),
        ("finish", "leave", True, False, False),
        ("finish", "leave", False, True, False),
        ("cut", "leave", False, False, False),
    ],
)
def test_the_reply_that_runs_may_finish(
    policy: Any, asker: Any, leaves: bool, unasked: bool, broken: bool
) -> None:
    tale = standing(Budget(tokens=100, running_reply=policy))
    cost(tale, 120)
    spent(tale)
    if leaves:
        tale.write("input", inputs.Asked(1, asks.Leave()))
    if unasked:
        begins(tale)
    part = Part(RESPONSE, ITEM, 0)
    record = PartRecord(part.response_id, part.item_id, 0, 24_000, 100, 50, 2)
    told(tale, notices.Interruption("cut_1", (asker,), (RESPONSE,), 2, (record,), 0, None))
    later(tale, 1, commands.Close(1000, REASON))
    assert found(tale, left=True) == [f"{RESPONSE} is cut, and it may finish"][:broken]


def test_a_session_without_a_budget_is_not_judged() -> None:
    tale = begun()
    cost(tale, 10**9)
    assert found(tale) == []
