"""Stories: of any length, the same again, and with no word lost where they were cut."""

from __future__ import annotations

from itertools import islice

import pytest

from bargein.server.engines.local.stories import Story

FOX = Story(number=3, hero="fox", episodes=3)


def words(story: Story, position: int = 0) -> list[str]:
    return " ".join(story.from_word(position)).split()


def test_the_same_story_is_told_in_the_same_words() -> None:
    assert words(FOX) == words(Story(3, "fox", 3))
    assert words(FOX) != words(Story(4, "fox", 3))


@pytest.mark.parametrize(
    ("episodes", "least", "most"), [(0, 60, 120), (8, 350, 520), (600, 2e4, 4e4)]
)
def test_a_story_is_as_long_as_it_was_asked_for(episodes: int, least: float, most: float) -> None:
    told = words(Story(0, "owl", episodes))
    assert least < len(told) < most
    assert told[:4] == ["Once", "upon", "a", "time,"]
    assert " ".join(told).endswith("And that is the story of the owl and the bell.")


def test_from_any_word_on_it_goes_on_at_just_that_word() -> None:
    whole = words(FOX)
    for position in range(len(whole)):
        assert words(FOX, position) == whole[position:]


def test_behind_its_end_another_chapter_follows_of_the_same_hero() -> None:
    whole = words(FOX)
    more = words(FOX, len(whole))
    assert more[:4] == ["But", "that", "was", "not"]
    assert "fox" in more and more != whole
    assert words(FOX, len(whole) + 5) == more[5:]


def test_it_agrees_with_its_own_words_only() -> None:
    whole = tuple(words(FOX))
    assert FOX.agrees(0, whole) and FOX.agrees(7, whole[7:40]) and FOX.agrees(9, ())
    assert not FOX.agrees(1, whole[:1])
    assert not FOX.agrees(0, (*whole[:20], "ran"))


def test_a_hero_with_a_name_has_no_article() -> None:
    told = " ".join(Story(1, "Anna", 1).from_word(0))
    assert "there lived Anna." in told and "the Anna" not in told


def test_no_sentence_comes_again_within_seven_adventures() -> None:
    told = [" ".join(each) for each in islice(Story(0, "fox", 40).sentences(), 160)]
    for start in range(len(told) - 28):
        near = told[start : start + 28]
        assert len(set(near)) == len(near)
