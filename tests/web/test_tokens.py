"""A token opens one thing, once, for a while."""

from __future__ import annotations

import pickle

from bargein.web.tokens import MOST_TOKENS, Right, Tokens


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_token_is_good_once_and_for_what_it_was_given() -> None:
    tokens = Tokens(Clock())
    page, remote = tokens.give(Right(), 10), tokens.give(Right("call-1"), 10)
    assert page != remote
    assert tokens.spend(remote) == Right("call-1")
    assert tokens.spend(page) == Right()
    assert tokens.spend(page) is None
    assert tokens.spend(remote) is None


def test_what_was_never_given_is_good_for_nothing() -> None:
    tokens = Tokens(Clock())
    tokens.give(Right(), 10)
    for value in ("", "x", "\ud800", "x" * 10_000):
        assert tokens.spend(value) is None


def test_a_token_ends_by_itself() -> None:
    clock = Clock()
    tokens = Tokens(clock)
    early, late = tokens.give(Right(), 10), tokens.give(Right(), 10)
    clock.now_s = 9.9
    assert tokens.spend(early) == Right()
    clock.now_s = 10.0
    assert tokens.spend(late) is None


def test_the_oldest_makes_room_where_there_are_too_many() -> None:
    tokens = Tokens(Clock())
    first, second = tokens.give(Right(), 10), tokens.give(Right(), 10)
    for _ in range(MOST_TOKENS - 1):
        tokens.give(Right(), 10)
    assert tokens.spend(first) is None
    assert tokens.spend(second) == Right()


def test_no_token_is_kept_as_it_is() -> None:
    tokens = Tokens(float)
    value = tokens.give(Right(), 10)
    assert value.encode() not in pickle.dumps(vars(tokens))
