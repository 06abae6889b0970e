"""pydantic-ai's tools, of the real library."""

from __future__ import annotations

import asyncio
import datetime
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import BinaryContent, FunctionToolset, ModelRetry, RunContext, Tool, ToolReturn
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.tools import ToolDefinition
from tests.tools.adapters.adapter_rig import failure, outcome, spoken

import bargein
from bargein.errors import LocalValueError
from bargein.tools.adapters import pydantic_ai


def weather(city: str, days: int = 1) -> dict[str, Any]:
    """Tell the weather.

    Args:
        city: Where, in English.
        days: How many days from today.
    """
    return {"city": city, "days": days}


class Place(BaseModel):
    city: str


async def test_it_is_called_once_answered_and_spoken_about() -> None:
    cities: list[str] = []

    async def weather(city: str) -> str:
        """Tell the weather."""
        cities.append(city)
        return "rain"

    text, answered = await spoken([Tool(weather)], "weather", {"city": "Rome"})
    assert text == "Let me look. Take a coat."
    assert (answered.status, answered.output) == ("returned", "rain")
    assert cities == ["Rome"]


def test_the_model_is_shown_what_pydantic_ai_shows() -> None:
    (adapted,) = pydantic_ai.tools_from(Tool(weather))
    assert (adapted.name, adapted.description) == ("weather", "Tell the weather.")
    assert adapted.parameters["required"] == ["city"]
    assert adapted.parameters["properties"]["city"]["description"] == "Where, in English."


@dataclass
class Sky:
    at: datetime.date
    colour: str | None = None


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("rain", "rain"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (Place(city="Rome"), '{"city":"Rome"}'),
        (Sky(datetime.date(2026, 1, 2)), '{"at":"2026-01-02","colour":null}'),
        (ToolReturn("told", content="not told", metadata={"nor": "this"}), "told"),
        (
            BinaryContent(b"123", media_type="image/png"),
            "[BinaryContent left out: the result of a function is text]",
        ),
    ],
)
async def test_a_result_is_told_in_the_words_of_pydantic_ai(result: Any, told: str) -> None:
    def give() -> Any:
        """Give."""
        return result

    assert await outcome([Tool(give)], "give") == (told, False)


async def test_arguments_are_validated_and_come_as_their_types() -> None:
    def ask(place: Place, at: datetime.date) -> list[str]:
        """Ask."""
        return [place.city, type(at).__name__]

    tools = [Tool(ask)]
    given = {"place": {"city": "Rome"}, "at": "2026-01-02"}
    assert await outcome(tools, "ask", given) == ('["Rome","date"]', False)
    error = await failure(tools, "ask", {"place": {}, "at": "2026-01-02"})
    assert error == "The arguments do not fit: place.city: Field required"


async def test_the_tools_own_check_of_its_arguments_is_asked() -> None:
    def check(context: RunContext[str], city: str) -> None:
        if city != context.deps:
            raise ModelRetry(f"Only {context.deps}.")

    def weather(city: str) -> str:
        """Tell the weather."""
        return "rain"

    tools = pydantic_ai.tools_from(Tool(weather, args_validator=check), deps="Rome")
    assert await outcome(tools, "weather", {"city": "Rome"}) == ("rain", False)
    assert await failure(tools, "weather", {"city": "Oslo"}) == "Only Rome."


async def test_a_plain_function_runs_in_a_thread_of_ours_and_a_coroutine_on_the_loop() -> None:
    def slow() -> str:
        """Block."""
        return threading.current_thread().name

    async def quick() -> str:
        """Wait."""
        await asyncio.sleep(0)
        return threading.current_thread().name

    tools = [Tool(slow), Tool(quick)]
    assert await outcome(tools, "slow") == ("bargein tool", False)
    assert await outcome(tools, "quick") == ("MainThread", False)


async def test_the_context_has_the_dependencies_and_the_call() -> None:
    def who(context: RunContext[dict[str, str]], first: int, *rest: int) -> list[Any]:
        """Tell."""
        return [context.deps["user"], context.tool_name, context.tool_call_id, first, *rest]

    tools = pydantic_ai.tools_from(Tool(who), deps={"user": "Ada"})
    told = '["Ada","who","call_1",1,2,3]'
    assert await outcome(tools, "who", {"first": 1, "rest": [2, 3]}) == (told, False)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModelRetry("Ask for a city."), "Ask for a city."),
        (ToolFailed("There is no such city."), "There is no such city."),
        (bargein.ToolError("Closed."), "Closed."),
        (KeyError("password 1234"), "The tool failed: KeyError."),
    ],
)
async def test_what_is_meant_for_the_model_is_told_and_nothing_else(
    error: Exception, told: str
) -> None:
    def fail() -> None:
        """Fail."""
        raise error

    assert await failure([Tool(fail)], "fail") == told


async def test_of_a_toolset_every_tool_with_its_approval_and_time() -> None:
    toolset = FunctionToolset[None](timeout=7, requires_approval=True)

    @toolset.tool_plain
    def one() -> str:
        """One."""
        return "1"

    @toolset.tool_plain(timeout=3)
    def two() -> str:
        """Two."""
        return "2"

    tools = pydantic_ai.tools_from(toolset)
    assert [(tool.name, tool.timeout_s) for tool in tools] == [("one", 7), ("two", 3)]
    assert [tool.approval for tool in tools] == [True, True]
    assert [tool.timeout_s for tool in pydantic_ai.tools_from(toolset, timeout_s=None)] == [
        None
    ] * 2
    assert await outcome([toolset], "two") == ("2", False)


def test_what_a_session_cannot_serve_is_refused() -> None:
    async def hide(context: RunContext[Any], shown: ToolDefinition) -> ToolDefinition | None:
        return None

    with pytest.raises(LocalValueError, match="'weather' has prepare="):
        pydantic_ai.tools_from(Tool(weather, prepare=hide))
    wrong: Any = ToolReturn("hello")
    with pytest.raises(LocalValueError, match="ToolReturn is no tool of pydantic-ai"):
        pydantic_ai.tools_from(wrong)
    with pytest.raises(LocalValueError, match="both become 'weather'"):
        pydantic_ai.tools_from(Tool(weather), Tool(weather))
