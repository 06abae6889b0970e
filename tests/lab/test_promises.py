"""Each promise is found broken where the data are bent, and only that one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.lab.demo_rig import (
    LAST,
    MS,
    SECOND,
    STORY,
    STORY_HEARD,
    a_session,
    bent_record,
    committed,
    item_done,
    later,
    refusal,
    sent,
    span,
    truncate,
    without,
)

from bargein import events
from bargein.core.notices import Fault, Interruption, InterruptionSettled
from bargein.lab.figures import parts_of
from bargein.lab.observed import Memory, Observed, OnWire, RememberedPart, Told, TraceCheck
from bargein.lab.promises import Promise, promises, redundant


def judged(observed: Observed) -> dict[str, Promise]:
    return {each.name: each for each in promises(observed, parts_of(observed))}


def broken(observed: Observed) -> list[str]:
    return [name for name, promise in judged(observed).items() if not promise.kept]


def remembering(kept_samples: int) -> Memory:
    good = a_session().memory
    assert good is not None
    story = RememberedPart(STORY.item_id, 0, 24_000, kept_samples)
    return replace(good, parts=(story, *good.parts[1:]))


def cancel(at_ms: int, response_id: str) -> OnWire:
    return sent(at_ms, events.ResponseCancel(response_id=response_id))


def told(at_ms: int, fault: Fault) -> Told:
    return Told(at_ms * 1_000, fault)


def test_a_good_session_keeps_every_promise_and_says_its_figures() -> None:
    good = judged(a_session())
    assert all(promise.kept for promise in good.values())
    assert [promise.figure for promise in good.values()] == [
        "0 samples heard beyond the stop's count, in 2 stopped parts",
        "|kept − heard| ≤ 0.458 ms in 3 parts, by the server's memory",
        "0 refusals",
        "0 redundant of 2 commands for 2 interruptions",
        "3 turns, 3 replies; the mirror and the server hold 6 items in one order",
        "2 stops, 2 settled, each under one id; the trace replays, 1000 inputs",
    ]


def test_one_sample_beyond_the_stop_breaks_silence() -> None:
    good = a_session()
    bent = replace(good, spans=(span(STORY, 3_900, STORY_HEARD + 1), *good.spans[1:]))
    assert broken(bent) == ["P1"]
    assert judged(bent)["P1"].faults == (
        f"item_a1[0]: 1 samples were heard beyond the {STORY_HEARD} that the stop promised",
    )


@pytest.mark.parametrize("off", [-MS, MS])
def test_a_millisecond_of_drift_is_within_the_promise(off: int) -> None:
    assert "P2" not in broken(a_session(memory=remembering(STORY_HEARD + off)))


@pytest.mark.parametrize("off", [-MS - 1, MS + 1])
def test_a_sample_more_than_a_millisecond_is_not(off: int) -> None:
    assert "P2" in broken(a_session(memory=remembering(STORY_HEARD + off)))


def test_a_reply_that_finished_must_be_remembered_whole() -> None:
    good = a_session()
    assert good.memory is not None
    cut = replace(good.memory.parts[2], kept_samples=4_000 * MS)
    bent = replace(good, memory=replace(good.memory, parts=(*good.memory.parts[:2], cut)))
    assert broken(bent) == ["P2"]
    assert judged(bent)["P2"].faults == ("item_a3[0]: heard 5000.292 ms, kept 4000.0 ms",)


def test_without_a_memory_silence_of_the_service_breaks_the_promise() -> None:
    good = a_session(memory=None)
    bent = replace(good, wire=without(good, events.ConversationItemTruncated))
    assert broken(bent) == ["P2"]
    assert "the service never said what it keeps" in judged(bent)["P2"].faults[0]


def test_without_a_memory_the_figure_says_whose_word_it_is() -> None:
    assert "by its acknowledgements" in judged(a_session(memory=None))["P2"].figure


@pytest.mark.parametrize("blame", ["ours", "application"])
def test_a_refusal_of_ours_breaks_the_promise(blame: str) -> None:
    good = a_session()
    fault = Fault(blame, "x", "Audio content is shorter.", about="conversation.item.truncate")  # type: ignore[arg-type]  # parametrized
    bent = replace(
        good, wire=later(good.wire, refusal(8_420)), told=(*good.told, told(8_421, fault))
    )
    assert broken(bent) == ["P3"]
    assert judged(bent)["P3"].faults == (
        "the service refused conversation.item.truncate: Audio content is shorter.",
    )


def test_a_crossing_is_counted_and_breaks_nothing() -> None:
    good = a_session()
    bent = replace(
        good,
        wire=later(good.wire, refusal(8_420)),
        told=(*good.told, told(8_421, Fault("crossing", None, "not active"))),
    )
    assert broken(bent) == []
    assert judged(bent)["P3"].figure == "1 refusal: 1 crossing"


def test_a_refusal_that_nobody_was_told_about_breaks_the_promise() -> None:
    good = a_session()
    assert broken(replace(good, wire=later(good.wire, refusal(8_420)))) == ["P3"]


def test_truncating_a_completed_part_that_was_wholly_heard_is_redundant() -> None:
    good = a_session()
    bent = replace(good, wire=later(good.wire, truncate(21_000, LAST, 5_000)))
    assert broken(bent) == ["P4"]
    assert judged(bent)["P4"].figure == "1 redundant of 3 commands for 2 interruptions"


def test_truncating_it_before_it_was_known_to_be_completed_is_not() -> None:
    good = a_session()
    wire = without(good, events.ConversationItemDone)
    wire = later(wire, truncate(16_000, LAST, 5_000), item_done(16_500, LAST, "completed"))
    assert redundant(replace(good, wire=wire), parts_of(good)) == ()


def test_the_same_truncate_twice_is_redundant_and_a_shorter_one_is_not() -> None:
    good = a_session()
    shorter = replace(good, wire=later(good.wire, truncate(8_420, STORY, 4_400)))
    assert redundant(shorter, parts_of(shorter)) == ()
    twice = replace(good, wire=later(good.wire, truncate(8_420, STORY, 4_500)))
    assert redundant(twice, parts_of(twice)) == ("item_a1[0] was truncated to 4500 ms twice",)


def test_a_second_deletion_and_a_truncate_after_it_are_redundant() -> None:
    good = a_session()
    delete = events.ConversationItemDelete(item_id=SECOND.item_id)
    bent = replace(
        good,
        wire=later(
            good.wire, sent(12_300, delete), sent(12_400, delete), truncate(12_500, SECOND, 10)
        ),
    )
    assert redundant(bent, parts_of(bent)) == (
        "item_a2 was deleted twice",
        "item_a2[0] was truncated after its deletion",
    )


@pytest.mark.parametrize(
    ("at_ms", "why"),
    [
        (8_400, "though the service does so by itself"),
        (9_000, "after it was over"),
    ],
)
def test_a_cancel_that_the_service_did_not_need_is_redundant(at_ms: int, why: str) -> None:
    good = a_session()
    bent = replace(good, wire=later(good.wire, cancel(at_ms, "resp_1")))
    assert broken(bent) == ["P4"]
    assert why in judged(bent)["P4"].faults[0]


def test_a_cancel_of_a_reply_that_goes_on_is_not_redundant_but_its_repetition_is() -> None:
    good = a_session()
    once = replace(good, wire=later(good.wire, cancel(5_000, "resp_1")))
    assert broken(once) == []
    twice = replace(once, wire=later(once.wire, cancel(5_001, "resp_1")))
    assert judged(twice)["P4"].faults == ("resp_1 was cancelled twice",)


def test_a_cancel_without_an_id_needs_something_to_cancel() -> None:
    good = a_session()
    wire = later(good.wire, sent(21_000, events.ResponseCancel()))
    assert "the running response was cancelled after it was over" in redundant(
        replace(good, wire=wire), parts_of(good)
    )


def test_a_turn_without_a_reply_breaks_the_conversation() -> None:
    good = a_session()
    assert broken(replace(good, wire=later(good.wire, committed(21_000)))) == ["P5"]


def test_a_mirror_in_another_order_breaks_the_conversation() -> None:
    good = a_session()
    assert broken(replace(good, mirror_ids=tuple(reversed(good.mirror_ids)))) == ["P5"]


def test_a_stop_that_never_settles_breaks_the_proof() -> None:
    good = a_session()
    told = tuple(each for each in good.told if not isinstance(each.notice, InterruptionSettled))
    assert broken(replace(good, told=told)) == ["P6"]


def test_what_settles_without_a_stop_breaks_the_proof() -> None:
    good = a_session()
    told = tuple(each for each in good.told if not isinstance(each.notice, Interruption))
    assert broken(replace(good, told=told)) == ["P6"]


def test_a_stop_told_twice_breaks_the_proof() -> None:
    good = a_session()
    stop = next(each for each in good.told if isinstance(each.notice, Interruption))
    assert broken(replace(good, told=(*good.told, stop))) == ["P6"]


def test_a_record_that_says_something_else_than_the_ear_breaks_the_proof() -> None:
    good = a_session()
    bent = replace(good, told=bent_record(good, heard_samples=1))
    assert broken(bent) == ["P6"]
    assert "the record says 1 samples were heard" in judged(bent)["P6"].faults[0]


def test_a_record_that_says_something_else_than_the_memory_breaks_the_proof() -> None:
    good = a_session()
    assert broken(replace(good, told=bent_record(good, kept_ms=9_999))) == ["P6"]


def test_a_record_of_a_part_that_never_was_breaks_the_proof() -> None:
    good = a_session()
    assert broken(replace(good, told=bent_record(good, item_id="item_z"))) == ["P6"]


def test_a_trace_that_does_not_replay_breaks_the_proof() -> None:
    bent = a_session(trace=TraceCheck(3, 2, "line 4 of the trace gives something else"))
    assert broken(bent) == ["P6"]
    assert judged(bent)["P6"].faults == (
        "the trace does not replay: line 4 of the trace gives something else",
    )
