"""The comparison finds what differs, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.lab.lanes.exchanges import (
    EXCHANGES,
    Exchange,
    called,
    place,
    renamed,
    spoken,
    the,
)

from bargein.lab.lanes import differences

TRANSCRIPTION = "conversation.item.input_audio_transcription"
DELTA = "response.output_audio_transcript.delta"


@pytest.mark.parametrize("name", EXCHANGES)
def test_an_exchange_with_other_ids_is_no_different(name: str) -> None:
    exchange = EXCHANGES[name]
    assert renamed(exchange) != exchange
    assert differences(exchange, renamed(exchange)) == ()


@pytest.mark.parametrize("name", EXCHANGES)
def test_any_event_that_is_dropped_is_missed(name: str) -> None:
    """But for deltas, of which others are left, and what is optional."""
    exchange = EXCHANGES[name]
    for index, event in enumerate(exchange):
        if event["type"] != "rate_limits.updated" and not event["type"].endswith(".delta"):
            found = differences(exchange, [*exchange[:index], *exchange[index + 1 :]])
            assert any(event["type"] in sentence for sentence in found), event["type"]


@pytest.mark.parametrize("name", EXCHANGES)
def test_any_event_that_comes_twice_is_one_too_many(name: str) -> None:
    exchange = EXCHANGES[name]
    for index, event in enumerate(exchange):
        if event["type"] != "rate_limits.updated" and not event["type"].endswith(".delta"):
            again = {**event, "event_id": "event_" + 21 * "a"}
            found = differences(exchange, [*exchange[: index + 1], again, *exchange[index + 1 :]])
            assert any("once more" in sentence for sentence in found), event["type"]


@pytest.mark.parametrize("name", EXCHANGES)
def test_any_field_that_is_lost_renamed_or_of_another_type_is_noticed(name: str) -> None:
    tried = set()
    for event in EXCHANGES[name]:
        for path in paths(event):
            if (event["type"], path) in tried:
                continue
            tried.add((event["type"], path))
            for spoil in (lose, rename, turn_into_a_list):
                spoiled = copy.deepcopy(event)
                spoil(spoiled, path)
                assert differences([event], [spoiled]), (event["type"], path, spoil.__name__)
    assert len(tried) > 150


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of every field at any depth."""
    if isinstance(value, dict):
        below = [(name, each) for name, each in value.items()]
    elif isinstance(value, list):
        below = list(enumerate(value))
    else:
        return []
    inner = [found for step, each in below for found in paths(each, (*path, step))]
    here = [(*path, step) for step, _ in below if isinstance(value, dict)]
    return here + inner


def holder(event: Any, path: tuple[Any, ...]) -> Any:
    for step in path[:-1]:
        event = event[step]
    return event


def lose(event: Any, path: tuple[Any, ...]) -> None:
    del holder(event, path)[path[-1]]


def rename(event: Any, path: tuple[Any, ...]) -> None:
    owner = holder(event, path)
    owner["renamed"] = owner.pop(path[-1])


def turn_into_a_list(event: Any, path: tuple[Any, ...]) -> None:
    holder(event, path)[path[-1]] = ["a list", {"of": "two"}]


def swapped(exchange: Exchange, first: str, second: str) -> Exchange:
    one, other = place(exchange, first), place(exchange, second)
    exchange[one], exchange[other] = exchange[other], exchange[one]
    return exchange


def moved(exchange: Exchange, type: str, to: int) -> Exchange:
    exchange.insert(to, exchange.pop(place(exchange, type)))
    return exchange


def changed(
    exchange: Exchange, type: str, change: Callable[[Any], object], nth: int = 0
) -> Exchange:
    change(the(exchange, type, nth))
    return exchange


SPOILED: dict[str, tuple[Callable[[], Exchange], Exchange, str]] = {
    "the part closes before its transcript": (
        spoken,
        swapped(spoken(), "response.content_part.done", "response.output_audio_transcript.done"),
        "part 0) came before response.output_audio_transcript.done",
    ),
    "the sound is done before the sound": (
        spoken,
        moved(
            spoken(),
            "response.output_audio.done",
            place(spoken(), "response.output_audio.delta") + 2,
        ),
        "a part is done after its last delta",
    ),
    "sound comes before the first word": (
        spoken,
        moved(spoken(), "response.output_audio.delta", place(spoken(), DELTA)),
        "part 0) came before response.output_audio_transcript.delta",
    ),
    "the response begins before its turn is an item": (
        spoken,
        moved(spoken(), "response.created", place(spoken(), "conversation.item.added")),
        "a response begins after the items that it answers",
    ),
    "words are heard before anybody speaks": (
        spoken,
        moved(
            spoken(), f"{TRANSCRIPTION}.delta", place(spoken(), "input_audio_buffer.speech_started")
        ),
        "words are heard in what was said",
    ),
    "the transcript is whole before the turn is committed": (
        spoken,
        moved(
            spoken(), f"{TRANSCRIPTION}.completed", place(spoken(), "input_audio_buffer.committed")
        ),
        "words are heard in what was said",
    ),
    "the answer begins before the call is over": (
        called,
        moved(called(), "response.done", place(called(), "response.created", 1) + 1),
        "a conversation has one response at a time",
    ),
    "the output comes before the call": (
        called,
        moved(
            called(),
            "response.function_call_arguments.done",
            place(called(), "response.created", 1),
        ),
        "a function's output follows its call",
    ),
    "the call opens before the message": (
        called,
        swapped(called(), "response.output_text.delta", "response.function_call_arguments.delta"),
        "came before",
    ),
    "a predecessor is another item": (
        called,
        changed(
            called(),
            "conversation.item.added",
            lambda event: event.update(
                previous_item_id=the(called(), "conversation.item.added")["item"]["id"]
            ),
            2,
        ),
        "previous_item_id is 'user message 1' instead of 'assistant message 1'",
    ),
    "the quirk of the first predecessor is mended": (
        spoken,
        changed(
            spoken(),
            "conversation.item.done",
            lambda event: event.update(
                previous_item_id=the(spoken(), "conversation.item.done")["item"]["id"]
            ),
            1,
        ),
        "previous_item_id is 'user message 1', a string instead of None",
    ),
    "a delta is not padded": (
        spoken,
        changed(spoken(), DELTA, lambda event: event.update(obfuscation="x"), 3),
        "together they are not 16 characters",
    ),
    "a later delta has no padding": (
        spoken,
        changed(spoken(), DELTA, lambda event: event.pop("obfuscation"), 2),
        "delta 3 has type (a string)",
    ),
    "a word is another one": (
        spoken,
        changed(spoken(), DELTA, lambda event: event.update(delta="Good", obfuscation=12 * "x")),
        "delta is 'Good",
    ),
    "a turn begins between the frames": (
        spoken,
        changed(
            spoken(),
            "input_audio_buffer.speech_started",
            lambda event: event.update(audio_start_ms=1_461),
        ),
        "is not on the grid of 32 ms",
    ),
    "a time has a fraction": (
        spoken,
        changed(
            spoken(),
            "input_audio_buffer.speech_started",
            lambda event: event.update(audio_start_ms=1_460.0),
        ),
        "no time in whole milliseconds",
    ),
    "the sound is not base64": (
        spoken,
        changed(spoken(), "response.output_audio.delta", lambda event: event.update(delta="!")),
        "no base64",
    ),
    "the bill does not add up": (
        spoken,
        changed(
            spoken(),
            "response.done",
            lambda event: event["response"]["usage"].update(total_tokens=1),
        ),
        "usage.total_tokens is 1, but its parts are 205",
    ),
    "an id is too short": (
        spoken,
        [
            {**event, "item_id": "item_1"}
            if event.get("item_id") == the(spoken(), "input_audio_buffer.committed")["item_id"]
            else event
            for event in spoken()
        ],
        "which is not of the form item_ and 21 characters",
    ),
    "two events have one id": (
        spoken,
        changed(
            spoken(), "response.done", lambda event: event.update(event_id=spoken()[0]["event_id"])
        ),
        "two events are called",
    ),
    "an event has an id of its own kind": (
        spoken,
        changed(spoken(), "response.done", lambda event: event.update(event_id="evt_1")),
        "an event is called 'evt_1'",
    ),
    "the session lasts for a minute only": (
        spoken,
        changed(
            spoken(),
            "session.created",
            lambda event: event["session"].update(
                expires_at=event["session"]["expires_at"] - 3_540
            ),
        ),
        "session.expires_at is 60 instead of 3600",
    ),
    "the fields stand in another order": (
        spoken,
        changed(
            spoken(), "response.done", lambda event: event.update(event_id=event.pop("event_id"))
        ),
        "has its fields in the order type, response, event_id",
    ),
    "a whole number where there was a decimal": (
        spoken,
        changed(
            spoken(),
            "session.created",
            lambda event: event["session"]["audio"]["output"].update(speed=1),
        ),
        "session.audio.output.speed is 1, an integer instead of 1.0",
    ),
    "an event that the service does not know": (
        spoken,
        [spoken()[0], {"type": "conversation.created", "event_id": 6 * "x"}, *spoken()[1:]],
        "conversation.created comes after",
    ),
    "limits come without a response": (
        called,
        [
            *called(),
            *(
                {**the(called(), "rate_limits.updated"), "event_id": f"event_{20 * 'a'}{n}"}
                for n in range(3)
            ),
        ],
        "rate_limits.updated came 4 times for 2 responses",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_is_spoiled_is_told(name: str) -> None:
    whole, spoiled, sentence = SPOILED[name]
    found = differences(whole(), spoiled)
    assert any(sentence in each for each in found), found


def test_limits_may_be_left_out_and_come_later() -> None:
    without = [event for event in called() if event["type"] != "rate_limits.updated"]
    assert differences(called(), without) == ()
    assert differences(called(), moved(called(), "rate_limits.updated", len(called()) - 1)) == ()
    bad = changed(called(), "rate_limits.updated", lambda event: event.pop("rate_limits"))
    assert any("rate_limits is missing" in each for each in differences(called(), bad))


def test_lanes_may_interleave_in_another_way() -> None:
    """The transcription ends before the response begins to speak, or after it is done."""
    early = moved(
        spoken(), f"{TRANSCRIPTION}.completed", place(spoken(), f"{TRANSCRIPTION}.delta", 6) + 1
    )
    late = moved(spoken(), f"{TRANSCRIPTION}.completed", len(spoken()) - 1)
    assert early != spoken() != late
    assert differences(spoken(), early) == differences(spoken(), late) == ()


def test_deltas_may_be_more_or_fewer() -> None:
    """Two are one, if they say the same."""
    exchange = spoken()
    second = exchange.pop(place(exchange, DELTA, 1))
    first = the(exchange, DELTA)
    first["delta"] += second["delta"]
    first["obfuscation"] = (16 - len(first["delta"])) * "x"
    assert differences(spoken(), exchange) == ()


def test_nothing_is_compared_with_something() -> None:
    assert len(differences(spoken(), [])) > 10
    assert len(differences([], spoken())) > 10
    assert differences([], []) == ()
