"""The virtual card: what it answers is what the ear got, to the sample, whatever card it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bargein.audio.base import (
    Accuracy,
    Changed,
    Exact,
    Held,
    Rendered,
    Report,
    Starved,
    Stopped,
    Unknown,
    Within,
)
from bargein.audio.card import Card
from bargein.audio.card_settings import CardSettings
from bargein.audio.ear import Ear
from bargein.audio.formats import Samples, bytes_of
from bargein.audio.resample import resample
from bargein.errors import LocalValueError


def sound(samples: int, seed: int = 1) -> Samples:
    """Never nought, so that silence cannot be taken for it."""
    values = np.random.default_rng(seed).integers(1_000, 9_000, samples)
    return values.astype(np.int16)


def run_until(card: Card, until_us: int) -> list[Report]:
    """What an event loop does: wake exactly when the card asks for it."""
    reports: list[Report] = []
    while (due := card.next_us) is not None and due <= until_us:
        reports += card.advance(due)
    return reports + card.advance(until_us)


def stopped(reports: list[Report]) -> list[Stopped]:
    return [report for report in reports if isinstance(report, Stopped)]


cards = st.builds(
    CardSettings,
    rate=st.sampled_from([8_000, 24_000, 44_100, 48_000]),
    block=st.integers(240, 2_048),
    latency_us=st.integers(0, 250_000),
    on_stop=st.sampled_from(["drain", "discard"]),
    rate_error_ppm=st.sampled_from([0, -200, 150]),
    miss_every=st.sampled_from([0, 0, 7]),
)


@settings(max_examples=150, deadline=None)
@given(
    cards,
    st.sampled_from([8_000, 24_000]),
    st.lists(st.integers(1, 4_000), min_size=1, max_size=8),
    st.integers(0, 900_000),
    st.booleans(),
)
def test_a_stop_answers_what_is_heard_to_the_sample_and_nothing_comes_after(
    options: CardSettings, rate: int, chunks: list[int], stop_us: int, finished: bool
) -> None:
    ear = Ear()
    card = Card(options, now_us=5_000_000, ear=ear)
    parts = {mark: sound(sum(chunks), seed) for seed, mark in enumerate(["a", "b"])}
    for mark, whole in parts.items():
        at = 0
        for n in chunks:
            card.play(mark, bytes_of(whole[at : at + n]), rate, 5_000_000)
            at += n
        if finished:
            card.finish(mark, 5_000_000)
    stop_at = 5_000_000 + stop_us
    before = run_until(card, stop_at)
    told = {m: n for r in before if isinstance(r, Rendered) for m, n in r.heard_samples.items()}
    card.stop("cut", stop_at)
    answer = stopped(card.advance(stop_at))[0]
    promised = {mark: card.committed(mark) for mark in parts}
    card.play("a", bytes_of(sound(500)), rate, stop_at)
    after = run_until(card, stop_at + 1_500_000)
    assert not after
    assert answer.margin_samples == 0
    for mark, whole in parts.items():
        truth = card.heard(mark)
        # A mark that is not in the answer was reported as wholly heard before.
        assert answer.heard_samples.get(mark, told.get(mark)) == truth == promised[mark]
        expected = resample(whole, rate, options.rate)
        got = ear.samples(mark)
        fade = options.rate * 5 // 1_000 if options.on_stop == "drain" else 0
        safe = max(0, len(got) - fade)
        assert np.array_equal(got[:safe], expected[:safe])
        if len(got) == len(expected):
            assert truth == len(whole)
    frames = [(h.frame, h.frame + len(h.pcm)) for h in ear.heard]
    assert all(one[1] <= two[0] for one, two in pairwise(frames))


@settings(max_examples=60, deadline=None)
@given(cards, st.integers(0, 700_000))
def test_from_the_stop_the_card_takes_at_most_one_block(
    options: CardSettings, stop_us: int
) -> None:
    options = replace(options, miss_every=0)
    ear = Ear()
    card = Card(options, ear=ear)
    card.play("a", bytes_of(sound(48_000)), 24_000, 0)
    run_until(card, stop_us)
    card.stop("cut", stop_us)
    run_until(card, stop_us + 2_000_000)
    last = ear.heard[-1].frame + len(ear.heard[-1].pcm) if ear.heard else 0
    held = options.latency_us * options.rate // 1_000_000
    if options.on_stop == "discard":
        # Nothing that had not left the card is heard; one frame is the rounding of the latency.
        assert last <= card.frame_at(stop_us) + 1
        return
    taken = (card.frame_at(stop_us) // options.block + 1) * options.block
    fade = min(options.block, options.rate * 5 // 1_000)
    # Of the next block only its beginning, the fade, is sound.
    assert last - held <= taken + fade


@settings(max_examples=80, deadline=None)
@given(cards, st.lists(st.integers(1, 200_000), min_size=2, max_size=6))
@example(CardSettings(rate=8_000, block=1_984, latency_us=150_001), [1, 95_999])
@example(CardSettings(rate=8_000, block=2_048, latency_us=250_000, miss_every=7), [1, 200_000])
def test_hold_and_resume_lose_no_sample_and_repeat_none(
    options: CardSettings, waits: list[int]
) -> None:
    ear = Ear()
    card = Card(options, ear=ear)
    card.play("a", bytes_of(sound(6_000)), 24_000, 0)
    card.finish("a", 0)
    now = 0
    for number, wait in enumerate(waits):
        now += wait
        run_until(card, now)
        card.hold(f"h{number}", now)
        answers = [r for r in card.advance(now) if isinstance(r, Held)]
        assert [a.cut_id for a in answers] == [f"h{number}"]
        # At 8 kHz two blocks take half a second, the first may be missed, and then comes latency.
        now += 800_000
        run_until(card, now)
        for mark, count in answers[0].heard_samples.items():
            assert card.heard(mark) == count
        card.resume(now)
    run_until(card, now + 2_000_000)
    assert card.heard("a") == 6_000
    firsts = [(h.first, len(h.pcm)) for h in ear.heard]
    assert all(first + n == following for (first, n), (following, _) in pairwise(firsts))
    assert card.underrun_samples == 0 or options.miss_every


def test_drain_counts_what_the_card_plays_out_and_discard_what_has_left() -> None:
    # Scenario 6: 1000 ms handed, 180 ms of output latency.
    for on_stop, heard_ms in (("drain", 1_000), ("discard", 820)):
        options = CardSettings(block=240, latency_us=180_000, on_stop=on_stop)  # type: ignore[arg-type]  # a literal by the table
        card = Card(options)
        card.play("a", bytes_of(sound(48_000)), 24_000, 0)
        run_until(card, 1_009_999)
        card.stop("cut", 1_009_999)
        counted = stopped(card.advance(1_009_999))[0].heard_samples["a"] * 1_000 // 24_000
        assert abs(counted - heard_ms) <= 10


def test_a_second_stop_with_the_same_cut_id_changes_nothing() -> None:
    card = Card(CardSettings())
    card.play("a", bytes_of(sound(9_000)), 24_000, 0)
    card.stop("cut", 100_000)
    assert len(stopped(card.advance(100_000))) == 1
    card.play("b", bytes_of(sound(2_000)), 24_000, 100_000)
    card.stop("cut", 120_000)
    reports = run_until(card, 1_000_000)
    assert not stopped(reports)
    assert card.heard("b") > 1_900


def test_a_stop_of_a_silent_card_names_no_mark() -> None:
    card = Card(CardSettings())
    card.stop("cut", 7)
    assert card.advance(7) == [Stopped("cut", {}, 0)]
    assert card.next_us is None


def test_a_mark_that_was_wholly_heard_and_told_is_not_in_the_answer() -> None:
    card = Card(CardSettings())
    card.play("a", bytes_of(sound(1_000)), 24_000, 0)
    card.finish("a", 0)
    reports = run_until(card, 500_000)
    assert reports[-1] == Rendered({"a": 1_000})
    assert card.next_us is None
    card.stop("cut", 500_000)
    assert card.advance(500_000) == [Stopped("cut", {}, 0)]


def test_progress_comes_once_a_block_and_never_falls() -> None:
    card = Card(CardSettings(block=480))
    for chunk in range(20):
        card.play("a", bytes_of(sound(700, chunk)), 24_000, chunk * 3_000)
        card.advance(chunk * 3_000 + 1_500)
    reports = [r for r in run_until(card, 2_000_000) if isinstance(r, Rendered)]
    counts = [r.heard_samples["a"] for r in reports]
    assert counts == sorted(set(counts))
    assert len(counts) <= 14_000 // 480 + 3
    assert counts[-1] == 14_000


def test_marks_are_named_in_the_order_in_which_they_were_heard() -> None:
    # Not in that of a set of strings, which is another one in every process.
    card = Card(CardSettings(block=2_048, latency_us=0))
    marks = [f"mark {number}" for number in range(20)]
    for mark in marks:
        card.play(mark, bytes_of(sound(100)), 24_000, 0)
        card.finish(mark, 0)
    first, *_ = [r for r in run_until(card, 1_000_000) if isinstance(r, Rendered)]
    assert list(first.heard_samples) == marks


def test_silence_inside_a_mark_is_reported_in_samples_of_the_mark() -> None:
    card = Card(CardSettings(rate=48_000, block=480, latency_us=0))
    card.play("a", bytes_of(sound(240)), 8_000, 0)
    run_until(card, 200_000)
    card.play("a", bytes_of(sound(240)), 8_000, 200_000)
    starved = [r for r in run_until(card, 400_000) if isinstance(r, Starved)]
    assert len(starved) == 1
    assert 8_000 * 0.160 <= starved[0].samples <= 8_000 * 0.190
    assert card.underrun_samples > 0
    card.finish("a", 400_000)
    run_until(card, 600_000)
    assert card.heard("a") == 480


def test_a_missed_block_is_silence_and_costs_no_sample() -> None:
    ear = Ear()
    card = Card(CardSettings(block=480, latency_us=0), ear=ear)
    card.play("a", bytes_of(sound(4_800)), 24_000, 0)
    run_until(card, 50_000)
    card.miss(2, 50_000)
    reports = run_until(card, 1_000_000)
    assert Starved(960) in reports
    assert np.array_equal(ear.samples("a"), sound(4_800))


def test_a_late_answer_tells_the_counts_of_the_stop() -> None:
    card = Card(CardSettings(answer_delay_us=150_000))
    card.play("a", bytes_of(sound(24_000)), 24_000, 0)
    run_until(card, 300_000)
    card.stop("cut", 300_000)
    truth = card.committed("a")
    assert not stopped(run_until(card, 449_999))
    assert stopped(run_until(card, 450_000)) == [Stopped("cut", {"a": truth}, 0)]


def test_a_stop_that_was_never_answered_is_made_good_by_the_next_one() -> None:
    card = Card(CardSettings(answer_delay_us=None))
    card.play("a", bytes_of(sound(24_000)), 24_000, 0)
    card.stop("one", 300_000)
    assert not stopped(run_until(card, 9_000_000))
    assert card.next_us is None
    late = Card(CardSettings(answer_delay_us=500_000))
    late.play("a", bytes_of(sound(24_000)), 24_000, 0)
    late.stop("one", 300_000)
    late.stop("two", 400_000)
    one, two = stopped(run_until(late, 2_000_000))
    assert one.heard_samples == two.heard_samples == {"a": late.heard("a")}


def test_an_estimate_is_corrected_under_the_same_cut_id() -> None:
    # Scenario 48: first too much, then the truth.
    options = CardSettings(first_error_samples=960, correction_delay_us=80_000)
    card = Card(options)
    card.play("a", bytes_of(sound(24_000)), 24_000, 0)
    run_until(card, 400_000)
    card.stop("cut", 400_000)
    first, second = stopped(run_until(card, 2_000_000))
    truth = card.heard("a")
    assert first == Stopped("cut", {"a": truth + 960}, 960)
    assert second == Stopped("cut", {"a": truth}, 0)


@pytest.mark.parametrize(
    ("accuracy", "error", "margin"), [(Within(500), -400, 500), (Unknown(), 3_000, None)]
)
def test_an_inexact_card_bends_what_it_reports_and_never_the_truth(
    accuracy: Accuracy, error: int, margin: int | None
) -> None:
    card = Card(CardSettings(accuracy=accuracy, error_samples=error))
    card.play("a", bytes_of(sound(24_000)), 24_000, 0)
    run_until(card, 400_000)
    card.stop("cut", 400_000)
    truth = card.committed("a")
    answer = stopped(run_until(card, 2_000_000))[0]
    assert answer == Stopped("cut", {"a": truth + error}, margin)
    assert card.heard("a") == truth


def test_sound_after_finish_and_after_a_cut_is_dropped_and_counted() -> None:
    card = Card(CardSettings())
    card.play("a", bytes_of(sound(100)), 24_000, 0)
    card.finish("a", 0)
    card.play("a", bytes_of(sound(30)), 24_000, 0)
    card.stop("cut", 0)
    card.play("a", bytes_of(sound(12)), 24_000, 0)
    assert card.late_samples == 42
    assert card.waiting_samples == 0


def test_a_full_queue_tells_it_once_and_what_is_heard_stays_a_prefix() -> None:
    ear = Ear()
    card = Card(CardSettings(limit_s=1), ear=ear)
    for chunk in range(3):
        card.play("a", bytes_of(sound(16_000, chunk)), 24_000, 0)
    reports = run_until(card, 3_000_000)
    told = [r for r in reports if isinstance(r, Changed)]
    assert len(told) == 1
    assert "1 s of queue" in told[0].detail
    assert card.heard("a") == 24_000
    assert card.dropped_samples == 8_000
    assert card.late_samples == 16_000


def test_another_mark_in_between_lets_out_what_the_resampler_held_back() -> None:
    ear = Ear()
    card = Card(CardSettings(rate=48_000), ear=ear)
    card.play("a", bytes_of(sound(501)), 24_000, 0)
    card.play("b", bytes_of(sound(501)), 24_000, 0)
    run_until(card, 500_000)
    # All of a is out before b begins, though nobody said that a is finished.
    assert card.heard("a") == 501
    for turn in range(2):
        for mark in ("a", "b"):
            card.play(mark, bytes_of(sound(501, turn)), 24_000, 500_000)
    card.finish("a", 500_000)
    card.finish("b", 500_000)
    run_until(card, 2_000_000)
    assert (card.heard("a"), card.heard("b")) == (1_503, 1_503)
    assert len(ear.samples("a")) == 3_006


def test_a_thousand_parts_leave_a_bounded_memory_and_exact_counts() -> None:
    card = Card(CardSettings(latency_us=0))
    now = 0
    for number in range(5_000):
        card.play(number, bytes_of(sound(48)), 24_000, now)
        card.finish(number, now)
        now += 40_000
        run_until(card, now)
        assert card.heard(number) == 48
    assert card.heard(0) == 0
    assert card.heard(1_500) == 48


def test_a_cut_part_that_still_drains_is_not_forgotten() -> None:
    card = Card(CardSettings(latency_us=250_000))
    card.play("x", bytes_of(sound(24_000)), 24_000, 0)
    run_until(card, 200_000)
    card.stop("cut", 200_000)
    answer = stopped(run_until(card, 200_000))[0]
    for number in range(4_200):
        card.play(number, b"", 24_000, 230_000)
    run_until(card, 1_000_000)
    assert card.heard("x") == answer.heard_samples["x"] > 0


def test_a_part_finished_after_its_last_sample_was_heard_is_settled_by_then() -> None:
    card = Card(CardSettings())
    card.play("a", bytes_of(sound(100)), 24_000, 0)
    assert run_until(card, 300_000) == [Rendered({"a": 100})]
    card.finish("a", 300_000)
    assert run_until(card, 400_000) == []
    assert card.next_us is None
    card.stop("cut", 400_000)
    assert card.advance(400_000) == [Stopped("cut", {}, 0)]


def test_change_reports_the_new_accuracy() -> None:
    card = Card(CardSettings())
    card = card.change(CardSettings(accuracy=Unknown()), "headphones", 1)
    assert card.advance(1) == [Changed(Unknown(), "headphones")]
    assert card.accuracy == Unknown()


@settings(max_examples=120, deadline=None)
@given(
    cards,
    cards,
    st.sampled_from([8_000, 24_000]),
    st.integers(0, 900_000),
    st.integers(0, 300_000),
    st.booleans(),
)
def test_another_device_goes_on_with_the_first_sample_that_was_not_heard(
    one: CardSettings, two: CardSettings, rate: int, change_us: int, stop_us: int, stops: bool
) -> None:
    two = replace(two, rate=one.rate)
    before, after = Ear(), Ear()
    card = Card(one, ear=before)
    parts = {mark: sound(6_000, seed) for seed, mark in enumerate(["a", "b"])}
    for mark, whole in parts.items():
        card.play(mark, bytes_of(whole[:2_500]), rate, 0)
        card.play(mark, bytes_of(whole[2_500:]), rate, 0)
        card.finish(mark, 0)
    run_until(card, change_us)
    heard = {mark: card.heard(mark) for mark in parts}
    card = card.change(two, "other headphones", change_us, ear=after)
    assert {mark: card.heard(mark) for mark in parts} == heard
    end_us = change_us + 5_000_000
    if stops:
        reports = run_until(card, change_us + stop_us)
        card.stop("cut", change_us + stop_us)
        reports += run_until(card, end_us)
        [answer] = stopped(reports)
        told = {
            m: n for r in reports if isinstance(r, Rendered) for m, n in r.heard_samples.items()
        }
        counted = {**told, **answer.heard_samples}
        assert counted == {mark: card.heard(mark) for mark in counted}
    else:
        reports = run_until(card, end_us)
        assert all(card.heard(mark) == 6_000 for mark in parts)
        assert card.next_us is None
    assert Changed(two.accuracy, "other headphones") in reports
    if one.rate != rate:
        return
    for mark, whole in parts.items():
        got = np.concatenate((before.samples(mark), after.samples(mark)))
        fade = rate * 5 // 1_000 if stops and two.on_stop == "drain" else 0
        safe = max(0, len(got) - fade)
        assert len(got) == card.heard(mark)
        assert np.array_equal(got[:safe], whole[:safe])


def test_a_stop_under_way_is_answered_with_what_was_heard_when_the_device_was_lost() -> None:
    late = CardSettings(latency_us=200_000, answer_delay_us=100_000)
    card = Card(late)
    card.play("a", bytes_of(sound(24_000)), 24_000, 0)
    run_until(card, 400_000)
    card.stop("cut", 400_000)
    run_until(card, 450_000)
    promised, heard = card.committed("a"), card.heard("a")
    card = card.change(CardSettings(), "unplugged", 450_000)
    assert heard < promised
    assert stopped(run_until(card, 3_000_000)) == [Stopped("cut", {"a": heard}, 0)]
    assert card.heard("a") == heard
    card.stop("cut", 3_000_000)
    assert not card.advance(3_000_000)


def test_a_stop_that_had_counted_on_the_lost_device_is_corrected() -> None:
    card = Card(CardSettings(latency_us=200_000))
    card.play("a", bytes_of(sound(24_000)), 24_000, 0)
    run_until(card, 400_000)
    card.stop("cut", 400_000)
    [first] = stopped(run_until(card, 450_000))
    heard = card.heard("a")
    card = card.change(CardSettings(), "unplugged", 450_000)
    assert first.heard_samples["a"] > heard
    assert card.advance(450_000) == [Changed(Exact(), "unplugged"), Stopped("cut", {"a": heard}, 0)]
    assert card.change(CardSettings(), "back", 460_000).advance(460_000) == [
        Changed(Exact(), "back")
    ]


def test_a_hold_goes_on_with_another_device() -> None:
    card = Card(CardSettings())
    card.play("a", bytes_of(sound(24_000)), 24_000, 0)
    run_until(card, 300_000)
    card.hold("h", 300_000)
    run_until(card, 310_000)
    heard = card.heard("a")
    card = card.change(CardSettings(rate=48_000), "headphones", 310_000)
    run_until(card, 2_000_000)
    assert card.heard("a") == heard
    card.resume(2_000_000)
    card.finish("a", 2_000_000)
    run_until(card, 4_000_000)
    assert card.heard("a") == 24_000


def test_sound_of_a_mark_that_was_whole_before_the_change_is_late() -> None:
    card = Card(CardSettings())
    card.play("a", bytes_of(sound(100)), 24_000, 0)
    card.finish("a", 0)
    run_until(card, 500_000)
    card = card.change(CardSettings(), "headphones", 500_000)
    card.play("a", bytes_of(sound(40)), 24_000, 500_000)
    assert card.late_samples == 40
    assert card.heard("a") == 100


def test_a_full_mark_does_not_keep_what_was_heard_of_it() -> None:
    card = Card(CardSettings(limit_s=1))
    card.play("a", bytes_of(sound(30_000)), 24_000, 0)
    run_until(card, 3_000_000)
    assert card.heard("a") == 24_000
    card.play("b", bytes_of(sound(24_000)), 24_000, 3_000_000)
    card = card.change(CardSettings(limit_s=1), "headphones", 3_000_000)
    run_until(card, 9_000_000)
    # Nothing of a is left to be played again, so there is room for all of b.
    assert (card.heard("a"), card.heard("b")) == (24_000, 24_000)


def test_time_never_goes_back() -> None:
    card = Card(CardSettings(), now_us=10)
    with pytest.raises(LocalValueError, match="never goes back"):
        card.advance(9)


def test_bad_sound_is_refused_by_name() -> None:
    card = Card(CardSettings())
    with pytest.raises(LocalValueError, match="pcm: 1 bytes"):
        card.play("a", b"x", 24_000, 0)
    card.play("a", b"xx", 24_000, 0)
    with pytest.raises(LocalValueError, match="rate: 8000 for 'a'"):
        card.play("a", b"xx", 8_000, 0)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"rate": 0}, "rate"),
        ({"block": 0}, "block"),
        ({"latency_us": -1}, "latency_us"),
        ({"fade_us": 5_001}, "fade_us"),
        ({"on_stop": "abort"}, "on_stop"),
        ({"accuracy": Exact(), "error_samples": 1}, "error_samples"),
        ({"accuracy": Within(10), "error_samples": -11}, "error_samples"),
        ({"first_error_samples": 5}, "first_error_samples"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(options: dict[str, object], name: str) -> None:
    with pytest.raises(LocalValueError, match=name):
        CardSettings(**options)  # type: ignore[arg-type]  # wrong on purpose


@settings(max_examples=60, deadline=None)
@given(
    cards,
    st.lists(st.integers(1, 30_000), min_size=1, max_size=4),
    st.sampled_from([20_000, 100_000, 250_000]),
    st.booleans(),
)
def test_rarer_reports_tell_the_same_ends_at_the_same_times(
    options: CardSettings, chunks: list[int], every_us: int, stops: bool
) -> None:
    """What is told in between is left out; ends, stops and the truth do not move."""

    def play(card: Card) -> list[tuple[int, Report]]:
        for mark, samples in enumerate(chunks):
            card.play(mark, bytes_of(sound(samples)), 24_000, 0)
            card.finish(mark, 0)
        told: list[tuple[int, Report]] = []
        for until_us in (700_000, 20_000_000):
            while (due := card.next_us) is not None and due <= until_us:
                told += [(due, report) for report in card.advance(due)]
            told += [(until_us, report) for report in card.advance(until_us)]
            if stops:
                card.stop("cut", until_us)
        return told

    often, rarely = (Card(replace(options, report_every_us=us)) for us in (0, every_us))
    all_told, few_told = play(often), play(rarely)

    known: dict[int, set[str]] = {}
    for us, one in all_told:
        known.setdefault(us, set()).add(repr(one))
    for us, one in few_told:
        # Its turn may come where a card that misses blocks has nothing new to tell.
        last = max(when for when in known if when <= us)
        assert repr(one) in known[last], "nothing new"
    assert [one for one in few_told if isinstance(one[1], Stopped)] == [
        one for one in all_told if isinstance(one[1], Stopped)
    ]
    for mark, samples in enumerate(chunks):
        assert often.heard(mark) == rarely.heard(mark)
        ends = [
            [us for us, one in told if isinstance(one, Rendered) and end(one, mark) == samples]
            for told in (all_told, few_told)
        ]
        assert ends[0] == ends[1]
    assert len(few_told) <= len(all_told)


def end(report: Rendered, mark: int) -> int:
    return report.heard_samples.get(mark, 0)
