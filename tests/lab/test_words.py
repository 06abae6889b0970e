"""Where words sound."""

from __future__ import annotations

import numpy as np

from bargein.lab.words import heard_words, timed_words
from bargein.server.engines.espeak import Speech, Word

KNOWN = Speech(
    np.zeros(48_000, np.int16),
    24_000,
    (Word("Once", 0, 9_600), Word("upon", 9_600, 20_000), Word("time.", 24_000, 40_000)),
)


def test_words_of_a_known_speech_have_its_places_even_before_all_are_known() -> None:
    words, exact = timed_words("Once upon", 24_000, 5, whole=False, known=(KNOWN,))
    assert exact
    assert words == (("Once", 0, 9_600), ("upon", 9_600, 20_000), ("time.", 24_000, 40_000))


def test_places_are_in_the_parts_own_rate() -> None:
    words, _ = timed_words("Once", 8_000, 5, whole=False, known=(KNOWN,))
    assert words[1] == ("upon", 3_200, 6_666)


def test_words_of_an_unknown_whole_reply_share_its_sound_by_their_letters() -> None:
    words, exact = timed_words("ab cde", 24_000, 6_000, whole=True, known=(KNOWN,))
    assert not exact
    assert words == (("ab", 0, 2_000), ("cde", 3_000, 6_000))


def test_words_of_an_unknown_reply_that_is_still_coming_have_an_ordinary_pace() -> None:
    words, exact = timed_words("ab cde", 24_000, 999, whole=False)
    assert not exact
    assert words[-1] == ("cde", 4_800, 9_600)


def test_no_words_have_no_places() -> None:
    assert timed_words("", 24_000, 6_000, whole=True, known=(KNOWN,)) == ((), False)


def test_a_word_is_heard_when_all_of_it_was() -> None:
    words = (("Once", 0, 10), ("upon", 10, 20))
    assert heard_words(words, 9) == ""
    assert heard_words(words, 10) == "Once"
    assert heard_words(words, 20) == "Once upon"
