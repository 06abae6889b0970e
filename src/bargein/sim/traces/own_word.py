"""What the client told of itself and asked of the service, held against what came and went.

It needs no world: a trace has all of it. Each of these sentences is about one side only, so it can
be judged where the others cannot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import UNSET

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.inputs import Part
from bargein.trace.causes import Causes
from bargein.trace.retell import Step
from bargein.units import AudioFormat, ms_floor

LEGAL: Final = "I8"
PROOF: Final = "P6"
SENTENCES: Final = {
    LEGAL: "Each command names what the service, as far as it has said, holds and is doing.",
    PROOF: "The records of a cut agree with the player's reports and the service's answers.",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """One of the sentences does not hold, after this step."""

    invariant: str
    detail: str
    line: int
    at_us: int


def broken(steps: Sequence[Step], sound_format: AudioFormat) -> Iterator[Broken]:
    """Every place where one does not hold."""
    told = _Told(sound_format)
    for step in steps:
        for invariant, detail in told.take(step):
            yield Broken(invariant, detail, step.line, step.at_us)


@dataclass(slots=True)
class _Item:
    received: dict[int, int] = field(default_factory=dict)
    """Samples, by content index."""


@dataclass(slots=True)
class _Asked:
    """What was asked for a part, and what was answered."""

    truncated_to_ms: int | None = None
    deleted: bool = False
    kept_ms: int | None = None


class _Told:
    """What is known after every step."""

    def __init__(self, sound_format: AudioFormat) -> None:
        self._format = sound_format
        self._causes = Causes()
        self._count = 0
        self._held: set[str] = set()
        self._forgotten: set[str] = set()
        self._items: dict[str, _Item] = {}
        self._open: set[str] = set()
        self._over: set[str] = set()
        self._heard: dict[Part, int] = {}
        self._stopped: set[str] = set()
        self._asked: dict[tuple[str, int], _Asked] = {}
        self._deleted: set[str] = set()

    def take(self, step: Step) -> Iterator[tuple[str, str]]:
        match step.input:
            case inputs.Received(event=event):
                self._received(event)
            case inputs.Rendered(heard=heard) | inputs.PlaybackHeld(heard=heard):
                self._heard.update((count.part, count.samples) for count in heard)
            case inputs.PlaybackStopped(cut_id=cut_id, heard=heard):
                self._heard.update((count.part, count.samples) for count in heard)
                self._stopped.add(cut_id)
            case _:
                pass
        # What the application sends by itself is its own doing.
        by_itself = isinstance(step.input, inputs.Asked) and isinstance(
            step.input.ask, asks.SendEvent
        )
        for command in step.commands:
            match command:
                case commands.Send(event=sent):
                    if not by_itself:
                        yield from ((LEGAL, detail) for detail in self._illegal(sent))
                    self._sent(sent)
                case commands.SendAudio(audio=audio):
                    self._sent(events.InputAudioBufferAppend(audio=audio))
                case commands.Notify(notice=notices.Interruption() as told):
                    yield from ((PROOF, detail) for detail in self._stop_wrong(told))
                case commands.Notify(notice=notices.InterruptionSettled() as told):
                    yield from ((PROOF, detail) for detail in self._settlement_wrong(told))
                case _:
                    pass

    # -- what is known -------------------------------------------------------------------------

    def _received(self, event: object) -> None:
        self._causes.taken(event)
        match event:
            case events.ResponseCreated(response=response):
                self._open.add(response.id)
            case events.ResponseDone(response=response):
                self._open.discard(response.id)
                self._over.add(response.id)
            case (
                events.ConversationItemAdded(item=item) | events.ConversationItemCreated(item=item)
            ):
                self._held.add(str(item.id))
            case events.ConversationItemDeleted(item_id=item_id):
                self._forgotten.add(item_id)
            case events.ConversationItemTruncated(audio_end_ms=kept_ms):
                self._of(event.item_id, event.content_index).kept_ms = kept_ms
            case events.ResponseOutputAudioDelta(delta=delta):
                received = self._items.setdefault(event.item_id, _Item()).received
                samples = self._format.samples(len(delta))
                received[event.content_index] = received.get(event.content_index, 0) + samples
            case _:
                pass

    def _of(self, item_id: str, content_index: int) -> _Asked:
        return self._asked.setdefault((item_id, content_index), _Asked())

    def _sent(self, event: events.ClientEvent) -> None:
        self._causes.sent(self._count, event)
        self._count += 1
        match event:
            case events.ConversationItemTruncate():
                asked = self._of(event.item_id, event.content_index)
                asked.truncated_to_ms, asked.kept_ms = event.audio_end_ms, None
            case events.ConversationItemDelete(item_id=item_id):
                self._deleted.add(item_id)
            case _:
                pass

    # -- what does not hold --------------------------------------------------------------------

    def _illegal(self, event: events.ClientEvent) -> Iterator[str]:
        match event:
            case events.ConversationItemTruncate(item_id=item_id):
                yield from self._unheld("conversation.item.truncate", item_id)
                item = self._items.get(item_id, _Item())
                received = item.received.get(event.content_index, 0)
                received_ms = ms_floor(received, self._format.rate)
                if event.audio_end_ms > received_ms:
                    yield (
                        f"conversation.item.truncate {item_id} to {event.audio_end_ms} ms, "
                        f"of which {received_ms} ms had arrived"
                    )
            case events.ConversationItemDelete(item_id=item_id):
                yield from self._unheld("conversation.item.delete", item_id)
            case events.ResponseCancel(response_id=response_id) if response_id is not UNSET:
                if response_id in self._over:
                    yield f"response.cancel {response_id}, which is over"
                elif response_id not in self._open:
                    yield f"response.cancel {response_id}, which never began"
            case _:
                pass

    def _unheld(self, what: str, item_id: str) -> Iterator[str]:
        if item_id in self._forgotten:
            yield f"{what} {item_id}, which is deleted"
        elif self._held and item_id not in self._held:
            yield f"{what} {item_id}, which the service has not added"

    def _stop_wrong(self, told: notices.Interruption) -> Iterator[str]:
        if told.cut_id not in self._stopped:
            return
        for part in told.parts:
            heard = self._heard.get(Part(part.response_id, part.item_id, part.content_index), 0)
            if part.heard_samples != heard:
                yield (
                    f"{told.cut_id} tells that {part.heard_samples} samples of "
                    f"{part.item_id}[{part.content_index}] were heard, the player {heard}"
                )

    def _settlement_wrong(self, told: notices.InterruptionSettled) -> Iterator[str]:
        confirmed = told.exactness in ("exact", "within")
        for part in told.parts:
            name = f"{told.cut_id} settles {part.item_id}[{part.content_index}]"
            asked = self._of(part.item_id, part.content_index)
            if part.action == "truncate" and part.answer == "truncated":
                if part.sent_ms != asked.truncated_to_ms:
                    yield f"{name} as truncated to {part.sent_ms} ms, sent {asked.truncated_to_ms}"
                if part.kept_ms != asked.kept_ms:
                    yield f"{name} as kept {part.kept_ms} ms, the service said {asked.kept_ms}"
            elif part.action == "delete" and part.answer == "deleted":
                if part.item_id not in self._deleted | self._forgotten:
                    yield f"{name} as deleted, and nobody asked for that"
            elif part.answer == "" and part.action in ("truncate", "delete") and confirmed:
                yield f"{name} by {part.action}, without an answer"
        known = [part.kept_ms for part in told.parts]
        if told.drift_ms is not None and told.kept_ms is not None:
            if told.drift_ms != told.kept_ms - told.heard_ms:
                yield (
                    f"{told.cut_id} tells a drift of {told.drift_ms} ms between kept "
                    f"{told.kept_ms} ms and heard {told.heard_ms} ms"
                )
            if None not in known and sum(ms or 0 for ms in known) != told.kept_ms:
                yield f"{told.cut_id} tells {told.kept_ms} ms kept, its parts are {known}"
