"""Who answers whom on the wire, by a reading of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.trace.sessions import received

from bargein import events
from bargein.trace.causes import Causes, create_key

VOICE = {"type": "message", "role": "user", "content": []}


def message(type: str, **fields: Any) -> events.ClientEvent:
    event = events.decode_client(json.dumps({"type": type} | fields))
    assert not isinstance(event, events.Unknown | events.Malformed)
    return event


def causes(*sent: events.ClientEvent) -> Causes:
    """They left, numbered from 0."""
    known = Causes()
    for number, event in enumerate(sent):
        known.sent(number, event)
    return known


def said(type: str, **fields: Any) -> object:
    return received(type, event_id="event_1", **fields).event


def error(code: str | None = None, text: str = "No.", **fields: Any) -> object:
    body = {"type": "invalid_request_error", "code": code, "message": text} | fields
    return said("error", error=body)


def created(**fields: Any) -> object:
    response = {"id": "resp_1", "status": "in_progress", "output": []} | fields
    return said("response.created", response=response)


def create(key: str | None = None) -> events.ClientEvent:
    metadata = {} if key is None else {"response": {"metadata": {"bargein": key}}}
    return message("response.create", **metadata)


def item(item_id: str) -> dict[str, Any]:
    return VOICE | {"id": item_id}


def truncate(item_id: str, end_ms: int, index: int = 0) -> events.ClientEvent:
    return message(
        "conversation.item.truncate", item_id=item_id, content_index=index, audio_end_ms=end_ms
    )


def truncated(item_id: str, end_ms: int, index: int = 0) -> object:
    return said(
        "conversation.item.truncated", item_id=item_id, content_index=index, audio_end_ms=end_ms
    )


def delete(item_id: str) -> events.ClientEvent:
    return message("conversation.item.delete", item_id=item_id)


COMMIT = message("input_audio_buffer.commit")
APPEND = message("input_audio_buffer.append", audio="AAAA")
COMMITTED = said("input_audio_buffer.committed", item_id="item_9")


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        (delete("a"), delete("b"), said("conversation.item.deleted", item_id="b")),
        (
            message("conversation.item.retrieve", item_id="a"),
            message("conversation.item.retrieve", item_id="b"),
            said("conversation.item.retrieved", item=item("b")),
        ),
        *(
            (
                message("conversation.item.create", item=item("a")),
                message("conversation.item.create", item=item("b")),
                said(f"conversation.item.{word}", item=item("b")),
            )
            for word in ("added", "created")
        ),
        (
            message("response.cancel", response_id="a"),
            message("response.cancel", response_id="b"),
            said("response.done", response={"id": "b", "status": "cancelled", "output": []}),
        ),
        (truncate("a", 500), truncate("b", 500), truncated("b", 500)),
        (truncate("a", 500), truncate("a", 500, 1), truncated("a", 500, 1)),
        (create("one"), create("two"), created(metadata={"bargein": "two"})),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_answer_goes_to_the_message_about_the_same_thing_and_to_no_other(
    first: events.ClientEvent, second: events.ClientEvent, answer: object
) -> None:
    known = causes(first, second)
    assert known.answered_by(answer) is second
    assert known.taken(answer) == 1
    assert known.open == (first,)
    assert known.of(answer) is None
    assert known.answered_by(answer) is None


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (
            "session.update",
            said("session.updated", session={"type": "realtime", "id": "s", "model": "m"}),
        ),
        ("input_audio_buffer.commit", COMMITTED),
        ("input_audio_buffer.clear", said("input_audio_buffer.cleared")),
    ],
)
def test_an_acknowledgement_that_names_nothing_goes_to_the_oldest_of_its_kind(
    kind: str, answer: object
) -> None:
    session = {"session": {"type": "realtime"}} if kind == "session.update" else {}
    known = causes(delete("a"), message(kind, **session), message(kind, **session))
    assert [known.taken(answer) for _ in range(3)] == [1, 2, None]
    assert known.open == (delete("a"),)


def test_a_truncate_is_answered_by_its_own_length_else_the_oldest_of_its_part_is() -> None:
    known = causes(truncate("b", 1), truncate("a", 500), truncate("a", 400))
    assert known.of(truncated("a", 400)) == 2
    assert known.of(truncated("a", 380)) == 1
    assert known.of(truncated("c", 400)) is None


def test_what_answers_nothing_of_ours_is_caused_by_nothing() -> None:
    known = causes(delete("a"), COMMIT, create())
    assert (
        known.of(said("input_audio_buffer.speech_started", audio_start_ms=1, item_id="i")) is None
    )
    assert known.of(error()) is None
    assert known.of("no event") is None


def test_an_error_that_names_a_message_is_about_that_one_and_never_about_another() -> None:
    known = causes(delete("a"), message("conversation.item.delete", item_id="b", event_id="evt_2"))
    assert known.of(error("item_delete_invalid_item_id", event_id="evt_2")) == 1
    assert known.of(error("item_delete_invalid_item_id", event_id="evt_9")) is None


@pytest.mark.parametrize(
    ("code", "about"),
    [
        ("unsupported_content_type", truncate("a", 1)),
        ("item_truncate_invalid_item_id", truncate("a", 1)),
        ("item_delete_invalid_item_id", delete("a")),
        ("item_retrieve_invalid_item_id", message("conversation.item.retrieve", item_id="a")),
        ("response_cancel_not_active", message("response.cancel")),
        ("conversation_already_has_active_response", create()),
        ("input_audio_buffer_commit_empty", COMMIT),
        ("item_create_duplicate_item_id", message("conversation.item.create", item=item("a"))),
        ("cannot_update_voice", message("session.update", session={"type": "realtime"})),
    ],
)
def test_an_error_that_names_none_is_about_the_oldest_of_the_kind_of_its_code(
    code: str, about: events.ClientEvent
) -> None:
    other = message("input_audio_buffer.clear")
    assert causes(other, about, about).of(error(code)) == 1
    assert causes(other).of(error(code)) is None


def test_an_error_that_quotes_an_item_or_a_response_is_about_the_message_that_names_it() -> None:
    known = causes(delete("a"), delete("item_2"))
    assert known.of(error("item_delete_invalid_item_id", "No item 'item_2'.")) == 1
    assert known.of(error("item_delete_invalid_item_id", "No item item_2.")) == 0
    cancels = causes(
        message("response.cancel", response_id="a"), message("response.cancel", response_id="b")
    )
    assert cancels.of(error("response_cancel_not_active", "No response 'b'.")) == 1


def test_a_truncate_that_was_too_long_is_known_by_the_number_in_the_text() -> None:
    text = "Audio content of 400ms is already shorter than 700ms"
    known = causes(truncate("a", 400), truncate("a", 700), truncate("b", 700))
    assert known.of(error("invalid_value", text)) == 1
    assert causes(truncate("a", 400)).of(error("invalid_value", text)) is None


def test_a_response_without_a_key_is_the_waiting_turns_and_then_the_oldest_creates() -> None:
    known = causes(APPEND, create("mine"))
    assert known.taken(COMMITTED) is None
    assert known.of(created()) is None
    assert known.of(error("conversation_already_has_active_response")) is None
    assert known.taken(created(metadata={"other": "x"})) is None
    assert known.of(error("conversation_already_has_active_response")) == 1
    assert known.taken(created()) == 1
    assert known.taken(created()) is None


def test_a_response_with_a_key_that_is_not_ours_answers_no_create() -> None:
    assert causes(create("mine"), create()).of(created(metadata={"bargein": "else"})) is None


def test_the_turn_that_waits_ended_by_what_had_left_before_it() -> None:
    known = Causes()
    assert known.turn() == -1
    known.sent(4, APPEND)
    known.sent(5, create())
    assert known.turn() == 4
    known.taken(COMMITTED)
    known.sent(6, APPEND)
    assert known.turn() == 4
    known.taken(created())
    assert known.turn() == 6


def test_a_commit_of_ours_is_answered_and_begins_no_turn_of_the_services() -> None:
    known = causes(COMMIT, create())
    assert known.taken(COMMITTED) == 0
    assert known.taken(created()) == 1


def test_the_microphones_sound_is_not_waited_for_and_of_the_rest_the_last_512_are() -> None:
    known = Causes()
    known.sent(0, APPEND)
    assert list(known.open) == []
    for number in range(512):
        known.sent(number, delete(f"item_{number}"))
    assert len(known.open) == 512
    known.sent(512, delete("item_512"))
    assert (known.open[0], known.open[-1]) == (delete("item_1"), delete("item_512"))
    assert len(known.open) == 512


def test_a_create_is_recognised_by_the_key_in_its_metadata() -> None:
    keys = []
    for event in (create("one"), create(), message("response.create", response={})):
        assert isinstance(event, events.ResponseCreate)
        keys.append(create_key(event))
    assert keys == ["one", None, None]
