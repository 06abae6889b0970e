"""What instructions change."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from bargein.server.engines.local.manners import OWN_NAME, Manners, manners_of


@pytest.mark.parametrize(
    ("instructions", "name"),
    [
        ("You are Ada, a calm voice.", "Ada"),
        ("Your name is Grace.", "Grace"),
        ("You are a helpful assistant.", OWN_NAME),
        ("You are The Oracle", OWN_NAME),
        ("You tell stories.", OWN_NAME),
    ],
)
def test_a_name_is_taken_where_one_is_given(instructions: str, name: str) -> None:
    assert manners_of(instructions).own_name == name


@pytest.mark.parametrize(
    "instructions",
    ["Be brief.", "Answer in one sentence.", "Keep your replies short", "Give short answers"],
)
def test_brevity_is_heeded(instructions: str) -> None:
    assert manners_of(instructions).brief


def test_a_request_is_one_only_where_it_is_asked_for() -> None:
    request = manners_of("Greet the user and tell a story about a frog.").request
    assert request is not None and (request.kind, request.topic) == ("story", "frog")
    assert manners_of("You tell stories.").request is None
    assert manners_of("You know every story about frogs.").request is None


def test_words_to_say_are_said() -> None:
    assert manners_of('Say exactly: "Good evening, all."').say == "Good evening, all."
    assert manners_of("Never say anything rude.").say == ""


@pytest.mark.parametrize("instructions", [None, UNSET, ""])
def test_no_instructions_change_nothing(instructions: object) -> None:
    assert manners_of(instructions) == Manners()
