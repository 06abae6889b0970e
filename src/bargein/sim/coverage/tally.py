"""What was met: in one episode, and in many of them. Tallies add up, in any order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

import msgspec

from bargein.sim.coverage.cuts import CUTS
from bargein.sim.coverage.races import RACES
from bargein.sim.coverage.refusals import REFUSALS
from bargein.sim.coverage.rules import RULES
from bargein.sim.features import FEATURES

Group: TypeAlias = Literal["features", "rules", "races", "refusals", "cuts"]
GROUPS: tuple[Group, ...] = get_args(Group)
CATALOGUE: Mapping[Group, Mapping[str, str]] = {
    "features": FEATURES,
    "rules": RULES,
    "races": RACES,
    "refusals": REFUSALS,
    "cuts": CUTS,
}
"""Everything that an episode can meet: its name, and a sentence that says what it is."""


class Met(msgspec.Struct, frozen=True):
    """What one episode has met: how often, by name. What it has not met is not in it."""

    features: Mapping[str, int] = {}
    rules: Mapping[str, int] = {}
    races: Mapping[str, int] = {}
    refusals: Mapping[str, int] = {}
    cuts: Mapping[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return any(name in getattr(self, group) for group in GROUPS)


class Count(msgspec.Struct):
    """How often something was met, in how many episodes, and the least seed of them."""

    times: int
    episodes: int
    seed: int

    def add(self, other: Count) -> None:
        """Take in another count."""
        self.times += other.times
        self.episodes += other.episodes
        self.seed = min(self.seed, other.seed)


class Coverage(msgspec.Struct):
    """What many episodes have met. A name that the catalogue does not know is kept, too: a refusal
    that nobody expected."""

    features: dict[str, Count] = msgspec.field(default_factory=dict)
    rules: dict[str, Count] = msgspec.field(default_factory=dict)
    races: dict[str, Count] = msgspec.field(default_factory=dict)
    refusals: dict[str, Count] = msgspec.field(default_factory=dict)
    cuts: dict[str, Count] = msgspec.field(default_factory=dict)

    def group(self, group: Group) -> dict[str, Count]:
        """The counts of a group."""
        counts: dict[str, Count] = getattr(self, group)
        return counts

    def take(self, met: Met, seed: int) -> None:
        """One more episode, that of the seed."""
        for group in GROUPS:
            counts = self.group(group)
            for name, times in getattr(met, group).items():
                count = counts.get(name)
                if count is None:
                    counts[name] = Count(times, 1, seed)
                else:
                    count.times += times
                    count.episodes += 1
                    if seed < count.seed:
                        count.seed = seed

    def add(self, other: Coverage) -> None:
        """Take in what other episodes have met."""
        for group in GROUPS:
            counts = self.group(group)
            for name, count in other.group(group).items():
                mine = counts.get(name)
                if mine is None:
                    counts[name] = Count(count.times, count.episodes, count.seed)
                else:
                    mine.add(count)

    def never_met(self, group: Group) -> list[str]:
        """What the catalogue names and no episode has met, in the catalogue's order."""
        counts = self.group(group)
        return [name for name in CATALOGUE[group] if name not in counts]

    def unnamed(self, group: Group) -> list[str]:
        """What was met and the catalogue does not name."""
        return sorted(name for name in self.group(group) if name not in CATALOGUE[group])
