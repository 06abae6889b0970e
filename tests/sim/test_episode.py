"""Whole episodes: the shipping client keeps every promise, a naive one does not."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sim.naive_client import NaiveClient

from bargein.core import inputs
from bargein.core.commands import Command
from bargein.core.machine import Machine
from bargein.sim.campaign import run_seeds
from bargein.sim.choices import Tape
from bargein.sim.episode import run
from bargein.sim.options import Options

EPISODES = 2_000
PARTS = 20


@pytest.mark.parametrize("part", range(PARTS))
def test_the_client_keeps_every_promise_in_two_thousand_conversations(part: int) -> None:
    size = EPISODES // PARTS
    tally = run_seeds(range(part * size, (part + 1) * size))

    assert tally.failures == []
    assert tally.episodes == size


def test_one_seed_is_one_conversation() -> None:
    for seed in range(0, 40, 7):
        assert run(seed).digest == run(seed).digest


def test_a_tape_is_the_conversation_it_was_recorded_from() -> None:
    for seed in range(5):
        first = run(seed)
        again = run(first.tape)
        assert again.digest == first.digest
        assert again.tape == first.tape


def test_the_plainest_conversation_asks_and_interrupts() -> None:
    tape: Tape = {}
    episode = run(tape)

    assert episode.violations == ()
    assert episode.options == Options()
    assert episode.met.cuts
    assert "response.done r1: cancelled" in episode.story()


def test_a_client_that_truncates_by_the_clock_is_found_out() -> None:
    broken = Counter(
        name
        for seed in range(90)
        for name in {v.invariant for v in run(seed, make_client=NaiveClient).violations}
    )

    assert broken["I1"] >= 5
    assert broken["I2"] >= 20
    assert broken["I4"] + broken["I3"] >= 1


class _Raises(Machine):
    def handle(self, happened: inputs.Input, *, now_us: int) -> list[Command]:
        if isinstance(happened, inputs.Asked):
            raise KeyError("unknown")
        return super().handle(happened, now_us=now_us)


def test_a_client_that_raises_is_found_out() -> None:
    (violation,) = run({}, make_client=_Raises).violations

    assert violation.invariant == "I9"
    assert violation.detail == "handle(Asked) raised KeyError: 'unknown'"


class _LooksBack(Machine):
    @property
    def deadline_us(self) -> int | None:
        return -1


def test_a_deadline_in_the_past_is_found_out() -> None:
    (violation,) = run({}, make_client=_LooksBack).violations

    assert violation.detail.endswith("us in the past")


class _Spins(Machine):
    @property
    def deadline_us(self) -> int | None:
        return self.desk.now_us


def test_a_machine_that_is_due_again_and_again_is_found_out() -> None:
    (violation,) = run({}, make_client=_Spins).violations

    assert violation.detail.endswith("steps in one second")


class _NeverFinishes(Machine):
    @property
    def deadline_us(self) -> int | None:
        return 10**12


def test_a_timer_that_is_left_armed_is_found_out() -> None:
    (violation,) = run({}, make_client=_NeverFinishes).violations

    assert violation.invariant == "liveness"


class _Hypothesis:
    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def draw(self, stream: str, span: int) -> int:
        return self._data.draw(st.integers(0, span))


@given(st.data())
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_a_property_based_tester_can_draw_the_world(data: st.DataObject) -> None:
    assert run(_Hypothesis(data)).violations == ()
