"""Many episodes, counted."""

from __future__ import annotations

import pytest
from tests.sim.naive_client import NaiveClient

from bargein.sim import campaign
from bargein.sim.actors.client import MakeClient
from bargein.sim.campaign import Failure, Tally, run_seeds
from bargein.sim.episode import Episode, run


def test_a_tally_names_every_seed_that_failed_and_how() -> None:
    tally = run_seeds(range(1, 12), make_client=NaiveClient)

    assert tally.episodes == 11
    assert tally.failures == [
        Failure(seed, violation.invariant, violation.detail)
        for seed in range(1, 12)
        for violation in run(seed, make_client=NaiveClient).violations
    ]
    assert tally.failures
    assert tally.violations == len(tally.failures)
    assert tally.broken == len({failure.seed for failure in tally.failures})


def test_tallies_add_up_in_any_order() -> None:
    whole = run_seeds(range(1, 9))
    parts = Tally()
    for seeds in (range(5, 9), range(1, 5)):
        parts.add(run_seeds(seeds))

    assert parts == whole


def test_what_was_met_is_counted_with_the_least_seed_that_met_it() -> None:
    coverage = run_seeds(range(1, 9)).coverage
    alone = {seed: run_seeds([seed]).coverage for seed in range(1, 9)}

    for name, count in coverage.rules.items():
        seeds = [seed for seed in alone if name in alone[seed].rules]
        assert (count.episodes, count.seed) == (len(seeds), seeds[0])
        assert count.times == sum(alone[seed].rules[name].times for seed in seeds)


def test_with_one_feature_every_world_has_it_and_no_other() -> None:
    assert set(run_seeds(range(6), "g711").coverage.features) == {"g711"}


def test_failures_are_kept_up_to_a_bound_and_counted_beyond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(campaign, "FAILURES_KEPT", 3)
    whole = run_seeds(range(1, 12), make_client=NaiveClient)
    parts = Tally()
    for seeds in (range(6, 12), range(1, 6)):
        parts.add(run_seeds(seeds, make_client=NaiveClient))

    assert len(whole.failures) == 3 < whole.violations
    assert parts == whole


def test_a_seed_in_a_hundred_runs_twice_and_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    def unsteady(seed: int, *, make_client: MakeClient, only: str | None) -> Episode:
        runs.append(seed)
        return run(seed + len(runs), make_client=make_client)

    monkeypatch.setattr(campaign, "run", unsteady)

    tally = run_seeds([0, 1, 100])

    assert runs == [0, 0, 1, 100, 100]
    assert [(f.seed, f.invariant) for f in tally.failures] == [(0, "I10"), (100, "I10")]
