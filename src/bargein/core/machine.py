"""The client's half of a Realtime conversation, without I/O: what comes in, and what is decided
afterwards.

1. `handle` is the only entrance and its list the only exit. It never blocks, never looks at a
   clock, and never raises on anything that the service, the player or the network does.
2. Each input changes the records of the part that owns it (`ledger`, `responses`, `listening`,
   `conversation`, `cuts`). What follows from the records is recomputed after every input, in one
   place (`_recompute`), so no handler has to remember what another one is waiting for.
3. The order in `_recompute` is the order of the promises: settle what was cut, then let the
   microphone in, then sound, then the next response.

What the service sends is handled in `service.py`, what the application asks in `requests.py`.
"""

from __future__ import annotations

from typing import assert_never

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core import inputs
from bargein.core.calls import Calls
from bargein.core.commands import Answer, Close, Command, SendAudio
from bargein.core.conversation import Conversation
from bargein.core.cuts import Cut, Cuts
from bargein.core.desk import Desk
from bargein.core.faults import Faults
from bargein.core.listening import Listening
from bargein.core.notices import (
    Asker,
    Blame,
    Dropped,
    Fault,
    Floor,
    FloorChanged,
    Lost,
    Transcript,
    TurnEnded,
)
from bargein.core.requests import Requests
from bargein.core.responses import Create, Reply, Responses
from bargein.core.service import Service
from bargein.core.settings import Settings
from bargein.core.settlement import Settlement
from bargein.core.usage import UsageTotal
from bargein.core.utterances import Ledger
from bargein.deadlines import Timer

ENDED_LIMIT = 256
"""Ids of responses that are over; what still comes of them is ignored."""


class Machine:
    """Call `handle` with everything that happens, in order, and do the commands it returns, in
    order, before the next call. Call it with `Tick` when `deadline_us` has come.

    Times are integer microseconds of one monotonic clock and never go back.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.desk = Desk(settings.id_seed, settings.microphone_limit_ms)
        self.ledger = Ledger()
        self.responses = Responses()
        self.conversation = Conversation()
        self.faults = Faults()
        self.calls = Calls()
        self.listening = Listening(settings.pre_roll_ms, settings.microphone_limit_ms)
        self.settlement = Settlement(self.desk, self.conversation, self.faults)
        self.cuts = Cuts(self.desk, self.ledger, self.responses, self.conversation, self.settlement)
        self.player_margin_samples = settings.player_margin_samples
        self.open = False
        self.connected = False
        self.ended: dict[str, None] = {}
        self.after_stop: list[events.ClientEvent] = []
        self.releasing: int | None = None
        self.leaving: int | None = None
        self.holding: dict[str, int] = {}
        self.effective = settings.session
        self.usage = UsageTotal()
        self._floor: Floor = "nobody"
        self._service = Service(self)
        self._requests = Requests(self)

    @property
    def deadline_us(self) -> int | None:
        """When `Tick` is due; None while nothing is waited for."""
        return self.desk.deadlines.next_us

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do, as far as it is known now."""
        return self.settlement.capabilities

    @property
    def floor(self) -> Floor:
        """Who is being heard."""
        return self._floor

    def handle(self, happened: inputs.Input, *, now_us: int) -> list[Command]:
        """Everything that follows from one input, to be done in order."""
        desk = self.desk
        assert now_us >= desk.now_us, "time never goes back"
        desk.now_us = now_us
        desk.commands = []
        match happened:
            case inputs.Received():
                self._service.handle(happened.event)
            case inputs.Captured():
                self._captured(happened.audio)
                return desk.commands
            case inputs.Rendered():
                self.ledger.heard(happened.heard)
            case inputs.PlaybackStopped():
                self.cuts.stopped(happened)
            case inputs.PlaybackHeld():
                self._held(happened)
            case inputs.DeviceChanged():
                self.player_margin_samples = happened.margin_samples
            case inputs.Starved():
                return desk.commands
            case inputs.Asked():
                self._requests.handle(happened.ask_id, happened.ask)
            case inputs.Blocked():
                desk.outbox.block()
            case inputs.Drained():
                self._drained()
            case inputs.Tick():
                self._tick()
            case inputs.PipeOpened():
                self._opened(happened)
            case inputs.PipeClosed():
                self._closed(happened)
            case _:
                assert_never(happened)
        self._recompute()
        return desk.commands

    # What the edges report.

    def _opened(self, pipe: inputs.PipeOpened) -> None:
        self.open = True
        self.settlement.use(pipe.capabilities)
        self.desk.deadlines.arm(Timer.SESSION, "", self.desk.now_us)

    def _closed(self, pipe: inputs.PipeClosed) -> None:
        """Rule 14: ids belong to one pipe. Everything that waits for an answer ends as lost."""
        if not self.open:
            return
        self.open = self.connected = False
        reason = f"the pipe closed ({pipe.code}): {pipe.reason}" if pipe.code else "the pipe broke"
        for sent in self.faults.open:
            self.desk.fail(sent.ask_id, reason, "lost")
        self.faults.clear()
        for turn in self.responses.turns:
            turn.cut_id = None
        self.cuts.lost()
        for create in (*self.responses.sent, *self.responses.held):
            self.end_turn("lost", tuple(create.ask_ids))
        self.responses.sent.clear()
        self.responses.held.clear()
        self.responses.turns.clear()
        for reply in self.responses.replies.values():
            reply.done = True
            reply.status = reply.status if reply.status != "in_progress" else "lost"
            for item in self.ledger.items.values():
                item.over = True
                for utterance in item.parts.values():
                    utterance.audio_over = True
        self.desk.outbox.forget()
        self.after_stop.clear()
        self.desk.deadlines.clear()
        self._report_dropped()
        self.desk.notify(Lost(pipe.code, pipe.reason))
        if self.leaving is not None:
            self.desk.answer(self.leaving)
            self.leaving = None

    def _captured(self, audio: bytes) -> None:
        if not self.connected:
            return
        for sound in self.listening.captured(audio):
            self.send_audio(sound)

    def send_audio(self, audio: bytes) -> None:
        """Microphone audio, in its order among what waits."""
        sent = self.desk.outbox.put_audio(audio)
        self._appended(sent)
        self.desk.commands.extend(sent)

    def _appended(self, sent: list[Command]) -> None:
        listening = self.listening
        for command in sent:
            if isinstance(command, SendAudio):
                samples = listening.audio_format.samples(len(command.audio))
                listening.clock.appended(samples, self.desk.now_us)

    def _drained(self) -> None:
        sent = self.desk.outbox.drain()
        self._appended(sent)
        self.desk.commands.extend(sent)
        self._report_dropped()
        for timer in (Timer.SETTLEMENT, Timer.CREATED, Timer.ACKNOWLEDGED, Timer.RESPONSE_OVER):
            # They were armed when it was decided, and only now it leaves.
            self.desk.deadlines.restart(timer, self.desk.now_us)

    def _report_dropped(self) -> None:
        if self.desk.outbox.dropped:
            self.desk.notify(Dropped("microphone", self.desk.outbox.dropped))
            self.desk.outbox.dropped = 0

    def _held(self, held: inputs.PlaybackHeld) -> None:
        self.ledger.heard(held.heard)
        self.desk.answer(self.holding.pop(held.cut_id, None))

    # What time brings.

    def _tick(self) -> None:
        for timer, key in self.desk.deadlines.expired(self.desk.now_us):
            match timer:
                case Timer.STOP_ANSWER:
                    self.cuts.overdue(key)
                case Timer.ITEM_OVER:
                    self.cuts.item_overdue(key)
                case Timer.SETTLEMENT:
                    self._unsettled(key)
                case Timer.RESPONSE_OVER:
                    self._response_overdue(key)
                case Timer.CREATED:
                    self._never_created(key)
                case Timer.TURN_ANSWERED:
                    for turn in self.responses.turns:
                        turn.refused = True
                case Timer.ACKNOWLEDGED:
                    self._unacknowledged(key)
                case Timer.SESSION:
                    self.fault("theirs", None, "the service did not begin the session in time")
                    self.desk.do(Close(1000, "no session"))
                case Timer.LEAVE:
                    self._leave()
                case _:
                    assert_never(timer)

    def _unsettled(self, event_id: str) -> None:
        memory = next((sent for sent in self.faults.open if sent.event_id == event_id), None)
        found = None if memory is None else self.cuts.find(memory)
        if memory is not None:
            self.faults.forget(memory)
        if memory is not None and found is not None:
            self.settlement.unconfirmed(memory, found[1])

    def _response_overdue(self, response_id: str) -> None:
        reply = self.responses.replies.get(response_id)
        if reply is not None and not reply.done:
            self.finish(reply, "cancelled")

    def _never_created(self, key: str) -> None:
        for create in list(self.responses.sent):
            if create.key == key:
                self.responses.sent.remove(create)
                self.end_turn("lost", tuple(create.ask_ids))
                self.fault("theirs", None, "no response.created came", about="response.create")

    def _unacknowledged(self, event_id: str) -> None:
        memory = next((sent for sent in self.faults.open if sent.event_id == event_id), None)
        if memory is not None:
            self.faults.forget(memory)
            self.desk.fail(memory.ask_id, "the service did not answer in time", "lost")

    # What every part may ask of the machine.

    def fault(
        self,
        blame: Blame,
        code: str | None,
        message: str,
        *,
        param: str | None = None,
        about: str | None = None,
    ) -> None:
        """Count it, and tell the application unless it is a crossing."""
        self.faults.counts[blame] += 1
        if blame != "crossing":
            self.desk.notify(Fault(blame, code, message, param, about))

    def cut(
        self,
        asker: Asker,
        *,
        service_cancels: bool = False,
        captured_us: int | None = None,
        ask_id: int | None = None,
    ) -> Cut | None:
        """The one procedure of an interruption, whoever asks for it."""
        return self.cuts.begin(
            asker,
            service_cancels=service_cancels,
            captured_us=captured_us,
            ask_id=ask_id,
            player_knows=self.player_margin_samples is not None,
        )

    def end_turn(self, status: str, ask_ids: tuple[int, ...], reply: Reply | None = None) -> None:
        """Tell the askers that their reply will be no more than this."""
        response_id = reply.response_id if reply is not None else None
        text = "".join(reply.texts) if reply is not None else ""
        if reply is not None or ask_ids:
            self.desk.notify(TurnEnded("assistant", status, None, response_id, ask_ids, text))

    def finish(self, reply: Reply, status: str) -> None:
        """The response is over: no more of it will come."""
        reply.done = True
        reply.status = status
        self.desk.deadlines.stop(Timer.RESPONSE_OVER, reply.response_id)
        for item in self.ledger.items.values():
            if item.response_id == reply.response_id:
                item.over = True
                for utterance in item.parts.values():
                    utterance.audio_over = True

    # What follows from the records.

    def _recompute(self) -> None:
        if self.cuts.open:
            self.cuts.advance()
        if not self.cuts.stopping:
            self._after_stop()
        self.desk.commands.extend(self.ledger.flow())
        if self.ledger.dropped_samples:
            self.desk.notify(Dropped("playback", self.ledger.dropped_samples))
            self.ledger.dropped_samples = 0
        if self.responses.replies:
            self._end_replies()
        if self.open:
            self._ask_for_responses()
        self._tell_floor()
        if self.leaving is not None and not self.cuts.open:
            self._leave()

    def _after_stop(self) -> None:
        """What had to wait for the player's answer: typed messages, then the microphone."""
        if self.after_stop:
            for event in self.after_stop:
                self.desk.send(event)
            self.after_stop.clear()
        if self.listening.waiting:
            self._requests.listen()

    def _end_replies(self) -> None:
        for reply in list(self.responses.replies.values()):
            self._tell_heard(reply)
            if not reply.done:
                continue
            cut = self.cuts.of(reply.cut_id)
            if cut is not None:
                if not cut.stopping:
                    self._end(reply)
                continue
            if reply.cut_id is None and not self._heard_out(reply):
                continue
            self._end(reply)
            if reply.cut_id is None and self._cut_short(reply):
                self.cuts.by_service(reply)
                self.cuts.advance()
            else:
                self._forget(reply)

    def _end(self, reply: Reply) -> None:
        if not reply.ended:
            reply.ended = True
            self.end_turn(reply.status, reply.ask_ids, reply)

    def _heard_out(self, reply: Reply) -> bool:
        return all(
            part.played_out
            for item in self.ledger.items.values()
            if item.response_id == reply.response_id
            for part in item.parts.values()
        )

    def _cut_short(self, reply: Reply) -> bool:
        """Heard to the end of what came, and that is less than the service may remember."""
        return reply.default and any(
            part.clipped or (reply.status == "cancelled" and not item.completed)
            for item in self.ledger.items.values()
            if item.response_id == reply.response_id
            for part in item.parts.values()
        )

    def _tell_heard(self, reply: Reply) -> None:
        """The words of a spoken part are final when it was heard to its end."""
        if reply.cut_id is not None:
            return
        for item in self.ledger.items.values():
            if item.response_id != reply.response_id or not item.over:
                continue
            for index, part in item.parts.items():
                if not part.told and part.played_out:
                    part.told = True
                    text = item.texts.get(index, "")
                    self.desk.notify(Transcript("assistant", item.item_id, text, True, index))

    def _forget(self, reply: Reply) -> None:
        del self.responses.replies[reply.response_id]
        for item in [
            item for item in self.ledger.items.values() if item.response_id == reply.response_id
        ]:
            self.ledger.forget(item)
        while len(self.ended) >= ENDED_LIMIT:
            del self.ended[next(iter(self.ended))]
        self.ended[reply.response_id] = None

    def _ask_for_responses(self) -> None:
        responses = self.responses
        if not responses.held and not responses.turns:
            return
        user_speaks = self.listening.user_speaks
        refused = bool(responses.turns) and responses.turns[-1].refused
        if refused and self._floor_is_free() and not responses.held:
            turns, responses.turns = responses.turns, []
            if turns[-1].cut_id is None:
                responses.held.append(Create(self.desk.new_id("create"), None, [], plain=True))
        free = (
            self.connected
            and not user_speaks
            and not self.cuts.undecided
            and (not responses.turns or refused)
        )
        while (create := responses.next_to_send(free=free)) is not None:
            responses.held.remove(create)
            self._requests.send_create(create)

    def _floor_is_free(self) -> bool:
        return (
            not self.listening.user_speaks
            and not self.cuts.undecided
            and self.responses.open_default is None
            and not self.responses.asking
            and not self.ledger.sounding
        )

    def _tell_floor(self) -> None:
        floor: Floor = "nobody"
        if self.listening.user_speaks:
            floor = "user"
        elif any(
            part.heard_samples and not part.cut and not part.played_out
            for part in self.ledger.utterances.values()
        ):
            floor = "assistant"
        if floor != self._floor:
            self._floor = floor
            self.desk.notify(FloorChanged(floor))

    def _leave(self) -> None:
        if self.leaving is not None:
            self.desk.do(Answer(self.leaving))
            self.leaving = None
            self.desk.deadlines.stop(Timer.LEAVE, "")
            self.desk.do(Close(1000, ""))
