"""Ids in the service's form."""

from __future__ import annotations

import itertools
import re

from bargein.server.model.ids import Ids, base62
from bargein.units import US_PER_S


def test_the_time_in_an_id_is_the_services_own() -> None:
    # sess_E7VIl… of the recordings was made at 1785457327.
    ids = Ids(itertools.count().__next__)
    ids.start(wall_time_s=1_785_457_327, now_us=5)
    assert ids.mint("sess") == "sess_E7VIl0000000000000000"
    ids.at(5 + US_PER_S)
    assert ids.mint("sess").startswith("sess_E7VIm")


def test_an_id_has_21_characters_and_a_call_16() -> None:
    ids = Ids(itertools.count(62**16 - 1).__next__)
    assert re.fullmatch(r"item_[0-9A-Za-z]{21}", ids.mint("item"))
    assert re.fullmatch(r"call_[0-9A-Za-z]{16}", ids.mint_call())


def test_a_counter_gives_no_id_twice() -> None:
    ids = Ids(itertools.count().__next__)
    assert len({ids.mint("event") for _ in range(5_000)}) == 5_000


def test_padding_fills_a_delta_to_sixteen_characters_and_leaves_longer_ones() -> None:
    ids = Ids(itertools.count(10**20).__next__)
    assert [len(ids.pad("x" * n)) for n in (0, 1, 15, 16, 40)] == [16, 15, 1, 0, 0]


def test_base62_counts_in_digits_capitals_smalls() -> None:
    assert [base62(n, 2) for n in (0, 9, 10, 35, 36, 61, 62)] == [
        "00", "09", "0A", "0Z", "0a", "0z", "10",
    ]  # fmt: skip
