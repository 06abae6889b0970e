"""From a tape that fails to the plainest one that still fails in the same way.

1. *The same way* is the same invariant, and the same detail but for its ids and numbers.
2. *Plainest* is the shortest story: its rows and what is not plain in its world. Of two as short,
   the one with fewer draws that are not plain, then the one with rounder numbers, then smaller
   ones.
3. What is large is tried first: whole worlds, then acts, then streams, then draws, then numbers.
   Every draw is an offset from the plainest value and a tape's end means that all is plain, so each
   of these is a simpler episode.
4. It ends when nothing helps any more, or when the runs are used up. One tape gives one result.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from bargein.core.machine import Machine
from bargein.sim.actors.client import MakeClient
from bargein.sim.choices import Tape
from bargein.sim.episode import Episode, run
from bargein.sim.invariants.judge import Violation
from bargein.sim.telling.rows import rows
from bargein.sim.telling.story import unusual

T = TypeVar("T")

_Cost: TypeAlias = tuple[int, int, int, int]
_Place: TypeAlias = tuple[str, int]
"""A stream, and which of its draws."""

_ROUND = [digit * 10**power for power in range(7) for digit in range(1, 10)]
_FEW = 20
"""Up to here a draw is a choice among a few, and each of them is tried."""
_SHIFTED = 40
"""The places of a stream that are tried without."""
_PLANNED = 6
_OF_AN_ACT = 4
"""An act has fewer draws of its own than this; with the plan for the next one, than that."""


def shrink(
    episode: Episode, *, make_client: MakeClient = Machine, at_most_runs: int = 1_000
) -> Episode:
    """The plainest episode found in so many runs that breaks the invariant that this one breaks
    first; it ends there. Raises `ValueError` if it breaks none."""
    if not episode.violations:
        raise ValueError("the episode breaks no invariant; there is nothing to shrink")
    return _Search(episode, make_client, at_most_runs).best()


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
    def __init__(self, episode: Episode, make_client: MakeClient, runs: int) -> None:
        self._make_client = make_client
        self._left = runs
        self._tried: set[tuple[tuple[str, tuple[int, ...]], ...]] = set()
        self._kind = _kind(episode.violations[0])
        self._tape = trimmed(episode.tape)
        self._best = run(self._tape, make_client=make_client, stop_at_first=True)
        self._cost = _cost(self._best)

    def best(self) -> Episode:
        before = None
        steps: tuple[Callable[[], None], ...] = (
            self._leave_out_worlds,
            self._steady_network,
            self._leave_out_acts,
            self._leave_out_streams,
            self._clear,
            self._lower,
            self._shift,
        )
        while self._left > 0 and before != self._cost:
            before = self._cost
            for step in steps:
                step()
        return self._best

    def _try(self, tape: Tape) -> bool:
        """Take the tape if it fails in the same way and is plainer."""
        tape = trimmed(tape)
        key = tuple(sorted((stream, tuple(offsets)) for stream, offsets in tape.items()))
        if self._left <= 0 or key in self._tried:
            return False
        self._tried.add(key)
        self._left -= 1
        episode = run(tape, make_client=self._make_client, stop_at_first=True)
        if not episode.violations or _kind(episode.violations[0]) != self._kind:
            return False
        cost = _cost(episode)
        if cost >= self._cost:
            return False
        # What was not drawn any more is dropped; what was clipped is as it was used.
        self._tape, self._best, self._cost = trimmed(episode.tape), episode, cost
        return True

    def _leave_out_worlds(self) -> None:
        """Everything but what the user does; then the options, the words, the network."""
        self._try({name: x for name, x in self._tape.items() if _family(name) == "human"})
        for family in sorted({_family(name) for name in self._tape}):
            self._try({name: x for name, x in self._tape.items() if _family(name) != family})

    def _leave_out_acts(self) -> None:
        """Acts, alone and with a response; then responses alone."""
        for act in range(_highest(self._tape, "human"), 0, -1):
            without = _without(self._tape, "human", act)
            if self._try(without) or self._splice(act):
                continue
            for response in range(_highest(self._tape, "engine"), 0, -1):
                if self._try(_without(without, "engine", response)):
                    break
        for response in range(_highest(self._tape, "engine"), 0, -1):
            self._try(_without(self._tape, "engine", response))

    def _splice(self, act: int) -> bool:
        """Without the act, but with its plan for the next one: where the plan begins is not known
        here. Without the first act the second one becomes it, as far as it can."""
        without = _without(self._tape, "human", act)
        if act == 1:
            behind = self._tape.get("human/2", [])
            heads, tails = [[head] for head in range(3)], [behind[n:] for n in range(1, 4)]
            less = [without, _without(without, "engine", 1)]
        else:
            before = [*self._tape.get(f"human/{act - 1}", []), *[0] * _PLANNED]
            own = self._tape.get(f"human/{act}", [])
            heads = [before[:end] for end in range(1, _PLANNED)]
            tails = [own[start:] for start in range(1, len(own))]
            less = [without]
        stream = f"human/{max(1, act - 1)}"
        return any(
            self._try({**tape, stream: head + tail})
            for tape in less
            for head in heads
            for tail in tails
        )

    def _steady_network(self) -> None:
        """A slow link instead of one that is slow at times."""
        uneven = re.compile(r"network\.(up|down)|options\.(up|down)\.(jitter_ms|stall_one_in)")
        if not any(uneven.fullmatch(name) for name in self._tape):
            return
        steady = {name: x for name, x in self._tape.items() if not uneven.fullmatch(name)}
        for side in ("up", "down"):
            for delay_ms in (10, 50, 100, 200, 300):
                link = {f"options.{side}.most_ms": [2], f"options.{side}.base_ms": [delay_ms - 1]}
                self._try({**steady, **link})

    def _leave_out_streams(self) -> None:
        self._reduce(
            lambda: sorted(self._tape),
            lambda some: {name: x for name, x in self._tape.items() if name not in some},
        )

        for option in [name for name in sorted(self._tape) if _family(name) == "options"]:
            self._leave_out_option(option)

    def _leave_out_option(self, option: str) -> None:
        """Without an option that has draws of its own among those of the acts and words."""
        for stream in [name for name in sorted(self._tape) if "/" in name]:
            for place in range(_PLANNED):
                tape = {name: x for name, x in self._tape.items() if name != option}
                offsets = tape[stream]
                if self._try({**tape, stream: offsets[:place] + offsets[place + 1 :]}):
                    return

    def _clear(self) -> None:
        self._reduce(lambda: _places(self._tape), lambda some: _cleared(self._tape, some))

    def _reduce(self, parts: Callable[[], list[T]], without: Callable[[set[T]], Tape]) -> None:
        """Leave out halves of what there is, then quarters, and so on, down to single ones."""
        size = max(1, len(parts()) // 2)
        while True:
            start = 0
            while start < len(parts()):
                if not self._try(without(set(parts()[start : start + size]))):
                    start += size
            if size == 1:
                return
            size //= 2

    def _lower(self) -> None:
        for stream, place in _places(self._tape):
            if place < len(self._tape.get(stream, ())):
                self._lower_one(stream, place)

    def _lower_one(self, stream: str, place: int) -> None:
        def fails(value: int, without: int = 0) -> bool:
            offsets = list(self._tape[stream])
            offsets[place : place + 1 + without] = [value]
            return self._try({**self._tape, stream: offsets})

        value = self._tape[stream][place]
        if value <= _FEW:
            # Another act has other draws behind it: some may have to go.
            most = _OF_AN_ACT if stream.startswith("human/") else 1
            any(fails(lower, less) for lower in range(value) for less in range(most))
            return
        # The smallest round number that fails, as if all above it did.
        low, high = 0, bisect_left(_ROUND, value)
        found = False
        while low < high and stream in self._tape and place < len(self._tape[stream]):
            middle = (low + high) // 2
            if fails(_ROUND[middle]):
                high, found = middle, True
            else:
                low = middle + 1
        if not found:
            any(fails(rounder) for rounder in _rounder(value))

    def _shift(self) -> None:
        """Without single draws, so that those behind them come earlier."""
        for stream in sorted(self._tape):
            place = 0
            while place < min(_SHIFTED, len(self._tape.get(stream, ()))):
                offsets = self._tape[stream]
                if not self._try({**self._tape, stream: offsets[:place] + offsets[place + 1 :]}):
                    place += 1


def _kind(violation: Violation) -> tuple[str, str]:
    detail = re.sub(r"\S*\d\S*", "#", violation.detail)
    return violation.invariant, re.sub(r"#(?: #)+", "#", detail)


def _cost(episode: Episode) -> _Cost:
    told = len(rows(episode.history, episode.violations)) + len(unusual(episode.options))
    values = [offset for offsets in episode.tape.values() for offset in offsets if offset]
    return told, len(values), sum(map(_digits, values)), sum(values)


def _digits(value: int) -> int:
    """How many digits say something."""
    return len(str(value).rstrip("0")) if value > _FEW else 1


def _rounder(value: int) -> Iterable[int]:
    """Rounder numbers above: of one digit that says something, then of two."""
    for digits in (1, 2):
        unit = 10 ** max(0, len(str(value)) - digits)
        yield -(-value // unit) * unit


_NUMBERED = re.compile(r"(\w+)/(\d+)(.*)")
"""`engine/2.calls`: the family, the number, and what of it."""


def _family(stream: str) -> str:
    """`options`, `network`, `human`, `engine` and so on."""
    return re.split(r"[./]", stream, maxsplit=1)[0]


def _highest(tape: Tape, family: str) -> int:
    """The last of the numbered streams of the family."""
    named = [_NUMBERED.fullmatch(name) for name in tape]
    return max((int(name[2]) for name in named if name and name[1] == family), default=0)


def _without(tape: Tape, family: str, number: int) -> Tape:
    """One of the numbered acts or responses is left out, and those behind it come earlier."""
    shorter: Tape = {}
    for stream, offsets in tape.items():
        named = _NUMBERED.fullmatch(stream)
        if named is None or named[1] != family:
            shorter[stream] = offsets
        elif int(named[2]) != number:
            own = int(named[2])
            shorter[f"{family}/{own - (own > number)}{named[3]}"] = offsets
    if family == "human" and shorter.get("options.acts"):
        first, *rest = shorter["options.acts"]
        shorter["options.acts"] = [max(0, first - 1), *rest]
    return shorter


def _places(tape: Tape) -> list[_Place]:
    """Of the draws that are not plain."""
    return [
        (stream, place)
        for stream in sorted(tape)
        for place, offset in enumerate(tape[stream])
        if offset
    ]


def _cleared(tape: Tape, places: set[_Place]) -> Tape:
    return {
        stream: [0 if (stream, place) in places else x for place, x in enumerate(offsets)]
        for stream, offsets in tape.items()
    }
