"""The invariants: each a class with a sentence, judging the history of an episode.

They know the world's truth, which the client does not; so what the client cannot hold in some
world (a player that cannot tell, a server that refuses truncation) is excused here, by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from bargein import events
from bargein.core import commands, notices
from bargein.sim.invariants.blame import blame
from bargein.sim.invariants.facts import Facts
from bargein.sim.invariants.rest import ComesToRest, MirrorIsTheServers
from bargein.sim.invariants.sending import (
    ForgottenBeforeTheNext,
    NoFaultOfOurs,
    NothingWholeIsTouched,
    TheCutEnds,
)
from bargein.sim.invariants.sound import (
    Bounds,
    MemoryIsHearing,
    OrderOfSound,
    SilenceAfterStop,
    TheUnbornStaySilent,
)


class Violation(msgspec.Struct, frozen=True):
    """An invariant that did not hold, and how."""

    invariant: str
    sentence: str
    detail: str


class Invariant(Protocol):
    """`name` is that of docs/simulation.md; `sentence` says what must hold."""

    @property
    def name(self) -> str: ...

    @property
    def sentence(self) -> str: ...

    def failures(self, facts: Facts) -> Iterator[str]:
        """Every way in which it does not hold."""
        ...


INVARIANTS: tuple[Invariant, ...] = (
    MemoryIsHearing(),
    NothingWholeIsTouched(),
    NoFaultOfOurs(),
    TheCutEnds(),
    ForgottenBeforeTheNext(),
    SilenceAfterStop(),
    TheUnbornStaySilent(),
    OrderOfSound(),
    MirrorIsTheServers(),
    Bounds(),
    ComesToRest(),
)


def check(facts: Facts) -> tuple[Violation, ...]:
    """Everything that does not hold."""
    return tuple(
        Violation(invariant.name, invariant.sentence, detail)
        for invariant in INVARIANTS
        for detail in invariant.failures(facts)
    )


def counters(facts: Facts) -> Mapping[str, int]:
    """What the episode has met, so that an empty check is seen."""
    met: Counter[str] = Counter()
    met["responses"] = len(facts.replies)
    met["parts"] = len(facts.parts)
    for entry in facts.history.entries:
        what = entry.what
        if entry.kind == "command" and isinstance(what, commands.Notify):
            if isinstance(what.notice, notices.Interruption):
                met["cuts"] += 1
                for asker in what.notice.askers:
                    met[f"cut by {asker}"] += 1
        elif entry.kind == "client_sent" and isinstance(
            what,
            events.ConversationItemTruncate | events.ConversationItemDelete | events.ResponseCancel,
        ):
            met[events.type_of(what)] += 1
    for refused in facts.refused:
        met[f"refusals: {blame(facts, refused)}"] += 1
    return met
