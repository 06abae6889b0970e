"""What the tests of the adapters need, and what of it is not there."""

from __future__ import annotations

from importlib.util import find_spec

TESTED = {
    "test_langchain": "langchain_core",
    "test_llamaindex": "llama_index",
    "test_mcp": "mcp",
    "test_pydantic_ai": "pydantic_ai",
}


def lacking() -> set[str]:
    return {package for package in TESTED.values() if find_spec(package) is None}
