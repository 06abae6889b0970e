"""Packets that come late, twice, out of order or never, and what is due when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bargein.audio.jitter import (
    LEAST_RESERVE_US,
    MADE_UP_FRAMES,
    Frame,
    JitterBuffer,
    Missing,
    Packet,
    Playout,
)
from bargein.errors import LocalValueError
from bargein.units import US_PER_MS, US_PER_S

FRAME = 960
FRAME_US = 20 * US_PER_MS


@dataclass
class Way:
    """A sender that speaks without a pause, a network, and whoever pops what is due."""

    buffer: JitterBuffer = field(default_factory=JitterBuffer)
    first_sequence: int = 65_530
    first_timestamp: int = 2**32 - 5 * FRAME
    base_us: int = 30_000
    popped: list[tuple[int, Packet | Missing]] = field(default_factory=list)

    def send(self, delays_us: Sequence[int | None], *, ppm: int = 0) -> None:
        """One packet each 20 ms of the sender's clock; None: it is lost on the way."""
        coming = []
        for number, delay_us in enumerate(delays_us):
            if delay_us is not None:
                sent_us = number * FRAME_US * (1_000_000 + ppm) // 1_000_000
                coming.append((sent_us + self.base_us + delay_us, number))
        for at_us, number in sorted(coming):
            self.pop_until(at_us - 1)
            sequence = (self.first_sequence + number) % 2**16
            timestamp = (self.first_timestamp + number * FRAME) % 2**32
            self.buffer.push(sequence, timestamp, str(number).encode(), at_us)

    def pop_until(self, until_us: int) -> None:
        """As an edge does: whenever something is due."""
        while (due_us := self.buffer.deadline_us) is not None and due_us <= until_us:
            while (found := self.buffer.pop(due_us)) is not None:
                self.popped.append((due_us, found))

    @property
    def payloads(self) -> list[int]:
        return [int(one.payload) for _, one in self.popped if isinstance(one, Packet)]

    def latency_us(self, number: int) -> int:
        """From the sending of the packet until it was due."""
        at_us = next(
            at for at, one in self.popped if isinstance(one, Packet) and int(one.payload) == number
        )
        return at_us - number * FRAME_US


def test_what_comes_in_time_is_due_20_ms_behind_its_arrival() -> None:
    way = Way()
    way.send([0] * 100)
    way.pop_until(3 * US_PER_S)
    assert way.payloads == list(range(100))
    assert {way.latency_us(number) for number in range(100)} == {30_000 + LEAST_RESERVE_US}


def test_sequence_and_timestamp_may_wrap() -> None:
    way = Way()
    way.send([0] * 20)
    way.pop_until(US_PER_S)
    positions = [one.position for _, one in way.popped][:20]
    assert positions == [way.first_timestamp + number * FRAME for number in range(20)]


def test_a_lost_packet_is_recovered_from_the_one_behind_it() -> None:
    way = Way()
    way.send([0] * 10 + [None] + [0] * 10)
    lost = [one for _, one in way.popped if isinstance(one, Missing)]
    assert lost == [Missing(way.first_timestamp + 10 * FRAME, b"11")]
    assert way.buffer.lost == 1


def test_of_two_lost_packets_the_first_is_concealed() -> None:
    way = Way()
    way.send([0] * 10 + [None, None] + [0] * 10)
    lost = [one.next_payload for _, one in way.popped if isinstance(one, Missing)]
    assert lost == [None, b"12"]


@pytest.mark.parametrize("lost", [1, 2, 3, 5])
def test_the_delay_does_not_grow_after_a_loss(lost: int) -> None:
    way = Way()
    way.send([0] * 50 + [None] * lost + [0] * 60)
    assert way.latency_us(49) == way.latency_us(50 + lost) == way.latency_us(100)


def test_of_a_loss_without_end_three_frames_are_made_up() -> None:
    way = Way()
    way.send([0] * 10)
    way.pop_until(5 * US_PER_S)
    assert [type(one) for _, one in way.popped[10:]] == [Missing] * MADE_UP_FRAMES
    assert way.buffer.deadline_us is None


def test_a_pause_of_the_sender_is_no_loss() -> None:
    buffer = JitterBuffer()
    for number, timestamp in enumerate((0, FRAME, FRAME * 100, FRAME * 101)):
        buffer.push(number, timestamp, b"x", timestamp * US_PER_S // 48_000)
    found = []
    for now_us in range(0, 3 * US_PER_S, FRAME_US):
        while (one := buffer.pop(now_us)) is not None:
            found.append((now_us, one))
    positions = [one.position for _, one in found if isinstance(one, Packet)]
    assert positions == [0, FRAME, FRAME * 100, FRAME * 101]
    assert buffer.lost == 0
    assert not [one for at_us, one in found[:-MADE_UP_FRAMES] if isinstance(one, Missing)]


def test_a_reordering_by_60_ms_loses_nothing_once_it_is_known() -> None:
    way = Way()
    way.send([60_000 if number % 5 == 0 else 0 for number in range(200)])
    way.pop_until(6 * US_PER_S)
    behind = [number for number in way.payloads if number > 50]
    assert behind == list(range(51, 200))


@pytest.mark.parametrize("late_us", [100_000, 180_000])
def test_a_second_after_trouble_the_delay_is_back(late_us: int) -> None:
    way = Way()
    way.send([0] * 50 + [late_us] * 20 + [0] * 110)
    way.pop_until(6 * US_PER_S)
    assert way.latency_us(68) > 30_000 + LEAST_RESERVE_US + FRAME_US
    # One second for the lateness to be forgotten, and one to catch up.
    assert way.latency_us(175) <= 30_000 + LEAST_RESERVE_US + FRAME_US
    assert way.buffer.skipped


@pytest.mark.parametrize("pause_s", [2, 30])
def test_a_reordering_that_is_known_loses_no_first_frame_behind_a_pause(pause_s: int) -> None:
    """A reply's first word: its first frames overtake each other as those before the pause did."""
    way = Way()
    way.send([60_000 if number % 5 == 0 else 0 for number in range(100)])
    way.pop_until(4 * US_PER_S)
    before = len(way.payloads)
    first = (2 + pause_s) * 50
    for at, number in enumerate((first + 1, first, first + 2)):
        at_us = (first + 1) * FRAME_US + 30_000 + at * 35_000
        way.pop_until(at_us - 1)
        sequence = way.first_sequence + 100 + number - first
        timestamp = (way.first_timestamp + number * FRAME) % 2**32
        way.buffer.push(sequence % 2**16, timestamp, str(number).encode(), at_us)
    way.pop_until((first + 50) * FRAME_US)
    assert way.payloads[before:] == [first, first + 1, first + 2]


def popped_at(buffer: JitterBuffer, now_us: int) -> int:
    """How many frames are due by then."""
    count = 0
    while buffer.pop(now_us) is not None:
        count += 1
    return count


@pytest.mark.parametrize("held_up", [10, 20, 40])
@pytest.mark.parametrize("pops_meanwhile", [True, False], ids=["network", "this machine"])
def test_packets_that_were_held_up_are_not_made_up_besides(
    held_up: int, pops_meanwhile: bool
) -> None:
    """They come all at once, and each is popped as it comes. What is given is no more than was
    sent, but for the end of a loss, so that nothing piles up behind it."""
    buffer = JitterBuffer()
    given = 0
    for number in range(200):
        stalls = 100 <= number < 100 + held_up
        if pops_meanwhile or not stalls:
            for now_us in range((number - 1) * FRAME_US, number * FRAME_US, 5_000):
                given += popped_at(buffer, now_us)
        if stalls:
            continue
        for late in range(100, number) if number == 100 + held_up else ():
            buffer.push(late, late * FRAME, b"x", number * FRAME_US)
            given += popped_at(buffer, number * FRAME_US)
        buffer.push(number, number * FRAME, b"x", number * FRAME_US)
        given += popped_at(buffer, number * FRAME_US)
    assert given <= 200 + MADE_UP_FRAMES
    assert given >= 200 - held_up


def test_one_stray_packet_does_not_lengthen_the_delay() -> None:
    way = Way()
    way.send([0] * 50 + [150_000] + [0] * 50)
    assert way.buffer.late == 1
    assert way.latency_us(90) == 30_000 + LEAST_RESERVE_US


@pytest.mark.parametrize("ppm", [300, -300])
def test_clocks_that_drift_apart_cost_a_frame_now_and_then(ppm: int) -> None:
    way = Way()
    way.send([0] * 3_000, ppm=ppm)
    way.pop_until(61 * US_PER_S)
    assert len(way.payloads) >= 2_995
    assert way.buffer.held == 0


def test_after_a_flush_what_is_held_is_gone_and_what_comes_is_played() -> None:
    way = Way()
    way.send([0] * 10)
    way.buffer.push((way.first_sequence + 10) % 2**16, 5 * FRAME, b"10", 10 * FRAME_US + 30_000)
    assert way.buffer.held
    dropped = way.buffer.flush()
    assert way.buffer.held == 0
    before = len(way.popped)
    way.buffer.push((way.first_sequence + 11) % 2**16, 6 * FRAME, b"11", 11 * FRAME_US + 30_000)
    way.pop_until(US_PER_S)
    after = [one for _, one in way.popped[before:] if isinstance(one, Packet)]
    assert dropped >= 1
    assert [one.payload for one in after] == [b"11"]


def test_a_packet_twice_is_played_once() -> None:
    buffer = JitterBuffer()
    buffer.push(1, 0, b"a", 0)
    buffer.push(1, 0, b"a", 1)
    assert buffer.pop(FRAME_US + 1) == Packet(0, b"a")
    assert buffer.doubled == 1


def test_another_sender_begins_anew() -> None:
    buffer = JitterBuffer()
    buffer.push(1, 0, b"a", 0)
    buffer.push(9_000, 2_000_000_000, b"b", 20_000)
    assert buffer.pop(60_000) == Packet(2_000_000_000, b"b")
    assert buffer.overflowed == 1


def test_it_holds_so_many_packets_and_counts_the_others() -> None:
    buffer = JitterBuffer(limit_packets=10)
    for number in range(30):
        buffer.push(number, number * FRAME, b"x", 0)
    assert (buffer.held, buffer.overflowed) == (10, 20)


@pytest.mark.parametrize("wrong", ["rate", "frame_samples", "limit_packets"])
def test_numbers_below_one_are_refused_by_name(wrong: str) -> None:
    with pytest.raises(LocalValueError, match=wrong):
        JitterBuffer(**{wrong: 0})


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.one_of(st.none(), st.integers(0, 400_000)), max_size=80), st.integers(1, 60))
def test_each_packet_is_accounted_for_and_none_is_played_out_of_order(
    delays_us: list[int | None], limit: int
) -> None:
    way = Way(JitterBuffer(limit_packets=limit))
    way.send(delays_us)
    way.pop_until(10 * US_PER_S)
    buffer = way.buffer
    came = sum(delay_us is not None for delay_us in delays_us)
    gone = buffer.late + buffer.doubled + buffer.overflowed + buffer.skipped + buffer.held
    assert len(way.payloads) + gone == came
    assert way.payloads == sorted(set(way.payloads))
    assert buffer.held <= limit
    assert buffer.deadline_us is None


class Letters:
    """A decoder that writes down what it is asked."""

    def decode(self, payload: bytes) -> bytes:
        return b"=" + payload

    def recover(self, next_payload: bytes) -> bytes:
        return b"<" + next_payload

    def conceal(self) -> bytes:
        return b"?"


def test_a_playout_decodes_recovers_and_conceals() -> None:
    playout = Playout(JitterBuffer(), Letters())
    for number in (0, 1, 4):
        playout.buffer.push(number, number * FRAME, b"%d" % number, number * FRAME_US)
    frames: list[Frame] = []
    for now_us in range(0, 6 * FRAME_US, FRAME_US):
        frames += playout.take(now_us)
    assert [frame.pcm for frame in frames] == [b"=0", b"=1", b"?", b"<4", b"=4"]
    assert [frame.made_up for frame in frames] == [False, False, True, True, False]
