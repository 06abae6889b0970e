"""Histories by hand: who sends what, and what has arrived by then."""

from __future__ import annotations

from collections.abc import Mapping

from bargein import events
from bargein.core import commands, inputs
from bargein.core.inputs import Part
from bargein.core.items import ItemView
from bargein.server.model.memory import RememberedItem, RememberedPart
from bargein.sim.history import Entry, Final, Kind, Truth
from bargein.sim.invariants.facts import Facts
from bargein.sim.invariants.judge import Judge, Violation
from bargein.sim.options import Options
from bargein.units import AudioFormat

RESPONSE = "resp_1"
ITEM = "item_1"
PART = Part(RESPONSE, ITEM, 0)
MS = 24
"""Samples in a millisecond of PCM."""


class Tale:
    """Every call is one line of the log, a microsecond after the one before."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.entries: list[Entry] = []
        self._sent = {"server": 0, "client": 0}
        self._arrived = 0
        self._events: list[object] = []

    def write(self, kind: Kind, what: object, number: int = -1, cause: int = -1) -> None:
        self.entries.append(Entry(len(self.entries), kind, what, number, cause))

    def server(self, event: events.ServerEvent, cause: int = -1) -> int:
        """The server sends; it is under way until `arrive`."""
        number = self._sent["server"]
        self._sent["server"] += 1
        self._events.append(event)
        self.write("server_sent", event, number, cause)
        return number

    def arrive(self) -> None:
        """The client gets all that is under way."""
        while self._arrived < len(self._events):
            self.write("client_got", self._events[self._arrived], self._arrived)
            self._arrived += 1

    def told(self, event: events.ServerEvent, cause: int = -1) -> int:
        """The server sends and the client gets it at once."""
        number = self.server(event, cause)
        self.arrive()
        return number

    def client(self, event: events.ClientEvent) -> int:
        """The client sends."""
        number = self._sent["client"]
        self._sent["client"] += 1
        self.write("client_sent", event, number)
        return number

    def refused(self, number: int, code: str, message: str = "No.") -> None:
        """The server answers a message with an error."""
        self.told(error(code, message), cause=number)

    def played(self, ms: int, part: Part = PART) -> None:
        """The client gives the player sound of this length."""
        self.write("command", commands.Play(part, bytes(2 * MS * ms), AudioFormat.PCM))

    def facts(self) -> Facts:
        """What has happened so far."""
        judge = Judge(self.options)
        for entry in self.entries:
            judge.take(entry)
        return judge.facts

    def judged(
        self,
        *,
        heard: Mapping[Part, int] | None = None,
        committed: Mapping[str, Mapping[Part, int]] | None = None,
        memory: tuple[RememberedItem, ...] = (),
        mirror: tuple[ItemView, ...] = (),
        order: tuple[Part, ...] = (),
        late_samples: int = 0,
        quiet: bool = True,
        left: bool = False,
        lost: bool = False,
        deadline_us: int | None = None,
    ) -> list[Violation]:
        """Everything that does not hold, if the episode ends so. What was heard and remembered in
        the end is the truth all the time."""
        truth = Truth(
            heard=heard or {},
            committed_at_stop=committed or {},
            formats=dict.fromkeys(heard or {}, AudioFormat.PCM),
            order=order,
            late_samples=late_samples,
        )
        final = Final(
            truth=truth,
            memory=memory,
            mirror=mirror,
            quiet=quiet,
            left=left,
            lost=lost,
            deadline_us=deadline_us,
        )
        judge = Judge(self.options, witness=_Sees(final))
        for entry in self.entries:
            judge.take(entry)
        judge.finish(final)
        return judge.violations


class _Sees:
    def __init__(self, final: Final) -> None:
        self._final = final

    def heard(self, part: Part) -> int:
        return self._final.truth.heard.get(part, 0)

    @property
    def memory(self) -> tuple[RememberedItem, ...]:
        return self._final.memory

    @property
    def mirror(self) -> tuple[ItemView, ...]:
        return self._final.mirror


def begun(options: Options | None = None) -> Tale:
    """A tale whose pipe is open and whose session is configured."""
    tale = Tale(options)
    tale.write("input", inputs.PipeOpened())
    tale.told(events.SessionUpdated(event_id="e", session=events.Session()))
    return tale


def speaking(tale: Tale, *ms: int, cause: int = -1) -> None:
    """A response that has sent audio of these lengths, all of it arrived."""
    tale.told(created(), cause)
    for length in ms:
        tale.told(delta(length))


def created(
    response_id: str = RESPONSE, conversation: str | None = "conv_1"
) -> events.ResponseCreated:
    return events.ResponseCreated(
        event_id="e", response=_response(response_id, "in_progress", conversation)
    )


def done(response_id: str = RESPONSE, status: str = "completed") -> events.ResponseDone:
    return events.ResponseDone(event_id="e", response=_response(response_id, status, "conv_1"))


def _response(response_id: str, status: str, conversation: str | None) -> events.Response:
    return events.Response(id=response_id, status=status, output=(), conversation_id=conversation)


def item_done(item_id: str = ITEM, status: str = "completed") -> events.ResponseOutputItemDone:
    item = events.MessageItem(id=item_id, role="assistant", status=status, content=())
    return events.ResponseOutputItemDone(
        event_id="e", response_id=RESPONSE, output_index=0, item=item
    )


def delta(ms: int, part: Part = PART) -> events.ResponseOutputAudioDelta:
    return events.ResponseOutputAudioDelta(
        event_id="e",
        response_id=part.response_id,
        item_id=part.item_id,
        output_index=0,
        content_index=part.content_index,
        delta=bytes(2 * MS * ms),
    )


def speech_started() -> events.InputAudioBufferSpeechStarted:
    return events.InputAudioBufferSpeechStarted(event_id="e", audio_start_ms=0, item_id="item_u")


def speech_stopped() -> events.InputAudioBufferSpeechStopped:
    return events.InputAudioBufferSpeechStopped(event_id="e", audio_end_ms=500, item_id="item_u")


def committed() -> events.InputAudioBufferCommitted:
    return events.InputAudioBufferCommitted(event_id="e", item_id="item_u")


def session_updated(*, interrupts: bool, creates: bool = True) -> events.SessionUpdated:
    detection = events.ServerVad(interrupt_response=interrupts, create_response=creates)
    audio = events.AudioConfig(input=events.AudioInputConfig(turn_detection=detection))
    return events.SessionUpdated(event_id="e", session=events.Session(audio=audio))


def error(code: str, message: str = "No.") -> events.Error:
    return events.Error(event_id="e", error=events.ErrorBody(code=code, message=message))


def truncate(ms: int, item_id: str = ITEM) -> events.ConversationItemTruncate:
    return events.ConversationItemTruncate(item_id=item_id, content_index=0, audio_end_ms=ms)


def remembered(kept_samples: int, *, made: int = 0, truncated: bool = True) -> RememberedItem:
    part = RememberedPart(
        kind="output_audio",
        format=AudioFormat.PCM,
        made_samples=made or kept_samples,
        kept_samples=kept_samples,
        truncated=truncated,
        text=None,
        words=(),
    )
    return RememberedItem(
        id=ITEM,
        kind="message",
        role="assistant",
        status="completed",
        parts=(part,),
        call_id="",
        name="",
        arguments="",
        output="",
    )
