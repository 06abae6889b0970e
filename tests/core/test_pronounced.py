"""How long the words of a text take to say."""

from __future__ import annotations

import pytest

from bargein.core.pronounced import Break, pronounced, syllables


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [
        ("cat", "catalogue"),
        ("made", "many"),
        ("asked", "wanted"),
        ("us", "USB"),
        ("7", "1984"),
        ("1984", "3,250,000"),
        ("a", "strengths"),
        ("12", "47"),
        ("400", "437"),
    ],
)
def test_what_takes_longer_to_say_is_longer(shorter: str, longer: str) -> None:
    assert 0 < syllables(shorter) < syllables(longer)


def test_what_has_no_sound_has_no_length() -> None:
    assert syllables("-") == 0 == syllables("...")


def test_words_end_where_they_end_in_the_text_and_punctuation_breaks() -> None:
    found = pronounced(' "Well," he said, and left.  Why?')
    text = ' "Well," he said, and left.  Why?'
    assert [text[:end] for end in found.ends][:2] == [' "Well,"', ' "Well," he']
    assert found.breaks == (Break(0, False), Break(2, False), Break(4, True), Break(5, True))
    assert list(found.said) == sorted(found.said)


def test_a_script_without_spaces_has_a_word_for_each_character() -> None:
    found = pronounced("\u4f60\u597d\u3002\u4e16\u754c")
    assert found.ends == (1, 3, 4, 5)
    assert found.breaks == (Break(1, True),)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_a_text_without_words_has_none(text: str) -> None:
    assert pronounced(text).ends == ()
