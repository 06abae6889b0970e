"""What became of each spoken part, counted from the three witnesses. Pure.

1. *Received* is what came over the wire, *heard* what left the card, *told* what the player
   answered to the stop, *sent* what the client told the service, *kept* what the service has: from
   its memory where that can be read, else from its acknowledgements, and where it was told nothing
   it has all that it made.
2. The machine's own records are not used here; they are compared with this.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from bargein import events
from bargein.core.inputs import Part
from bargein.lab.observed import Observed
from bargein.lab.words import heard_words
from bargein.units import AudioFormat, samples_floor

RATE = AudioFormat.PCM.rate
"""Of the service's sound and of the card (`plan`): a sample heard is a sample received."""

KeptFrom = Literal["memory", "acknowledged", "untouched", "unconfirmed"]


class PartFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One spoken part. Counts are samples of 24 kHz."""

    response_id: str
    item_id: str
    content_index: int
    received_samples: int
    heard_samples: int
    told_samples: int | None
    """What the player said at the stop; None for a part that was not stopped."""
    beyond_samples: int
    """Heard beyond what the player said at the stop."""
    sent: str
    """The last command about it: `truncate`, `delete` or none."""
    sent_ms: int | None
    kept_samples: int | None
    kept_from: KeptFrom
    heard_text: str

    @property
    def part(self) -> Part:
        return Part(self.response_id, self.item_id, self.content_index)

    @property
    def drift_samples(self) -> int | None:
        """Kept − heard."""
        return None if self.kept_samples is None else self.kept_samples - self.heard_samples


def ms_of(samples: int) -> float:
    """Milliseconds with their fraction, for people."""
    return round(samples * 1_000 / RATE, 3)


def parts_of(observed: Observed) -> tuple[PartFigures, ...]:
    """Every spoken part of the session, in the order of its arrival."""
    assert observed.card.rate == RATE
    wire = _Wire(observed)
    told = {part: n for stop in observed.stops for part, n in stop.heard_samples}
    heard: dict[Part, int] = {}
    for span in observed.spans:
        heard[span.part] = heard.get(span.part, 0) + span.samples
    words = {each.part: each.words for each in observed.words}
    figures = []
    for part in dict.fromkeys((*wire.received, *heard)):
        kept, kept_from = _kept(observed, wire, part)
        sent, sent_ms = wire.sent.get((part.item_id, part.content_index), ("", None))
        if part.item_id in wire.deletes:
            sent, sent_ms = "delete", None
        figures.append(
            PartFigures(
                response_id=part.response_id,
                item_id=part.item_id,
                content_index=part.content_index,
                received_samples=wire.received.get(part, 0),
                heard_samples=heard.get(part, 0),
                told_samples=told.get(part),
                beyond_samples=_beyond(observed, part, told.get(part), heard.get(part, 0)),
                sent=sent,
                sent_ms=sent_ms,
                kept_samples=kept,
                kept_from=kept_from,
                heard_text=heard_words(words.get(part, ()), heard.get(part, 0)),
            )
        )
    return tuple(figures)


class _Wire:
    """What the wire says about parts."""

    def __init__(self, observed: Observed) -> None:
        self.received: dict[Part, int] = {}
        self.sent: dict[tuple[str, int], tuple[str, int | None]] = {}
        self.deletes: set[str] = set()
        self.acknowledged: dict[tuple[str, int], int] = {}
        self.deleted: set[str] = set()
        for seen in observed.wire:
            match seen.event:
                case events.ResponseOutputAudioDelta() as event:
                    part = Part(event.response_id, event.item_id, event.content_index)
                    samples = AudioFormat.PCM.samples(len(event.delta))
                    self.received[part] = self.received.get(part, 0) + samples
                case events.ConversationItemTruncate() as event:
                    key = event.item_id, event.content_index
                    self.sent[key] = "truncate", event.audio_end_ms
                case events.ConversationItemDelete(item_id=item_id):
                    self.deletes.add(item_id)
                case events.ConversationItemTruncated() as event:
                    self.acknowledged[event.item_id, event.content_index] = event.audio_end_ms
                case events.ConversationItemDeleted(item_id=item_id):
                    self.deleted.add(item_id)
                case _:
                    pass


def _kept(observed: Observed, wire: _Wire, part: Part) -> tuple[int | None, KeptFrom]:
    if observed.memory is not None:
        for each in observed.memory.parts:
            if (each.item_id, each.content_index) == (part.item_id, part.content_index):
                return each.kept_samples, "memory"
        return 0, "memory"
    key = part.item_id, part.content_index
    if part.item_id in wire.deleted:
        return 0, "acknowledged"
    if key in wire.acknowledged:
        return samples_floor(wire.acknowledged[key], RATE), "acknowledged"
    if key in wire.sent or part.item_id in wire.deletes:
        return None, "unconfirmed"
    return wire.received.get(part, 0), "untouched"


def _beyond(observed: Observed, part: Part, told: int | None, heard: int) -> int:
    """What was heard of the part beyond the stop's word, or after the stop of its response."""
    if told is not None:
        return max(0, heard - told)
    # What the card had taken before the stop may still have been on its way to the ear.
    slack_us = observed.card.latency_us + observed.card.block * 1_000_000 // observed.card.rate
    for stop in observed.stops:
        of_response = any(each.response_id == part.response_id for each, _ in stop.heard_samples)
        if of_response and stop.answered_us is not None:
            silent_us = stop.answered_us + slack_us
            return sum(
                span.samples
                for span in observed.spans
                if span.part == part and span.start_us > silent_us
            )
    return 0
