"""Worlds after one another: what they leave behind, and the collector while they run."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from bargein.sim.sweeping import SWEPT_EVERY, swept


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


class Circle:
    def __init__(self) -> None:
        self.itself = self


def test_what_ten_worlds_leave_is_collected_behind_them_and_not_meanwhile() -> None:
    left: list[weakref.ref[Circle]] = []
    for count, _ in enumerate(swept(range(SWEPT_EVERY + 1)), 1):
        assert not gc.isenabled()
        alive = [each for each in left if each() is not None]
        assert len(alive) == (count - 1 if count <= SWEPT_EVERY else 0)
        left.append(weakref.ref(Circle()))

    assert not [each for each in left if each() is not None]


def test_the_collector_is_on_again_when_nobody_wants_more() -> None:
    worlds = swept(range(3))
    next(worlds)
    assert not gc.isenabled()
    worlds.close()
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    assert list(swept("abc")) == ["a", "b", "c"]
    assert not gc.isenabled()
