"""Functions of every shape that people write: what becomes of each as a tool."""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Self

import pydantic
import pytest

import bargein
from bargein.errors import LocalValueError
from bargein.tools.registry import Tool, tool
from bargein.tools.signature import ArgumentsError, signature_of


class Guest(pydantic.BaseModel):
    """A guest."""

    age: int = pydantic.Field(ge=0)
    since: datetime.date | None = None


class Booking(pydantic.BaseModel):
    guests: list[Guest]


class Tree(pydantic.BaseModel):
    name: str
    branches: list[Tree] = []


@dataclass
class Room:
    number: int
    floor: int = 0


class Desk:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    def times(self, number: int) -> Self:
        """Multiply."""
        return type(self)(number * self.factor)

    def __call__(self, number: int) -> int:
        """Multiply, too."""
        return number * self.factor


def times(number: int, factor: int) -> int:
    """Multiply two numbers."""
    return number * factor


def read(function: Callable[..., Any], **given: Any) -> dict[str, Any]:
    return signature_of(function, "f").read(json.dumps(given))


def refusal(function: Callable[..., Any], **given: Any) -> str:
    with pytest.raises(ArgumentsError) as error:
        read(function, **given)
    return str(error.value)


def book(booking: Booking) -> None: ...


def grow(tree: Tree) -> None: ...


def clean(room: Room, others: list[Room] | None = None) -> None: ...


def test_a_model_within_a_model_is_read_strictly_and_a_date_may_be_text() -> None:
    given = read(book, booking={"guests": [{"age": 3, "since": "2026-01-02"}]})
    assert given["booking"].guests[0].since == datetime.date(2026, 1, 2)
    text = refusal(book, booking={"guests": [{"age": "3"}]})
    assert "guests.0.age: Input should be a valid integer" in text
    assert "pydantic.dev" not in text and "\n" not in text


@pytest.mark.parametrize(
    ("function", "given", "field"),
    [
        (clean, {"room": {"number": 1, "flor": 2}}, "flor"),
        (clean, {"room": {"number": 1}, "others": [{"number": 1}], "when": 1}, "when"),
        (book, {"booking": {"guests": [{"age": 1, "name": "Ada"}]}}, "name"),
    ],
)
def test_a_field_that_nobody_named_is_refused_at_any_depth(
    function: Callable[..., Any], given: dict[str, Any], field: str
) -> None:
    assert field in refusal(function, **given)


def test_what_is_shown_says_that_no_other_fields_are_taken() -> None:
    room = signature_of(clean, "clean").parameters["properties"]["room"]
    assert room["additionalProperties"] is False


def test_a_model_that_holds_itself_is_shown_and_read() -> None:
    schema = signature_of(grow, "grow").parameters
    assert "Tree" in schema["$defs"]
    given = read(grow, tree={"name": "a", "branches": [{"name": "b"}]})
    assert given["tree"].branches[0].name == "b"
    assert "leaf" in refusal(grow, tree={"name": "a", "branches": [{"name": "b", "leaf": 1}]})


def test_a_constraint_within_a_list_is_shown_and_holds() -> None:
    def draw(numbers: list[Annotated[int, pydantic.Field(ge=1)]] | None = None) -> None: ...

    shown = signature_of(draw, "draw").parameters["properties"]["numbers"]
    assert shown["anyOf"][0]["items"]["minimum"] == 1
    assert "Expected `int` >= 1" in refusal(draw, numbers=[0])


def test_a_default_that_is_no_json_is_the_functions_own() -> None:
    def greet(guest: Guest = Guest(age=7)) -> None: ...  # noqa: B008 - that it is one is tested

    assert read(greet)["guest"].age == 7
    assert "default" not in signature_of(greet, "greet").parameters["properties"]["guest"]


def test_a_context_that_may_be_missing_is_injected_as_well() -> None:
    def wait(seconds: int, context: bargein.ToolContext | None = None) -> None: ...

    found = signature_of(wait, "wait")
    assert found.context_name == "context"
    assert list(found.parameters["properties"]) == ["seconds"]


@pytest.mark.parametrize(
    ("function", "name", "description"),
    [
        (functools.partial(times, factor=3), "times", "Multiply two numbers."),
        (Desk(3).times, "times", "Multiply."),
        (Desk(3), "Desk", "Multiply, too."),
    ],
)
def test_what_can_be_called_has_the_name_and_the_words_of_what_is_called(
    function: Callable[..., Any], name: str, description: str
) -> None:
    made: Tool = tool(function)
    assert (made.name, made.description) == (name, description)
    assert "number" in made.parameters["properties"]


def test_a_generator_has_no_one_result_and_is_refused() -> None:
    def several(number: int) -> Iterator[int]:
        yield number

    async def later(number: int) -> AsyncIterator[int]:
        yield number

    for function in (several, later):
        with pytest.raises(LocalValueError, match=r"generator.*return a list"):
            tool(function)
