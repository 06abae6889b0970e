"""Which function fits, and what it is called with."""

from __future__ import annotations

import json

import pytest
from tests.server.engines.local.talking import tool

from bargein import events
from bargein.server.engines.local.functions import Wish, declared, fitting, forced
from bargein.server.engines.local.meaning import read

STRING, NUMBER = {"type": "string"}, {"type": "integer"}


def wish(text: str, city: str = "") -> Wish:
    meaning = read(text)
    return Wish(meaning, text, city or (meaning.topic if meaning.kind == "weather" else ""))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("get_weather", "how is the weather"),
        ("getWeatherForecast", "will it rain tomorrow"),
        ("fetch-current-time", "what time is it"),
        ("get_date", "what day is it"),
        ("turn_on_lights", "turn on the light please"),
        ("play_song", "play a song"),
    ],
)
def test_a_function_fits_by_the_words_of_its_name(name: str, text: str) -> None:
    call = fitting((tool(name),), wish(text))
    assert call is not None and call.name == name and call.arguments == "{}"


@pytest.mark.parametrize(
    ("name", "text"),
    [("get_weather", "tell me a story"), ("turn_on_lights", "turn around"), ("get", "hello")],
)
def test_another_one_does_not(name: str, text: str) -> None:
    assert fitting((tool(name),), wish(text)) is None


def test_what_the_schema_knows_is_filled_from_the_words() -> None:
    rich = tool(
        "get_weather",
        ("location",),
        location=STRING,
        day=STRING,
        unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
        days=NUMBER,
        timezone=STRING,
    )
    call = fitting((rich,), wish("the weather in san francisco tomorrow in celsius for three days"))
    assert call is not None
    assert json.loads(call.arguments) == {
        "location": "San Francisco", "day": "tomorrow", "unit": "celsius", "days": 3,
    }  # fmt: skip
    plain = fitting((rich,), wish("what is the weather in san francisco"))
    assert plain is not None and json.loads(plain.arguments) == {"location": "San Francisco"}


def test_one_that_needs_what_nobody_said_does_not_fit() -> None:
    precise = tool("get_weather", ("latitude",), latitude={"type": "number"})
    assert fitting((precise,), wish("what is the weather in paris")) is None
    assert fitting((tool("get_weather", ("city",), city=STRING),), wish("the weather")) is None


def test_one_that_must_be_called_gets_values_of_the_right_types() -> None:
    kinds = {
        "text": STRING, "count": NUMBER, "on": {"type": "boolean"}, "list": {"type": "array"},
        "thing": {"type": "object"}, "unit": {"enum": ["a", "b"]},
    }  # fmt: skip
    call = forced((tool("any", tuple(kinds), **kinds),), wish("hello"))
    assert call is not None
    assert json.loads(call.arguments) == {
        "text": "hello", "count": 0, "on": False, "list": [], "thing": {}, "unit": "a",
    }  # fmt: skip
    assert forced((), wish("hello")) is None


def test_only_functions_are_functions() -> None:
    mcp = events.McpTool(server_label="docs")
    nameless = events.FunctionTool(parameters={})
    tools = (mcp, nameless, tool("lamp"))
    assert [each.name for each in declared(events.ResponseParams(tools=tools))] == ["lamp"]
    assert declared(events.ResponseParams()) == ()


@pytest.mark.parametrize("schema", [None, [], {"properties": []}, {"properties": {"a": 1}}, "x"])
def test_a_schema_that_is_none_has_no_arguments(schema: object) -> None:
    odd = events.FunctionTool(name="get_weather", parameters=schema)
    call = fitting((odd,), wish("the weather"))
    assert call is not None and call.arguments == "{}"
