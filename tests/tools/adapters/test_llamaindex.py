"""LlamaIndex's tools, of the real library."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.tools import AsyncBaseTool, BaseTool, FunctionTool, ToolMetadata, ToolOutput
from llama_index.core.workflow import Context
from tests.tools.adapters.adapter_rig import failure, outcome, spoken

import bargein
from bargein.errors import LocalValueError
from bargein.tools.adapters import llamaindex


def weather(city: str, days: int = 1) -> dict[str, Any]:
    """Tell the weather."""
    return {"city": city, "days": days}


WEATHER = FunctionTool.from_defaults(weather)


class Old(BaseTool):
    """A tool of one text, by place, that fails when it is asked to."""

    def __init__(self) -> None:
        self.calls = 0

    @property
    def metadata(self) -> ToolMetadata:
        return ToolMetadata(name="old tool", description="Old.")

    def __call__(self, words: Any) -> ToolOutput:
        self.calls += 1
        if words == "fail":
            raise KeyError("password 1234")
        return ToolOutput("old", words.upper(), raw_input={}, is_error=words == "error")


async def test_it_is_called_once_answered_and_spoken_about() -> None:
    cities: list[str] = []

    async def weather(city: str) -> str:
        """Tell the weather."""
        cities.append(city)
        return "rain"

    tools = [FunctionTool.from_defaults(async_fn=weather)]
    text, answered = await spoken(tools, "weather", {"city": "Rome"})
    assert text == "Let me look. Take a coat."
    assert (answered.status, answered.output) == ("returned", "rain")
    assert cities == ["Rome"]


def test_the_model_is_shown_what_llamaindex_shows() -> None:
    (adapted,) = llamaindex.tools_from(WEATHER, approval=True)
    assert adapted.name == "weather"
    assert "Tell the weather." in adapted.description
    assert adapted.parameters["required"] == ["city"]
    assert adapted.parameters["properties"]["days"]["default"] == 1
    assert adapted.approval is True


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("rain", "rain"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (None, "null"),
        (2.5, "2.5"),
        ([TextBlock(text="a"), TextBlock(text="b")], "a\nb"),
    ],
)
async def test_a_result_is_told_as_text_or_json(result: Any, told: str) -> None:
    def give() -> Any:
        """Give."""
        return result

    assert await outcome([FunctionTool.from_defaults(give)], "give") == (told, False)


async def test_what_is_no_text_is_named() -> None:
    def look() -> list[Any]:
        """Look."""
        return [TextBlock(text="A cat."), ImageBlock(url="https://cat.example/cat.png")]

    output, _ = await outcome([FunctionTool.from_defaults(look)], "look")
    assert output == "A cat.\n[ImageBlock left out: the result of a function is text]"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "city: Field required"),
        ({"city": "Rome", "days": "2"}, "days: Input should be a valid integer"),
        ({"city": "Rome", "country": "Italy"}, "there is no country"),
    ],
)
async def test_arguments_that_do_not_fit_are_told_though_llamaindex_checks_nothing(
    arguments: dict[str, Any], told: str
) -> None:
    error = await failure([WEATHER], "weather", arguments)
    assert error == f"The arguments do not fit: {told}"


async def test_a_plain_function_runs_in_a_thread_of_ours_and_a_coroutine_on_the_loop() -> None:
    def slow() -> str:
        """Block."""
        return threading.current_thread().name

    async def quick() -> str:
        """Wait."""
        await asyncio.sleep(0)
        return threading.current_thread().name

    tools = [FunctionTool.from_defaults(slow), FunctionTool.from_defaults(quick)]
    assert await outcome(tools, "slow") == ("bargein tool", False)
    assert await outcome(tools, "quick") == ("MainThread", False)
    both = FunctionTool.from_defaults(slow, async_fn=quick)
    assert await outcome([both], "slow") == ("MainThread", False)


async def test_a_tool_that_takes_its_only_argument_by_place_gets_it_once() -> None:
    old = Old()
    assert await outcome([old], "old_tool", {"input": "hello"}) == ("HELLO", False)
    assert await failure([old], "old_tool", {"input": "error"}) == "ERROR"
    assert await failure([old], "old_tool", {"input": "fail"}) == "The tool failed: KeyError."
    assert old.calls == 3


async def test_an_asynchronous_class_and_its_error_output() -> None:
    class Looks(AsyncBaseTool):
        @property
        def metadata(self) -> ToolMetadata:
            return ToolMetadata(name="looks", description="Look.")

        def call(self, input: Any) -> ToolOutput:
            raise AssertionError("not in a thread")

        async def acall(self, input: Any) -> ToolOutput:
            if input == "ours":
                error = bargein.ToolError("Ask for a city.")
                return ToolOutput("looks", "?", raw_input={}, is_error=True, exception=error)
            return ToolOutput("looks", "Nothing there.", raw_input={}, is_error=True)

    assert await failure([Looks()], "looks", {"input": "a"}) == "Nothing there."
    assert await failure([Looks()], "looks", {"input": "ours"}) == "Ask for a city."


async def test_our_tool_error_speaks_and_any_other_exception_keeps_its_words() -> None:
    def fail(kindly: bool) -> str:
        """Fail."""
        if kindly:
            raise bargein.ToolError("There is no such city.")
        raise KeyError("password 1234")

    tools = [FunctionTool.from_defaults(fail)]
    assert await failure(tools, "fail", {"kindly": True}) == "There is no such city."
    assert await failure(tools, "fail", {"kindly": False}) == "The tool failed: KeyError."


async def test_arguments_that_the_program_has_given_are_not_the_models() -> None:
    tools = [FunctionTool.from_defaults(weather, partial_params={"city": "Rome"})]
    assert list(llamaindex.tools_from(*tools)[0].parameters["properties"]) == ["days"]
    assert await outcome(tools, "weather", {"days": 3}) == ('{"city":"Rome","days":3}', False)


def test_a_tool_of_a_workflow_and_what_is_no_tool_are_refused() -> None:
    async def remember(context: Context, what: str) -> None:
        """Remember."""

    remember.__annotations__["context"] = Context  # LlamaIndex reads no annotations as texts.
    remembering = FunctionTool.from_defaults(async_fn=remember)
    with pytest.raises(LocalValueError, match="'remember' wants the Context of a workflow"):
        llamaindex.tools_from(remembering)

    def unknown(what: threading.Event) -> None:
        """A parameter that is no JSON."""

    with pytest.raises(LocalValueError, match="'unknown' has no schema"):
        llamaindex.tools_from(FunctionTool.from_defaults(unknown))
    wrong: Any = TextBlock(text="hello")
    with pytest.raises(LocalValueError, match="TextBlock is no LlamaIndex tool"):
        llamaindex.tools_from(wrong)
