"""A session as the demo observes one, made by hand: two replies cut, one heard to its end.

Times are round, so that a test can say what is where. Every part can be bent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from msgspec.structs import replace as with_fields

from bargein import events
from bargein.audio.card_settings import CardSettings
from bargein.core.inputs import Part
from bargein.core.notices import Connected, Interruption, InterruptionSettled, PartRecord
from bargein.lab.caller import Turn
from bargein.lab.observed import (
    Envelope,
    Memory,
    Observed,
    OnWire,
    PartWords,
    RememberedPart,
    Span,
    Spoken,
    Stop,
    Told,
    TraceCheck,
)
from bargein.lab.plan import Plan

MS = 24
"""Samples."""
STORY = Part("resp_1", "item_a1", 0)
SECOND = Part("resp_2", "item_a2", 0)
LAST = Part("resp_3", "item_a3", 0)
CARD = CardSettings(block=480, latency_us=50_000, on_stop="drain")
PLAN = Plan(7, (Turn("Tell me.", 4_000), Turn("Wait.", 600), Turn("Bye.")), CARD)

STORY_HEARD = 4_500 * MS + 11
SECOND_HEARD = 700 * MS


def sent(at_ms: int, event: events.ClientEvent) -> OnWire:
    return OnWire(at_ms * 1_000, "sent", event)


def delta(at_ms: int, part: Part, samples: int) -> OnWire:
    event = events.ResponseOutputAudioDelta(
        event_id="e",
        response_id=part.response_id,
        item_id=part.item_id,
        output_index=0,
        content_index=part.content_index,
        delta=bytes(2 * samples),
    )
    return OnWire(at_ms * 1_000, "received", event)


def speech_started(at_ms: int) -> OnWire:
    event = events.InputAudioBufferSpeechStarted(
        event_id="e", audio_start_ms=at_ms, item_id=f"item_u{at_ms}"
    )
    return OnWire(at_ms * 1_000, "received", event)


def committed(at_ms: int) -> OnWire:
    event = events.InputAudioBufferCommitted(event_id="e", item_id=f"item_u{at_ms}")
    return OnWire(at_ms * 1_000, "received", event)


def created(at_ms: int, part: Part) -> OnWire:
    response = events.Response(id=part.response_id, status="in_progress", output=())
    return OnWire(
        at_ms * 1_000, "received", events.ResponseCreated(event_id="e", response=response)
    )


def done(at_ms: int, part: Part, status: str) -> OnWire:
    response = events.Response(id=part.response_id, status=status, output=())
    return OnWire(at_ms * 1_000, "received", events.ResponseDone(event_id="e", response=response))


def item_done(at_ms: int, part: Part, status: str) -> OnWire:
    item = events.MessageItem(id=part.item_id, role="assistant", status=status, content=())
    event = events.ConversationItemDone(event_id="e", item=item)
    return OnWire(at_ms * 1_000, "received", event)


def truncate(at_ms: int, part: Part, audio_end_ms: int) -> OnWire:
    return sent(
        at_ms,
        events.ConversationItemTruncate(
            item_id=part.item_id, content_index=part.content_index, audio_end_ms=audio_end_ms
        ),
    )


def truncated(at_ms: int, part: Part, audio_end_ms: int) -> OnWire:
    event = events.ConversationItemTruncated(
        event_id="e",
        item_id=part.item_id,
        content_index=part.content_index,
        audio_end_ms=audio_end_ms,
    )
    return OnWire(at_ms * 1_000, "received", event)


def refusal(at_ms: int, message: str = "no") -> OnWire:
    event = events.Error(event_id="e", error=events.ErrorBody(message=message))
    return OnWire(at_ms * 1_000, "received", event)


def span(part: Part, start_ms: int, samples: int, first: int = 0) -> Span:
    start_us = start_ms * 1_000
    return Span(part, start_us, start_us + samples * 1_000 // MS, first, samples)


def record(part: Part, heard: int, arrived: int) -> PartRecord:
    return PartRecord(
        part.response_id,
        part.item_id,
        part.content_index,
        24_000,
        arrived,
        heard,
        heard // MS,
        "truncate",
        heard // MS,
        heard // MS,
        "truncated",
    )


def told_cut(at_ms: int, cut_id: str, part: Part, heard: int, arrived: int) -> tuple[Told, Told]:
    parts = (record(part, heard, arrived),)
    stop = Interruption(
        cut_id, ("speech",), (part.response_id,), heard // MS, parts, 2_000, 180_000
    )
    end = InterruptionSettled(
        cut_id,
        ("speech",),
        (part.response_id,),
        heard // MS,
        heard // MS,
        0,
        "exact",
        parts,
        ("conversation.item.truncate",),
        12_000,
    )
    return Told(at_ms * 1_000, stop), Told((at_ms + 12) * 1_000, end)


def a_session(**changes: Any) -> Observed:
    """A session in which every promise is kept; `changes` are put over it."""
    return replace(_GOOD, **changes)


def without(observed: Observed, kind: type[Any]) -> tuple[OnWire, ...]:
    """The wire without events of a type."""
    return tuple(seen for seen in observed.wire if not isinstance(seen.event, kind))


def later(wire: tuple[OnWire, ...], *more: OnWire) -> tuple[OnWire, ...]:
    """The wire with more events, each at its time."""
    return tuple(sorted((*wire, *more), key=lambda seen: seen.at_us))


def bent_record(observed: Observed, **fields: Any) -> tuple[Told, ...]:
    """The notices, with fields of the settled records' parts changed."""
    return tuple(
        replace(
            each,
            notice=with_fields(
                each.notice,
                parts=tuple(with_fields(part, **fields) for part in each.notice.parts),
            ),
        )
        if isinstance(each.notice, InterruptionSettled)
        else each
        for each in observed.told
    )


_SESSION = events.Session(
    audio=events.AudioConfig(
        input=events.AudioInputConfig(turn_detection=events.ServerVad(interrupt_response=True))
    )
)

_GOOD = Observed(
    card=CARD,
    end_us=22_000_000,
    spoken=(
        Spoken("Tell me.", 500_000, 2_500_000),
        Spoken("Wait.", 8_200_000, 10_000_000),
        Spoken("Bye.", 12_100_000, 14_000_000),
    ),
    wire=(
        speech_started(600),
        committed(3_000),
        created(3_010, STORY),
        delta(3_500, STORY, 12_000 * MS),
        delta(4_500, STORY, 8_000 * MS),
        speech_started(8_400),
        done(8_401, STORY, "cancelled"),
        item_done(8_401, STORY, "incomplete"),
        truncate(8_403, STORY, 4_500),
        truncated(8_410, STORY, 4_500),
        committed(10_500),
        created(10_510, SECOND),
        delta(11_000, SECOND, 3_000 * MS),
        speech_started(12_200),
        done(12_201, SECOND, "cancelled"),
        item_done(12_201, SECOND, "incomplete"),
        truncate(12_203, SECOND, 700),
        truncated(12_210, SECOND, 700),
        committed(14_500),
        created(14_510, LAST),
        delta(15_000, LAST, 5_000 * MS + 7),
        item_done(15_900, LAST, "completed"),
        done(15_900, LAST, "completed"),
    ),
    told=(
        Told(100_000, Connected(_SESSION)),
        *told_cut(8_402, "cut_1", STORY, STORY_HEARD, 20_000 * MS),
        *told_cut(12_202, "cut_2", SECOND, SECOND_HEARD, 3_000 * MS),
    ),
    stops=(
        Stop("cut_1", 8_400_000, 8_402_000, ((STORY, STORY_HEARD),)),
        Stop("cut_2", 12_200_000, 12_202_000, ((SECOND, SECOND_HEARD),)),
    ),
    spans=(
        span(STORY, 3_900, STORY_HEARD),
        span(SECOND, 11_500, SECOND_HEARD),
        span(LAST, 15_200, 5_000 * MS + 7),
    ),
    memory=Memory(
        ("item_u1", "item_a1", "item_u2", "item_a2", "item_u3", "item_a3"),
        (
            RememberedPart("item_a1", 0, 24_000, 4_500 * MS),
            RememberedPart("item_a2", 0, 24_000, 700 * MS),
            RememberedPart("item_a3", 0, 24_000, 5_000 * MS + 7),
        ),
    ),
    mirror_ids=("item_u1", "item_a1", "item_u2", "item_a2", "item_u3", "item_a3"),
    words=(
        PartWords(
            STORY,
            (
                ("Once", 0, 2_000 * MS),
                ("upon", 2_000 * MS, 4_300 * MS),
                ("time", 4_300 * MS, 4_800 * MS),
                ("there", 4_800 * MS, 5_000 * MS),
            ),
            True,
        ),
        PartWords(SECOND, (("Well", 0, 400 * MS), ("now", 500 * MS, 900 * MS)), True),
        PartWords(LAST, (("Goodbye.", 0, 5_000 * MS),), True),
    ),
    microphone=Envelope(10_000, tuple(0.5 if 50 <= n < 250 else 0.0 for n in range(2_200))),
    ear=Envelope(10_000, tuple(0.25 if 390 <= n < 840 else 0.0 for n in range(2_200))),
    trace=TraceCheck(1_000, 500),
)
