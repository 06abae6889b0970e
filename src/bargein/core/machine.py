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
from bargein.core import captions, consequences, inputs, overdue, service
from bargein.core.budget import Spending
from bargein.core.button import Button
from bargein.core.calls import Calls
from bargein.core.commands import Close, Command, Send, SendAudio
from bargein.core.conversation import Conversation
from bargein.core.cut import Cut
from bargein.core.cuts import Cuts
from bargein.core.desk import Desk
from bargein.core.edits import Edits
from bargein.core.faults import Faults
from bargein.core.ledger import Ledger
from bargein.core.listening import Listening
from bargein.core.notices import (
    Asker,
    Blame,
    Dropped,
    Fault,
    Floor,
    Lost,
    TurnEnded,
)
from bargein.core.output_buffer import OutputBuffer
from bargein.core.pruning import Pruning
from bargein.core.received import session
from bargein.core.requests import Leaving, Requests
from bargein.core.responses import Reply, Responses
from bargein.core.settings import Settings
from bargein.core.settlement import Settlement
from bargein.core.usage import Meter, UsageTotal
from bargein.deadlines import Timer
from bargein.units import AudioFormat


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
        self.listening = Listening(settings.pre_roll_ms)
        self.buffer = OutputBuffer(self)
        self.settlement = Settlement(self.desk, self.conversation, self.faults, self.buffer)
        self.cuts = Cuts(
            self.desk,
            self.ledger,
            self.responses,
            self.conversation,
            self.settlement,
            self.buffer,
        )
        self.ledger.player_is_worth(settings.player_margin_samples)
        self.open = False
        self.closing = False
        self.connected = False
        self.ended: dict[str, None] = {}
        self.after_stop: list[events.ClientEvent] = []
        self.leaving: Leaving | None = None
        self.farewell = ""
        self.holding: dict[str, int] = {}
        self.effective = settings.session
        self.meter = Meter()
        self.pruning = Pruning()
        self.floor: Floor = "nobody"
        self.requests = Requests(self)
        self.button = Button(self)
        self.calls = Calls(self)
        budget = settings.budget
        self.spending = None if budget is None else Spending(self, budget)
        self.edits = Edits(self)

    @property
    def ending(self) -> bool:
        """Nothing can be asked for: the pipe is not open, or is being closed."""
        return self.closing or not self.open

    @property
    def is_spent(self) -> bool:
        """A budget is used up: no reply is asked for any more."""
        return self.spending is not None and self.spending.spent is not None

    @property
    def deadline_us(self) -> int | None:
        """When `Tick` is due; None while nothing is waited for."""
        return self.desk.deadlines.next_us

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do, as far as it is known now."""
        return self.settlement.capabilities

    @property
    def usage(self) -> UsageTotal:
        """What the session has cost so far."""
        return self.meter.total

    def words_heard(self, item_id: str) -> str:
        """The words of the item up to the last heard sample, as far as can be told now."""
        return captions.words_heard(self.ledger, self.conversation, item_id)

    def audio_format_of(self, happened: inputs.Input) -> AudioFormat:
        """The format of a reply's sound that was just handled."""
        match happened:
            case inputs.Received(event=events.ResponseOutputAudioDelta(response_id=response_id)):
                reply = self.responses.replies.get(response_id)
                return AudioFormat.PCM if reply is None else reply.audio_format
            case _:
                return AudioFormat.PCM

    def handle(self, happened: inputs.Input, *, now_us: int) -> list[Command]:
        """Everything that follows from one input, to be done in order."""
        desk = self.desk
        assert now_us >= desk.now_us, "time never goes back"
        desk.now_us = now_us
        desk.commands = []
        match happened:
            case inputs.Received():
                service.handle(self, happened.event)
            case inputs.Captured():
                self._captured(happened.audio)
                if self.spending is None:
                    return desk.commands
            case inputs.MediaArrived():
                self.buffer.media(happened)
            case inputs.Rendered():
                self.ledger.heard(happened.heard)
            case inputs.PlaybackStopped():
                self._stopped(happened)
            case inputs.PlaybackHeld():
                self.ledger.heard(happened.heard)
                self.held(happened.cut_id)
            case inputs.DeviceChanged():
                self.ledger.player_is_worth(happened.margin_samples)
            case inputs.Starved():
                return desk.commands
            case inputs.Asked():
                self.requests.handle(happened.ask_id, happened.ask)
            case inputs.ToolApproved():
                self.calls.approved(
                    happened.call_id, granted=happened.granted, reason=happened.reason
                )
            case inputs.ToolReturned():
                self.calls.returned(happened.call_id, happened.output, failed=happened.failed)
            case inputs.Blocked():
                desk.outbox.block()
            case inputs.Drained():
                self._drained()
            case inputs.Tick():
                overdue.tick(self)
            case inputs.PipeOpened():
                self._opened(happened)
            case inputs.PipeClosed():
                self._closed(happened)
            case _:
                assert_never(happened)
        consequences.recompute(self)
        return desk.commands

    # What the edges report.

    def _opened(self, pipe: inputs.PipeOpened) -> None:
        self.open = True
        self.settlement.use(pipe.capabilities)
        self.listening.interrupts = pipe.capabilities.interrupts
        self.buffer.use(pipe.capabilities)
        self.desk.outbox.sound_apart = self.buffer.owned
        self.desk.deadlines.arm(Timer.SESSION, "", self.desk.now_us)
        if self.buffer.elsewhere:
            session.asked(self)

    def _closed(self, pipe: inputs.PipeClosed) -> None:
        """Rule 14: ids belong to one pipe. Everything that waits for an answer ends as lost."""
        if not self.open:
            return
        self.open = self.connected = False
        reason = f"the pipe closed ({pipe.code}): {pipe.reason}" if pipe.code else "the pipe broke"
        for sent in self.faults.open:
            self.desk.fail(sent.ask_id, reason, "lost")
        self.faults.clear()
        self.edits.lost(reason)
        for turn in self.responses.turns:
            turn.cut_id = None
        self.calls.lost()
        self.cuts.lost()
        self.buffer.lost()
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
        self.desk.outbox.shut()
        self.button.ended()
        self.after_stop.clear()
        for hold_id in list(self.holding):
            self.held(hold_id)
        self.desk.deadlines.clear()
        self._report_dropped()
        self.desk.notify(Lost(pipe.code, pipe.reason or self.farewell))
        if self.leaving is not None:
            self.desk.answer(self.leaving.ask_id)
            self.leaving = None

    def _captured(self, audio: bytes) -> None:
        if not self.connected or self.leaving is not None:
            return
        for sound in self.listening.captured(audio):
            self.send_audio(sound)

    def send_audio(self, audio: bytes) -> None:
        """Microphone audio, in its order among what waits."""
        sent = self.desk.outbox.put_audio(audio)
        self._appended(sent)
        self.button.sent_us = self.desk.now_us
        self.desk.commands.extend(sent)

    def _appended(self, sent: list[Command]) -> None:
        listening = self.listening
        for command in sent:
            if isinstance(command, SendAudio):
                samples = listening.audio_format.samples(len(command.audio))
                listening.clock.appended(samples, self.desk.now_us)
                self.meter.listened(samples, listening.audio_format)

    def _drained(self) -> None:
        self._report_dropped()
        sent = [one for one in self.desk.outbox.drain() if not self._is_vain(one)]
        self._appended(sent)
        self.desk.commands.extend(sent)
        for timer in overdue.ANSWERS:
            # They were armed when it was decided, and only now it leaves.
            self.desk.deadlines.restart(timer, self.desk.now_us)

    def _is_vain(self, command: Command) -> bool:
        """A truncate or delete that waited for the socket, and the service has said meanwhile that
        it knows no such thing: it is taken back."""
        if not isinstance(command, Send):
            return False
        memory = self.settlement.refused_beforehand(command.event)
        found = None if memory is None else self.cuts.find(memory)
        if memory is None or found is None:
            return False
        cut, item = found
        if events.type_of(command.event) in cut.sent:
            cut.sent.remove(events.type_of(command.event))
        self.settlement.take_back(memory, item)
        return True

    def _report_dropped(self) -> None:
        if self.desk.outbox.dropped:
            self.desk.notify(Dropped("microphone", self.desk.outbox.dropped))
            self.desk.outbox.dropped = 0

    def held(self, hold_id: str) -> None:
        """The hold was answered, or will not be: whoever asked for it waits no longer."""
        self.desk.deadlines.stop(Timer.STOP_ANSWER, hold_id)
        self.desk.answer(self.holding.pop(hold_id, None))

    def _stopped(self, answer: inputs.PlaybackStopped) -> None:
        self.cuts.stopped(answer)
        for hold_id in list(self.holding):
            # A stop is a better silence than the hold that was asked for before it.
            self.held(hold_id)

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
        of_ask_id: int | None = None,
        bare: bool = False,
    ) -> Cut | None:
        """The one procedure of an interruption, whoever asks for it.

        `bare`: only a response is to be cancelled, so where nothing is cut nobody was interrupted.
        """
        cut = self.cuts.begin(
            asker,
            service_cancels=service_cancels,
            captured_us=captured_us,
            ask_id=ask_id,
            of_ask_id=of_ask_id,
            player_knows=self.ledger.margin_samples is not None,
        )
        # After the stop, which is the first command of all; also where nothing is to be stopped.
        if cut is not None or not bare:
            self.calls.interrupted(leaving=asker == "leave")
        return cut

    def end_turn(self, status: str, ask_ids: tuple[int, ...], reply: Reply | None = None) -> None:
        """Tell the askers that their reply will be no more than this."""
        response_id = reply.response_id if reply is not None else None
        text = "".join(reply.texts) if reply is not None else ""
        if reply is not None or ask_ids:
            cut = reply is not None and reply.cut_id is not None
            self.desk.notify(TurnEnded("assistant", status, None, response_id, ask_ids, text, cut))

    def finish(self, reply: Reply, status: str) -> None:
        """The response is over: no more of it will come."""
        self.cuts.over(reply)
        reply.done = True
        reply.status = status
        self.desk.deadlines.stop(Timer.RESPONSE_OVER, reply.response_id)
        for item in self.ledger.items.values():
            if item.response_id == reply.response_id:
                item.over = True
                for utterance in item.parts.values():
                    utterance.made()
        self.buffer.made(reply)

    def give_up(self, reply: Reply) -> None:
        """Nobody wants this response, and nothing else is cut with it."""
        self.settlement.cancel([], reply)
        self.calls.hosted.given_up(reply)

    def close(self, reason: str) -> None:
        """Nothing leaves after this; what still arrives is recorded until the pipe has ended."""
        self.connected = False
        self.closing = True
        self.farewell = reason
        self.desk.outbox.shut()
        self.desk.deadlines.clear()
        self.desk.do(Close(1000, reason))

    def leave(self) -> None:
        if self.leaving is not None:
            leaving, self.leaving = self.leaving, None
            self.desk.answer(leaving.ask_id)
            self.desk.deadlines.stop(Timer.LEAVE, "")
            self.close(leaving.reason)
