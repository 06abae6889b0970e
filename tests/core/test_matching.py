"""Which items say the same, which can be made anew, and which can stay."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bargein import events
from bargein.core.items import ContentView, ItemView
from bargein.core.matching import described, heaviest, made_anew, says
from bargein.core.messages import items_of, messages


def view(kind: str, text: str, role: str = "user", **fields: object) -> ItemView:
    part = ContentView(kind, text, cut=bool(fields.get("cut")))
    return ItemView("a", "message", role, "there", "completed", (part,))


CALL = ItemView("c", "function_call", None, "there", "completed", (), "c1", "weather", "{}")
OUTPUT = ItemView("o", "function_call_output", None, "there", None, (), "c1", None, "rain")


@pytest.mark.parametrize(
    "item",
    [
        view("input_text", "Hi"),
        view("input_text", "Be brief.", "system"),
        view("output_text", "Hi", "assistant"),
        CALL,
        OUTPUT,
    ],
    ids=["user", "system", "assistant", "call", "output"],
)
def test_what_is_made_anew_says_the_same(item: ItemView) -> None:
    made = made_anew(item, "new")
    assert made is not None
    assert made.id == "new"
    assert {described(made)} == says(item)


def test_an_assistants_message_made_anew_has_its_phase_again() -> None:
    said = (ContentView("output_text", "Let me look."),)
    item = ItemView("a", "message", "assistant", "there", "completed", said, phase="commentary")
    made = made_anew(item, "new")
    assert isinstance(made, events.MessageItem)
    assert made.phase == "commentary"


@pytest.mark.parametrize(
    "item",
    [
        view("input_audio", "Hi"),
        view("output_audio", "Hi", "assistant"),
        view("output_text", "Hi", "assistant", cut=True),
        view("input_image", ""),
        ItemView("a", "message", "user", "there", "completed"),
        ItemView("a", "mcp_list_tools", None, "there", None),
        ItemView("a", "message", "assistant", "there", "incomplete", CALL.content),
    ],
)
def test_what_text_cannot_say_again_is_not_made_anew(item: ItemView) -> None:
    assert made_anew(item, "new") is None


def test_an_item_with_an_image_says_more_than_its_text() -> None:
    text = ContentView("input_text", "Look.")
    image = ContentView("input_image", "")
    shown = ItemView("a", "message", "user", "there", "completed", (text, image))
    assert says(shown) == {("message", "user", "Look.\n[image]")}
    assert described(events.MessageItem(role="user", content=(events.InputAudio(),))) is None


@pytest.mark.parametrize(
    ("item", "content"),
    [
        (view("output_audio", "Once upon", "assistant", cut=True), "Once upon [interrupted]"),
        (view("input_audio", ""), "[speech, not transcribed]"),
    ],
)
def test_a_message_finds_the_item_that_it_tells_of(item: ItemView, content: str) -> None:
    (message,) = messages([item])
    assert message["content"] == content
    (told,) = items_of([message])
    assert described(told) in says(item)


def test_what_says_nothing_is_like_nothing() -> None:
    assert says(ItemView("a", "message", "user", "there", None)) == set()
    assert described(events.MessageItem(role="user", content=())) is None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 6), unique=True, max_size=4), max_size=6),
    st.lists(st.integers(1, 3), min_size=6, max_size=6),
)
def test_the_heaviest_chain_is_the_heaviest_of_all(
    candidates: list[list[int]], weights: list[int]
) -> None:
    found = heaviest(candidates, weights)
    entries = sorted(found)
    places = [found[entry] for entry in entries]
    assert places == sorted(set(places))
    assert all(found[entry] in candidates[entry] for entry in entries)
    best = 0
    for choice in itertools.product(*[[None, *each] for each in candidates]):
        taken = [place for place in choice if place is not None]
        if all(a < b for a, b in itertools.pairwise(taken)):
            best = max(
                best, sum(w for w, place in zip(weights, choice, strict=False) if place is not None)
            )
    assert sum(weights[entry] for entry in entries) == best
