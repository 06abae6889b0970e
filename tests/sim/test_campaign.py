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


def test_tallies_add_up_in_any_order() -> None:
    whole = run_seeds(range(1, 9))
    parts = Tally()
    for seeds in (range(5, 9), range(1, 5)):
        parts.add(run_seeds(seeds))

    assert parts == whole


def test_a_seed_in_a_hundred_runs_twice_and_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    def unsteady(seed: int, *, make_client: MakeClient) -> Episode:
        runs.append(seed)
        return run(seed + len(runs), make_client=make_client)

    monkeypatch.setattr(campaign, "run", unsteady)

    tally = run_seeds([0, 1, 100])

    assert runs == [0, 0, 1, 100, 100]
    assert [(f.seed, f.invariant) for f in tally.failures] == [(0, "I10"), (100, "I10")]
