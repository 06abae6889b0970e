"""Function calls are told once, and only when they are whole."""

from __future__ import annotations

import pytest

from bargein import events
from bargein.core.calls import REMEMBERED_LIMIT, Calls
from bargein.core.notices import ToolCalled


def call(
    call_id: str = "call_1", *, arguments: str = "{}", status: str = "completed"
) -> events.FunctionCallItem:
    return events.FunctionCallItem(
        id="F", name="weather", call_id=call_id, arguments=arguments, status=status
    )


def test_a_call_is_told_with_all_that_is_needed_to_answer_it() -> None:
    told = Calls().seen(call(), "r1")
    assert told == ToolCalled("call_1", "weather", "{}", "F", "r1")


def test_a_call_that_the_wire_shows_three_times_is_told_once() -> None:
    calls = Calls()
    told = [calls.seen(call(), "r1") for _ in range(3)]
    assert [one is not None for one in told] == [True, False, False]


def test_two_calls_of_one_response_are_two() -> None:
    calls = Calls()
    assert calls.seen(call("call_1"), "r1") is not None
    assert calls.seen(call("call_2"), "r1") is not None


@pytest.mark.parametrize("status", ["incomplete", "in_progress"])
def test_a_call_whose_arguments_are_cut_off_is_never_told(status: str) -> None:
    """Scenario 27."""
    calls = Calls()
    cut_off = call(arguments='{"to":"bob","amount":10', status=status)
    assert calls.seen(cut_off, "r1") is None


def test_a_call_that_is_completed_later_is_told_then() -> None:
    calls = Calls()
    calls.seen(call(status="in_progress"), "r1")
    assert calls.seen(call(), "r1") is not None


def test_other_items_are_no_calls() -> None:
    item = events.MessageItem(id="A", role="assistant", content=(), status="completed")
    assert Calls().seen(item, "r1") is None


def test_a_call_without_a_call_id_is_known_by_its_item() -> None:
    calls = Calls()
    nameless = events.FunctionCallItem(id="F", name="weather", arguments="{}", status="completed")
    told = calls.seen(nameless, "r1")
    assert told is not None
    assert told.call_id == "F"
    assert calls.seen(nameless, "r1") is None


def test_what_is_remembered_is_bounded_and_the_newest_stay() -> None:
    calls = Calls()
    for number in range(REMEMBERED_LIMIT + 10):
        calls.seen(call(f"call_{number}"), "r1")
    assert calls.seen(call(f"call_{REMEMBERED_LIMIT + 9}"), "r1") is None
    assert calls.seen(call(f"call_{REMEMBERED_LIMIT // 2}"), "r1") is None


def test_a_call_whose_item_has_no_id_is_told_without_one() -> None:
    nameless = events.FunctionCallItem(
        name="weather", call_id="call_1", arguments="{}", status="completed"
    )
    assert Calls().seen(nameless, "r1") == ToolCalled("call_1", "weather", "{}", "", "r1")


def test_as_many_calls_as_the_limit_are_remembered() -> None:
    calls = Calls()
    for number in range(REMEMBERED_LIMIT):
        calls.seen(call(f"call_{number}"), "r1")
    assert calls.seen(call("call_0"), "r1") is None
    calls.seen(call("one more"), "r1")
    assert calls.seen(call("call_0"), "r1") is not None, "the oldest made room"
