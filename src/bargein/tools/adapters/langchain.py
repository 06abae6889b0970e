"""LangChain's tools: `@tool`, `StructuredTool`, `Tool` and every other `BaseTool`.

A call is given as LangChain's own `ToolCall`, so that `InjectedToolCallId` and the response format
`content_and_artifact` work: the content is told, the artifact is not. `ToolException` and what
`handle_tool_error` makes of it are told to the model.
"""

from __future__ import annotations

from typing import Any, Unpack

from bargein.errors import LocalValueError
from bargein.tools.adapters.shared import (
    CONTEXT,
    Treatment,
    adapt,
    distinct,
    left_out,
    misfits,
    missing,
    schema_of,
)
from bargein.tools.registry import Tool
from bargein.tools.signature import ToolError

try:
    from langchain_core.messages import ToolMessage
    from langchain_core.tools import BaseTool, StructuredTool, ToolException
    from langchain_core.tools import Tool as SingleTool
    from langchain_core.utils.function_calling import convert_to_openai_tool
    from pydantic import ValidationError
except ImportError as error:
    raise missing("langchain-core") from error


def tools_from(*tools: BaseTool, **treatment: Unpack[Treatment]) -> list[Tool]:
    """LangChain's tools as tools of a session.

    Raises `LocalValueError` for what is no tool, and for two with one name.
    """
    return distinct([(one.name, _adapted(one, treatment)) for one in map(_checked, tools)])


def _checked(thing: Any) -> BaseTool:
    if not isinstance(thing, BaseTool):
        raise LocalValueError(
            f"tools: {type(thing).__name__} is no LangChain tool; give a BaseTool, such as what "
            "@langchain_core.tools.tool makes"
        )
    return thing


def _adapted(tool: BaseTool, treatment: Treatment) -> Tool:
    with schema_of(tool.name):
        told = convert_to_openai_tool(tool)["function"]

    async def on_the_loop(**given: Any) -> Any:
        call = _call_of(tool, given)
        try:
            return _told(await tool.ainvoke(call))
        except (ToolException, ValidationError) as failure:
            raise _failed(tool, failure) from failure

    def in_a_thread(**given: Any) -> Any:
        call = _call_of(tool, given)
        try:
            return _told(tool.invoke(call))
        except (ToolException, ValidationError) as failure:
            raise _failed(tool, failure) from failure

    run = on_the_loop if _is_async(tool) else in_a_thread
    return adapt(tool.name, told.get("description"), told.get("parameters", {}), run, treatment)


def _is_async(tool: BaseTool) -> bool:
    """Not where LangChain itself would send it to a thread of a pool."""
    if isinstance(tool, StructuredTool | SingleTool):
        return tool.coroutine is not None
    return type(tool)._arun is not BaseTool._arun


def _call_of(tool: BaseTool, given: dict[str, Any]) -> dict[str, Any]:
    context = given.pop(CONTEXT, None)
    call_id = "call" if context is None else context.call_id
    return {"type": "tool_call", "id": call_id, "name": tool.name, "args": given}


def _told(result: Any) -> Any:
    if not isinstance(result, ToolMessage):
        return result
    content = result.content
    text = content if isinstance(content, str) else "\n".join(map(_told_block, content))
    if result.status == "error":
        raise ToolError(text)
    return text


def _told_block(block: str | dict[Any, Any]) -> str:
    if isinstance(block, str):
        return block
    return str(block["text"]) if "text" in block else left_out(str(block.get("type", "content")))


def _failed(tool: BaseTool, failure: Exception) -> Exception:
    """A `ValidationError` may also be one of the function's own: then it is nobody's business."""
    if isinstance(failure, ToolException):
        return ToolError(str(failure))
    assert isinstance(failure, ValidationError)
    schema = tool.args_schema if tool.args_schema is not None else tool.get_input_schema()
    of_arguments = isinstance(schema, type) and failure.title == schema.__name__
    return ToolError(misfits(failure)) if of_arguments else failure
