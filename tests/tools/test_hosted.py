"""MCP servers that the service calls: what is declared of them, and what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

import bargein
from bargein.errors import LocalValueError

URL = "https://mcp.example.org"


def test_a_server_is_declared_as_the_session_wants_it_and_asks_before_every_call() -> None:
    server = bargein.mcp_server(
        "files",
        URL,
        authorization="token-1",
        headers={"X-Team": "blue"},
        description="The files of the team.",
        allowed_tools=["search", "read"],
    )
    assert server.declared() == {
        "type": "mcp",
        "server_label": "files",
        "server_url": URL,
        "authorization": "token-1",
        "headers": {"X-Team": "blue"},
        "server_description": "The files of the team.",
        "allowed_tools": ["search", "read"],
        "require_approval": "always",
    }


@pytest.mark.parametrize(
    ("settings", "required"),
    [
        ({"approval": False}, "never"),
        ({"trusted": ["search"]}, {"never": {"tool_names": ["search"]}}),
        ({"approval": lambda call: True}, "always"),
    ],
)
def test_who_is_asked_decides_what_the_service_asks(
    settings: dict[str, Any], required: Any
) -> None:
    server = bargein.mcp_server("files", URL, **settings)
    assert server.declared()["require_approval"] == required


def test_a_connector_has_no_address() -> None:
    declared = bargein.mcp_server("mail", connector_id="connector_gmail").declared()
    assert declared["connector_id"] == "connector_gmail"
    assert "server_url" not in declared


def test_what_the_server_is_entered_with_is_shown_in_no_repr() -> None:
    server = bargein.mcp_server("files", URL, authorization="token-1", headers={"X-Key": "key-2"})
    assert "token-1" not in repr(server) and "key-2" not in repr(server)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"label": ""}, "label"),
        ({"url": None}, "one of url and connector_id"),
        ({"connector_id": "c"}, "one of url and connector_id"),
        ({"url": "mcp.example.org"}, "https://"),
        ({"authorization": "t", "headers": {"Authorization": "t"}}, "given twice"),
        ({"approval": False, "trusted": ["a"]}, "trusted"),
        ({"allowed_tools": "search"}, "allowed_tools: 'search'"),
        ({"trusted": "search"}, "trusted: 'search'"),
    ],
)
def test_what_cannot_be_is_named(given: dict[str, Any], says: str) -> None:
    whole = {"label": "files", "url": URL, **given}
    with pytest.raises(LocalValueError, match=says):
        bargein.mcp_server(whole.pop("label"), whole.pop("url"), **whole)
