"""The words heard of cut parts, measured against speech whose words' times are known."""

from __future__ import annotations

import statistics

from bargein.lab.cut_words import NEW_TEXTS, NEW_VOICES, TEXTS, VOICES, Found, by_share, measure


def percentile_95(values: list[int]) -> int:
    return sorted(values)[int(len(values) * 0.95)]


def test_the_words_of_a_cut_part_are_found_to_one_word_and_nearly_always_to_three() -> None:
    found: list[Found] = [
        *measure(TEXTS[::2], VOICES[:2], cuts=5),
        *measure(NEW_TEXTS[:2], NEW_VOICES[:1], cuts=8, new=True),
    ]
    off = [each.words for each in found]
    by_share = [each.by_share_words for each in found]
    assert len(found) == 46
    assert {each.arriving for each in found} == {False, True}
    assert statistics.median(off) <= 1 and percentile_95(off) <= 3, sorted(off)
    assert 2 * sum(off) < sum(by_share), "looking into the sound is worth it"
    assert 3 * sum(each.ms for each in found) < 2 * sum(each.by_share_ms for each in found)


def test_the_share_ends_with_a_word() -> None:
    text = "Once upon a time in a land"
    assert [by_share(text, heard, 2_000) for heard in (0, 900, 2_000, 2_500)] == [
        "",
        "Once upon a",
        text,
        text,
    ]
