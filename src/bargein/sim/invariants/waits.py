"""The invariants of what goes on meanwhile: who has the floor, and how long is waited."""

from __future__ import annotations

from collections.abc import Iterable

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.deadlines import Timer
from bargein.sim.history import Entry
from bargein.sim.invariants.base import Invariant, Scene, Watched
from bargein.sim.invariants.facts import NEVER
from bargein.sim.invariants.sending import asks_for_a_reply, key_of
from bargein.units import US_PER_S

_ENOUGH_US = Timer.RESPONSE_OVER.lasts_us + 2 * US_PER_S
"""For a cut response to be given up as over, and for all else that a request may wait for."""


class TheUserHasTheFloor(Invariant):
    """As the service says it: from `speech_started` to `speech_stopped`."""

    name = "floor"
    sentence = "While the user speaks, the assistant does not get the floor."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._speaking: str | None = None

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_got", events.InputAudioBufferSpeechStarted, cls._started),
            ("client_got", events.InputAudioBufferSpeechStopped, cls._silent),
            ("client_got", events.InputAudioBufferCommitted, cls._silent),
            ("client_got", events.InputAudioBufferCleared, cls._silent),
            ("notice", notices.FloorChanged, cls._changed),
        )

    def _started(self, entry: Entry, event: events.InputAudioBufferSpeechStarted) -> None:
        self._speaking = event.item_id

    def _silent(self, entry: Entry, event: object) -> None:
        self._speaking = None

    def _changed(self, entry: Entry, notice: notices.FloorChanged) -> None:
        if notice.floor == "assistant" and self._speaking is not None:
            self.fail("the assistant gets the floor while the user speaks")


class EveryWaitEnds(Invariant):
    """Judged when the connection ends: until then a half-open one is like a service that does not
    answer.

    Excused: a session that never stood, or that the client has closed; a socket that took nothing
    at some time since.
    """

    name = "deadlines"
    sentence = "What the service does not answer in time is told so, and asked for nevertheless."

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._updates: dict[int, tuple[int, int]] = {}
        self._creates: dict[str, tuple[int, int]] = {}
        self._says: dict[int, tuple[int, int]] = {}
        self._busy_us = 0
        self._connected = False

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("notice", notices.Connected, cls._connect),
            ("input", inputs.Asked, cls._ask),
            ("command", commands.Answer, cls._answer),
            ("client_sent", events.ResponseCreate, cls._create),
            ("client_got", events.ResponseCreated, cls._created),
            ("client_got", events.Error, cls._error),
            ("client_got", events.InputAudioBufferSpeechStarted, cls._speaks),
            ("client_got", events.InputAudioBufferSpeechStopped, cls._busy),
            ("client_got", events.InputAudioBufferCommitted, cls._busy),
            ("notice", notices.TurnEnded, cls._ended),
            ("notice", notices.Fault, cls._fault),
            ("input", inputs.PipeClosed, cls._closed),
        )

    def _connect(self, entry: Entry, notice: notices.Connected) -> None:
        self._connected = True
        self._busy_us = entry.time_us

    def _ask(self, entry: Entry, asked: inputs.Asked) -> None:
        if isinstance(asked.ask, asks.Update):
            self._updates[asked.ask_id] = (entry.time_us, self.facts.place)
        elif isinstance(asked.ask, asks.Say) and asked.ask.reply:
            self._says[asked.ask_id] = (entry.time_us, self.facts.place)

    def _answer(self, entry: Entry, answer: commands.Answer) -> None:
        self._updates.pop(answer.ask_id, None)
        if answer.error is not None:
            self._says.pop(answer.ask_id, None)

    def _create(self, entry: Entry, event: events.ResponseCreate) -> None:
        self._creates[key_of(event)] = (entry.time_us, self.facts.place)
        if asks_for_a_reply(event):
            # One at a time, so the others wait for this one now.
            self._says.clear()

    def _created(self, entry: Entry, event: events.ResponseCreated) -> None:
        reply = self.facts.replies[event.response.id]
        if reply.asked is not None:
            self._creates.pop(key_of(reply.asked.event), None)
        if reply.in_band:
            self._says.clear()

    def _error(self, entry: Entry, event: events.Error) -> None:
        refused = self.facts.refused_number(entry.number)
        if refused is not None and refused.sent is not None:
            if isinstance(refused.sent.event, events.ResponseCreate):
                self._creates.pop(key_of(refused.sent.event), None)

    def _speaks(self, entry: Entry, event: object) -> None:
        # Until the service hears the end of it, nothing is asked for.
        self._busy_us = NEVER

    def _busy(self, entry: Entry, event: object) -> None:
        self._busy_us = entry.time_us

    def _ended(self, entry: Entry, notice: notices.TurnEnded) -> None:
        for ask_id in notice.ask_ids:
            self._says.pop(ask_id, None)

    def _fault(self, entry: Entry, fault: notices.Fault) -> None:
        if fault.about == "response.create":
            # It is told without a name: the oldest one is meant.
            self._creates.pop(next(iter(self._creates), ""), None)

    def _closed(self, entry: Entry, closed: inputs.PipeClosed) -> None:
        now_us = entry.time_us
        if not self._connected or self.facts.closed_place < self.facts.place:
            return
        for ask_id, asked in self._updates.items():
            if self._is_over(asked, now_us - Timer.ACKNOWLEDGED.lasts_us):
                self.fail(f"ask {ask_id} waited for its update without end")
        for key, asked in self._creates.items():
            if self._is_over(asked, now_us - Timer.CREATED.lasts_us):
                self.fail(f"the create {key} waited for its response without end")
        if self._creates or not self.options.obeys_cancel:
            # One at a time: what was said since waits for the one that is not answered, or for the
            # end of one that cannot be cancelled.
            return
        for ask_id, asked in self._says.items():
            if self._is_over((max(asked[0], self._busy_us), asked[1]), now_us - _ENOUGH_US):
                self.fail(f"the reply to ask {ask_id} was never asked for")

    def _is_over(self, asked: tuple[int, int], due_us: int) -> bool:
        since_us, place = asked
        return since_us < due_us and not self.facts.could_not_send(place)
