"""What may be given as tools, and who runs it."""

from __future__ import annotations

from typing import Any

import pytest

import bargein
from bargein.errors import LocalValueError
from bargein.tools.given import sorted_out

FILES = bargein.mcp_server("files", "https://mcp.example.org")


@bargein.tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


def test_functions_tools_servers_and_declarations_may_be_given_together() -> None:
    def now() -> str:
        """Tell the time."""
        return "noon"

    plain = {"type": "function", "name": "order", "parameters": {}}
    given = sorted_out([weather, plain, FILES, now])
    assert [tool.name for tool in given.tools] == ["weather", "now"]
    assert (given.servers, given.plain) == ((FILES,), (plain,))
    kinds = [one.get("name") or one["server_label"] for one in given.declared()]
    assert kinds == ["weather", "now", "files", "order"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([weather, weather], "'weather' is there 2 times"),
        ([weather, {"type": "function", "name": "weather"}], "'weather' is there 2 times"),
        ([FILES, FILES], "'files' is there 2 times"),
        ([FILES, {"type": "mcp", "server_label": "files"}], "'files' is there 2 times"),
        (["weather"], r"tools\[0\]: str"),
    ],
)
def test_what_cannot_be_given_is_named(given: list[Any], says: str) -> None:
    with pytest.raises(LocalValueError, match=says):
        sorted_out(given)
