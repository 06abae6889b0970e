"""Blocks fall due by the card's own clock, and none is ever due twice or left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bargein.audio.base import Report
from bargein.audio.block_clock import BlockClock
from bargein.audio.card import Card
from bargein.audio.card_settings import CardSettings
from bargein.audio.ear import Ear
from bargein.audio.formats import bytes_of


def test_the_first_block_is_due_at_once_and_the_next_when_it_has_sounded() -> None:
    clock = BlockClock(CardSettings(rate=24_000, block=480), 1_000)

    due = [clock.due_us]
    for _ in range(2):
        clock.take(1)
        due.append(clock.due_us)

    assert due == [1_000, 21_000, 41_000]


@pytest.mark.parametrize("ppm", [-300, 0, 300])
@pytest.mark.parametrize("block", [240, 441, 2_048])
def test_what_is_due_by_a_time_are_the_blocks_whose_time_has_come(ppm: int, block: int) -> None:
    card = CardSettings(rate=44_100, block=block, rate_error_ppm=ppm)
    counted, one_by_one = BlockClock(card, 7), BlockClock(card, 7)

    for time_us in range(7, 400_000, 1_013):
        blocks = 0
        while one_by_one.due_us <= time_us:
            one_by_one.take(1)
            blocks += 1

        assert counted.due_by(time_us) == blocks
        counted.take(blocks)
        assert counted.due_us == one_by_one.due_us > time_us


@pytest.mark.parametrize("ppm", [-300, 0, 300])
@pytest.mark.parametrize("block", [240, 441, 2_048])
def test_the_block_from_a_time_on_is_the_first_whose_time_is_not_before(
    ppm: int, block: int
) -> None:
    card = CardSettings(rate=44_100, block=block, rate_error_ppm=ppm)
    clock, ahead = BlockClock(card, 7), BlockClock(card, 7)
    clock.take(3)
    ahead.take(3)

    for time_us in (0, clock.due_us, clock.due_us + 1, *range(140_000, 500_000, 1_013)):
        while ahead.due_us < time_us:
            ahead.take(1)

        assert clock.due_from(time_us) == clock.due_from(ahead.due_us) == ahead.due_us


def test_between_two_blocks_a_card_wakes_nobody() -> None:
    # No block falls due 100 ms after another one, so a report is later than that.
    card = Card(CardSettings(rate=24_000, block=441, latency_us=0, report_every_us=100_000))
    card.play("a", bytes_of(np.ones(48_000, np.int16)), 24_000, 0)

    told = []
    while (due := card.next_us) is not None and due < 1_900_000:
        told.append(card.advance(due))

    beginning, *rest = told
    assert beginning == [] and len(rest) > 15
    assert all(rest), "each waking tells something"


def test_a_block_is_due_with_its_first_frame_and_not_before() -> None:
    clock = BlockClock(CardSettings(rate=44_100, block=441, rate_error_ppm=300), 0)
    clock.take(5)

    assert clock.next_frame == 5 * 441
    assert clock.frame_at(clock.due_us) == clock.next_frame
    assert clock.frame_at(clock.due_us - 1) == clock.next_frame - 1


def test_a_fast_clock_makes_the_same_frames_last_less_long() -> None:
    fast = BlockClock(CardSettings(rate=24_000, rate_error_ppm=100_000), 0)

    assert fast.lasts_us(24_000) == 909_090


class OneByOne(Card):
    """Looks after each block whether there is something to report."""

    def _even_blocks(self, now_us: int) -> int:
        return 0


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        CardSettings,
        rate=st.sampled_from([8_000, 24_000, 48_000]),
        block=st.integers(240, 2_048),
        latency_us=st.integers(0, 250_000),
        on_stop=st.sampled_from(["drain", "discard"]),
        rate_error_ppm=st.sampled_from([0, -300, 300]),
        miss_every=st.sampled_from([0, 3]),
        report_every_us=st.sampled_from([100_000, 250_000]),
    ),
    st.lists(
        st.tuples(st.integers(0, 400_000), st.integers(1, 12_000), st.booleans()),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 1_500_000),
)
def test_blocks_that_a_card_takes_together_are_those_it_would_have_taken_one_by_one(
    options: CardSettings, given_sound: list[tuple[int, int, bool]], stop_us: int
) -> None:
    """A card that is asked once in a long while, as by a loop that is late, says the same as one
    that looks after each block, and the same is heard."""

    def play(make: type[Card]) -> tuple[list[Report], list[int], list[int]]:
        ear = Ear()
        card = make(options, ear=ear)
        told: list[Report] = []
        now_us, stops = 0, False

        def wait(until_us: int) -> None:
            nonlocal now_us
            while now_us < until_us:
                now_us = min(until_us, now_us + 700_000)
                told.extend(card.advance(now_us))

        for mark, (pause_us, samples, whole) in enumerate(given_sound):
            wait(now_us + pause_us)
            if not stops and now_us >= stop_us:
                stops = True
                card.stop("cut", now_us)
            card.play(mark, bytes_of(np.arange(1, samples + 1).astype(np.int16)), 24_000, now_us)
            if whole:
                card.finish(mark, now_us)
        wait(now_us + 3_000_000)
        heard = [card.heard(mark) for mark in range(len(given_sound))]
        return told, heard, ear.sound().tolist()

    assert play(Card) == play(OneByOne)
