"""From a failing seed to a story."""

from __future__ import annotations

import pytest
from tests.sim.naive_client import NaiveClient

from bargein.core.settings import Settings
from bargein.lab.mutation import applied, named
from bargein.sim.episode import Episode, run
from bargein.sim.shrink import shrink, trimmed
from bargein.sim.telling.rows import rows

OF_MUTANTS = (
    "tells-a-call-as-often-as-it-is-shown",
    "takes-no-place-for-the-end",
    "keeps-what-the-service-has-deleted",
    "closes-the-record-before-the-request-is-answered",
    "shows-words-that-nobody-heard",
    "tells-before-the-player-has-answered",
    "never-cancels",
    "deletes-twice",
    "forgets-items-that-come-after-the-stop",
    "does-not-cancel-what-was-cut-before-it-was-born",
)
ROWS = 12
SEEDS = 100
"""Within these each of them is killed."""


@pytest.mark.parametrize("name", OF_MUTANTS)
def test_what_kills_a_mutant_is_told_in_at_most_twelve_rows(name: str) -> None:
    (mutant,) = named([name])
    with applied(mutant):
        killing = next(
            episode
            for episode in (run(seed, stop_at_first=True) for seed in range(SEEDS))
            if episode.violations
        )

        shown = shrink(killing, at_most_runs=400)

    told = rows(shown.history, shown.violations)
    assert len(told) <= ROWS, shown.story()
    assert killing.violations[0].invariant in {row.actor for row in told}


def _failing() -> Episode:
    """The first seed that breaks I2 first with the naive client."""
    for seed in range(100):
        episode = run(seed, make_client=NaiveClient)
        if episode.violations and episode.violations[0].invariant == "I2":
            return episode
    raise AssertionError("the naive client keeps I2 in a hundred episodes")


def test_a_failing_episode_shrinks_to_a_few_rows_and_draws_that_fail_alike() -> None:
    episode = _failing()

    shown = shrink(episode, make_client=NaiveClient)

    assert shown.violations[0].invariant == episode.violations[0].invariant
    told = rows(shown.history, shown.violations)
    assert len(told) <= ROWS < len(rows(episode.history, episode.violations))
    assert told[-1].actor == episode.violations[0].invariant
    draws = [offset for offsets in trimmed(shown.tape).values() for offset in offsets if offset]
    assert len(draws) <= 6 < sum(len(offsets) for offsets in trimmed(episode.tape).values())


def test_the_shrunk_tape_replays() -> None:
    shown = shrink(_failing(), make_client=NaiveClient, at_most_runs=50)

    again = run(trimmed(shown.tape), make_client=NaiveClient, stop_at_first=True)
    whole = run(trimmed(shown.tape), make_client=NaiveClient)

    assert again.violations == shown.violations == whole.violations[:1]
    assert again.digest == shown.digest


def test_one_tape_shrinks_to_one_result_within_the_runs_that_it_is_given() -> None:
    runs = 0

    def counted(settings: Settings) -> NaiveClient:
        nonlocal runs
        runs += 1
        return NaiveClient(settings)

    first, second = (shrink(_failing(), make_client=counted, at_most_runs=40) for _ in range(2))

    assert first.tape == second.tape
    assert runs <= 2 * (40 + 1)


def test_what_keeps_every_promise_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="breaks no invariant"):
        shrink(run({}))


def test_trimming_takes_off_only_what_is_plain_at_the_end() -> None:
    assert trimmed({"a": [0, 3, 0, 0], "b": [0, 0], "c": [1]}) == {"a": [0, 3], "c": [1]}
