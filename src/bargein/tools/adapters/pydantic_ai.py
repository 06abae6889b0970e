"""pydantic-ai's tools: `Tool` and `FunctionToolset`.

Arguments are validated by the tool's own schema and `args_validator`. What the model is told is the
tool's `return_value`, in pydantic-ai's own words; `ModelRetry` and `ToolFailed` are told, too.
`requires_approval` asks `connect(approve=…)`, and a tool's `timeout` is its `timeout_s`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeAlias, Unpack

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
)
from bargein.tools.registry import Tool
from bargein.tools.runner import called
from bargein.tools.signature import ToolContext, ToolError

try:
    import pydantic_ai
    from pydantic import ValidationError
    from pydantic_ai import FunctionToolset, ModelRetry, RunContext, ToolReturn
    from pydantic_ai.exceptions import ToolFailed
    from pydantic_ai.messages import ToolReturnPart
    from pydantic_ai.models.test import TestModel
    from pydantic_ai.usage import RunUsage
except ImportError as error:
    raise missing("pydantic-ai-slim") from error

Theirs: TypeAlias = "pydantic_ai.Tool[Any]"


def tools_from(
    *tools: Theirs | FunctionToolset[Any], deps: Any = None, **treatment: Unpack[Treatment]
) -> list[Tool]:
    """pydantic-ai's tools as tools of a session. `deps` is what their `RunContext` has; its model
    is pydantic-ai's stand-in for none, because the model that calls them is the session's.

    Raises `LocalValueError` for what is neither a `Tool` nor a `FunctionToolset`, for a tool with
    `prepare` (there are no steps of a run to prepare it for), and for two with one name.
    """
    found = _each(tools)
    return distinct([(one.name, _adapted(one, limit, deps, treatment)) for one, limit in found])


def _each(things: tuple[Any, ...]) -> Iterator[tuple[Theirs, float | None]]:
    """Each tool with the time that it may take; None where nothing is said of it."""
    for thing in things:
        if isinstance(thing, FunctionToolset):
            for one in thing.tools.values():
                yield _checked(one), one.timeout if one.timeout is not None else thing.timeout
        elif isinstance(thing, pydantic_ai.Tool):
            yield _checked(thing), thing.timeout
        else:
            raise LocalValueError(
                f"tools: {type(thing).__name__} is no tool of pydantic-ai that can be adapted; "
                "give a Tool or a FunctionToolset"
            )


def _checked(tool: Theirs) -> Theirs:
    if tool.prepare is not None:
        raise LocalValueError(
            f"tools: {tool.name!r} has prepare=, which asks at each step of a run, and a session "
            "has no steps; give it without, and change tools by session.update(tools=…)"
        )
    return tool


def _adapted(tool: Theirs, limit: float | None, deps: Any, treatment: Treatment) -> Tool:
    # A function that is no coroutine would run in a pool whose threads cannot be left behind.
    async def run(*args: Any, **kwargs: Any) -> Any:
        return await called(tool.function, args, kwargs)

    schema = replace(tool.function_schema, function=run, is_async=True)

    async def call(**given: Any) -> Any:
        context = _run_context(tool, deps, given.pop(CONTEXT, None))
        try:
            args = schema.validator.validate_json(msgspec.json.encode(given))
            if tool.args_validator is not None:
                await called(tool.args_validator, (context,), args)
        except ValidationError as failure:
            raise ToolError(misfits(failure)) from failure
        except (ModelRetry, ToolFailed) as failure:
            raise ToolError(failure.message) from failure
        try:
            return _told(tool, await schema.call(args, context))
        except (ModelRetry, ToolFailed) as failure:
            raise ToolError(failure.message) from failure

    settings: Treatment = {"approval": tool.requires_approval}
    if limit is not None:
        settings["timeout_s"] = limit
    shown = tool.function_schema.json_schema
    return adapt(tool.name, tool.description, shown, call, {**settings, **treatment})


def _run_context(tool: Theirs, deps: Any, context: ToolContext | None) -> RunContext[Any]:
    return RunContext(
        deps=deps,
        model=TestModel(),
        usage=RunUsage(),
        tool_name=tool.name,
        tool_call_id=None if context is None else context.call_id,
    )


def _told(tool: Theirs, result: Any) -> str:
    content = result.return_value if isinstance(result, ToolReturn) else result
    part = ToolReturnPart(tool_name=tool.name, content=content)
    texts = [part.model_response_str()] if part.model_response_str() or not part.files else []
    return "\n".join([*texts, *(left_out(type(file).__name__) for file in part.files)])
