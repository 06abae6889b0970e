"""What is told when a content part ends (protocol.md §4.2, §4.3): its audio, its words, itself."""

from __future__ import annotations

import msgspec

from bargein import events
from bargein.server.model.entries import Part
from bargein.server.model.outbox import Outbox


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a part stands in its response."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int


def shown(part: Part) -> events.Part:
    """The part as `response.content_part.*` shows it."""
    if part.kind == "output_audio":
        return events.AudioPart(transcript=part.text or "")
    return events.TextPart(text=part.text or "")


def tell(outbox: Outbox, part: Part, place: Place) -> None:
    """Send the events of its end, in the recorded order."""
    where = msgspec.structs.asdict(place)
    if part.kind == "output_audio":
        outbox.send(events.ResponseOutputAudioDone(event_id=outbox.event_id(), **where))
        outbox.send(
            events.ResponseOutputAudioTranscriptDone(
                event_id=outbox.event_id(), **where, transcript=part.text or ""
            )
        )
    else:
        outbox.send(
            events.ResponseOutputTextDone(event_id=outbox.event_id(), **where, text=part.text or "")
        )
    outbox.send(
        events.ResponseContentPartDone(event_id=outbox.event_id(), **where, part=shown(part))
    )
