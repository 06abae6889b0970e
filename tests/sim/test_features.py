"""What is unusual has a name, and can be met alone."""

from __future__ import annotations

import pytest

from bargein.errors import LocalValueError
from bargein.sim.choices import Choices, SeedSource, TapeSource
from bargein.sim.episode import run
from bargein.sim.options import FEATURES, Options, draw_options, features_of

SEEDS = range(10)
BELONGS = {
    "keep_talking": {"client_cancels"},
    "blocks": {"stalls"},
    "short_outbox": {"blocks", "stalls"},
    "pre_roll": {"manual"},
    "own_tools": {"tools", "dies"},
    "hosted_tools": {"dies"},
    "stubborn_host": {"hosted_tools", "refuses_cancel"},
    "edits": {
        "tools",
        "own_tools",
        "refuses_delete",
        "silent_server",
        "half_open",
    },
    "forgets": {"edits", "tools", "own_tools"},
    "late_button": {"manual", "late_card"},
    "called_button": {"manual", "webrtc"},
    "blocked_button": {"manual", "blocks", "stalls"},
    "short_blocked_button": {"manual", "blocks", "stalls", "blocked_button", "short_outbox"},
}
"""What a feature cannot be had without."""


def test_the_plainest_world_has_no_feature() -> None:
    assert features_of(Options()) == ()


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_asked_for_is_met_and_no_other(name: str) -> None:
    drawn = [draw_options(Choices(SeedSource(seed)), name) for seed in SEEDS]

    assert all(name in features_of(options) for options in drawn)
    for options in drawn:
        assert set(features_of(options)) - {name} <= BELONGS.get(name, set())


@pytest.mark.parametrize("name", FEATURES)
def test_the_tape_of_a_feature_asked_for_says_all(name: str) -> None:
    choices = Choices(SeedSource(3))
    options = draw_options(choices, name)

    assert draw_options(Choices(TapeSource(choices.tape))) == options


@pytest.mark.parametrize("name", FEATURES)
def test_a_conversation_of_each_feature_keeps_its_promises(name: str) -> None:
    for seed in SEEDS:
        choices = Choices(SeedSource(f"{name}/{seed}"))
        assert run(f"{seed}", options=draw_options(choices, name)).violations == ()


def test_every_feature_is_met_in_the_swarm() -> None:
    met = {
        name
        for seed in range(3_000)
        for name in features_of(draw_options(Choices(SeedSource(seed))))
    }

    assert met == set(FEATURES)


def test_a_feature_that_does_not_exist_is_refused_with_the_way_out() -> None:
    with pytest.raises(LocalValueError, match="'haste' is no feature; give one of manual"):
        draw_options(Choices(SeedSource(1)), "haste")
