"""Keys stay out of what people read."""

from __future__ import annotations

import copy
import pickle

import pytest

from bargein.errors import LocalValueError
from bargein.secret import Secret

KEY = "sk-proj-0123456789abcdefghijklmnopqrstuvwxyz"


def test_no_text_of_a_secret_shows_it() -> None:
    secret = Secret(KEY)
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r:>60}", repr([secret])):
        assert KEY[:10] not in text
    assert secret.reveal() == KEY
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)


@pytest.mark.parametrize("bad", [KEY + "\n", " " + KEY, KEY + "é", KEY + "\0", "a b", ""])
def test_what_cannot_be_a_key_is_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(LocalValueError, match="api_key") as raised:
        Secret(bad)
    assert KEY[:8] not in str(raised.value)


def test_a_key_of_the_wrong_type_is_refused_by_its_type() -> None:
    with pytest.raises(LocalValueError, match="bytes"):
        Secret(KEY.encode())  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize("size", [8, 9, 20, len(KEY)])
def test_pieces_of_the_key_are_hidden_wherever_they_begin(size: int) -> None:
    for start in range(len(KEY) - size + 1):
        piece = KEY[start : start + size]
        assert Secret(KEY).hidden_in(f"wrong: {piece}.") == "wrong: ***."


def test_text_without_the_key_is_left_as_it_is() -> None:
    assert Secret(KEY).hidden_in("sk-proj***wxyz is wrong") == "sk-proj***wxyz is wrong"
    assert Secret(KEY).whole_hidden_in(f"a {KEY} b {KEY[:-1]}") == f"a *** b {KEY[:-1]}"


def test_a_key_with_a_separator_is_no_header_token() -> None:
    assert Secret(KEY).is_token
    assert not Secret(KEY + "=").is_token
    assert not Secret(KEY + ",x").is_token
