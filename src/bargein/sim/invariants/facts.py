"""What a history says, gathered in one pass: who sent what, who could have known what, what became
of every response and part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bargein import events
from bargein.core.inputs import Part
from bargein.sim.history import Entry, History

NEVER = 1 << 60
"""The number of a message that was never sent, and the place of one that never came."""


@dataclass(slots=True)
class Sent:
    """A message of the client. `seen`: it knew the server's messages below this number."""

    place: int
    number: int
    event: events.ClientEvent
    seen: int


@dataclass(slots=True)
class Reply:
    """A response. Numbers are those of the server's messages about it, places are where in the log
    the client got them.

    `asked`: the number of the client's message that made it; None if a turn of the user did, whose
    `speech_stopped` and `committed` then have these numbers. `vad_closed`: the `speech_started`
    that ended it, as the settings then in effect told everybody.
    """

    id: str
    in_band: bool
    created: int
    created_place: int = NEVER
    done: int = NEVER
    done_place: int = NEVER
    asked: int | None = None
    stopped: int | None = None
    committed: int | None = None
    vad_closed: int = NEVER


@dataclass(slots=True)
class Spoken:
    """An audio part. `made` by the server, `received` by the client, in samples."""

    in_band: bool
    made: int = 0
    received: int = 0


@dataclass(slots=True)
class Refused:
    """An error of the server, and the client's message that it answers, if it answers one."""

    event: events.Error
    number: int
    sent: Sent | None


@dataclass(slots=True)
class ItemDone:
    """`response.output_item.done`: its number, and how the item ended."""

    number: int
    status: object


@dataclass(slots=True)
class Facts:
    """Everything, by what it is about."""

    history: History
    sent: list[Sent] = field(default_factory=list)
    replies: dict[str, Reply] = field(default_factory=dict)
    parts: dict[Part, Spoken] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    items_done: dict[str, ItemDone] = field(default_factory=dict)
    updates: list[tuple[int, bool, bool]] = field(default_factory=list)
    """`session.updated`: its number, and whether VAD then interrupts and creates."""
    first_deltas: dict[Part, int] = field(default_factory=dict)
    """The place in the log where the client got the first sound of a part."""
    commits: list[int] = field(default_factory=list)
    """The numbers of `committed` that no commit of the client caused."""


def known_to_create(facts: Facts, seen: int) -> bool:
    """Whether the server replies to turns by itself, by the settings that the client knew then."""
    known = [creates for number, _, creates in facts.updates if number < seen]
    return bool(known and known[-1])


def gather(history: History) -> Facts:
    """Read the log once."""
    reader = _Reader(Facts(history))
    for place, entry in enumerate(history.entries):
        match entry.kind:
            case "server_sent":
                reader.server_sent(place, entry)
            case "client_got":
                reader.client_got(place, entry)
            case "client_sent":
                reader.client_sent(place, entry)
            case _:
                pass
    return reader.facts


class _Reader:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._seen = 0
        self._sound_format = facts.history.options.format
        self._interrupts = self._creates = False
        self._committed: tuple[int, int] | None = None
        self._stopped: int | None = None
        self._when_sent: dict[type, Callable[[Any, int, int], None]] = {
            events.ResponseOutputAudioDelta: self._made,
            events.ResponseCreated: self._created,
            events.ResponseDone: self._done,
            events.ResponseOutputItemDone: self._item_done,
            events.InputAudioBufferSpeechStarted: self._speech_started,
            events.InputAudioBufferSpeechStopped: self._speech_stopped,
            events.InputAudioBufferCommitted: self._user_committed,
            events.SessionCreated: self._configured,
            events.SessionUpdated: self._configured,
            events.Error: self._error,
        }

    def server_sent(self, place: int, entry: Entry) -> None:
        handler = self._when_sent.get(type(entry.what))
        if handler is not None:
            handler(entry.what, entry.number, entry.cause)

    def client_got(self, place: int, entry: Entry) -> None:
        self._seen = entry.number + 1
        event = entry.what
        if isinstance(event, events.ResponseOutputAudioDelta):
            part = _part(event)
            self.facts.parts[part].received += self._sound_format.samples(len(event.delta))
            self.facts.first_deltas.setdefault(part, place)
        elif isinstance(event, events.ResponseCreated):
            self.facts.replies[event.response.id].created_place = place
        elif isinstance(event, events.ResponseDone):
            self.facts.replies[event.response.id].done_place = place

    def client_sent(self, place: int, entry: Entry) -> None:
        event: Any = entry.what
        self.facts.sent.append(Sent(place, entry.number, event, self._seen))

    def _made(self, event: events.ResponseOutputAudioDelta, number: int, cause: int) -> None:
        part = _part(event)
        spoken = self.facts.parts.get(part)
        if spoken is None:
            in_band = self.facts.replies[event.response_id].in_band
            spoken = self.facts.parts[part] = Spoken(in_band)
        spoken.made += self._sound_format.samples(len(event.delta))

    def _created(self, event: events.ResponseCreated, number: int, cause: int) -> None:
        reply = Reply(event.response.id, event.response.conversation_id is not None, created=number)
        asked = self.facts.sent[cause] if cause >= 0 else None
        if asked is not None and isinstance(asked.event, events.ResponseCreate):
            reply.asked = cause
        elif self._committed is not None and self._committed[1] == cause:
            reply.committed = self._committed[0]
            reply.stopped = self._stopped
        self.facts.replies[reply.id] = reply

    def _done(self, event: events.ResponseDone, number: int, cause: int) -> None:
        self.facts.replies[event.response.id].done = number

    def _item_done(self, event: events.ResponseOutputItemDone, number: int, cause: int) -> None:
        item = event.item
        if isinstance(item.id, str):
            self.facts.items_done[item.id] = ItemDone(number, getattr(item, "status", None))

    def _speech_started(self, event: object, number: int, cause: int) -> None:
        if not self._interrupts:
            return
        for reply in self.facts.replies.values():
            if reply.in_band and reply.done == NEVER and reply.vad_closed == NEVER:
                reply.vad_closed = number

    def _speech_stopped(self, event: object, number: int, cause: int) -> None:
        self._stopped = number

    def _user_committed(self, event: object, number: int, cause: int) -> None:
        asked = self.facts.sent[cause].event if cause >= 0 else None
        if not isinstance(asked, events.InputAudioBufferCommit):
            self._committed = (number, cause)
            self.facts.commits.append(number)

    def _configured(
        self, event: events.SessionCreated | events.SessionUpdated, number: int, cause: int
    ) -> None:
        detection = _detection(event.session)
        self._interrupts = bool(detection and detection.interrupt_response is True)
        self._creates = bool(detection and detection.create_response is True)
        self.facts.updates.append((number, self._interrupts, self._creates))

    def _error(self, event: events.Error, number: int, cause: int) -> None:
        sent = self.facts.sent[cause] if cause >= 0 else None
        self.facts.refused.append(Refused(event, number, sent))


def _part(event: events.ResponseOutputAudioDelta) -> Part:
    return Part(event.response_id, event.item_id, event.content_index)


def _detection(session: object) -> events.ServerVad | events.SemanticVad | None:
    if not isinstance(session, events.Session) or not isinstance(session.audio, events.AudioConfig):
        return None
    heard = session.audio.input
    if not isinstance(heard, events.AudioInputConfig):
        return None
    detection = heard.turn_detection
    if isinstance(detection, events.ServerVad | events.SemanticVad):
        return detection
    return None
