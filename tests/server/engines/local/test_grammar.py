"""The grammar and the mind agree about every sentence."""

from __future__ import annotations

import random

import pytest
from tests.server.engines.local.sampling import sentence

from bargein.server.engines.local import grammar, lexicon
from bargein.server.engines.local.meaning import read


@pytest.mark.parametrize("kind", sorted(grammar.RULES))
def test_every_sentence_of_a_rule_is_read_as_what_the_rule_is_called(kind: str) -> None:
    chance = random.Random(kind)
    for rule in grammar.RULES[kind]:
        for _ in range(40):
            said = sentence(rule, chance)
            assert read(said).kind == kind, said


def test_the_words_are_those_of_the_sentences_and_of_the_slots() -> None:
    words = grammar.words()
    assert {"story", "what's", "anna", "francisco", "today's"} <= set(words)
    assert not [word for word in words if word in ("hero", "liked", "about me")]
    assert len(words) == len(set(words))


def test_the_text_has_one_public_rule_which_is_any_of_them() -> None:
    text = grammar.jsgf()
    assert text.startswith("#JSGF V1.0;")
    assert text.count("public") == 1
    said = text.splitlines()[-1]
    assert all(f"<{kind}>" in said for kind in grammar.RULES)


def test_what_a_slot_offers_is_spelled_as_the_mind_spells_it() -> None:
    for city in lexicon.CITIES:
        assert read(f"what is the weather in {city} today").topic == city
    for hero in lexicon.HEROES:
        assert read(f"tell me a long story about the {hero} please").topic == hero
