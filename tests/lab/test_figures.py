"""What became of each part, from the three witnesses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.lab.demo_rig import (
    LAST,
    MS,
    SECOND,
    SECOND_HEARD,
    STORY,
    STORY_HEARD,
    a_session,
    delta,
    later,
    sent,
    span,
    truncate,
    truncated,
    without,
)

from bargein import events
from bargein.core.inputs import Part
from bargein.lab.figures import ms_of, parts_of
from bargein.lab.observed import Memory, OnWire, Stop


def test_a_part_is_counted_on_the_wire_at_the_ear_and_in_the_memory() -> None:
    story, second, last = parts_of(a_session())
    assert story.part == STORY
    assert story.received_samples == 20_000 * MS
    assert story.heard_samples == story.told_samples == STORY_HEARD
    assert (story.sent, story.sent_ms) == ("truncate", 4_500)
    assert (story.kept_samples, story.kept_from) == (4_500 * MS, "memory")
    assert story.drift_samples == -11
    assert second.drift_samples == 0
    assert (last.sent, last.sent_ms, last.told_samples, last.drift_samples) == ("", None, None, 0)


def test_the_words_heard_are_those_that_were_heard_to_their_end() -> None:
    story, second, _ = parts_of(a_session())
    assert story.heard_text == "Once upon"
    assert second.heard_text == "Well"


def test_spans_with_a_gap_between_them_are_added_up() -> None:
    spans = (span(SECOND, 11_500, 300 * MS), span(SECOND, 12_000, 400 * MS, first=300 * MS))
    (second,) = (p for p in parts_of(a_session(spans=spans)) if p.part == SECOND)
    assert second.heard_samples == SECOND_HEARD


def test_a_part_that_the_memory_does_not_have_is_kept_to_nothing() -> None:
    story, *_ = parts_of(a_session(memory=Memory((), ())))
    assert story.kept_samples == 0


def test_without_a_memory_the_acknowledgement_counts() -> None:
    story, _, last = parts_of(a_session(memory=None))
    assert (story.kept_samples, story.kept_from) == (4_500 * MS, "acknowledged")
    assert (last.kept_samples, last.kept_from) == (5_000 * MS + 7, "untouched")


def test_without_a_memory_the_last_acknowledgement_counts() -> None:
    good = a_session(memory=None)
    wire = later(good.wire, truncate(8_500, STORY, 4_400), truncated(8_510, STORY, 4_400))
    story, *_ = parts_of(replace(good, wire=wire))
    assert story.kept_samples == 4_400 * MS
    assert story.sent_ms == 4_400


def test_a_truncate_without_an_answer_leaves_the_kept_unknown() -> None:
    good = a_session(memory=None)
    story, *_ = parts_of(replace(good, wire=without(good, events.ConversationItemTruncated)))
    assert (story.kept_samples, story.kept_from, story.drift_samples) == (None, "unconfirmed", None)


def test_a_deleted_item_is_kept_to_nothing() -> None:
    never = Part("resp_9", "item_a9", 0)
    gone = events.ConversationItemDeleted(event_id="e", item_id="item_a9")
    good = a_session(memory=None)
    wire = later(
        good.wire,
        delta(16_000, never, 100 * MS),
        sent(16_100, events.ConversationItemDelete(item_id="item_a9")),
        OnWire(16_200_000, "received", gone),
    )
    figures = parts_of(replace(good, wire=wire))[-1]
    assert (figures.sent, figures.kept_samples, figures.heard_samples) == ("delete", 0, 0)


def test_what_is_heard_beyond_the_stops_count_is_counted() -> None:
    good = a_session()
    spans = (span(STORY, 3_900, STORY_HEARD + 5), *good.spans[1:])
    story, *_ = parts_of(replace(good, spans=spans))
    assert story.beyond_samples == 5


def test_a_part_of_a_stopped_response_that_is_heard_later_is_beyond_as_a_whole() -> None:
    good = a_session()
    late = Part(STORY.response_id, "item_a1b", 0)
    spans = (*good.spans, span(late, 9_000, 77))
    figures = {part.part: part for part in parts_of(replace(good, spans=spans))}
    assert figures[late].beyond_samples == 77


def test_a_part_of_a_stopped_response_that_was_over_before_the_stop_is_not_beyond() -> None:
    good = a_session()
    early = Part(STORY.response_id, "item_a0", 0)
    spans = (span(early, 3_200, 77), *good.spans)
    figures = {part.part: part for part in parts_of(replace(good, spans=spans))}
    assert figures[early].beyond_samples == 0


def test_a_corrected_answer_to_the_stop_is_the_one_that_counts() -> None:
    good = a_session()
    stops = (Stop("cut_1", 8_400_000, 8_402_000, ((STORY, STORY_HEARD - 3),)), *good.stops[1:])
    story, *_ = parts_of(replace(good, stops=stops))
    assert story.beyond_samples == 3


def test_parts_come_in_the_order_in_which_their_sound_arrived() -> None:
    assert [part.part for part in parts_of(a_session())] == [STORY, SECOND, LAST]


@pytest.mark.parametrize(("samples", "ms"), [(0, 0.0), (24, 1.0), (11, 0.458), (108_011, 4500.458)])
def test_milliseconds_for_people_have_a_fraction(samples: int, ms: float) -> None:
    assert ms_of(samples) == ms
