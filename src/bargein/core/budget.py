"""What a session may use, and how it ends when that is used: politely.

1. A budget is told once when it is nearly used, and the first one that is used up is told: that is
   the end of the session.
2. From then on no reply is asked for: what waited is given up, and a request of the application is
   refused. What the service begins by itself, as it does after turns, ends the session at once.
3. The reply that runs may finish, for so long at most, or is cut. Then the session is left as if
   the application had left it: settled, and closed with a reason that names the budget.
4. Tokens are known when a response is over, so one response may exceed their budget. Sound and time
   are known as they pass.

What is cut is cut at a tick, where the stop is the first command of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from bargein.core import asks
from bargein.core.notices import BudgetNear, BudgetSpent
from bargein.core.usage import UsageTotal
from bargein.deadlines import Timer
from bargein.errors import LocalValueError
from bargein.events import ResponseCreate
from bargein.units import US_PER_S

if TYPE_CHECKING:
    from bargein.core.machine import Machine

_NEAR, _SPENT, _LAST, _LEAVE = "near", "spent", "last", "leave"
"""What `Timer.BUDGET` is armed for: two shares of the time, the end of the last reply, the end."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What a session may use at most; None: as much as it likes. One of them must be given.

    `tokens` are those of all responses and transcriptions; `input_tokens` and `output_tokens` those
    of responses. `spoken_s` is sound of the replies, as it comes; `listened_s` sound of the
    microphone, as it is sent; `session_s` time since the session stands.
    """

    tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    spoken_s: float | None = None
    listened_s: float | None = None
    session_s: float | None = None
    warn_at: float = 0.8
    """The share at which `BudgetNear` is told."""
    running_reply: Literal["finish", "cut"] = "finish"
    """What becomes of the reply that runs when a budget is spent."""
    finish_s: float = 60.0
    """How long it may still take to be heard to its end."""

    def __post_init__(self) -> None:
        """Raises `LocalValueError` naming the field that cannot be."""
        if not self.limits and self.session_s is None:
            raise LocalValueError("budget: nothing is limited; give one of tokens, spoken_s, …")
        for name in ("tokens", "input_tokens", "output_tokens", *_SECONDS, "finish_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < _MOST:
                raise LocalValueError(f"budget.{name}: {value}; give more than 0")
        if not 0 < self.warn_at <= 1:
            raise LocalValueError(f"budget.warn_at: {self.warn_at}; give a share up to 1")
        if self.running_reply not in ("finish", "cut"):
            raise LocalValueError(
                f"budget.running_reply: {self.running_reply!r}; give 'finish' or 'cut'"
            )

    @property
    def limits(self) -> tuple[tuple[str, float], ...]:
        """What is counted and limited, but for the time."""
        given = ((name, getattr(self, name)) for name in _COUNTED)
        return tuple((name, limit) for name, limit in given if limit is not None)


_COUNTED = ("tokens", "input_tokens", "output_tokens", "spoken_s", "listened_s")
_SECONDS = ("spoken_s", "listened_s", "session_s")
_MOST = 10**12

BudgetKind: TypeAlias = Literal[
    "tokens", "input_tokens", "output_tokens", "spoken_s", "listened_s", "session_s"
]


def used_of(total: UsageTotal, kind: str) -> float:
    """How much of a budget that is counted was used."""
    match kind:
        case "tokens":
            transcribed = total.transcription_input_tokens + total.transcription_output_tokens
            return total.total_tokens + transcribed
        case "spoken_s":
            return total.spoken_ms / 1_000
        case "listened_s":
            return total.listened_ms / 1_000
        case _:
            return float(getattr(total, kind))


class Spending:
    """The machine's: what is left of the budget, and the way to the end."""

    __slots__ = ("_budget", "_limits", "_m", "_near", "_seen", "spent")

    def __init__(self, machine: Machine, budget: Budget) -> None:
        self._m = machine
        self._budget = budget
        self._limits = budget.limits
        self._near: set[str] = set()
        self._seen = 0
        self.spent: str | None = None
        """The budget that is used up."""

    @property
    def reason(self) -> str:
        """Why the session ends."""
        return f"the budget of {self.spent} is spent"

    def begun(self) -> None:
        """The session stands: its time runs."""
        if self._budget.session_s is not None:
            whole_us = round(self._budget.session_s * US_PER_S)
            self._arm(_NEAR, round(whole_us * self._budget.warn_at))
            self._arm(_SPENT, whole_us)

    def _arm(self, key: str, lasts_us: int) -> None:
        desk = self._m.desk
        desk.deadlines.arm(Timer.BUDGET, key, desk.now_us, lasts_us)

    def refuses(self, ask: asks.Ask) -> bool:
        """It asks for a reply, and none is to be had any more."""
        if self.spent is None:
            return False
        match ask:
            case asks.Say(reply=wants_reply):
                return wants_reply
            case asks.SendEvent(event=event):
                return isinstance(event, ResponseCreate)
            case _:
                return isinstance(ask, asks.Respond | asks.Press)

    def born(self) -> None:
        """The service has begun a reply that nobody asked for."""
        if self.spent is not None:
            self._arm(_LEAVE, 1)

    def look(self) -> None:
        """After every input: is a budget used, and if so, may the session end?"""
        machine = self._m
        if not machine.connected or machine.leaving is not None:
            return
        if self.spent is None and machine.meter.changes != self._seen:
            self._seen = machine.meter.changes
            self._count(machine.meter.total)
        if self.spent is not None:
            self._wind_down()

    def _count(self, total: UsageTotal) -> None:
        for kind, limit in self._limits:
            used = used_of(total, kind)
            if used >= limit:
                self._tell_spent(kind, used, limit)
                return
            if used >= limit * self._budget.warn_at:
                self._tell_near(kind, used, limit)

    def _tell_near(self, kind: str, used: float, limit: float) -> None:
        if kind not in self._near:
            self._near.add(kind)
            self._m.desk.notify(BudgetNear(kind, used, limit))

    def _tell_spent(self, kind: str, used: float, limit: float) -> None:
        self.spent = kind
        deadlines = self._m.desk.deadlines
        deadlines.stop(Timer.BUDGET, _NEAR)
        deadlines.stop(Timer.BUDGET, _SPENT)
        self._m.desk.notify(BudgetSpent(kind, used, limit))
        if self._budget.running_reply == "cut":
            self._arm(_LEAVE, 1)
        else:
            self._arm(_LAST, round(self._budget.finish_s * US_PER_S))

    def _wind_down(self) -> None:
        machine = self._m
        responses = machine.responses
        given_up, responses.held = responses.held, []
        for create in given_up:
            machine.settlement.superseded(create)
        if responses.turns and responses.turns[-1].refused:
            # A debt that will not be paid; no cut waits for it.
            responses.turns.clear()
        if not (responses.replies or responses.sent or machine.cuts.open or machine.after_stop):
            self._leave()

    def tick(self) -> None:
        """Before any other wait that came to its end: what is to be cut is cut first."""
        deadlines, now_us = self._m.desk.deadlines, self._m.desk.now_us
        over = [key for key in (_LEAVE, _LAST) if deadlines.take(Timer.BUDGET, key, now_us)]
        if over and self._m.leaving is None and not self._m.ending:
            self._leave()

    def overdue(self, key: str) -> None:
        """A share of the session's time has passed."""
        limit = self._budget.session_s
        if limit is None or self.spent is not None:
            return
        if key == _NEAR:
            self._tell_near("session_s", limit * self._budget.warn_at, limit)
        else:
            self._tell_spent("session_s", limit, limit)

    def _leave(self) -> None:
        for key in (_LAST, _LEAVE):
            self._m.desk.deadlines.stop(Timer.BUDGET, key)
        self._m.requests.leave(None, self.reason)
