"""What the adapters have in common."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypedDict

from bargein.errors import LocalValueError
from bargein.tools import signature
from bargein.tools.registry import Approver, Tool

CONTEXT = "bargein: context"
"""What the `ToolContext` is given as: no parameter of Python's can be called so."""

_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST = 64


class Treatment(TypedDict, total=False):
    """How the calls of adapted tools are treated: settings of `bargein.Tool`."""

    at_barge_in: Literal["finish", "cancel", "background"]
    timeout_s: float | None
    approval: bool | Approver


def missing(package: str) -> LocalValueError:
    """The error for a framework that is not there."""
    return LocalValueError(f"tools: the package {package!r} is not there; pip install '{package}'")


def adapt(
    name: str,
    description: str | None,
    parameters: Mapping[str, Any],
    call: Callable[..., Any],
    treatment: Treatment,
) -> Tool:
    """A tool whose `call` gets the model's arguments, and the context as `CONTEXT`."""
    return Tool(
        name=legal(name),
        description=description or "",
        parameters={"properties": {}, **parameters, "type": "object"},
        call=call,
        context_name=CONTEXT,
        **treatment,
    )


@contextlib.contextmanager
def schema_of(name: str) -> Iterator[None]:
    """Around what makes the framework's schema: what is wrong with it has many types."""
    try:
        yield
    except Exception as error:
        raise LocalValueError(f"tools: {name!r} has no schema: {error}") from error


def legal(name: str) -> str:
    """The name with what the service refuses in it replaced by `_`, and cut to its length."""
    return _ILLEGAL.sub("_", name)[:_LONGEST]


def distinct(tools: list[tuple[str, Tool]]) -> list[Tool]:
    """The tools, each of which came with the name that its framework knows it by.

    Raises `LocalValueError` where two have one name now.
    """
    seen: dict[str, str] = {}
    for theirs, tool in tools:
        if tool.name in seen:
            raise LocalValueError(
                f"tools: {seen[tool.name]!r} and {theirs!r} both become {tool.name!r}; "
                "rename one of them"
            )
        seen[tool.name] = theirs
    return [tool for _, tool in tools]


def misfits(error: Any) -> str:
    """What a pydantic `ValidationError` says, for the model; without what was given."""
    return f"The arguments do not fit: {signature.misfits(error)}"


def left_out(kind: str) -> str:
    """In place of what cannot be told in a text."""
    return f"[{kind} left out: the result of a function is text]"
