"""The dice reach everything that has a name, and nothing is met that has none."""

from __future__ import annotations

from tests.sim.coverage.drama import met
from tests.sim.coverage.seeds import ALL, LEANING, SEEDS, Leaning, names_met

from bargein.sim.choices import Source
from bargein.sim.coverage.tally import CATALOGUE, GROUPS
from bargein.sim.episode import run


def test_these_seeds_meet_everything_in_the_catalogue() -> None:
    sources: list[int | Source] = [*SEEDS, *(Leaning(*leaning) for leaning in LEANING)]
    missing = ALL.difference(*map(names_met, sources))

    assert not missing, "a hole in the dice; if they were changed on purpose, see seeds.py"


def test_nothing_is_met_that_has_no_name() -> None:
    for seed in SEEDS[:40]:
        episode = run(seed)
        for group in GROUPS:
            unnamed = set(getattr(episode.met, group)) - set(CATALOGUE[group])
            assert not unnamed, f"seed {seed}"


def test_an_episode_in_which_nothing_happens_meets_nothing() -> None:
    nothing = met("")

    assert all(not getattr(nothing, group) for group in GROUPS)


def test_each_meeting_is_counted() -> None:
    assert met("sounds:1 stop:1 delta:1 delta:1 got").races["sound after the cut"] == 2


def test_looking_changes_nothing() -> None:
    episode = run(5)
    before = episode.digest

    assert episode.met == run(5).met
    assert run(5).digest == before
