"""A function says what the model is shown, and what the model says is read by the same types."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pydantic
import pytest

from bargein.errors import LocalValueError
from bargein.tools.signature import ArgumentsError, ToolContext, signature_of


class Unit(enum.Enum):
    CELSIUS = "celsius"
    KELVIN = "kelvin"


@dataclass
class Place:
    city: str
    country: str = "IT"


class Guest(pydantic.BaseModel):
    name: str = pydantic.Field(description="As on the passport.")
    age: int = pydantic.Field(ge=0)


class Range(TypedDict):
    low: int
    high: int


@dataclass
class Node:
    name: str
    children: list[Node] = field(default_factory=list)


def weather(city: str, days: int = 3, unit: Literal["c", "f"] = "c") -> str:
    """Tell the weather.

    It is a guess.

    Args:
        city: Where, in English.
        days: How many days.
    """
    return f"{city} {days} {unit}"


def read(function: Any, **given: Any) -> dict[str, Any]:
    return signature_of(function, "f").read(json.dumps(given))


def test_the_schema_is_made_of_names_types_defaults_and_docstring() -> None:
    signature = signature_of(weather, "weather")

    assert signature.description == "Tell the weather. It is a guess."
    assert signature.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where, in English."},
            "days": {"type": "integer", "default": 3, "description": "How many days."},
            "unit": {"enum": ["c", "f"], "default": "c"},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "doc",
    [
        "Tell.\n\nParameters\n----------\ncity : str\n    Where.\n",
        "Tell.\n\n:param city: Where.\n",
        "Tell.\n\n@param city: Where.\n",
    ],
    ids=["numpy", "rest", "epydoc"],
)
def test_docstrings_of_every_manner_are_read(doc: str) -> None:
    def tell(city: str) -> None: ...

    tell.__doc__ = doc
    assert signature_of(tell, "tell").parameters["properties"]["city"]["description"] == "Where."


def test_what_the_model_leaves_out_has_its_default() -> None:
    assert read(weather, city="Rome") == {"city": "Rome", "days": 3, "unit": "c"}


@pytest.mark.parametrize("arguments", ["", "{}"])
def test_a_function_without_parameters_takes_nothing(arguments: str) -> None:
    def now() -> str:
        return "noon"

    signature = signature_of(now, "now")
    assert signature.parameters["properties"] == {}
    assert signature.read(arguments) == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("{", "no JSON"),
        ("\ud800", "no JSON"),
        ("[]", "Expected `object`"),
        ("{}", "missing required field `city`"),
        ('{"city":1}', "Expected `str`, got `int` - at `$.city`"),
        ('{"city":"Rome","days":"3"}', "Expected `int`, got `str` - at `$.days`"),
        ('{"city":"Rome","unit":"k"}', "Invalid enum value 'k' - at `$.unit`"),
        ('{"city":"Rome","place":1}', "unknown field `place`"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_with_the_place(arguments: str, says: str) -> None:
    with pytest.raises(ArgumentsError) as caught:
        signature_of(weather, "weather").read(arguments)
    assert says in str(caught.value)


def test_enums_dataclasses_typed_dicts_and_optionals_arrive_as_what_they_are() -> None:
    def book(
        place: Place,
        unit: Unit,
        within: Range,
        note: str | None = None,
        nights: int | None = None,
    ) -> None: ...

    assert read(
        book, place={"city": "Rome"}, unit="kelvin", within={"low": 1, "high": 2}, note="quiet"
    ) == {
        "place": Place("Rome"),
        "unit": Unit.KELVIN,
        "within": {"low": 1, "high": 2},
        "note": "quiet",
        "nights": None,
    }
    properties = signature_of(book, "book").parameters["properties"]
    assert properties["unit"] == {"title": "Unit", "enum": ["celsius", "kelvin"]}
    assert properties["place"]["properties"]["country"] == {"type": "string", "default": "IT"}


def test_pydantic_models_are_shown_and_read_by_pydantic() -> None:
    def invite(guest: Guest, others: list[Guest]) -> None: ...

    signature = signature_of(invite, "invite")
    shown = signature.parameters["properties"]["guest"]
    assert shown["properties"]["name"]["description"] == "As on the passport."
    read_back = signature.read(json.dumps({"guest": {"name": "Ada", "age": 36}, "others": []}))
    assert read_back == {"guest": Guest(name="Ada", age=36), "others": []}
    with pytest.raises(ArgumentsError, match="greater than or equal to 0"):
        signature.read(json.dumps({"guest": {"name": "Ada", "age": -1}, "others": []}))


def test_annotations_describe_and_constrain() -> None:
    def pick(
        a: Annotated[str, "The first."],
        b: Annotated[int, msgspec.Meta(ge=1, le=9)],
        c: Annotated[int, pydantic.Field(description="The third.", gt=0)],
    ) -> None: ...

    properties = signature_of(pick, "pick").parameters["properties"]
    assert properties["a"]["description"] == "The first."
    assert (properties["b"]["minimum"], properties["b"]["maximum"]) == (1, 9)
    assert properties["c"]["description"] == "The third."
    with pytest.raises(ArgumentsError, match=r">= 1 - at `\$.c`"):
        read(pick, a="x", b=1, c=0)


def test_a_type_that_holds_itself_keeps_its_reference() -> None:
    def grow(tree: Node) -> None: ...

    schema = signature_of(grow, "grow").parameters
    assert "Node" in schema["$defs"]
    assert read(grow, tree={"name": "a", "children": [{"name": "b"}]}) == {
        "tree": Node("a", [Node("b", [])])
    }


def test_a_context_is_injected_and_not_shown() -> None:
    def remind(context: ToolContext, text: str) -> None: ...

    signature = signature_of(remind, "remind")
    assert signature.context_name == "context"
    assert list(signature.parameters["properties"]) == ["text"]


def test_a_default_that_can_change_is_not_shared() -> None:
    def add(tags: list[str] = ["new"]) -> None: ...  # noqa: B006  # that is the test

    signature = signature_of(add, "add")
    signature.read("{}")["tags"].append("old")
    assert signature.read("{}") == {"tags": ["new"]}


def _variadic(*cities: str) -> None: ...
def _keywords(**cities: str) -> None: ...
def _positional(city: str, /) -> None: ...
def _untyped(city) -> None: ...  # type: ignore[no-untyped-def]  # that is the test
def _odd(city: object) -> None: ...
def _two_lists(city: list[int] | list[str]) -> None: ...
def _unknown(city: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # that is the test


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (_variadic, "cities has no schema"),
        (_keywords, "cities has no schema"),
        (_positional, "city is positional only"),
        (_untyped, "city has no type"),
        (_odd, "no type of JSON"),
        (_two_lists, "more than one"),
        (_unknown, "Nowhere"),
    ],
)
def test_what_has_no_schema_is_refused_where_it_is_written(function: Any, says: str) -> None:
    with pytest.raises(LocalValueError, match="tool f") as caught:
        signature_of(function, "f")
    assert says in str(caught.value)
