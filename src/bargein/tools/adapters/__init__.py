"""Tools of other frameworks as tools of a session: a module for each, imported when it is used.

1. A framework's schema is what the model is shown, and its validation is what arguments must pass.
2. What a framework means for the model (its own exceptions for that, results marked as errors)
   becomes a `ToolError`. Of any other exception the model is told the type, as of our own tools.
3. No tool runs twice for one call, and none blocks the loop: coroutines run on it, all else in
   threads.
4. A tool that needs what a session has not is refused when it is adapted, never when it is called.
"""

from __future__ import annotations

import importlib
from typing import Any

_ADAPTERS = {
    "llama_index": "llamaindex",
    "langchain_core": "langchain",
    "pydantic_ai": "pydantic_ai",
}
"""Where a class comes from, and who adapts its objects."""


def adapted(thing: Any) -> tuple[Any, ...] | None:
    """The tools that a framework's object is, or None where it is none of a framework we know.

    Known by the modules of its classes, so that nothing is imported to find out; the framework of
    an object that exists is there. Raises `LocalValueError` for what its adapter refuses.
    """
    for kind in type(thing).__mro__:
        name = _ADAPTERS.get(kind.__module__.partition(".")[0])
        if name is not None:
            adapter = importlib.import_module(f"{__name__}.{name}")
            tools: tuple[Any, ...] = tuple(adapter.tools_from(thing))
            return tools
    return None
