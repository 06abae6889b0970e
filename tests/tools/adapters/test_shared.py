"""What holds for the tools of every framework."""

from __future__ import annotations

import importlib
import os
import sys

import pytest
from tests.tools.adapters.frameworks import TESTED, lacking

from bargein.errors import LocalValueError
from bargein.tools.adapters.shared import adapt, distinct, legal
from bargein.tools.given import sorted_out
from bargein.tools.registry import Tool

PACKAGES = {
    "langchain": ("langchain_core.tools", "langchain-core"),
    "llamaindex": ("llama_index.core.tools", "llama-index-core"),
    "mcp": ("mcp", "mcp>=2"),
    "pydantic_ai": ("pydantic_ai", "pydantic-ai-slim"),
}


def nothing() -> None:
    """Do nothing."""


def called(name: str) -> tuple[str, Tool]:
    return name, adapt(name, "", {}, nothing, {})


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="only CI must have them all")
def test_in_ci_every_framework_is_there() -> None:
    assert lacking() == set()


def test_every_adapter_has_its_tests() -> None:
    assert {f"test_{adapter}" for adapter in PACKAGES} == set(TESTED)


@pytest.mark.parametrize("adapter", PACKAGES)
def test_without_its_framework_an_adapter_says_what_to_install(
    adapter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, package = PACKAGES[adapter]
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"bargein.tools.adapters.{adapter}", raising=False)
    with pytest.raises(LocalValueError, match=f"pip install '{package}'"):
        importlib.import_module(f"bargein.tools.adapters.{adapter}")


def test_to_take_a_function_no_framework_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, _ in PACKAGES.values():
        monkeypatch.setitem(sys.modules, module, None)
    assert [tool.name for tool in sorted_out([nothing]).tools] == ["nothing"]
    with pytest.raises(LocalValueError, match=r"tools\[0\]: object; give .* LangChain"):
        sorted_out([object()])


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("weather", "weather"), ("files.read/all", "files_read_all"), ("é" * 70, "_" * 64)],
)
def test_a_name_that_the_service_refuses_is_mapped(theirs: str, ours: str) -> None:
    assert legal(theirs) == ours


def test_names_that_become_one_are_refused() -> None:
    with pytest.raises(LocalValueError, match=r"'a\.b' and 'a/b' both become 'a_b'"):
        distinct([called("a.b"), called("a/b")])


def test_a_tool_without_a_name_is_refused() -> None:
    with pytest.raises(LocalValueError, match="tool ''"):
        called("")
