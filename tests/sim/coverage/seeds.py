"""The seeds that together meet everything in the catalogue, and how to find them anew.

A seed keeps its meaning only as long as its streams do, so when the dice change some things may be
met no more. `python -m tests.sim.coverage.seeds FIRST LAST` plays these seeds and then those, until
everything is met, and prints the few that are needed, and what none of them has met.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from bargein.sim.choices import SeedSource, Source
from bargein.sim.coverage.tally import CATALOGUE, GROUPS
from bargein.sim.episode import run

SEEDS: tuple[int, ...] = (
    139, 154, 157, 172, 213, 278, 405, 426, 469, 547, 550, 577, 755, 932, 934, 1168,
    1181, 1272, 1286, 1317, 1367, 1481, 1579, 1582, 1786, 1804, 1944, 1985, 2052, 2355,
    2470, 2682, 2913, 3291, 3361, 3390, 3427, 3612, 3745, 3778, 3782, 3837, 4280, 4454,
    4900, 4909, 4955, 6473, 10063,
)  # fmt: skip

LEANING: tuple[tuple[int, Mapping[str, int]], ...] = (
    # Death in the 150 ms between a stop and its answer: about one conversation in several thousand.
    (315, {"options.dies": 49, "options.card.late": 3, "options.card.delay_ms": 149}),
    # An MCP server whose consent crosses the end of its call, at a server that knows no cancel.
    (2, {"options.hosted_tools": 7, "options.refuses_cancel": 59}),
)
"""Seeds with some draws fixed: what is met too seldom to be found among seeds alone."""


class Leaning:
    """Draws of a seed, but for these streams, which give what stands here."""

    def __init__(self, seed: int, fixed: Mapping[str, int]) -> None:
        self._seeded = SeedSource(seed)
        self._fixed = fixed

    def draw(self, stream: str, span: int) -> int:
        drawn = self._seeded.draw(stream, span)
        return min(self._fixed.get(stream, drawn), span)


def names_met(source: int | Source) -> set[str]:
    """What the episode has met, of the catalogue: group and name."""
    met = run(source).met
    return {
        f"{group}: {name}"
        for group in GROUPS
        for name in getattr(met, group)
        if name in CATALOGUE[group]
    }


ALL = frozenset(f"{group}: {name}" for group in GROUPS for name in CATALOGUE[group])


def few(found: dict[int, set[str]]) -> list[int]:
    """The seeds that meet all that any of them has met; each time the one that adds the most."""
    missing = set().union(*found.values())
    chosen = []
    while missing:
        seed = max(found, key=lambda one: len(found[one] & missing))
        chosen.append(seed)
        missing -= found[seed]
    return sorted(chosen)


def main() -> None:
    """Search, beginning with the seeds that are known, until nothing is missing."""
    first, last = map(int, sys.argv[1:])
    found: dict[int, set[str]] = {}
    missing = set(ALL).difference(*(names_met(Leaning(*leaning)) for leaning in LEANING))
    for seed in (*SEEDS, *range(first, last + 1)):
        found[seed] = names_met(seed)
        missing -= found[seed]
        if not missing:
            break
    sys.stdout.write(f"SEEDS: tuple[int, ...] = {tuple(few(found))}\n")
    sys.stdout.write(f"never met: {sorted(missing)}\n")


if __name__ == "__main__":
    main()
