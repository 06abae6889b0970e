"""LangChain's tools, of the real library."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated, Any

import pytest
from langchain_core.tools import (
    BaseTool,
    InjectedToolCallId,
    StructuredTool,
    Tool,
    ToolException,
    tool,
)
from pydantic import BaseModel, Field
from tests.tools.adapters.adapter_rig import failure, outcome, spoken

import bargein
from bargein.errors import LocalValueError
from bargein.tools.adapters import langchain


@tool
def weather(city: str, days: int = 1) -> dict[str, Any]:
    """Tell the weather."""
    return {"city": city, "days": days, "sky": "grüß Gott"}


class Place(BaseModel):
    city: str = Field(description="Where, in English.")


async def test_it_is_called_once_answered_and_spoken_about() -> None:
    cities: list[str] = []

    @tool(args_schema=Place)
    async def weather(city: str) -> str:
        """Tell the weather."""
        cities.append(city)
        return "rain"

    text, answered = await spoken([weather], "weather", {"city": "Rome"})
    assert text == "Let me look. Take a coat."
    assert (answered.status, answered.output) == ("returned", "rain")
    assert cities == ["Rome"]


def test_the_model_is_shown_what_langchain_shows() -> None:
    (adapted,) = langchain.tools_from(weather, timeout_s=5, at_barge_in="cancel")
    assert (adapted.name, adapted.description) == ("weather", "Tell the weather.")
    assert adapted.parameters["required"] == ["city"]
    assert adapted.parameters["properties"]["days"] == {"default": 1, "type": "integer"}
    assert (adapted.timeout_s, adapted.at_barge_in) == (5, "cancel")


async def test_a_result_is_told_as_json() -> None:
    told = '{"city": "Rome", "days": 2, "sky": "grüß Gott"}'
    assert await outcome([weather], "weather", {"city": "Rome", "days": 2}) == (told, False)


async def test_arguments_that_do_not_fit_are_told_and_the_tool_is_not_run() -> None:
    error = await failure([weather], "weather", {"days": "many"})
    assert error.startswith("The arguments do not fit: city: Field required; days: ")


async def test_a_plain_function_runs_in_a_thread_of_ours_and_a_coroutine_on_the_loop() -> None:
    def slow() -> str:
        """Block."""
        return threading.current_thread().name

    async def quick() -> str:
        """Wait."""
        await asyncio.sleep(0)
        return threading.current_thread().name

    tools = [StructuredTool.from_function(slow), StructuredTool.from_function(coroutine=quick)]
    assert await outcome(tools, "slow") == ("bargein tool", False)
    assert await outcome(tools, "quick") == ("MainThread", False)


async def test_of_content_and_artifact_the_content_is_told() -> None:
    @tool(response_format="content_and_artifact")
    def search(query: str) -> tuple[str, list[int]]:
        """Search."""
        return f"3 for {query}", [1, 2, 3]

    assert await outcome([search], "search", {"query": "cats"}) == ("3 for cats", False)


async def test_the_id_of_the_call_is_injected_and_not_shown() -> None:
    @tool
    def name(call_id: Annotated[str, InjectedToolCallId]) -> str:
        """Tell the call."""
        return call_id

    (adapted,) = langchain.tools_from(name)
    assert adapted.parameters["properties"] == {}
    assert await outcome([name], "name") == ("call_1", False)


@pytest.mark.parametrize("handle", [False, True])
async def test_a_tool_exception_speaks_to_the_model_whoever_handles_it(handle: bool) -> None:
    def fail() -> str:
        raise ToolException("There is no such city.")

    failing = StructuredTool.from_function(
        fail, name="fail", description="Fail.", handle_tool_error=handle
    )
    assert await failure([failing], "fail") == "There is no such city."


async def test_any_other_exception_keeps_its_words_even_one_of_validation() -> None:
    @tool
    def leak(kind: str) -> str:
        """Fail."""
        if kind == "validation":
            Place.model_validate({"secret": 1234})
        if kind == "ours":
            raise bargein.ToolError("Ask for a city.")
        raise KeyError("password 1234")

    assert await failure([leak], "leak", {"kind": "key"}) == "The tool failed: KeyError."
    error = await failure([leak], "leak", {"kind": "validation"})
    assert error == "The tool failed: ValidationError."
    assert await failure([leak], "leak", {"kind": "ours"}) == "Ask for a city."


async def test_of_content_blocks_the_texts_are_told_and_the_others_named() -> None:
    @tool
    def look() -> list[dict[str, str]]:
        """Look."""
        return [{"type": "text", "text": "A cat."}, {"type": "image", "url": "https://cat"}]

    output, _ = await outcome([look], "look")
    assert output == "A cat.\n[image left out: the result of a function is text]"


async def test_a_class_of_the_applications_own_and_a_tool_of_one_text_are_tools() -> None:
    class Echo(BaseTool):
        name: str = "echo"
        description: str = "Echo."

        def _run(self, text: str) -> str:
            return text

    shout = Tool(name="shout", func=str.upper, description="Shout.")
    assert await outcome([Echo(), shout], "echo", {"text": "hello"}) == ("hello", False)
    assert await outcome([Echo(), shout], "shout", {"__arg1": "hello"}) == ("HELLO", False)


def test_what_is_no_tool_is_refused() -> None:
    def unknown(what: threading.Event) -> None:
        """A parameter that is no JSON."""

    wrong: Any = Place(city="Rome")
    with pytest.raises(LocalValueError, match="Place is no LangChain tool"):
        langchain.tools_from(wrong)
    with pytest.raises(LocalValueError, match="'unknown' has no schema"):
        langchain.tools_from(StructuredTool.from_function(unknown))
    with pytest.raises(LocalValueError, match="both become 'weather'"):
        langchain.tools_from(weather, weather)
