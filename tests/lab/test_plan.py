"""What a seed draws."""

from __future__ import annotations

import pytest

from bargein.errors import LocalValueError
from bargein.lab.plan import CARD_RATE, plan_of


def test_one_seed_is_one_plan() -> None:
    assert plan_of(5) == plan_of(5)


def test_the_plan_of_the_first_seed_is_the_same_on_every_machine() -> None:
    plan = plan_of(1)
    assert (plan.card.block, plan.card.latency_us, plan.card.on_stop) == (256, 212_000, "discard")
    assert [turn.listen_ms for turn in plan.turns] == [4_765, 747, None]


def test_seeds_cover_the_cards_that_are_promised() -> None:
    plans = [plan_of(seed) for seed in range(300)]
    cards = [plan.card for plan in plans]
    assert {card.on_stop for card in cards} == {"drain", "discard"}
    assert (min(c.block for c in cards), max(c.block for c in cards)) == (240, 2_048)
    assert min(c.latency_us for c in cards) < 10_000 < 240_000 < max(c.latency_us for c in cards)
    assert all(0 <= card.latency_us <= 250_000 for card in cards)
    assert {card.rate for card in cards} == {CARD_RATE}
    assert all(plan.interruptions == 2 for plan in plans)
    for plan in plans:
        story, second, last = plan.turns
        assert story.listen_ms is not None and 4_000 <= story.listen_ms < 7_000
        assert second.listen_ms is not None and 500 <= second.listen_ms < 1_000
        assert last.listen_ms is None


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(LocalValueError, match="seed: -1; give 0 or more"):
        plan_of(-1)
