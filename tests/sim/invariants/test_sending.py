"""What is sent: nothing in vain, nothing twice, nothing forgotten."""

from __future__ import annotations

import pytest
from tests.sim.invariants.telling import details
from tests.sim.tale import (
    ITEM,
    MS,
    PART,
    RESPONSE,
    Tale,
    begun,
    created,
    done,
    item_done,
    remembered,
    session_updated,
    speaking,
    speech_started,
    truncate,
)  # fmt: skip

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.inputs import Heard
from bargein.sim.options import Options


def _told() -> Tale:
    tale = begun()
    speaking(tale, 1_000)
    return tale


@pytest.mark.parametrize("known", [True, False])
def test_a_whole_part_is_not_truncated_once_it_is_known_to_be_whole(known: bool) -> None:
    tale = _told()
    (tale.told if known else tale.server)(item_done())
    tale.client(truncate(1_000))
    violations = tale.judged(heard={PART: 1_000 * MS}, memory=(remembered(1_000 * MS),))

    whole = ["item_1[0] was wholly heard and is truncated"]
    assert details(violations, "P4") == (whole if known else [])


def test_nothing_is_truncated_or_cancelled_twice_alike() -> None:
    tale = _told()
    for _ in range(2):
        tale.client(truncate(500))
        tale.client(events.ResponseCancel(response_id=RESPONSE))
    assert details(tale.judged(), "P4") == [
        "truncate item_1 to 500 ms is sent twice",
        "resp_1 is cancelled twice",
    ]


def test_a_refusal_of_ours_is_a_violation_that_names_what_was_refused() -> None:
    tale = begun()
    tale.refused(tale.client(truncate(5, "item_x")), "item_truncate_invalid_item_id", "Not there.")

    (violation,) = tale.judged()

    assert (violation.invariant, violation.detail) == (
        "I2",
        "conversation.item.truncate: Not there.",
    )


@pytest.mark.parametrize(
    ("interrupts", "cancels", "broken"),
    [(False, False, 1), (False, True, 0), (True, False, 0)],
)
def test_a_cut_response_ends(interrupts: bool, cancels: bool, broken: int) -> None:
    tale = begun(Options(interrupt_response=interrupts))
    tale.told(session_updated(interrupts=interrupts))
    tale.told(created())
    tale.told(speech_started())
    if cancels:
        tale.client(events.ResponseCancel(response_id=RESPONSE))
    tale.told(done(status="cancelled"))

    assert len(details(tale.judged(), "rule 9")) == broken


@pytest.mark.parametrize("late", [True, False])
def test_what_was_not_heard_is_deleted_before_the_next_reply_is_asked_for(late: bool) -> None:
    tale = _told()
    tale.write("input", inputs.Asked(1, asks.Interrupt()))
    tale.write("command", commands.Answer(1))
    tale.client(events.ResponseCancel(response_id=RESPONSE))
    tale.told(done(status="cancelled"))
    said: list[events.ClientEvent] = [
        events.ConversationItemDelete(item_id=ITEM),
        events.ResponseCreate(),
    ]
    for event in reversed(said) if late else said:
        tale.client(event)

    behind = ["item_1 is deleted behind a response.create"]
    assert details(tale.judged(), "rule 5") == (behind if late else [])


def test_an_item_that_still_plays_may_be_deleted_behind_the_next_create() -> None:
    tale = _told()
    tale.told(done())
    tale.client(events.ResponseCreate())
    tale.write("input", inputs.Asked(1, asks.Interrupt()))
    tale.write("command", commands.Answer(1))
    tale.client(events.ConversationItemDelete(item_id=ITEM))

    assert details(tale.judged(), "rule 5") == []


def test_a_response_that_is_over_or_was_ended_by_speech_is_not_cancelled() -> None:
    over, ended = _told(), begun()
    over.told(done())
    ended.told(session_updated(interrupts=True))
    speaking(ended, 100)
    ended.told(speech_started())
    for tale in (over, ended):
        tale.client(events.ResponseCancel(response_id=RESPONSE))

    assert details(over.judged(), "P4") == ["resp_1 is cancelled and was over"]
    assert details(ended.judged(), "P4") == [
        "resp_1 is cancelled and had been ended by the user's speech"
    ]


def test_nothing_is_deleted_twice() -> None:
    tale = _told()
    for _ in range(2):
        tale.client(events.ConversationItemDelete(item_id=ITEM))

    assert details(tale.judged(), "P4") == ["item_1 is deleted twice"]


@pytest.mark.parametrize(("blame", "broken"), [("theirs", 1), ("application", 1), (None, 0)])
def test_a_refusal_that_crossed_is_told_to_nobody(blame: notices.Blame | None, broken: int) -> None:
    tale = begun()
    tale.told(created())
    tale.server(done())
    number = tale.client(events.ResponseCancel(response_id=RESPONSE))
    tale.refused(number, "response_cancel_not_active")
    if blame is not None:
        fault = notices.Fault(blame, "response_cancel_not_active", "No.")
        tale.write("command", commands.Notify(fault))

    told = [f"what is crossing is told as {blame}: No."]
    assert details(tale.judged(), "I2") == told[:broken]


@pytest.mark.parametrize(("heard_ms", "broken"), [(1_000, 1), (1_020, 1), (999, 0)])
def test_on_the_servers_grid_a_part_is_whole_to_its_last_step(heard_ms: int, broken: int) -> None:
    tale = begun(Options(lengths_grid_ms=50, declared=True))
    speaking(tale, 1_030)
    tale.told(item_done())
    tale.played(1_030)
    tale.write("input", inputs.Rendered((Heard(PART, heard_ms * MS),)))
    tale.client(truncate(min(heard_ms, 1_000)))

    whole = ["item_1[0] was heard to the server's end of it and is truncated"]
    assert details(tale.judged(), "P4") == whole[:broken]
