"""What is a tool, and what may be given as tools."""

from __future__ import annotations

from typing import Any

import pytest

import bargein
from bargein.errors import LocalValueError
from bargein.tools.registry import Tool


@bargein.tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


def test_a_tool_is_declared_as_the_session_wants_it() -> None:
    assert weather.declared() == {
        "type": "function",
        "name": "weather",
        "description": "Tell the weather.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    }


def test_a_tool_is_still_the_function_that_it_was() -> None:
    assert weather("Rome") == "rain in Rome"


def test_settings_stand_above_what_the_function_says() -> None:
    @bargein.tool(name="forecast", description="Guess.", at_barge_in="cancel", timeout_s=None)
    def tell(city: str) -> str:
        """Tell."""
        return city

    assert isinstance(tell, Tool)
    assert (tell.name, tell.description) == ("forecast", "Guess.")
    assert (tell.at_barge_in, tell.timeout_s) == ("cancel", None)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"name": "two words"}, "two words"),
        ({"name": "x" * 65}, "64 letters"),
        ({"at_barge_in": "stop"}, "finish, cancel, background"),
        ({"timeout_s": 0}, "timeout_s 0"),
    ],
)
def test_a_setting_that_cannot_be_names_itself(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(LocalValueError, match=says):
        bargein.tool(**settings)(weather.call)
