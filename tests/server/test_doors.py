"""Who may come in when, on a clock that the tests turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bargein.server.doors import Doors

S, MS = 1_000_000, 1_000


def doors(at_once: int = 4, per_s: float = 10, longest_us: int = S, most: int = 100) -> Doors:
    return Doors(at_once, per_s, longest_us=longest_us, most=most)


def test_so_many_come_at_once_and_the_rest_one_after_the_other() -> None:
    ours = doors()
    waits = [ours.knock("10.0.0.1", 0) for _ in range(7)]
    assert waits == [0, 0, 0, 0, 100 * MS, 200 * MS, 300 * MS]


def test_whose_turn_would_come_too_late_is_not_taken_and_makes_the_line_no_longer() -> None:
    ours = doors()
    waits = [ours.knock("10.0.0.1", 0) for _ in range(1_000)]
    assert waits[13] == S and waits[14:] == [None] * 986
    assert ours.turned_away == 986
    assert ours.knock("10.0.0.1", 100 * MS) == S


@given(st.lists(st.integers(0, 500 * MS), min_size=1, max_size=200))
def test_turns_are_in_order_and_no_second_has_more_than_it_may(pauses_us: list[int]) -> None:
    ours, now_us, turns = doors(), 0, list[int]()
    for pause_us in pauses_us:
        now_us += pause_us
        wait_us = ours.knock("10.0.0.1", now_us)
        if wait_us is not None:
            assert 0 <= wait_us <= S
            turns.append(now_us + wait_us)
    assert turns == sorted(turns)
    for turn in turns:
        assert sum(turn <= each < turn + S for each in turns) <= 4 + 10


def test_who_was_away_for_long_has_all_visits_again_and_no_more() -> None:
    ours = doors()
    assert [ours.knock("10.0.0.1", 0) for _ in range(4)] == [0] * 4
    assert [ours.knock("10.0.0.1", 60 * S) for _ in range(5)] == [0, 0, 0, 0, 100 * MS]


def test_a_flood_keeps_no_other_address_out() -> None:
    ours = doors()
    while ours.knock("10.0.0.1", 0) is not None:
        pass
    assert ours.knock("10.0.0.2", 0) == 0
    assert ours.knock("2001:db8::1", 0) == 0


def test_a_host_of_ipv6_has_one_line_for_all_its_addresses() -> None:
    ours = doors(at_once=1)
    waits = [
        ours.knock(each, 0)
        for each in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1")
    ]
    assert waits == [0, 100 * MS, 0]
    assert [ours.knock(each, 0) for each in ("::ffff:10.0.0.1", "10.0.0.1")] == [0, 100 * MS]


def test_addresses_without_end_are_kept_no_more_than_so_many() -> None:
    ours = doors(most=100)
    waits = [ours.knock(f"10.0.{each // 256}.{each % 256}", 0) for each in range(2_000)]
    assert ours.lines == 101  # The last is that of all others.
    assert waits[:104] == [0] * 104 and waits[104] == 100 * MS and waits[-1] is None
    # Those that are known have lines of their own still, and who is back has one again.
    assert ours.knock("10.0.0.7", 0) == 0
    assert ours.knock("10.9.9.9", S) == 0 and ours.lines == 2


def test_what_is_no_address_is_counted_too() -> None:
    ours = doors(at_once=1)
    assert [ours.knock(each, 0) for each in ("", "testclient")] == [0, 100 * MS]
