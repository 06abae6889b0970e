"""Which words of a part were heard: by the pauses of its sound, and by the length of its words."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bargein.core.loudness import Loudness, sound_of
from bargein.core.words import timeline, voiced
from bargein.units import AudioFormat

RATE = 24_000
TEXT = "One two three. Four five six."


def loudness(*stretches_ms: int) -> tuple[Loudness, int]:
    """Voice and silence in turns, and how many samples they are together."""
    kept, total = Loudness(AudioFormat.PCM), 0
    for index, ms in enumerate(stretches_ms):
        samples = ms * RATE // 1_000
        levels = bytes([0 if index % 2 else 10]) * (ms // 20 + 1)
        kept.add(sound_of(levels, samples * 2, AudioFormat.PCM))
        total += samples
    return kept, total


def heard(text: str, sound: tuple[Loudness, int], ms: int, *, whole: bool = True) -> str:
    kept, samples = sound
    return timeline(text, kept, RATE, samples, whole=whole).heard(ms * RATE // 1_000)


def test_a_pause_is_matched_with_the_end_of_the_sentence_wherever_it_is() -> None:
    """The second sentence is spoken twice as slowly: a share of the time would be off by words."""
    sound = loudness(600, 300, 1_200)
    assert heard(TEXT, sound, 590) == "One two"
    for ms in (600, 700, 900, 1_000):
        assert heard(TEXT, sound, ms) == "One two three."
    assert heard(TEXT, sound, 2_000) == "One two three. Four five"
    assert heard(TEXT, sound, 2_100) == TEXT


def test_of_nothing_heard_there_are_no_words() -> None:
    assert heard(TEXT, loudness(600, 300, 1_200), 0) == ""
    assert heard("", loudness(600), 600) == ""
    assert timeline(TEXT, None, RATE, 0, whole=False).heard(0) == ""


def test_without_pauses_the_words_share_the_time_by_their_length() -> None:
    text = "incomprehensible words we go on"
    kept, samples = loudness(2_000)
    assert (
        timeline(text, kept, RATE, samples, whole=True).heard(samples * 3 // 5)
        == "incomprehensible"
    )
    alone = timeline(text, None, RATE, samples, whole=True)
    assert alone.heard(samples * 3 // 5) == "incomprehensible"


def test_while_more_is_to_come_the_pace_is_that_at_which_the_pauses_fit() -> None:
    """What came of the sound is a third of what the text is long."""
    text = (
        "One two three. Four five six. Seven eight nine, ten eleven. And so on it goes, on and on."
    )
    sound = loudness(600, 300, 600, 300, 300)
    assert heard(text, sound, 900, whole=False) == "One two three."
    assert heard(text, sound, 1_500, whole=False) == "One two three. Four five six."


def test_the_unusual_pace_of_a_long_part_is_found() -> None:
    text = ("We came, we saw it all, and then we went. " * 8).strip()
    slow = loudness(*[500, 200, 900, 200, 900, 400] * 3)
    fast = loudness(*[220, 100, 400, 100, 400, 200] * 3)
    assert heard(text, slow, 3_000, whole=False).split(" ")[-1] == "went."
    assert heard(text, fast, 1_400, whole=False).split(" ")[-1] == "went."


def test_words_grow_with_what_is_heard_and_are_whole() -> None:
    sound = loudness(600, 300, 1_200)
    told = [heard(TEXT, sound, ms) for ms in range(0, 2_101, 50)]
    assert all(after.startswith(before) for before, after in pairwise(told))
    assert set(told) <= {TEXT[:end].rstrip() for end in range(len(TEXT) + 1)}
    assert {each.count(" ") for each in told if each} == set(range(6))


@pytest.mark.parametrize("sample", [0, 100, 14_400, 20_000, 21_600, 30_000])
def test_a_pause_is_no_voice(sample: int) -> None:
    kept, samples = loudness(600, 300, 1_200)
    found = voiced(*kept.frames(), RATE, samples)
    assert (found.starts, found.stops, found.total) == ((14_400,), (21_600,), samples - 7_200)
    assert found.at(sample) == (sample if sample <= 14_400 else max(14_400, sample - 7_200))


def test_short_silences_are_within_words() -> None:
    kept, samples = loudness(300, 60, 300)
    assert voiced(*kept.frames(), RATE, samples).starts == ()
