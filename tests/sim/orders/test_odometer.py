"""Every sequence of draws is played once, however many there are and however wide each is."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from bargein.sim.orders.odometer import OdometerSource

Run = Callable[[Callable[[int], int]], None]


def played(run: Run) -> tuple[list[tuple[int, ...]], Fraction]:
    """All sequences in their order, and what their shares add up to."""
    source = OdometerSource()
    sequences: list[tuple[int, ...]] = []
    shares = Fraction(0)
    more = True
    while more:
        drawn: list[int] = []

        def draw(span: int, drawn: list[int] = drawn) -> int:
            drawn.append(source.draw("any", span))
            return drawn[-1]

        run(draw)
        sequences.append(tuple(drawn))
        shares += source.share
        more = source.advance()
    return sequences, shares


def test_a_space_of_fixed_widths_is_counted_through_like_an_odometer() -> None:
    def run(draw: Callable[[int], int]) -> None:
        for span in (1, 2, 1):
            draw(span)

    sequences, shares = played(run)

    assert sequences == [(a, b, c) for a in (0, 1) for b in (0, 1, 2) for c in (0, 1)]
    assert shares == 1


def test_what_is_drawn_may_decide_how_much_and_how_widely_is_drawn_after_it() -> None:
    def run(draw: Callable[[int], int]) -> None:
        if draw(2) == 1:
            for _ in range(draw(2)):
                draw(1)

    sequences, shares = played(run)

    assert sequences == [
        (0,),
        (1, 0),
        *((1, 1, a) for a in (0, 1)),
        *((1, 2, a, b) for a in (0, 1) for b in (0, 1)),
        (2,),
    ]
    assert shares == 1


def test_a_run_without_a_choice_is_played_once() -> None:
    sequences, shares = played(lambda draw: None)

    assert (sequences, shares) == ([()], Fraction(1))


def test_six_things_in_any_order_are_seven_hundred_and_twenty_orders() -> None:
    def run(draw: Callable[[int], int]) -> None:
        for left in range(6, 0, -1):
            draw(left - 1)

    sequences, shares = played(run)

    assert len(sequences) == len(set(sequences)) == 720
    assert shares == 1


def test_the_shares_of_a_count_with_a_gap_do_not_add_up_to_one() -> None:
    source = OdometerSource()
    shares = Fraction(0)
    for _ in range(3):
        source.draw("any", 3)
        shares += source.share
        source.advance()

    assert shares == Fraction(3, 4)


def test_a_run_that_its_draws_do_not_decide_is_refused() -> None:
    source = OdometerSource()
    source.draw("first", 1)
    source.draw("second", 1)
    source.advance()

    with pytest.raises(ValueError, match="'first': draw 0 spans 3, it spanned 1"):
        source.draw("first", 3)
