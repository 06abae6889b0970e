"""Many episodes, one after the other, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from bargein.core.machine import Machine
from bargein.sim.actors.client import MakeClient
from bargein.sim.episode import run

TWICE_ONE_IN = 100
"""One seed in so many runs twice, and both runs must agree to the byte (I10)."""


class Failure(msgspec.Struct, frozen=True):
    """A seed whose episode broke an invariant."""

    seed: int
    invariant: str
    detail: str


class Tally(msgspec.Struct):
    """What a number of episodes came to. Tallies add up, in any order."""

    episodes: int = 0
    virtual_us: int = 0
    steps: int = 0
    counters: dict[str, int] = msgspec.field(default_factory=dict)
    failures: list[Failure] = msgspec.field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in what other episodes came to."""
        self.episodes += other.episodes
        self.virtual_us += other.virtual_us
        self.steps += other.steps
        self.counters = dict(Counter(self.counters) + Counter(other.counters))
        self.failures = sorted([*self.failures, *other.failures], key=lambda failure: failure.seed)


def run_seeds(seeds: Iterable[int], *, make_client: MakeClient = Machine) -> Tally:
    """Run one episode a seed."""
    tally = Tally()
    met: Counter[str] = Counter()
    for seed in seeds:
        episode = run(seed, make_client=make_client)
        tally.episodes += 1
        tally.virtual_us += episode.result.virtual_us
        tally.steps += episode.result.steps
        met.update(episode.result.counters)
        tally.failures += [
            Failure(seed, violation.invariant, violation.detail) for violation in episode.violations
        ]
        if seed % TWICE_ONE_IN == 0:
            again = run(seed, make_client=make_client)
            if again.digest != episode.digest:
                tally.failures.append(Failure(seed, "I10", "two runs of the seed differ"))
    tally.counters = dict(met)
    return tally
