"""What a session is made of, where it is shown to people."""

from __future__ import annotations

import pytest

from bargein import events

KEY = "hunter22"


@pytest.mark.parametrize(
    "url",
    [
        f"https://joe:{KEY}@mcp.example.org/sse",
        f"https://mcp.example.org/{KEY}/mcp",
        f"https://mcp.example.org/mcp?{KEY}",
    ],
)
def test_what_an_mcp_server_is_reached_with_is_in_no_text(url: str) -> None:
    tool = events.McpTool(
        server_label="weather", server_url=url, authorization=KEY, headers={"X-Key": KEY}
    )
    for holder in (tool, events.Session(tools=(tool,)), events.ResponseParams(tools=(tool,))):
        for text in (repr(holder), f"{holder}"):
            assert KEY not in text and "weather" in text
            assert "mcp.example.org/[masked]" in text
    # On the wire it is whole.
    assert events.plain(tool)["server_url"] == url


def test_what_was_not_given_is_not_shown() -> None:
    assert repr(events.McpTool(server_label="weather")) == "McpTool(server_label='weather')"
