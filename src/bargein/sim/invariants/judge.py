"""Sees every entry as it is written, once, and says at once what does not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, get_args

import msgspec

from bargein.core import commands, inputs
from bargein.sim.history import Entry, Final, Kind
from bargein.sim.invariants.asking import OnlyWhatWasCut, TheNextReplyAnswers
from bargein.sim.invariants.base import Handler, Invariant, WatchKind, Witness
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

_Table: TypeAlias = dict[type[Any], list[Handler]]
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
        self._tables: dict[WatchKind, _Table] = {kind: {} for kind in _KINDS}
        self._invariants = [make(self) for make in INVARIANTS]
        watched = [Reader(self.facts).watches(), *(one.watches() for one in self._invariants)]
        for watches in watched:
            for kind, what, handler in watches:
                self._tables[kind].setdefault(what, []).append(handler)
        command_table = self._tables["command"]
        command_table[commands.Notify] = [self._notified, *command_table.get(commands.Notify, ())]
        input_table = self._tables["input"]
        input_table[inputs.Asked] = [self._asked, *input_table.get(inputs.Asked, ())]

    def take(self, entry: Entry) -> None:
        """It happened."""
        facts = self.facts
        kind = entry.kind
        if kind == "client_got" or kind == "input":
            # The client has done all that followed from what it was told before.
            if self._later:
                self._look()
            facts.batch_place = facts.place + 1
            if kind == "client_got":
                facts.seen = entry.number + 1
        facts.place += 1
        facts.time_us = entry.time_us
        what = entry.what
        handlers = self._tables[kind].get(type(what))
        if handlers is not None:
            for handler in handlers:
                handler(entry, what)

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
        for handler in self._tables[kind].get(type(what), ()):
            handler(entry, what)


def judge(
    entries: tuple[Entry, ...], final: Final, options: Options, *, witness: Witness | None = None
) -> Judge:
    """What a judge says who is told a whole history."""
    told = Judge(options, witness=witness)
    for entry in entries:
        told.take(entry)
    told.finish(final)
    return told
