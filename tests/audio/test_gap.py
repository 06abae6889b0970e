"""Silence is a gap only between two sounds of one mark of which more was to come."""

from bargein.audio.gap import Gap
from bargein.audio.ring import Span


def test_silence_between_two_sounds_of_a_mark_is_counted_once() -> None:
    gap = Gap()

    assert gap.before(Span("a", 0, 0, 100), 0) == 0
    assert gap.before(Span("a", 100, 20, 60), 480) == 400
    assert gap.before(Span("a", 160, 0, 480), 560) == 0


def test_silence_before_another_mark_is_no_gap() -> None:
    gap = Gap()
    gap.before(Span("a", 0, 0, 100), 0)

    assert gap.before(Span("b", 0, 0, 100), 480) == 0
    assert gap.mark == "b"


def test_silence_behind_what_was_cut_is_no_gap() -> None:
    gap = Gap()
    gap.before(Span("a", 0, 0, 100), 0)
    gap.none()

    assert gap.mark is None
    assert gap.before(Span("a", 100, 0, 100), 480) == 0
