"""Many episodes, one after the other, and what came of them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bargein.core.machine import Machine
from bargein.sim.actors.client import MakeClient
from bargein.sim.coverage.tally import Coverage
from bargein.sim.episode import run
from bargein.sim.sweeping import swept

TWICE_ONE_IN = 100
"""One seed in so many runs twice, and both runs must agree to the byte (I10)."""
FAILURES_KEPT = 1_000
"""So many failures are kept in full, those of the least seeds; beyond that they are counted."""


class Failure(msgspec.Struct, frozen=True):
    """A seed whose episode broke an invariant."""

    seed: int
    invariant: str
    detail: str


class Tally(msgspec.Struct):
    """What a number of episodes came to. Tallies add up, in any order.

    `broken` counts the episodes that broke something, `violations` what they broke.
    """

    episodes: int = 0
    virtual_us: int = 0
    steps: int = 0
    broken: int = 0
    violations: int = 0
    failures: list[Failure] = msgspec.field(default_factory=list)
    coverage: Coverage = msgspec.field(default_factory=Coverage)

    def add(self, other: Tally) -> None:
        """Take in what other episodes came to."""
        self.episodes += other.episodes
        self.virtual_us += other.virtual_us
        self.steps += other.steps
        self.broken += other.broken
        self.violations += other.violations
        if other.failures:
            found = [*self.failures, *other.failures]
            self.failures = sorted(found, key=lambda failure: failure.seed)[:FAILURES_KEPT]
        self.coverage.add(other.coverage)


def run_seeds(
    seeds: Iterable[int], only: str | None = None, *, make_client: MakeClient = Machine
) -> Tally:
    """Run one episode a seed; with `only`, in worlds that have this one feature."""
    tally = Tally()
    for seed in swept(seeds):
        episode = run(seed, make_client=make_client, only=only)
        tally.episodes += 1
        tally.virtual_us += episode.result.virtual_us
        tally.steps += episode.result.steps
        tally.coverage.take(episode.met, seed)
        failures = [
            Failure(seed, violation.invariant, violation.detail) for violation in episode.violations
        ]
        if seed % TWICE_ONE_IN == 0:
            again = run(seed, make_client=make_client, only=only)
            if again.digest != episode.digest:
                failures.append(Failure(seed, "I10", "two runs of the seed differ"))
        if failures:
            tally.broken += 1
            tally.violations += len(failures)
            tally.failures += failures[: FAILURES_KEPT - len(tally.failures)]
    return tally
