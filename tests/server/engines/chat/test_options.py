"""What may be set of the chat engine."""

from __future__ import annotations

from typing import Any

import pytest

from bargein.errors import LocalValueError
from bargein.secret import Secret
from bargein.server.engines.chat.faults import shown_url
from bargein.server.engines.chat.options import ChatOptions, Deadlines, base_url


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:11434/v1",
        "http://127.0.0.1:11434/v1/",
        "http://127.0.0.1:11434/v1/chat/completions",
    ],
)
def test_a_url_may_be_given_up_to_any_slash(url: str) -> None:
    assert base_url(url, "chat_url") == "http://127.0.0.1:11434/v1"


@pytest.mark.parametrize(
    "url", ["", "localhost:11434", "ftp://a/v1", "http://", "http://a:port/v1", "http://[a/"]
)
def test_what_is_no_url_is_refused_by_the_fields_name(url: str) -> None:
    with pytest.raises(LocalValueError, match="chat_url is no http"):
        ChatOptions(chat_url=url)


@pytest.mark.parametrize("url", ["http://me:hunter2@a/v1", "http://a/v1?key=hunter2", "http://a#x"])
def test_a_url_with_a_secret_in_it_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(LocalValueError, match="speak_url has a user") as caught:
        ChatOptions(chat_url="http://a/v1", speak_url=url)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in shown_url(url)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"chat_body": {"messages": []}}, "chat_body has 'messages'"),
        ({"mind_hears": True, "hear_url": "http://b/v1"}, "two ways to hear"),
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(LocalValueError, match=why):
        ChatOptions(chat_url="http://a/v1", **given)


def test_deadlines_are_more_than_nothing() -> None:
    with pytest.raises(LocalValueError, match="idle_s is 0"):
        Deadlines(idle_s=0)


def test_a_key_goes_to_its_own_server_only() -> None:
    key, own = Secret("sk-mind-0123"), Secret("sk-ear-0123")
    options = ChatOptions(chat_url="http://a:1/v1", chat_key=key)
    assert options.key_for("http://a:1/other", None) is key
    assert options.key_for("http://a:2/v1", None) is None
    assert options.key_for("http://a:2/v1", own) is own
