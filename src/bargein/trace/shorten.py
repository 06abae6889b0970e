"""From a list that shows something to the least part of it that still shows it: delta debugging
(ddmin: Zeller and Hildebrandt, 2002).

1. Groups go first, the largest first: what belongs together is best left out together. Then
   stretches, each half as long as those before, down to single places.
2. It ends when no single place can be left out: the result is minimal, not the least of all.
3. The trial may use less than it was given; what it did not use is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bargein import events
from bargein.core import inputs
from bargein.trace.retell import Step

Trial: TypeAlias = Callable[[Sequence[int]], Sequence[int] | None]
"""Plays these places. Gives those that it used if it still shows, None if it does not."""


@dataclass(frozen=True, slots=True)
class Shortened:
    """`kept`: the places, in order. `minimal`: every single one is needed; else the runs were used
    up before."""

    kept: tuple[int, ...]
    runs: int
    minimal: bool


class _EnoughError(Exception):
    """The runs are used up."""


def shorten(
    places: Sequence[int],
    trial: Trial,
    *,
    groups: Iterable[Collection[int]] = (),
    at_most_runs: int = 5_000,
    progress: Callable[[int, int], None] = lambda kept, runs: None,
) -> Shortened:
    """Leave out what is not needed. `places` must show it. `progress` is told after every run how
    many places are left, and which run it was."""
    search = _Search(places, trial, at_most_runs, progress)
    minimal = True
    try:
        search.groups(sorted(groups, key=len, reverse=True))
        search.stretches()
    except _EnoughError:
        minimal = False
    return Shortened(tuple(search.kept), search.runs, minimal)


class _Search:
    def __init__(
        self,
        places: Sequence[int],
        trial: Trial,
        at_most_runs: int,
        progress: Callable[[int, int], None],
    ) -> None:
        self.kept = list(places)
        self.runs = 0
        self._trial = trial
        self._at_most_runs = at_most_runs
        self._progress = progress

    def groups(self, groups: Sequence[Collection[int]]) -> None:
        """Once each; a group of which all else has gone is left out with it."""
        for group in groups:
            gone = set(group)
            rest = [place for place in self.kept if place not in gone]
            if len(rest) < len(self.kept):
                self._try(rest)

    def stretches(self) -> None:
        """Halves, quarters, …, single ones; again, as long as single ones go."""
        size = max(len(self.kept) // 2, 1)
        while self.kept:
            went = self._pass(size)
            if size > 1:
                size = max(min(size // 2, len(self.kept)), 1)
            elif not went:
                return

    def _pass(self, size: int) -> bool:
        """From the end to the beginning: what comes of something goes before it."""
        went = False
        end = len(self.kept)
        while end > 0:
            start = max(end - size, 0)
            if self._try(self.kept[:start] + self.kept[end:]):
                went = True
            end = min(start, len(self.kept))
        return went

    def _try(self, places: Sequence[int]) -> bool:
        if self.runs >= self._at_most_runs:
            raise _EnoughError
        self.runs += 1
        used = self._trial(places)
        if used is not None:
            self.kept = list(used)
        self._progress(len(self.kept), self.runs)
        return used is not None


def groups_of(steps: Sequence[Step]) -> list[frozenset[int]]:
    """What belongs together: all of a kind, of an event's type, of a response, an item, an ask."""
    found: defaultdict[object, set[int]] = defaultdict(set)
    for place, step in enumerate(steps):
        match step.input:
            case inputs.Received(event=event):
                if isinstance(event, events.Shape):
                    found["type", events.type_of(event)].add(place)
                for subject in _subjects(event):
                    found[subject].add(place)
            case inputs.Asked(ask_id=ask_id):
                found["ask", ask_id].add(place)
            case _:
                found["kind", type(step.input)].add(place)
    return [frozenset(group) for group in found.values()]


def _subjects(event: object) -> Iterable[tuple[str, str]]:
    for name in ("response", "item"):
        inner = getattr(getattr(event, name, None), "id", None)
        for about in (getattr(event, f"{name}_id", None), inner):
            if isinstance(about, str):
                yield name, about
