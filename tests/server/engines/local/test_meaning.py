"""What words mean."""

from __future__ import annotations

import pytest

from bargein.server.engines.local.manners import manners_of
from bargein.server.engines.local.meaning import Meaning, normalized, read


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Tell me a story!", Meaning("story")),
        ("Stop, please. Tell me about the clockmaker.", Meaning("story", "clockmaker")),
        ("A very long story about an owl, please", Meaning("story", "owl", episodes=20)),
        ("Tell me a story for ten minutes", Meaning("story", episodes=30)),
        ("Tell me a story of 200 words", Meaning("story", episodes=4)),
        ("tell me a story about me", Meaning("story", "me")),
        ("What's the weather like in New York tomorrow?",
         Meaning("weather", "new york", day="tomorrow")),
        ("My favourite colour is blue.", Meaning("favorite_is", "blue", "color")),
        ("I've got a dog", Meaning("favorite_is", "dog", "owned")),
        ("I'm from Berlin", Meaning("favorite_is", "berlin", "home")),
        ("I love your story", Meaning("story")),
        ("I am tired", Meaning("unknown")),
        ("I'm Anna", Meaning("name_is", "anna")),
        ("call me Ishmael", Meaning("name_is", "ishmael")),
        ("no thanks", Meaning("no")),
        ("thanks", Meaning("thanks")),
        ("stop", Meaning("stop")),
        ("multiply seven by nine", Meaning("unknown")),
        ("…", Meaning("silence")),
    ],
)  # fmt: skip
def test_a_sentence_means(text: str, meaning: Meaning) -> None:
    assert read(text) == meaning


def test_a_length_is_bounded_whatever_is_asked_for() -> None:
    assert read("tell me a story for 99999999999 minutes").episodes == 600


@pytest.mark.parametrize(
    "words", ["story about ", "is it in ", "my favorite ", "start ", "how does ", "i like "]
)
def test_a_text_of_any_length_is_read_within_the_deadline_of_a_test(words: str) -> None:
    # Without the bound, looking back from every word takes hours.
    read(words * 100_000)
    manners_of(f'say "{words}' * 50_000)


def test_spellings_become_one() -> None:
    assert normalized("What’s  my FAVOURITE—colour?") == "what is my favorite color"
