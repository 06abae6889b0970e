"""The invariant of budgets: what is used up is told, and ends the session politely."""

from __future__ import annotations

from collections.abc import Iterable

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.responses import METADATA_KEY
from bargein.deadlines import Timer
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.units import US_PER_MS, US_PER_S


class ASpentBudgetEndsIt(Invariant):
    """What is used is added up here anew, from what arrived and what was sent; of a call's track
    all that arrived, pauses too, which is the most that it can be.

    Excused, from being let finish: a reply behind which the service has begun another one by
    itself, or that the application has left. Sound that comes of a response which was given up as
    over is counted by nobody.
    """

    name = "budget"
    sentence = (
        "A budget that is used up is told, once; no reply is asked for behind it, the one that "
        "runs may finish, and the session is closed by its name, in time."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._budget = self.options.budget
        self._tokens: dict[str, tuple[int, int, int]] = {}
        self._spoken = self._listened = 0
        self._stands_us: int | None = None
        self._spent: notices.BudgetSpent | None = None
        self._spent_us = 0
        self._near: set[str] = set()
        self._left = False
        self._unasked_us: int | None = None
        self._closed_us: int | None = None

    @property
    def watching(self) -> bool:
        return self._budget is not None

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_got", events.ResponseDone, cls._done),
            ("client_got", events.ResponseOutputAudioDelta, cls._sound),
            ("input", inputs.MediaArrived, cls._media),
            ("client_got", events.ResponseCreated, cls._created),
            ("client_sent", events.InputAudioBufferAppend, cls._heard),
            ("client_sent", events.ResponseCreate, cls._create),
            ("notice", notices.Connected, cls._connected),
            ("notice", notices.BudgetNear, cls._is_near),
            ("notice", notices.BudgetSpent, cls._is_spent),
            ("notice", notices.Interruption, cls._interruption),
            ("ask", asks.Leave, cls._leave),
            ("command", commands.Close, cls._close),
        )

    def _done(self, entry: Entry, event: events.ResponseDone) -> None:
        usage = event.response.usage
        if isinstance(usage, events.Usage):
            counts = (usage.total_tokens, usage.input_tokens, usage.output_tokens)
            whole, given, made = (each if isinstance(each, int) else 0 for each in counts)
            self._tokens[event.response.id] = whole, given, made

    def _sound(self, entry: Entry, event: events.ResponseOutputAudioDelta) -> None:
        self._spoken += self.options.format.samples(len(event.delta))

    def _media(self, entry: Entry, came: inputs.MediaArrived) -> None:
        self._spoken += self.options.format.samples(len(came.audio))

    def _heard(self, entry: Entry, event: events.InputAudioBufferAppend) -> None:
        self._listened += self.options.format.samples(len(event.audio))

    def _connected(self, entry: Entry, notice: notices.Connected) -> None:
        self._stands_us = entry.time_us

    def _used(self, kind: str, now_us: int) -> float:
        """The truth; of sound as much as it may be at most."""
        rate = self.options.format.rate
        match kind:
            case "tokens":
                return sum(whole for whole, _, _ in self._tokens.values())
            case "input_tokens":
                return sum(given for _, given, _ in self._tokens.values())
            case "output_tokens":
                return sum(made for _, _, made in self._tokens.values())
            case "spoken_s":
                return self._spoken / rate
            case "listened_s":
                return self._listened / rate
            case _:
                return 0 if self._stands_us is None else (now_us - self._stands_us) / US_PER_S

    def _is_near(self, entry: Entry, notice: notices.BudgetNear) -> None:
        if notice.kind in self._near or self._spent is not None:
            self.fail(f"that {notice.kind} is nearly used is told twice, or behind the end")
        self._near.add(notice.kind)
        assert self._budget is not None
        if self._used(notice.kind, entry.time_us) < notice.limit * self._budget.warn_at - 1e-6:
            self.fail(f"{notice.kind} is told as nearly used, and is not")

    def _is_spent(self, entry: Entry, notice: notices.BudgetSpent) -> None:
        if self._spent is not None:
            self.fail(f"{self._spent.kind} is told as spent, and then {notice.kind}")
        self._spent, self._spent_us = notice, entry.time_us
        if self._used(notice.kind, entry.time_us) < notice.limit - 1e-6:
            self.fail(f"{notice.kind} is told as spent, and is not")

    def _create(self, entry: Entry, event: events.ResponseCreate) -> None:
        if self._spent is not None:
            self.fail(f"a reply is asked for, and {self._spent.kind} is spent")

    def _created(self, entry: Entry, event: events.ResponseCreated) -> None:
        metadata = event.response.metadata
        ours = isinstance(metadata, dict) and METADATA_KEY in metadata
        if self._spent is not None and not ours and self._unasked_us is None:
            self._unasked_us = entry.time_us

    def _leave(self, entry: Entry, ask: asks.Leave) -> None:
        self._left = True

    def _interruption(self, entry: Entry, told: notices.Interruption) -> None:
        if self._spent is None or self._left or self._unasked_us or told.askers != ("leave",):
            return
        assert self._budget is not None
        may_finish_us = round(self._budget.finish_s * US_PER_S)
        if self._budget.running_reply == "cut" or not told.parts:
            return
        if entry.time_us < self._spent_us + may_finish_us:
            self.fail(f"{told.response_ids[0]} is cut, and it may finish")

    def _close(self, entry: Entry, command: commands.Close) -> None:
        if self._closed_us is None:
            self._closed_us = entry.time_us
            if self._spent is not None and not self._left:
                if self._spent.kind not in command.reason:
                    self.fail(f"{self._spent.kind} is spent, and the reason is {command.reason!r}")

    def finish(self, final: Final) -> None:
        budget = self._budget
        if budget is None or self._stands_us is None or final.lost or self.facts.broken:
            return
        if self._spent is None:
            if not final.left:
                self._nothing_is_spent()
            return
        if self._closed_us is None:
            self.fail(f"{self._spent.kind} is spent, and the session goes on")
            return
        lasts_us = Timer.LEAVE.lasts_us + US_PER_MS
        if budget.running_reply == "finish":
            lasts_us += round(budget.finish_s * US_PER_S)
        if self._closed_us > self._spent_us + lasts_us:
            self.fail(f"{self._spent.kind} is spent, and the session is closed late")
        most_us = Timer.LEAVE.lasts_us + US_PER_MS
        if self._unasked_us is not None and self._closed_us > self._unasked_us + most_us:
            self.fail("the service begins a reply that there is no budget for, and it goes on")

    def _nothing_is_spent(self) -> None:
        """Sound of replies may be counted as less than came; nothing else may."""
        assert self._budget is not None
        for kind, limit in self._budget.limits:
            if kind != "spoken_s" and self._used(kind, 0) >= limit:
                self.fail(f"{kind} is used up, and nobody is told")
        if self._budget.session_s is not None:
            self.fail("the time of the session is over, and nobody is told")
