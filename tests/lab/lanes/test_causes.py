"""Every cause binds the two events that it names, and only where the reference has them so."""

from __future__ import annotations

from typing import Any

import pytest

from bargein.lab.lanes.causes import CAUSES, Cause, broken
from bargein.lab.lanes.moments import Moment, moments

Event = dict[str, Any]


def item(event: str, id: str, **fields: Any) -> Event:
    return {"type": f"conversation.item.{event}", "item": {"id": id, **fields}}


def response(type: str, id: str, **fields: Any) -> Event:
    return {"type": f"response.{type}", "response": {"id": id, "conversation_id": "c", **fields}}


def about(type: str, id: str, **fields: Any) -> Event:
    return {"type": type, "item_id": id, **fields}


TRANSCRIPTION = "conversation.item.input_audio_transcription"
CALL = about("response.function_call_arguments.done", "i", call_id="k")
OUTPUT = item("added", "o", type="function_call_output", call_id="k")
CUT = {"type": "cancelled", "reason": "turn_detected"}

PAIRS: list[tuple[Event, Event]] = [
    ({"type": "session.created"}, {"type": "input_audio_buffer.cleared"}),
    ({"type": "session.updated"}, item("added", "i")),
    ({"type": "session.updated"}, response("created", "r")),
    (item("added", "i"), {**item("added", "j"), "previous_item_id": "i"}),
    (item("done", "i"), response("created", "r")),
    (response("done", "r"), response("created", "s")),
    (CALL, OUTPUT),
    (about("input_audio_buffer.speech_started", "i"), about(f"{TRANSCRIPTION}.delta", "i")),
    (about("input_audio_buffer.committed", "i"), about(f"{TRANSCRIPTION}.completed", "i")),
    (about("input_audio_buffer.committed", "i"), about(f"{TRANSCRIPTION}.failed", "i")),
    (
        about("input_audio_buffer.speech_started", "i"),
        response("done", "r", status_details=CUT),
    ),
    (response("done", "r"), {"type": "rate_limits.updated"}),
    (about("response.output_text.delta", "i"), about("response.output_text.done", "i")),
    (about("response.output_text.delta", "i"), about("response.content_part.done", "i")),
    (about(f"{TRANSCRIPTION}.delta", "i"), about(f"{TRANSCRIPTION}.completed", "i")),
]

FREE: list[tuple[Event, Event]] = [
    (item("added", "i"), item("added", "j")),
    (item("added", "i"), response("created", "r")),
    (response("done", "r", conversation_id=None), response("created", "s")),
    (response("done", "r"), response("created", "s", conversation_id=None)),
    ({**CALL, "call_id": "other"}, OUTPUT),
    (about("input_audio_buffer.speech_stopped", "i"), about(f"{TRANSCRIPTION}.delta", "i")),
    (about("input_audio_buffer.committed", "i"), about(f"{TRANSCRIPTION}.completed", "j")),
    (about("input_audio_buffer.speech_started", "i"), response("done", "r", status_details=None)),
    (
        about("response.output_text.delta", "i", content_index=0),
        about("response.output_text.done", "i", content_index=1),
    ),
]


def of(*events: Event) -> tuple[Moment, ...]:
    return moments(events)


def told(reference: tuple[Event, Event], answered: tuple[Event, Event]) -> list[str]:
    return list(broken(of(*reference), {moment.key: moment for moment in of(*answered)}))


def laws(first: Event, second: Event) -> list[Cause]:
    one, other = of(first, second)
    return [cause for cause in CAUSES if cause.binds(one, other)]


@pytest.mark.parametrize("pair", PAIRS)
def test_an_effect_before_its_cause_is_told(pair: tuple[Event, Event]) -> None:
    first, second = pair
    (law,) = laws(first, second)
    (sentence,) = told(pair, (second, first))
    assert sentence.endswith(law.law)
    assert told(pair, pair) == []


@pytest.mark.parametrize("pair", PAIRS)
def test_what_the_reference_has_in_another_order_is_free(pair: tuple[Event, Event]) -> None:
    first, second = pair
    assert told((second, first), (first, second)) == [] or laws(second, first)


@pytest.mark.parametrize("pair", FREE)
def test_what_is_no_cause_may_come_in_any_order(pair: tuple[Event, Event]) -> None:
    first, second = pair
    assert laws(first, second) == []
    assert told(pair, (second, first)) == []


def test_every_law_is_tried() -> None:
    assert {law.law for pair in PAIRS for law in laws(*pair)} == {law.law for law in CAUSES}
