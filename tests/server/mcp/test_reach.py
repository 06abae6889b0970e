"""Who may be reached, and with what."""

from __future__ import annotations

from typing import Any

import pytest

from bargein import events
from bargein.errors import LocalValueError
from bargein.server.engines.base import ToolError
from bargein.server.mcp.reach import Address, Reach, address_of, checked_reach

HERE = "http://127.0.0.1:8000/mcp"


def address(url: str = HERE, reach: Reach = "loopback", **fields: Any) -> Address:
    return address_of(events.McpTool(server_label="a", server_url=url, **fields), reach)


def refusal(url: str = HERE, reach: Reach = "loopback", **fields: Any) -> str:
    with pytest.raises(ToolError) as caught:
        address(url, reach, **fields)
    assert caught.value.type == "tool_execution_error"
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (HERE, "127.0.0.1:8000"),
        ("https://127.1.2.3/", "127.1.2.3"),
        ("http://[::1]:9/mcp?a=b", "[::1]:9"),
        ("http://localhost:80", "localhost:80"),
        ("HTTP://LocalHost/mcp", "localhost"),
        ("http://joe:secret@127.0.0.1/mcp", "127.0.0.1"),
    ],
)
def test_loopback_is_this_machine(url: str, place: str) -> None:
    found = address(url)
    assert found.is_here and found.place == place and found.url == url


@pytest.mark.parametrize(
    "host",
    [
        *("mcp.example.org", "10.0.0.1", "169.254.169.254", "0.0.0.0", "[::]", "[fe80::1]"),
        *("127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "localhost.example.org"),
        *("127.0.0.1.example.org", "localhost.", "localhost%2eexample.org"),
    ],
)
def test_loopback_is_nothing_else_however_it_is_written(host: str) -> None:
    said = refusal(f"http://{host}/mcp")
    assert "is not on this machine" in said and "--mcp any" in said
    assert not address(f"http://{host}/mcp", "any").is_here


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://127.0.0.1/", "file:///etc/passwd", "127.0.0.1", "//127.0.0.1/", "http://", ""),
        *("http://[::1/", "http://127.0.0.1:70000/", "http://127.0.0.1:a/", "javascript:alert(1)"),
        *(
            "http://127.0.0.1\\@example.org/",
            "http://example.org\\@127.0.0.1/",
            " http://127.0.0.1",
        ),
        *("http://127.0.0.1\t.example.org/", "http://127.0.0.1/ a", "http://127.0.0.1/\r\nHost: b"),
        *("http://ex\u00e4mple.org", "http://127.0.0.1/\ud800"),
    ],
)
def test_what_can_be_read_in_two_ways_or_is_no_address_is_refused(url: str) -> None:
    for reach in ("loopback", "any"):
        assert refusal(url, reach) == "The 'server_url' is no http or https address."


def test_off_reaches_nobody_and_says_how_to() -> None:
    assert "`--mcp loopback`" in refusal(reach="off")
    with pytest.raises(LocalValueError, match="mcp is 'all': give 'off', 'loopback' or 'any'"):
        checked_reach("all")


def test_connectors_and_tunnels_are_the_services_own() -> None:
    tool = events.McpTool(server_label="mail", connector_id="connector_gmail")
    with pytest.raises(ToolError, match="server_url"):
        address_of(tool, "any")


@pytest.mark.parametrize(
    ("given", "sent"),
    [("token-1234", "Bearer token-1234"), ("Basic am9lOnNlY3JldA==", "Basic am9lOnNlY3JldA==")],
)
def test_a_token_is_sent_as_a_bearers_unless_it_says_otherwise(given: str, sent: str) -> None:
    headers = address(authorization=given, headers={"X-Shop": "7"}).headers
    assert headers == {"X-Shop": "7", "Authorization": sent}


@pytest.mark.parametrize(
    "headers",
    [{"Host": "a"}, {"content-length": "3"}, {"X\r\nY": "a"}, {"X": "a\r\nY: b"}, {"": "a"}],
)
def test_a_header_that_would_change_the_message_is_refused(headers: dict[str, str]) -> None:
    assert "header" in refusal(headers=headers).lower()
    assert "authorization" in refusal(authorization="a\r\nHost: b")


def test_what_a_server_says_is_told_without_its_keys_and_not_for_ever() -> None:
    found = address(authorization="token-1234", headers={"X-Key": "key-5678", "X-Shop": "7"})
    assert found.hidden("No token-1234 or key-5678 in 7.") == "No *** or *** in 7."
    assert found.hidden("Bearer token-1234") == "***"
    assert found.hidden("x" * 2_000) == "x" * 1_000 + "…"
    assert "token-1234" not in f"{found}{found!r}"
