"""Who may go on when, on a clock that the tests turn: live sessions never wait, a flood gets its
share and no more, and what holds the loop for long is rare."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.errors import LocalValueError
from bargein.server.sharing import Account, Terms

S, MS = 1_000_000, 1_000
TERMS = Terms()
PIECES = st.integers(0, 200 * MS)


def flood(piece_us: int, seconds: int, terms: Terms = TERMS) -> tuple[int, int]:
    """Do pieces as soon as it may; what they used in all, and the longest wait."""
    now_us = used_us = longest_us = 0
    account = Account(now_us, terms)
    while now_us < seconds * S:
        account.charge(piece_us, now_us)
        used_us += piece_us
        now_us += piece_us
        wait_us = account.wait_us(now_us)
        longest_us = max(longest_us, wait_us)
        now_us += wait_us
    return used_us, longest_us


@pytest.mark.parametrize("times_as_slow", [1, 2, 4])
def test_a_live_session_never_waits_also_on_a_slow_machine(times_as_slow: int) -> None:
    """20 ms of sound take 0.4 ms here, and the longest thing in a reply 1.2 ms."""
    now_us = 0
    account = Account(now_us)
    for chunk in range(60 * 50):
        now_us = chunk * 20 * MS
        assert account.wait_us(now_us) == 0
        account.charge(times_as_slow * 400, now_us)
        if chunk % 250 == 249:
            account.charge(times_as_slow * 1_200, now_us)


def test_a_flood_of_small_things_gets_a_quarter_of_the_loop() -> None:
    used_us, longest_us = flood(200, 100)
    assert used_us == pytest.approx(25 * S, rel=0.05)
    assert longest_us <= 1 * MS


@pytest.mark.parametrize("piece_ms", [10, 40, 200])
def test_a_flood_of_long_things_holds_the_loop_for_a_third_of_a_percent(piece_ms: int) -> None:
    used_us, longest_us = flood(piece_ms * MS, 3_000)
    assert used_us <= 3_000 * S // 300 + 2 * piece_ms * MS
    assert longest_us <= 300 * piece_ms * MS


@given(st.lists(PIECES, max_size=50), st.integers(0, 10 * S))
def test_who_waits_as_told_may_go_on_and_waits_no_longer_than_its_last_piece_costs(
    pieces: list[int], idle_us: int
) -> None:
    now_us = 0
    account = Account(now_us)
    for used_us in pieces:
        account.charge(used_us, now_us)
        wait_us = account.wait_us(now_us)
        assert 0 <= wait_us <= used_us * TERMS.price * TERMS.heaviest
        now_us += wait_us
        assert account.wait_us(now_us) == 0
        if wait_us:
            assert account.wait_us(now_us - 1) == 1
    assert account.wait_us(now_us + idle_us) == 0


@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_to_hold_the_loop_twice_as_long_never_costs_less_than_twice(
    one_us: int, more_us: int
) -> None:
    together, apart = Account(0), Account(0)
    together.charge(one_us + more_us, 0)
    apart.charge(one_us, 0)
    apart.charge(more_us, 0)
    assert together.wait_us(0) >= apart.wait_us(0) - 1


def at_once(account: Account, now_us: int, total_us: int) -> int:
    """Use so much in small pieces, as soon as it may; when all of it is done."""
    for _ in range(total_us // 200):
        now_us += account.wait_us(now_us) + 200
        account.charge(200, now_us)
    return now_us


def test_what_is_not_used_is_saved_up_to_a_limit() -> None:
    """After a quiet minute half a minute of sound may come at once: 1.2 s of the loop."""
    account = Account(0)
    now_us = at_once(account, 60 * S, 1_200 * MS)
    assert now_us - 60 * S <= 2.4 * S
    begun_us = now_us
    now_us = at_once(account, now_us, 2_000 * MS)
    assert now_us - begun_us >= 5 * S


@pytest.mark.parametrize("window_ms", [200, 1_000])
def test_what_is_saved_is_used_at_half_of_the_loop_at_most(window_ms: int) -> None:
    """A second without any rest is what a scheduler takes a process off its core for."""
    account, now_us, used = Account(0), 60 * S, list[int]()
    while now_us < 63 * S:
        now_us += account.wait_us(now_us) + 200
        account.charge(200, now_us)
        used.append(now_us)
    window_us = window_ms * MS
    most = max(sum(each <= at < each + window_us for at in used) for each in used[::50])
    assert 200 * most <= window_us // 2 + 11 * MS


def test_a_frame_or_the_begin_of_a_reply_is_done_at_one_go() -> None:
    account = Account(0)
    for done_us in range(500, 8_000, 500):
        account.charge(500, S + done_us)
        assert account.wait_us(S + done_us) == 0


def test_who_comes_again_has_no_more_than_who_stayed() -> None:
    stayed, came_again = Account(0), Account(10 * S)
    took_us = [at_once(each, 10 * S, 1_000 * MS) - 10 * S for each in (stayed, came_again)]
    assert took_us[0] <= 2 * S < 3 * S < took_us[1]


def test_terms_of_nothing_are_told() -> None:
    with pytest.raises(LocalValueError, match="price is 0: give 1 or more"):
        Terms(price=0)
