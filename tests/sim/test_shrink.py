"""From a failing seed to a story."""

from __future__ import annotations

import pytest
from tests.sim.naive_client import NaiveClient

from bargein.sim.episode import Episode, run
from bargein.sim.shrink import shrink, trimmed


def _failing() -> Episode:
    """The first seed that breaks I2 first with the naive client."""
    for seed in range(100):
        episode = run(seed, make_client=NaiveClient)
        if episode.violations and episode.violations[0].invariant == "I2":
            return episode
    raise AssertionError("the naive client keeps I2 in a hundred episodes")


def test_a_failing_episode_shrinks_to_a_few_draws_that_fail_alike() -> None:
    episode = _failing()

    shown = shrink(episode, make_client=NaiveClient)

    assert "I2" in {violation.invariant for violation in shown.violations}
    draws = [offset for offsets in trimmed(shown.tape).values() for offset in offsets if offset]
    assert len(draws) <= 6 < sum(len(offsets) for offsets in trimmed(episode.tape).values())
    assert len(shown.story().splitlines()) <= 60


def test_the_shrunk_tape_replays() -> None:
    shown = shrink(_failing(), make_client=NaiveClient, at_most_runs=50)

    again = run(trimmed(shown.tape), make_client=NaiveClient)

    assert again.violations == shown.violations
    assert again.digest == shown.digest


def test_what_keeps_every_promise_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="breaks no invariant"):
        shrink(run({}))


def test_trimming_takes_off_only_what_is_plain_at_the_end() -> None:
    assert trimmed({"a": [0, 3, 0, 0], "b": [0, 0], "c": [1]}) == {"a": [0, 3], "c": [1]}
