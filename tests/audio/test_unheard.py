"""The sound that nobody has heard yet: each mark by its own count, and nothing that was heard."""

from __future__ import annotations

import numpy as np

from bargein.audio.base import Mark
from bargein.audio.unheard import Unheard


def two_marks() -> Unheard:
    unheard = Unheard()
    unheard.keep("a", 0, np.arange(4, dtype=np.int16))
    unheard.keep("a", 4, np.arange(4, 8, dtype=np.int16))
    unheard.keep("b", 0, np.arange(100, 104, dtype=np.int16))
    return unheard


def rest(unheard: Unheard, heard: dict[str, int]) -> list[tuple[Mark, list[int]]]:
    return [(mark, pcm.tolist()) for mark, pcm in unheard.rest(lambda mark: heard[str(mark)])]


def test_the_rest_begins_with_the_first_sample_of_each_mark_that_was_not_heard() -> None:
    assert rest(two_marks(), {"a": 5, "b": 0}) == [("a", [5, 6, 7]), ("b", [100, 101, 102, 103])]
    assert rest(two_marks(), {"a": 0, "b": 1})[2] == ("b", [101, 102, 103])


def test_a_chunk_that_was_heard_to_its_end_leaves_no_empty_rest() -> None:
    assert rest(two_marks(), {"a": 4, "b": 4}) == [("a", [4, 5, 6, 7])]


def test_a_chunk_in_front_that_was_heard_to_its_end_is_let_go_and_not_asked_about_again() -> None:
    unheard = two_marks()
    unheard.let_go(lambda mark: {"a": 8, "b": 3}[str(mark)])
    asked: list[Mark] = []

    def heard(mark: Mark) -> int:
        asked.append(mark)
        return 0

    assert len([*unheard.rest(heard)]) == 1
    assert asked == ["b"]


def test_a_chunk_that_was_not_heard_to_its_end_keeps_all_behind_it() -> None:
    unheard = two_marks()
    unheard.let_go(lambda mark: {"a": 7, "b": 4}[str(mark)])
    assert rest(unheard, {"a": 7, "b": 4}) == [("a", [7])]
