"""The invariants of the microphone: what of it goes out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.deadlines import Timer
from bargein.sim.history import Entry
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.sound import in_ms
from bargein.units import samples_floor


@dataclass(slots=True)
class _Press:
    """What was said into one press, its pre-roll included, and what of it has gone out."""

    said: int
    sent: int = 0
    cleared_us: int = -1
    uncertain: bool = False
    before: _Press | None = None


class OnlyWhileThePressLasts(Invariant):
    """A press clears the buffer first; of the sound from before it comes what was asked for
    (`pre_roll_ms`). While the socket takes nothing, presses queue up, each behind its clear.

    Over WebRTC, where sound and events go by ways of their own, what is remembered of the turn is
    all that was said, too.

    Excused, from being sent whole: sound that was told as dropped. From being remembered whole: a
    turn whose clear was not answered for a second, or behind which the next one was pressed before
    its sound had arrived. Judged in the simulated world only, where all that was captured is known.
    """

    name = "push-to-talk"
    sentence = "Of the microphone goes out what is said between press and release, all of it."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._pressing: int | None = None
        self._connected = self._dropped = False
        self._before = 0
        self._pressed: _Press | None = None
        self._last: _Press | None = None
        self._releasing: int | None = None
        self._to_come: deque[_Press | None] = deque()
        """What the clears that are still to be sent are for: a press, or one that was too short."""
        self._going_out: _Press | None = None
        self._committed: deque[_Press] = deque()

    @property
    def watching(self) -> bool:
        return self.options.turns == "manual" and self.scene.witness is not None

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("notice", notices.Connected, cls._connect),
            ("notice", notices.Dropped, cls._drop),
            ("input", inputs.Asked, cls._ask),
            ("command", commands.Answer, cls._answer),
            ("input", inputs.Captured, cls._capture),
            ("client_sent", events.InputAudioBufferClear, cls._clear),
            ("client_sent", events.InputAudioBufferAppend, cls._append),
            ("client_sent", events.InputAudioBufferCommit, cls._commit),
            ("server_sent", events.InputAudioBufferCommitted, cls._remembered),
        )

    def _connect(self, entry: Entry, notice: notices.Connected) -> None:
        self._connected = True

    def _drop(self, entry: Entry, notice: notices.Dropped) -> None:
        self._dropped = self._dropped or notice.what == "microphone"

    def _ask(self, entry: Entry, asked: inputs.Asked) -> None:
        if isinstance(asked.ask, asks.Press):
            self._pressing = asked.ask_id
        elif isinstance(asked.ask, asks.Release | asks.Leave):
            self._pressed = None
            self._releasing = asked.ask_id

    def _answer(self, entry: Entry, answer: commands.Answer) -> None:
        if answer.ask_id == self._pressing:
            self._pressing = None
            if answer.error is None:
                pre_roll = samples_floor(self.options.pre_roll_ms, self.options.format.rate)
                self._last = self._pressed = _Press(min(self._before, pre_roll), before=self._last)
                self._to_come.append(self._pressed)
                self._before = 0
        elif answer.ask_id == self._releasing and answer.value is False:
            if self._pressed is not None and self._pressed.before is not None:
                # Pressed again before anything of the turn has left: it is one turn.
                self._to_come.pop()
                self._last = self._pressed = self._pressed.before
            elif self.facts.blocked:
                self._to_come.append(None)

    def _capture(self, entry: Entry, captured: inputs.Captured) -> None:
        samples = self.options.format.samples(len(captured.audio))
        if self._pressed is not None:
            self._pressed.said += samples
        elif self._connected:
            self._before += samples

    def _clear(self, entry: Entry, event: events.InputAudioBufferClear) -> None:
        press = self._to_come.popleft() if self._to_come else None
        if press is not None:
            self._going_out = press
            press.cleared_us = entry.time_us
        elif self._going_out is not None:
            self._going_out.sent = 0

    def _append(self, entry: Entry, event: events.InputAudioBufferAppend) -> None:
        press = self._going_out
        drained = self.facts.blocked_place == self.facts.batch_place
        if press is None or (self._to_come and not drained):
            self.fail("sound is sent and the buffer was not cleared since the press")
            return
        if press.sent == 0:
            press.uncertain = entry.time_us - press.cleared_us >= Timer.MICROPHONE.lasts_us
        press.sent += self.options.format.samples(len(event.audio))
        if press.sent > press.said:
            self.fail(f"{self._ms(press.sent)} are sent, and {self._ms(press.said)} were said")

    def _commit(self, entry: Entry, event: events.InputAudioBufferCommit) -> None:
        press = self._going_out
        if press is not None and press.sent != press.said and not self._dropped:
            self.fail(f"{self._ms(press.sent)} are committed, and {self._ms(press.said)} were said")
        if press is not None:
            press.uncertain = press.uncertain or self._pressing is not None
            self._committed.append(press)

    def _remembered(self, entry: Entry, event: events.InputAudioBufferCommitted) -> None:
        if not self.options.webrtc or not self._committed or self.scene.witness is None:
            return
        press = self._committed.popleft()
        item = next(one for one in self.scene.witness.memory if one.id == event.item_id)
        kept = sum(part.kept_samples for part in item.parts)
        if kept != press.sent and not press.uncertain:
            self.fail(f"{self._ms(kept)} are remembered, and {self._ms(press.sent)} were said")

    def _ms(self, samples: int) -> str:
        return in_ms(samples, self.options.format)


class NothingIsLostUntold(Invariant):
    """Where the service detects turns, all that is captured goes out: at once, or when the socket
    takes again; or it is told as dropped.

    Excused: what waits when the connection ends, and what is captured when a budget is spent.
    """

    name = "microphone"
    sentence = "All that the microphone captures is sent, or told as dropped."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._connected = False
        self._owed = 0

    @property
    def watching(self) -> bool:
        return self.options.turns != "manual"

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("notice", notices.Connected, cls._connect),
            ("notice", notices.Dropped, cls._drop),
            ("ask", asks.Leave, cls._leave),
            ("notice", notices.BudgetSpent, cls._leave),
            ("input", inputs.PipeClosed, cls._leave),
            ("input", inputs.Captured, cls._capture),
            ("client_sent", events.InputAudioBufferAppend, cls._append),
        )

    def _connect(self, entry: Entry, notice: notices.Connected) -> None:
        self._connected = True

    def _leave(self, entry: Entry, what: object) -> None:
        self._connected = False

    def _drop(self, entry: Entry, notice: notices.Dropped) -> None:
        if notice.what == "microphone":
            self._owed -= notice.count

    def _capture(self, entry: Entry, captured: inputs.Captured) -> None:
        if not self._connected or self.facts.closed_place < self.facts.place:
            return
        if self._owed and not self.facts.blocked:
            self.fail(f"{in_ms(self._owed, self.options.format)} are neither sent nor dropped")
            self._owed = 0
        self._owed += self.options.format.samples(len(captured.audio))

    def _append(self, entry: Entry, event: events.InputAudioBufferAppend) -> None:
        self._owed -= self.options.format.samples(len(event.audio))
