"""A tool: a function, what the model is told of it, and how its calls are treated."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias, overload

from bargein.errors import LocalValueError
from bargein.tools.signature import Signature, signature_of

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_POLICIES = ("finish", "cancel", "background")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that asks to be approved. `arguments` are the model's text, JSON if it kept to it.
    `server_label` is that of the MCP server whose tool the service would call; "" for our own.
    """

    call_id: str
    name: str
    arguments: str
    server_label: str = ""


Approver: TypeAlias = Callable[[ToolCall], bool | Awaitable[bool]]
"""Says whether a call may run; may take minutes. One that is no coroutine runs in a thread. The
text of a `ToolError` that it raises is told to the model as the reason why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Made by `tool`, or by hand where the schema comes from elsewhere.

    `call` gets the arguments by name. Without a `signature` it gets what the JSON held, unchecked
    but for being an object, and `context_name` names the parameter that a `ToolContext` goes into.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    call: Callable[..., Any]
    signature: Signature | None = None
    context_name: str | None = None
    at_barge_in: Literal["finish", "cancel", "background"] = "finish"
    timeout_s: float | None = 60.0
    approval: bool | Approver = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise LocalValueError(
                f"tool {self.name!r}: a name has 1 to 64 letters, digits, _ and -; give name=…"
            )
        if self.at_barge_in not in _POLICIES:
            raise LocalValueError(
                f"tool {self.name}: at_barge_in {self.at_barge_in!r}; give one of "
                f"{', '.join(_POLICIES)}"
            )
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise LocalValueError(
                f"tool {self.name}: timeout_s {self.timeout_s}; give more than 0, or None"
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function itself, for the program's own use."""
        return self.call(*args, **kwargs)

    def declared(self) -> dict[str, Any]:
        """As `session.tools` has it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }


def _name_of(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", "") or type(function).__name__


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    at_barge_in: Literal["finish", "cancel", "background"] = "finish",
    timeout_s: float | None = 60.0,
    approval: bool | Approver = False,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    at_barge_in: Literal["finish", "cancel", "background"] = "finish",
    timeout_s: float | None = 60.0,
    approval: bool | Approver = False,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a function a tool: `@bargein.tool`, or with settings `@bargein.tool(timeout_s=5)`.

    The schema comes from its signature, types and docstring (`tools/signature.py` says which). A
    coroutine function runs on the loop, any other in a thread of its own. `at_barge_in` says what
    an interruption does while it runs: `finish`, `cancel` or `background`. `approval`: True asks
    what `connect(approve=…)` was given, a callable is asked itself.

    Raises `LocalValueError` naming what cannot be.
    """

    def make(made_of: Callable[..., Any]) -> Tool:
        called: str = name or _name_of(made_of)
        signature = signature_of(made_of, called)
        return Tool(
            name=called,
            description=signature.description if description is None else description,
            parameters=signature.parameters,
            call=made_of,
            signature=signature,
            context_name=signature.context_name,
            at_barge_in=at_barge_in,
            timeout_s=timeout_s,
            approval=approval,
        )

    return make if function is None else make(function)
