"""What a fault of a setting is called on the command line."""

from __future__ import annotations

import pytest

from bargein.cli._options import in_options, told_in_options
from bargein.errors import LocalValueError, TransportError


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sessions is 0: give more than 0", "--max-sessions is 0: give more than 0"),
        ("engine 'a:b': there is no module 'a'", "--engine 'a:b': there is no module 'a'"),
        ("chat_body has 'model'", "--chat-body has 'model'"),
        ("mind_hears and hear_url are two ways", "--mind-hears and --hear-url are two ways"),
        ("--chat-body is no JSON: engine, port", "--chat-body is no JSON: engine, port"),
        ("a.toml: speed is 0: give more", "a.toml: speed is 0: give more"),
    ],
)
def test_the_option_stands_where_the_argument_stood(text: str, told: str) -> None:
    assert in_options(text) == told
    with pytest.raises(LocalValueError) as caught, told_in_options():
        raise LocalValueError(text)
    assert str(caught.value) == told


def test_what_is_no_setting_is_left_alone() -> None:
    with pytest.raises(TransportError, match=r"^port 8 is taken"), told_in_options():
        raise TransportError("port 8 is taken")
