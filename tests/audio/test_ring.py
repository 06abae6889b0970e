"""The ring: what was queued, what was handed, and nothing between."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bargein.audio.formats import Samples
from bargein.audio.ring import Ring, Span


def ramp(n: int, start: int = 1) -> Samples:
    return np.arange(start, start + n).astype(np.int16)


def test_a_block_says_which_marks_which_samples_are_in_it() -> None:
    ring = Ring()
    ring.queue("a", ramp(5))
    ring.queue("b", ramp(4, 100))
    block, spans = ring.read(7)
    assert list(block) == [1, 2, 3, 4, 5, 100, 101]
    assert spans == (Span("a", 0, 0, 5), Span("b", 0, 5, 2))
    assert ring.read(7)[1] == (Span("b", 2, 0, 2),)
    assert (ring.handed("a"), ring.handed("b")) == (5, 4)


def test_silence_inside_a_mark_is_an_underrun_and_behind_its_end_is_not() -> None:
    ring = Ring()
    ring.read(10)
    ring.queue("a", ramp(4))
    ring.read(10)
    ring.skip(10)
    assert ring.underrun_samples == 16
    ring.end("a")
    ring.read(10)
    assert ring.underrun_samples == 16


def test_what_does_not_fit_is_refused_counted_and_closes_its_mark() -> None:
    ring = Ring(limit_samples=10)
    assert ring.queue("a", ramp(8)) == 8
    assert ring.queue("a", ramp(8)) == 2
    ring.read(10)
    # A later piece would leave a hole: what is heard of a mark is a prefix.
    assert ring.queue("a", ramp(3)) == 0
    assert ring.refused_samples == 9
    assert ring.queue("b", ramp(3)) == 3
    assert ring.queued("a") == 10


def test_a_cut_fades_into_the_running_mark_and_counts_the_fade() -> None:
    ring = Ring()
    ring.queue("a", np.full(100, 10_000, dtype=np.int16))
    ring.queue("b", np.full(100, 10_000, dtype=np.int16))
    ring.read(10)
    assert ring.cut(fade_samples=20) == {"a": 30, "b": 0}
    assert ring.fading("a") == 20
    block, spans = ring.read(40)
    assert spans == (Span("a", 10, 0, 20),)
    assert np.all(np.diff(block.astype(int)) <= 0)
    assert block[0] > 9_900
    assert 0 < block[19] < 200
    assert not block[20:].any()
    assert ring.handed("a") == 30


def test_a_cut_before_the_first_read_begins_nothing() -> None:
    ring = Ring()
    ring.queue("a", ramp(100))
    assert ring.cut(fade_samples=20) == {"a": 0}
    assert ring.silent
    assert not ring.read(40)[0].any()


def test_a_fade_does_not_reach_into_the_next_mark() -> None:
    ring = Ring()
    ring.queue("a", ramp(15))
    ring.queue("b", ramp(50))
    ring.read(10)
    assert ring.cut(fade_samples=20) == {"a": 15, "b": 0}


def test_a_second_cut_before_the_fade_was_read_adds_none() -> None:
    ring = Ring()
    ring.queue("a", ramp(100))
    ring.read(10)
    first = ring.cut(fade_samples=20)
    ring.queue("new", ramp(10))
    assert ring.cut(fade_samples=20) == {**first, "new": 0}
    assert sum(span.samples for span in ring.read(100)[1]) == 20


def test_late_sound_of_a_cut_mark_is_refused_and_a_new_mark_plays() -> None:
    ring = Ring()
    ring.queue("a", ramp(10))
    ring.cut()
    assert ring.queue("a", ramp(10)) == 0
    assert ring.refused_samples == 10
    assert ring.queue("b", ramp(3)) == 3
    assert list(ring.read(3)[0]) == [1, 2, 3]


def test_a_hold_keeps_the_queue_and_resumes_at_the_very_sample() -> None:
    ring = Ring()
    ring.queue("a", ramp(100))
    ring.read(10)
    assert ring.hold(fade_samples=5) == {"a": 15}
    assert ring.hold(fade_samples=5) == {"a": 15}
    assert ring.read(10)[1] == (Span("a", 10, 0, 5),)
    assert not ring.read(10)[0].any()
    assert ring.underrun_samples == 0
    ring.resume()
    assert list(ring.read(3)[0]) == [16, 17, 18]


def test_a_cut_during_a_hold_fades_nothing_more() -> None:
    ring = Ring()
    ring.queue("a", ramp(100))
    ring.read(10)
    ring.hold(fade_samples=10)
    ring.read(10)
    assert ring.cut(fade_samples=10) == {"a": 20}
    assert ring.silent
    assert not ring.held


def test_a_cut_right_after_hold_and_resume_adds_no_second_fade() -> None:
    ring = Ring()
    ring.queue("a", ramp(100))
    ring.read(10)
    ring.hold(fade_samples=5)
    ring.resume()
    assert ring.cut(fade_samples=5) == {"a": 15}


def test_a_cut_after_a_fade_that_filled_its_block_begins_no_sound_again() -> None:
    ring = Ring()
    ring.queue("a", ramp(100))
    ring.read(10)
    ring.hold(fade_samples=10)
    ring.read(10)
    ring.resume()
    assert ring.cut(fade_samples=10) == {"a": 20}


def test_what_is_given_back_is_read_again() -> None:
    ring = Ring()
    ring.queue("a", ramp(10))
    block, _ = ring.read(6)
    ring.give_back([("a", block[2:6])])
    assert ring.handed("a") == 2
    assert list(ring.read(8)[0]) == list(ramp(8, 3))


def test_a_full_queue_takes_not_one_sample_more_and_neither_does_one_over_its_limit() -> None:
    ring = Ring(limit_samples=10)
    assert ring.queue("a", ramp(10)) == 10
    assert ring.queue("b", ramp(2)) == 0
    block, _ = ring.read(4)
    assert ring.queue("c", ramp(4)) == 4
    ring.give_back([("a", block)])
    assert ring.waiting_samples == 14
    assert ring.queue("d", ramp(1)) == 0
    assert ring.waiting_samples == 14


def test_an_empty_chunk_is_no_sound_and_closes_nothing() -> None:
    ring = Ring(limit_samples=10)
    assert ring.queue("a", ramp(0)) == 0
    assert (ring.silent, ring.refused_samples) == (True, 0)
    assert ring.queue("a", ramp(3)) == 3


def test_what_waits_is_what_was_queued_and_neither_read_nor_cut_nor_faded() -> None:
    ring = Ring()
    steps: list[Callable[[], object]] = [
        lambda: ring.queue("a", ramp(30)),
        lambda: ring.queue("a", ramp(20)),
        lambda: ring.read(10),
        lambda: ring.read(5),
        lambda: ring.give_back([("a", ramp(4)), ("a", ramp(3))]),
        lambda: ring.read(7),
        lambda: ring.hold(fade_samples=6),
        lambda: ring.read(10),
        ring.cut,
    ]
    waiting = []
    for step in steps:
        step()
        waiting.append(ring.waiting_samples)
    assert waiting == [30, 50, 40, 35, 42, 35, 29, 29, 0]


def test_a_block_is_16_bit_and_a_chunk_that_fills_it_is_not_copied() -> None:
    ring = Ring()
    chunk = ramp(20)
    ring.queue("a", chunk)
    assert np.shares_memory(ring.read(10)[0], chunk)
    ring.hold(fade_samples=4)
    assert {ring.read(n)[0].dtype for n in (8, 8)} == {np.dtype("int16")}


def test_a_mark_may_end_before_its_first_sound() -> None:
    ring = Ring()
    ring.end("a")
    ring.queue("a", ramp(3))
    ring.read(10)
    assert ring.underrun_samples == 0


def test_a_cut_after_the_sound_ran_dry_begins_none_that_came_since() -> None:
    ring = Ring()
    ring.queue("a", ramp(5))
    ring.read(10)
    ring.queue("a", ramp(50))
    assert ring.cut(fade_samples=20) == {"a": 5}


def test_a_fade_and_a_hold_are_nothing_unless_a_length_is_told() -> None:
    for stop in (Ring.cut, Ring.hold):
        ring = Ring()
        ring.queue("a", ramp(100))
        ring.read(10)
        assert stop(ring) == {"a": 10}


def test_a_fade_of_one_sample_and_one_that_takes_a_whole_chunk_are_exact() -> None:
    for fade, rest in ((1, 9), (10, 0)):
        ring = Ring()
        ring.queue("a", ramp(10))
        ring.queue("a", ramp(10, 500))
        ring.read(10)
        assert ring.hold(fade_samples=fade) == {"a": 10 + fade}
        ring.read(20)
        ring.resume()
        spans = ring.read(20)[1]
        assert [span.samples for span in spans] == [rest] * bool(rest)


def test_a_fade_over_two_chunks_of_one_mark_takes_no_empty_piece() -> None:
    ring = Ring()
    ring.queue("a", ramp(14))
    ring.queue("b", ramp(5))
    ring.read(10)
    assert ring.hold(fade_samples=4) == {"a": 14, "b": 0}
    ring.resume()
    assert ring.read(9)[1] == (Span("a", 10, 0, 4), Span("b", 0, 4, 5))
    assert ring.waiting_samples == 0


def test_another_ring_goes_on_counting_where_the_first_one_stopped() -> None:
    first, second = Ring(limit_samples=5), Ring(limit_samples=5)
    for ring, samples in ((first, 7), (second, 8)):
        ring.queue("a", ramp(samples))
        ring.read(samples + 10)
        ring.queue("b", ramp(1))
        ring.read(4)
    first.hold()
    assert (first.underrun_samples, first.refused_samples) == (3, 2)
    assert (second.underrun_samples, second.refused_samples) == (3, 3)
    second.follow(first)
    assert (second.underrun_samples, second.refused_samples, second.held) == (6, 5, True)


def test_a_mark_that_is_not_known_may_be_forgotten() -> None:
    ring = Ring()
    ring.forget("a")
    assert ring.queue("a", ramp(1)) == 1


def test_ten_minutes_at_48_khz_wait_at_most_unless_told() -> None:
    ring = Ring()
    assert ring.queue("a", np.zeros(48_000 * 600 + 1, dtype=np.int16)) == 48_000 * 600


@pytest.mark.parametrize("mark", ["a", ""])
def test_a_cut_begins_no_sound_that_does_not_run_whatever_its_mark_is(mark: str) -> None:
    ring = Ring()
    ring.queue(mark, ramp(100))
    ring.hold()
    ring.resume()
    assert ring.cut(fade_samples=20) == {mark: 0}
    ring = Ring()
    ring.queue(mark, ramp(100))
    ring.give_back([(mark, ring.read(6)[0])])
    assert ring.cut(fade_samples=20) == {mark: 0}
    ring = Ring()
    ring.queue(mark, ramp(100))
    ring.read(10)
    ring.hold(fade_samples=10)
    ring.read(10)
    ring.resume()
    assert ring.cut(fade_samples=20) == {mark: 20}


def test_silence_after_a_cut_is_no_underrun() -> None:
    ring = Ring()
    ring.queue("a", ramp(5))
    ring.read(5)
    ring.cut()
    ring.read(10)
    assert ring.underrun_samples == 0


def test_every_change_and_every_read_holds_the_guard_that_the_owner_gave() -> None:
    held: list[bool] = []

    class Guard:
        def __enter__(self) -> None:
            held.append(True)

        def __exit__(self, *_: object) -> None:
            held.append(False)

    ring = Ring(guard=Guard())
    block = ring.read(1)[0]
    ring.queue("a", block)
    ring.read(1)
    ring.skip(1)
    ring.hold()
    ring.resume()
    ring.give_back([("a", block)])
    ring.end("a")
    ring.cut()
    ring.forget("a")
    assert held == [True, False] * 10


def test_a_forgotten_mark_has_no_counts() -> None:
    ring = Ring()
    ring.queue("a", ramp(1))
    ring.read(1)
    ring.forget("a")
    assert (ring.queued("a"), ring.handed("a"), ring.fading("a")) == (0, 0, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("queue"), st.integers(0, 3), st.integers(0, 40)),
            st.tuples(st.sampled_from(["read", "hold", "cut"]), st.integers(1, 25), st.just(6)),
            st.tuples(st.just("resume"), st.just(0), st.just(0)),
        ),
        max_size=40,
    )
)
def test_what_is_read_is_a_prefix_of_what_was_accepted(steps: list[tuple[str, int, int]]) -> None:
    ring = Ring(limit_samples=100)
    accepted = dict.fromkeys(range(4), 0)
    read = dict.fromkeys(range(4), 0)
    for what, one, two in steps:
        if what == "queue":
            accepted[one] += ring.queue(one, ramp(two))
        elif what == "read":
            block, spans = ring.read(one)
            assert len(block) == one
            for span in spans:
                assert span.first == read[span.mark]  # type: ignore[index]  # marks are ints
                read[span.mark] += span.samples  # type: ignore[index]  # as above
        elif what == "resume":
            ring.resume()
        else:
            final = ring.cut(two) if what == "cut" else ring.hold(two)
            for mark, count in final.items():
                assert count == ring.handed(mark) + ring.fading(mark)
        assert ring.waiting_samples <= 100
        for mark in range(4):
            assert read[mark] == ring.handed(mark) <= accepted[mark] == ring.queued(mark)


def test_a_callback_thread_and_a_queueing_thread_lose_no_sample() -> None:
    ring = Ring(guard=threading.Lock())
    total = 20_000
    read: list[int] = []

    def callback() -> None:
        while sum(read) < total:
            read.append(sum(span.samples for span in ring.read(64)[1]))

    thread = threading.Thread(target=callback)
    thread.start()
    for _ in range(total // 50):
        ring.queue("a", ramp(50))
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert sum(read) == ring.handed("a") == ring.queued("a") == total
