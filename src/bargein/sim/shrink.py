"""From a tape that fails to the plainest one that still fails in the same way.

Greedy: whole streams first, then their ends, then stretches, then single numbers. Because every
draw is an offset from the plainest value, and a tape's end means that all is plain, each step makes
the story shorter or simpler. It is not the best tape, but one a person can read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bargein.core.machine import Machine
from bargein.sim.actors.client import MakeClient
from bargein.sim.choices import Tape
from bargein.sim.episode import Episode, run


def shrink(
    episode: Episode, *, make_client: MakeClient = Machine, at_most_runs: int = 1_500
) -> Episode:
    """The plainest episode found in so many runs that breaks the invariant that this one breaks
    first. Raises `ValueError` if it breaks none."""
    if not episode.violations:
        raise ValueError("the episode breaks no invariant; there is nothing to shrink")
    invariant = episode.violations[0].invariant
    return _Search(episode, invariant, make_client, at_most_runs).best()


def trimmed(tape: Mapping[str, Sequence[int]]) -> Tape:
    """The same tape without what is plain at the end of its streams."""
    short: Tape = {}
    for stream, offsets in tape.items():
        end = len(offsets)
        while end and not offsets[end - 1]:
            end -= 1
        if end:
            short[stream] = list(offsets[:end])
    return short


class _Search:
    def __init__(
        self, episode: Episode, invariant: str, make_client: MakeClient, runs: int
    ) -> None:
        self._tape = trimmed(episode.tape)
        self._invariant = invariant
        self._make_client = make_client
        self._left = runs

    def best(self) -> Episode:
        before: tuple[int, int, int] | None = None
        while self._left > 0 and before != _cost(self._tape):
            before = _cost(self._tape)
            for step in (self._drop_streams, self._cut_ends, self._clear_stretches, self._lower):
                step()
        return run(self._tape, make_client=self._make_client)

    def _try(self, tape: Tape) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        episode = run(tape, make_client=self._make_client)
        if all(violation.invariant != self._invariant for violation in episode.violations):
            return False
        # What was not drawn any more is dropped; what was clipped is as it was used.
        used = trimmed(episode.tape)
        if _cost(used) >= _cost(self._tape):
            return False
        self._tape = used
        return True

    def _drop_streams(self) -> None:
        for stream in sorted(self._tape, key=lambda name: -len(self._tape[name])):
            if stream in self._tape:
                self._try({name: x for name, x in self._tape.items() if name != stream})

    def _cut_ends(self) -> None:
        for stream in list(self._tape):
            keep = len(self._tape.get(stream, ())) // 2
            while stream in self._tape and keep < len(self._tape[stream]):
                offsets = self._tape[stream][:keep]
                if not self._try({**self._tape, stream: offsets}):
                    keep += max(1, (len(self._tape[stream]) - keep) // 2)

    def _clear_stretches(self) -> None:
        for stream in list(self._tape):
            for start, end in _stretches(len(self._tape.get(stream, ()))):
                offsets = self._tape.get(stream, [])
                if any(offsets[start:end]):
                    cleared = [*offsets[:start], *[0] * (end - start), *offsets[end:]]
                    self._try({**self._tape, stream: cleared})

    def _lower(self) -> None:
        for stream in list(self._tape):
            for place in range(len(self._tape.get(stream, ()))):
                self._lower_one(stream, place)

    def _lower_one(self, stream: str, place: int) -> None:
        """Look for the smallest value that still fails, by halving what may be taken off."""
        low = 0
        while stream in self._tape and place < len(self._tape[stream]):
            offsets = list(self._tape[stream])
            value = offsets[place]
            if low >= value:
                return
            offsets[place] = middle = (low + value) // 2
            if not self._try({**self._tape, stream: offsets}):
                low = middle + 1


def _stretches(length: int) -> Iterator[tuple[int, int]]:
    """Halves, quarters and so on, down to single places."""
    size = length // 2
    while size:
        for start in range(0, length, size):
            yield start, min(length, start + size)
        size //= 2


def _cost(tape: Tape) -> tuple[int, int, int]:
    """Fewer streams, then fewer draws that are not plain, then smaller ones."""
    values = [offset for offsets in tape.values() for offset in offsets if offset]
    return len(tape), len(values), sum(values)
