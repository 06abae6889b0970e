"""One table of named timers."""

from __future__ import annotations

import pytest

from bargein.deadlines import Deadlines, Timer


def test_nothing_is_waited_for_at_first() -> None:
    deadlines = Deadlines()
    assert deadlines.next_us is None
    assert list(deadlines.expired(10**12)) == []


@pytest.mark.parametrize("timer", list(Timer))
def test_every_timer_lasts_for_some_time_and_says_what_for(timer: Timer) -> None:
    assert 0 < timer.lasts_us <= 60_000_000
    assert timer.value


def test_the_earliest_is_due_first() -> None:
    deadlines = Deadlines()
    deadlines.arm(Timer.SETTLEMENT, "evt", 0)
    deadlines.arm(Timer.STOP_ANSWER, "cut", 0)
    assert deadlines.next_us == Timer.STOP_ANSWER.lasts_us
    expired = list(deadlines.expired(Timer.SETTLEMENT.lasts_us))
    assert expired == [(Timer.STOP_ANSWER, "cut"), (Timer.SETTLEMENT, "evt")]
    assert deadlines.next_us is None


def test_a_timer_is_due_at_its_moment_and_not_before() -> None:
    deadlines = Deadlines()
    deadlines.arm(Timer.STOP_ANSWER, "cut", 5)
    due_us = 5 + Timer.STOP_ANSWER.lasts_us
    assert list(deadlines.expired(due_us - 1)) == []
    assert list(deadlines.expired(due_us)) == [(Timer.STOP_ANSWER, "cut")]


def test_an_expired_timer_is_gone() -> None:
    deadlines = Deadlines()
    deadlines.arm(Timer.STOP_ANSWER, "cut", 0)
    assert list(deadlines.expired(10**9)) != []
    assert list(deadlines.expired(10**9)) == []


def test_arming_again_moves_it_and_keys_are_apart() -> None:
    deadlines = Deadlines()
    deadlines.arm(Timer.SETTLEMENT, "a", 0)
    deadlines.arm(Timer.SETTLEMENT, "b", 10)
    deadlines.arm(Timer.SETTLEMENT, "a", 20)
    assert deadlines.next_us == 10 + Timer.SETTLEMENT.lasts_us
    assert [key for _, key in deadlines.expired(10**9)] == ["b", "a"]


def test_what_is_stopped_is_not_due_and_stopping_twice_is_no_mistake() -> None:
    deadlines = Deadlines()
    deadlines.arm(Timer.SETTLEMENT, "a", 0)
    deadlines.arm(Timer.SETTLEMENT, "b", 10)
    deadlines.stop(Timer.SETTLEMENT, "a")
    deadlines.stop(Timer.SETTLEMENT, "a")
    assert deadlines.next_us == 10 + Timer.SETTLEMENT.lasts_us
    assert not deadlines.armed(Timer.SETTLEMENT, "a")
    assert deadlines.armed(Timer.SETTLEMENT, "b")


def test_a_restart_begins_every_wait_of_that_name_anew() -> None:
    deadlines = Deadlines()
    deadlines.arm(Timer.SETTLEMENT, "a", 0)
    deadlines.arm(Timer.CREATED, "c", 0)
    deadlines.restart(Timer.SETTLEMENT, 1_000_000)
    assert deadlines.next_us == 1_000_000 + Timer.SETTLEMENT.lasts_us
    assert [name for name, _ in deadlines.expired(Timer.CREATED.lasts_us)] == [
        Timer.SETTLEMENT,
        Timer.CREATED,
    ]


def test_what_is_armed_while_others_expire_is_due_in_its_turn() -> None:
    deadlines = Deadlines()
    deadlines.arm(Timer.STOP_ANSWER, "first", 0)
    seen = []
    for _, key in deadlines.expired(10**7):
        seen.append(key)
        if key == "first":
            deadlines.arm(Timer.STOP_ANSWER, "second", 0)
    assert seen == ["first", "second"]


def test_equal_moments_have_one_order() -> None:
    """Determinism: by name, then by key, whatever was armed first."""
    orders = []
    for keys in (["a", "b"], ["b", "a"]):
        deadlines = Deadlines()
        for key in keys:
            deadlines.arm(Timer.SETTLEMENT, key, 0)
        orders.append([key for _, key in deadlines.expired(10**9)])
    assert orders == [["a", "b"], ["a", "b"]]


def test_cleared_it_waits_for_nothing() -> None:
    deadlines = Deadlines()
    deadlines.arm(Timer.LEAVE, "", 0)
    assert deadlines.waits == ((Timer.LEAVE, ""),)
    deadlines.clear()
    assert deadlines.next_us is None
    assert len(deadlines.waits) == 0
