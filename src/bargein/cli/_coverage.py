"""What the episodes have met, as a screen of 100 columns and as JSON: for `sim` and `soak`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping

import click

from bargein.sim.coverage.cuts import ASKERS, CUTS, ENDS, PLACES
from bargein.sim.coverage.tally import CATALOGUE, GROUPS, Count, Coverage, Group

_NAME = 34
_WIDTH = 100
_TITLES: Mapping[Group, str] = {
    "features": "features of the world, and the share of conversations that had each",
    "rules": "rules: share of the conversations in which each was met, how often, and what it was",
    "races": "races: the same",
    "refusals": "refusals: code, event, whose doing",
    "cuts": (
        "cuts, in how many conversations: who asked, what was under the playhead, who ended it"
    ),
}
_HEADS: Mapping[str, str] = {
    "before created": "unborn",
    "before the first sound": "unheard",
    "first item": "1st item",
    "later item": "later",
    "second part": "2nd part",
    "after response.done": "after done",
    "all heard so far": "all heard",
    "we cancel": "we end",
    "server cancels": "it ends",
    "over already": "ended",
}
"""The columns of the table of cuts."""
_EACH = 5
"""So many things that were never met get a line each."""


def screen(coverage: Coverage, episodes: int) -> Iterator[str]:
    """Group by group, what was met; what was not comes last, with `missing`."""
    for group in GROUPS:
        yield ""
        yield click.style(_TITLES[group], bold=True)
        if group == "cuts":
            yield from _cuts(coverage.cuts)
            yield from _wide(coverage.cuts, (), coverage.unnamed("cuts"), episodes)
        elif group == "refusals":
            unnamed = coverage.unnamed("refusals")
            yield from _wide(coverage.refusals, CATALOGUE[group], unnamed, episodes)
        else:
            yield from _two_columns(coverage.group(group), CATALOGUE[group], episodes)


def missing(coverage: Coverage, *, only: str | None = None) -> Iterator[str]:
    """A loud line for each thing that no conversation has met; many of one group share a line."""
    for group in GROUPS:
        names = coverage.never_met(group)
        if only is not None and group == "features":
            continue
        if len(names) <= _EACH:
            for name in names:
                yield from _loud(f"never met among the {group}: {name}", CATALOGUE[group][name])
        elif names:
            count = f"never met among the {group}, {len(names)} of {len(CATALOGUE[group])}"
            yield from _loud(count, "; ".join(names))


def _loud(what: str, more: str) -> Iterator[str]:
    first, *rest = textwrap.wrap(f"{what}: {more}", _WIDTH, subsequent_indent="  ")
    yield click.style(first[: len(what) + 1], fg="red", bold=True) + first[len(what) + 1 :]
    yield from rest


def as_told(coverage: Coverage) -> dict[str, object]:
    """For JSON: by group and name, how often, in how many conversations, the least seed of them;
    what was never met has 0 of each and no seed."""
    return {group: _group_told(coverage, group) for group in GROUPS} | {
        "never_met": {group: coverage.never_met(group) for group in GROUPS}
    }


def _group_told(coverage: Coverage, group: Group) -> dict[str, object]:
    counts = coverage.group(group)
    names = [*CATALOGUE[group], *coverage.unnamed(group)]
    return {name: _count_told(group, name, counts.get(name)) for name in names}


def _count_told(group: Group, name: str, count: Count | None) -> dict[str, object]:
    return {
        "what": CATALOGUE[group].get(name, "not in the catalogue"),
        "times": count.times if count else 0,
        "episodes": count.episodes if count else 0,
        "seed": count.seed if count else None,
    }


def _share(count: Count | None, episodes: int) -> str:
    if count is None:
        return "never"
    share = 100 * count.episodes / episodes
    return f"{share:.1f}%" if share >= 0.1 else f"{share:.3f}%"


def _times(times: int) -> str:
    return str(times) if times < 100_000 else f"{times // 1_000}k"


def _two_columns(
    counts: Mapping[str, Count], names: Mapping[str, str], episodes: int
) -> Iterator[str]:
    cells = []
    for name in names:
        count = counts.get(name)
        times = _times(count.times) if count else ""
        cell = f"{_share(count, episodes):>7} {times:>6}  "
        blank = " " * (_NAME - len(name))
        cells.append(cell + (click.style(name, fg="red") if count is None else name) + blank)
    half = -(-len(cells) // 2)
    for place in range(half):
        yield " ".join(cells[place::half]).rstrip()


def _wide(
    counts: Mapping[str, Count], names: Iterable[str], unnamed: list[str], episodes: int
) -> Iterator[str]:
    for name in [*names, *unnamed]:
        count = counts.get(name)
        times = _times(count.times) if count else ""
        note = "  (not in the catalogue)" if name in unnamed else ""
        yield f"{_share(count, episodes):>7} {times:>6}  {name}{note}"


def _cuts(counts: Mapping[str, Count]) -> Iterator[str]:
    kinds = [*PLACES, *ENDS]
    widths = {kind: max(len(_HEADS[kind]), 6) for kind in kinds}
    yield f"{'':<13}" + " ".join(f"{_HEADS[kind]:>{widths[kind]}}" for kind in kinds)
    for asker in ASKERS:
        row = []
        for kind in kinds:
            name = f"{asker}: {kind}"
            count = counts.get(name)
            cell = _times(count.episodes) if count else ("never" if name in CUTS else "-")
            row.append(f"{cell:>{widths[kind]}}")
        yield f"{asker:<13}" + " ".join(row)
