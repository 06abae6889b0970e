"""Sees every entry as it is written, once, and says at once what does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeAlias, get_args

import msgspec

from bargein.core import commands, inputs
from bargein.sim.history import Entry, Final, Kind
from bargein.sim.invariants.asking import OnlyWhatWasCut, TheNextReplyAnswers
from bargein.sim.invariants.base import Handler, Invariant, Watched, WatchKind, Witness
from bargein.sim.invariants.bounds import Bounds
from bargein.sim.invariants.calls import EachCallAnswered, EachCallOnce
from bargein.sim.invariants.editing import EditsAreTrue
from bargein.sim.invariants.facts import Facts
from bargein.sim.invariants.forgetting import ForgottenBeforeTheNext
from bargein.sim.invariants.hosted import ConsentIsGivenOnce
from bargein.sim.invariants.landing import CommandsAreLegal
from bargein.sim.invariants.listening import NothingIsLostUntold, OnlyWhileThePressLasts
from bargein.sim.invariants.mirror import MirrorIsTheServers
from bargein.sim.invariants.playback import (
    EveryWordIsHeard,
    OnlyTheLivingAreHeard,
    TheBufferIsCleared,
    TheRecordOfACall,
)
from bargein.sim.invariants.reader import Reader
from bargein.sim.invariants.record import TheRecordIsTrue
from bargein.sim.invariants.rest import ComesToRest
from bargein.sim.invariants.sending import (
    NoFaultOfOurs,
    NothingWholeIsTouched,
    TheCutEnds,
)
from bargein.sim.invariants.sound import (
    MemoryIsHearing,
    OrderOfSound,
    SilenceAfterStop,
    TheUnbornStaySilent,
)
from bargein.sim.invariants.spending import ASpentBudgetEndsIt
from bargein.sim.invariants.telling import (
    NothingNewUntilSilent,
    StopThenTell,
    TooLongIsSaidOnceMore,
    TruncateSaysTheLastWord,
)
from bargein.sim.invariants.waits import EveryWaitEnds, TheUserHasTheFloor
from bargein.sim.options import Options

INVARIANTS: tuple[type[Invariant], ...] = (
    MemoryIsHearing,
    NothingWholeIsTouched,
    NoFaultOfOurs,
    TheCutEnds,
    ForgottenBeforeTheNext,
    SilenceAfterStop,
    TheUnbornStaySilent,
    OrderOfSound,
    MirrorIsTheServers,
    Bounds,
    ComesToRest,
    StopThenTell,
    NothingNewUntilSilent,
    TruncateSaysTheLastWord,
    TooLongIsSaidOnceMore,
    TheRecordIsTrue,
    EachCallOnce,
    EachCallAnswered,
    ConsentIsGivenOnce,
    EditsAreTrue,
    CommandsAreLegal,
    OnlyWhileThePressLasts,
    NothingIsLostUntold,
    TheNextReplyAnswers,
    OnlyWhatWasCut,
    TheUserHasTheFloor,
    EveryWaitEnds,
    ASpentBudgetEndsIt,
    OnlyTheLivingAreHeard,
    EveryWordIsHeard,
    TheBufferIsCleared,
    TheRecordOfACall,
)

_Looks: TypeAlias = dict[type[Any], list[tuple[int, Handler]]]
"""By the type of what is seen, who looks at it and how: the place among all who watch, a method."""
_KINDS: tuple[WatchKind, ...] = (*get_args(Kind), "notice", "ask")


class Violation(msgspec.Struct, frozen=True):
    """An invariant that did not hold, and how. `place` is that of the entry in the log after which
    it did not, -1 for the end; `time_us` is when."""

    invariant: str
    sentence: str
    detail: str
    place: int = -1
    time_us: int = 0


class Judge:
    """Of one episode. `take` everything in order, then `finish`.

    Without a `witness` only what was written down is judged.
    """

    def __init__(self, options: Options, *, witness: Witness | None = None) -> None:
        self.facts = Facts(options)
        self.witness = witness
        self.violations: list[Violation] = []
        self._later: list[Callable[[], None]] = []
        self._invariants = [make(self) for make in INVARIANTS]
        self._tables = _tables(tuple(one.watching for one in self._invariants))
        self._watchers = (self, Reader(self.facts), *self._invariants)

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        """What holds something that is watched for itself."""
        return (
            ("command", commands.Notify, cls._notified),
            ("input", inputs.Asked, cls._asked),
        )

    def take(self, entry: Entry) -> None:
        """It happened."""
        facts = self.facts
        kind, what = entry.kind, entry.what
        if kind == "client_got":
            self._next(facts)
            facts.seen = entry.number + 1
        elif kind == "input":
            self._next(facts)
        facts.place += 1
        facts.time_us = entry.time_us
        looks = self._tables[kind].get(type(what))
        if looks is not None:
            watchers = self._watchers
            for index, look in looks:
                look(watchers[index], entry, what)

    def _next(self, facts: Facts) -> None:
        """The client has done all that followed from what it was told before."""
        if self._later:
            self._look()
        facts.batch_place = facts.place + 1

    def finish(self, final: Final) -> None:
        """The episode has ended so."""
        if self._later:
            self._look()
        self.facts.place = -1
        for invariant in self._invariants:
            invariant.finish(final)

    # -- for the invariants --------------------------------------------------------------------

    def fail(self, invariant: Invariant, detail: str) -> None:
        """See `Scene`."""
        facts = self.facts
        self.violations.append(
            Violation(invariant.name, invariant.sentence, detail, facts.place, facts.time_us)
        )

    def afterwards(self, look: Callable[[], None]) -> None:
        """See `Scene`."""
        self._later.append(look)

    def _look(self) -> None:
        later, self._later = self._later, []
        for look in later:
            look()

    def _notified(self, entry: Entry, command: commands.Notify) -> None:
        self._pass_on("notice", entry, command.notice)

    def _asked(self, entry: Entry, asked: inputs.Asked) -> None:
        self._pass_on("ask", entry, asked.ask)

    def _pass_on(self, kind: WatchKind, entry: Entry, what: object) -> None:
        for index, look in self._tables[kind].get(type(what), ()):
            look(self._watchers[index], entry, what)


@cache
def _tables(watching: tuple[bool, ...]) -> Mapping[WatchKind, _Looks]:
    """Who looks at what, in a world in which these of the `INVARIANTS` are watching.

    Made once for all worlds of a kind: to make it anew took 1 % of an episode.
    """
    tables: dict[WatchKind, _Looks] = {kind: {} for kind in _KINDS}
    on = (True, True, *watching)
    who: tuple[type[Judge | Reader | Invariant], ...] = (Judge, Reader, *INVARIANTS)
    for index, watcher in enumerate(who):
        if on[index]:
            for kind, what, look in watcher.watches():
                tables[kind].setdefault(what, []).append((index, look))
    return tables


def judge(
    entries: tuple[Entry, ...], final: Final, options: Options, *, witness: Witness | None = None
) -> Judge:
    """What a judge says who is told a whole history."""
    told = Judge(options, witness=witness)
    for entry in entries:
        told.take(entry)
    told.finish(final)
    return told
