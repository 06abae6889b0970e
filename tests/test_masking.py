"""What is written down of a wire holds no secret, whoever writes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from tests.trace.strategies import JSON

from bargein.core import inputs
from bargein.events import decode_server
from bargein.masking import MASK, may_hold_secrets, shown_address, without_secrets
from bargein.server.framelog import shown
from bargein.trace import record

SECRET = "hunter22-0123456789"
HIDDEN: list[dict[str, Any]] = [
    *(
        {name: SECRET}
        for name in ("Authorization", "api-key", "apikey", "client_secret", "cookie", "password")
    ),
    *({name: [SECRET, {"a": SECRET}]} for name in ("headers", "secret", "X-API-Key")),
    {"text": f"sk-{SECRET}"},
    {"text": f"ek_{SECRET}"},
    {"text": f"Bearer {SECRET}"},
    {"text": f"Basic {SECRET}"},
    {"url": f"wss://joe:{SECRET}@a.example"},
    *({"url": f"https://a.example/?v=1&{name}={SECRET}"} for name in ("token", "api_key", "sig")),
    *(
        {"server_url": f"https://{url}"}
        for url in (
            f"joe:{SECRET}@a.example",
            f"a.example/mcp/{SECRET}/sse",
            f"a.example?k={SECRET}",
            f"a.example#{SECRET}",
        )
    ),
    {"server_url": SECRET},
    {f"sk-{SECRET}": "as a name"},
]


@pytest.mark.parametrize("fields", HIDDEN, ids=json.dumps)
def test_the_trace_and_the_log_of_frames_hide_the_same(fields: dict[str, Any]) -> None:
    frame = json.dumps({"type": "new", "deep": [{"er": fields}]})
    assert may_hold_secrets(frame.encode())
    for written in (
        json.dumps(without_secrets(fields)),
        json.dumps(shown(frame)),
        record.entry(1, inputs.Received(decode_server(frame)), []).decode(),
    ):
        assert MASK in written
        assert SECRET not in written


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://mcp.example.org", "https://mcp.example.org"),
        ("https://mcp.example.org:8443/", "https://mcp.example.org:8443/"),
        ("http://[::1]:9/mcp", f"http://[::1]:9/{MASK}"),
        ("https://a@b:c@mcp.example.org?key", f"https://{MASK}@mcp.example.org/{MASK}"),
        ("https://a\\@mcp.example.org", f"https://a/{MASK}"),
        ("mcp.example.org/secret", MASK),
        (MASK, MASK),
        ("", ""),
    ],
)
def test_of_an_mcp_servers_address_the_host_is_kept(address: str, shown: str) -> None:
    assert shown_address(address) == shown == shown_address(shown)
    assert without_secrets({"server_url": address}) == {"server_url": shown}


def test_what_is_no_secret_stays_as_it_is() -> None:
    value = {"type": "message", "n": [1, 2.5, True, None], "text": "a bearer of basic news"}
    assert without_secrets(value) == value
    assert not may_hold_secrets(b'{"type":"response.created"}')


def test_long_base64_is_a_length_whatever_its_field() -> None:
    assert without_secrets({"image": "data:image/png;base64,AAAA"}) == {
        "image": "[26 characters of base64]"
    }
    assert without_secrets(["A" * 300, "A" * 30]) == ["[300 characters of base64]", "A" * 30]


def test_what_json_cannot_hold_is_written_as_its_type_and_as_a_question_mark() -> None:
    assert without_secrets({"text": b"\0", "inner": [object()]}) == {
        "text": "<bytes>",
        "inner": ["<object>"],
    }
    assert without_secrets({"secret": b"\0"}) == {"secret": "<bytes>"}
    assert without_secrets("half a pair: \ud83d.") == "half a pair: ?."


def test_a_name_of_secrets_masks_every_text_below_it_and_keeps_the_shape() -> None:
    headers = {"X-Trace": "ab", "deep": [{"of": "cd"}], "nothing": None}
    assert without_secrets({"headers": headers}) == {
        "headers": {"X-Trace": MASK, "deep": [{"of": MASK}], "nothing": None}
    }


@given(JSON)
def test_masking_twice_is_masking_once(value: Any) -> None:
    once = without_secrets({"authorization": value, "server_url": value, "other": value})
    assert without_secrets(once) == once
