"""Draws: named streams, a tape, and any source behind it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bargein.sim.choices import Choices, SeedSource, TapeSource


def test_a_new_draw_in_one_stream_does_not_move_another() -> None:
    plain, more = Choices(SeedSource(7)), Choices(SeedSource(7))
    more.draw("card", 0, 1_000)

    assert [plain.draw("human", 0, 10**6) for _ in range(5)] == [
        more.draw("human", 0, 10**6) for _ in range(5)
    ]


def test_two_seeds_draw_differently() -> None:
    draws = {
        tuple(Choices(SeedSource(seed)).draw("a", 0, 10**6) for _ in range(3)) for seed in range(20)
    }

    assert len(draws) == 20


def test_the_tape_holds_offsets_from_the_plainest_value() -> None:
    choices = Choices(TapeSource({"a": [3, 0, 2]}))

    drawn = (choices.draw("a", 10, 20), choices.draw("a", 5, 5), choices.pick("a", "xyz"))

    assert drawn == (13, 5, "x")
    assert choices.tape == {"a": [3, 0, 0]}


def test_a_tape_that_was_recorded_plays_the_same_draws() -> None:
    first = Choices(SeedSource("x"))
    drawn = [first.draw("a", 1, 300) for _ in range(50)] + [first.draw("b", 0, 9)]

    again = Choices(TapeSource(first.tape))

    assert [again.draw("a", 1, 300) for _ in range(50)] + [again.draw("b", 0, 9)] == drawn
    assert again.tape == first.tape


def test_behind_the_end_of_a_tape_everything_is_plain() -> None:
    choices = Choices(TapeSource({"a": [4]}))
    choices.draw("a", 0, 9)

    assert choices.draw("a", 7, 9) == 7
    assert choices.rarely("b", 2) is False


def test_a_value_beyond_the_range_is_the_largest_one_and_so_recorded() -> None:
    choices = Choices(TapeSource({"a": [900, -5]}))

    assert (choices.draw("a", 0, 9), choices.draw("a", 3, 9)) == (9, 3)
    assert choices.tape == {"a": [9, 0]}


def test_an_empty_range_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="stream 'card': nothing lies between 3 and 2"):
        Choices(TapeSource({})).draw("card", 3, 2)


class _Hypothesis:
    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def draw(self, stream: str, span: int) -> int:
        return self._data.draw(st.integers(0, span), label=stream)


@given(st.data())
@settings(max_examples=30)
def test_a_property_based_tester_can_stand_behind_the_draws(data: st.DataObject) -> None:
    choices = Choices(_Hypothesis(data))

    drawn = [choices.draw("a", low, low + 10) for low in range(5)]

    assert Choices(TapeSource(choices.tape)).draw("a", 0, 10) == drawn[0]
    assert all(low <= value <= low + 10 for low, value in enumerate(drawn))
