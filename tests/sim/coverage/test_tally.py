"""Tallies of what was met: they add up, and know what is missing."""

from __future__ import annotations

import msgspec

from bargein.sim.coverage.races import RACES
from bargein.sim.coverage.tally import CATALOGUE, GROUPS, Count, Coverage, Met

_A, _B, _C = list(RACES)[:3]


def test_times_and_episodes_are_counted_apart_and_the_least_seed_is_kept() -> None:
    coverage = Coverage()
    coverage.take(Met(races={_A: 3}), 9)
    coverage.take(Met(races={_A: 1}), 4)
    coverage.take(Met(), 1)

    assert coverage.races == {_A: Count(4, 2, 4)}


def test_tallies_add_up_in_any_order_and_do_not_share_their_counts() -> None:
    one, other = Coverage(), Coverage()
    one.take(Met(races={_A: 3, _B: 1}), 9)
    other.take(Met(races={_A: 1, _C: 2}), 4)
    forwards, backwards = Coverage(), Coverage()
    forwards.add(one)
    forwards.add(other)
    backwards.add(other)
    backwards.add(one)

    assert forwards == backwards
    assert forwards.races == {_A: Count(4, 2, 4), _B: Count(1, 1, 9), _C: Count(2, 1, 4)}
    assert one.races[_A] == Count(3, 1, 9)


def test_what_was_never_met_is_named_in_the_catalogues_order() -> None:
    coverage = Coverage()
    coverage.take(Met(races={_B: 1}), 0)

    assert coverage.never_met("races") == [name for name in RACES if name != _B]
    assert coverage.never_met("rules") == list(CATALOGUE["rules"])


def test_what_has_no_name_is_kept_and_told_apart() -> None:
    coverage = Coverage()
    coverage.take(Met(refusals={"unheard_of of response.cancel: ours": 1}), 0)

    assert coverage.unnamed("refusals") == ["unheard_of of response.cancel: ours"]
    assert coverage.unnamed("races") == []


def test_a_tally_travels_between_processes() -> None:
    coverage = Coverage()
    coverage.take(Met(races={_A: 3}, rules={"calls 1: told once": 1}), 9)

    assert msgspec.json.decode(msgspec.json.encode(coverage), type=Coverage) == coverage


def test_every_name_has_a_sentence_and_fits_the_screen() -> None:
    for group in GROUPS:
        for name, sentence in CATALOGUE[group].items():
            assert sentence.endswith("."), name
            if group in ("features", "rules", "races"):
                assert len(name) <= 34, name
