"""Things are named by what they are and in which order they appear."""

from __future__ import annotations

import copy

import pytest
from tests.lab.lanes.exchanges import called, spoken, the

from bargein.lab.lanes.naming import form, named


def test_what_was_said_and_what_answers_are_told_apart() -> None:
    assert set(named(spoken()).ids) == {
        "session 1",
        "user message 1",
        "conversation 1",
        "response 1",
        "assistant message 1",
    }


def test_a_call_and_its_output_are_two_items_of_one_call() -> None:
    names = named(called())
    output = the([*names.frames], "conversation.item.added", 3)["item"]
    assert output["id"] == "function_call_output 1"
    assert output["call_id"] == "call 1"
    assert the([*names.frames], "response.function_call_arguments.done")["call_id"] == "call 1"


def test_only_the_protocols_own_ids_are_named() -> None:
    exchange = called()
    tool = {"type": "function", "name": "find", "parameters": {"id": "item_1", "item_id": "x"}}
    exchange[1]["session"]["tools"] = [tool]
    assert named(exchange).frames[1]["session"]["tools"] == [tool]


def test_the_exchange_itself_is_left_as_it_was() -> None:
    exchange = called()
    before = copy.deepcopy(exchange)
    named(exchange)
    assert exchange == before


def test_the_end_of_a_session_is_told_from_its_beginning() -> None:
    assert named(spoken()).frames[0]["session"]["expires_at"] == 3_600


@pytest.mark.parametrize(
    ("id", "told"),
    [
        ("item_E6U0xpLmn5e80rVGpEeKv", "item_ and 21 characters"),
        ("call_I5nx0fK2YAldYQZs", "call_ and 16 characters"),
        ("sess_u0_E4TeWIkEAnw5DOa1vyO18", "sess_u0_ and 21 characters"),
        ("my own id", "my own id"),
    ],
)
def test_a_form_is_the_prefix_and_the_length_and_a_foreign_id_is_itself(id: str, told: str) -> None:
    assert form(id) == told
