"""LlamaIndex's tools: `FunctionTool`, `QueryEngineTool` and every other `BaseTool`.

LlamaIndex shows a schema and checks nothing by it; here the arguments must fit it, strictly, before
the tool gets them as they came. Told is the content of the `ToolOutput`, but JSON where LlamaIndex
would tell Python's form of a value; an output with `is_error` is told as an error.
"""

from __future__ import annotations

import inspect
from typing import Any, Unpack

import msgspec

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
    from llama_index.core.base.llms.types import TextBlock
    from llama_index.core.tools import AsyncBaseTool, BaseTool, FunctionTool, ToolOutput
    from pydantic import ValidationError
except ImportError as error:
    raise missing("llama-index-core") from error

_JSON = (dict, list, tuple, int, float, bool, type(None))


def tools_from(*tools: BaseTool, **treatment: Unpack[Treatment]) -> list[Tool]:
    """LlamaIndex's tools as tools of a session.

    Raises `LocalValueError` for what is no tool, for one that wants a workflow's `Context`, and for
    two with one name.
    """
    return distinct([(_name(one), _adapted(one, treatment)) for one in map(_checked, tools)])


def _name(tool: BaseTool) -> str:
    return tool.metadata.name or ""


def _checked(thing: Any) -> BaseTool:
    if not isinstance(thing, BaseTool):
        raise LocalValueError(
            f"tools: {type(thing).__name__} is no LlamaIndex tool; give a BaseTool, such as "
            "FunctionTool.from_defaults(…) makes"
        )
    if isinstance(thing, FunctionTool) and thing.requires_context:
        raise LocalValueError(
            f"tools: {_name(thing)!r} wants the Context of a workflow, which a session has not; "
            "take the parameter away"
        )
    return thing


def _adapted(tool: BaseTool, treatment: Treatment) -> Tool:
    async def on_the_loop(**given: Any) -> Any:
        assert isinstance(tool, AsyncBaseTool), "seen when it was adapted"
        args, kwargs = _arguments(tool, given)
        return _told(await tool.acall(*args, **kwargs))

    def in_a_thread(**given: Any) -> Any:
        args, kwargs = _arguments(tool, given)
        return _told(tool(*args, **kwargs))

    run = on_the_loop if _is_async(tool) else in_a_thread
    with schema_of(_name(tool)):
        shown = tool.metadata.get_parameters_dict()
    return adapt(_name(tool), tool.metadata.description, shown, run, treatment)


def _is_async(tool: BaseTool) -> bool:
    """Not where LlamaIndex itself would send the function to a thread of a pool."""
    if isinstance(tool, FunctionTool):
        return tool.async_fn.__module__ != FunctionTool.__module__
    return isinstance(tool, AsyncBaseTool)


def _arguments(tool: BaseTool, given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """By name where the tool takes names; many take their only argument by place."""
    given.pop(CONTEXT, None)
    _check(tool, given)
    if isinstance(tool, FunctionTool):
        target: Any = tool.real_fn
    else:
        target = tool.acall if isinstance(tool, AsyncBaseTool) else tool.__call__
    try:
        inspect.signature(target).bind_partial(**given)
    except TypeError:
        if len(given) == 1:
            return tuple(given.values()), {}
    return (), given


def _check(tool: BaseTool, given: dict[str, Any]) -> None:
    schema = tool.metadata.fn_schema
    if schema is None:
        return
    known = schema.model_json_schema().get("properties", {})
    if schema.model_config.get("extra") != "allow" and "kwargs" not in known:
        if unknown := [name for name in given if name not in known]:
            raise ToolError(f"The arguments do not fit: there is no {', '.join(unknown)}")
    try:
        schema.model_validate_json(msgspec.json.encode(given), strict=True)
    except ValidationError as failure:
        raise ToolError(misfits(failure)) from failure


def _told(output: Any) -> Any:
    if not isinstance(output, ToolOutput):
        return output
    text = "\n".join(
        block.text if isinstance(block, TextBlock) else left_out(type(block).__name__)
        for block in output.blocks
    )
    if output.is_error:
        if isinstance(output.exception, ToolError):
            raise output.exception
        raise ToolError(text or "The tool failed.")
    raw = output.raw_output
    is_value = isinstance(raw, _JSON) or hasattr(raw, "model_dump")
    return raw if is_value and text == str(raw) else text
