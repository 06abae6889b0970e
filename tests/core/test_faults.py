"""Which of our events was refused, and by whose doing."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from bargein import events
from bargein.core.faults import REMEMBERED_LIMIT, Faults, Sent, Shorter, shorter


def truncate(event_id: str, item_id: str, ms: int) -> Sent:
    event = events.ConversationItemTruncate(
        event_id=event_id, item_id=item_id, content_index=0, audio_end_ms=ms
    )
    return Sent(event, event_id, item_id)


def delete(event_id: str, item_id: str) -> Sent:
    event = events.ConversationItemDelete(event_id=event_id, item_id=item_id)
    return Sent(event, event_id, item_id)


def cancel(event_id: str, response_id: str) -> Sent:
    event = events.ResponseCancel(event_id=event_id, response_id=response_id)
    return Sent(event, event_id, response_id)


def create(event_id: str) -> Sent:
    return Sent(events.ResponseCreate(event_id=event_id), event_id, event_id)


def commit(event_id: str) -> Sent:
    return Sent(events.InputAudioBufferCommit(event_id=event_id), event_id, "commit")


def remembering(*sent: Sent) -> Faults:
    faults = Faults()
    for one in sent:
        faults.remember(one)
    return faults


def refusal(message: str, code: str | None = None, event_id: str | None = None) -> events.ErrorBody:
    return events.ErrorBody(message=message, code=code, event_id=event_id)


def matched(faults: Faults, body: events.ErrorBody) -> str | None:
    found = faults.match(body)
    return None if found is None else found.event_id


def test_a_refusal_that_names_an_event_is_about_that_event() -> None:
    faults = remembering(truncate("e1", "A", 10), truncate("e2", "B", 10))
    assert matched(faults, refusal("?", "invalid_value", "e2")) == "e2"
    assert [sent.event_id for sent in faults.open] == ["e1"]


def test_an_id_that_we_do_not_know_is_not_ours_to_guess_about() -> None:
    faults = remembering(truncate("e1", "A", 10))
    body = refusal("Only model output audio messages can be truncated", None, "somebody_else")
    assert matched(faults, body) is None
    assert len(faults.open) == 1


def test_a_length_without_an_id_is_about_the_truncate_with_that_number() -> None:
    faults = remembering(truncate("e1", "A", 9_000), truncate("e2", "B", 9_100))
    body = refusal("Audio content of 2650ms is already shorter than 9100ms", "invalid_value")
    assert matched(faults, body) == "e2"


def test_a_length_whose_number_is_nobody_s_is_about_the_oldest_truncate() -> None:
    faults = remembering(cancel("e0", "r1"), truncate("e1", "A", 9), truncate("e2", "B", 8))
    body = refusal("Audio content of 1ms is already shorter than 7ms", "invalid_value")
    assert matched(faults, body) == "e1"


@pytest.mark.parametrize(
    ("code", "message", "event_id"),
    [
        ("unsupported_content_type", "Only model output audio messages …", "truncate"),
        ("item_truncate_invalid_item_id", "Error truncating item: …", "truncate"),
        ("item_delete_invalid_item_id", "Error deleting item: …", "delete"),
        ("response_cancel_not_active", "Cancellation failed: no active response found", "cancel"),
        ("conversation_already_has_active_response", "Conversation already …", "create"),
        ("input_audio_buffer_commit_empty", "Error committing input audio buffer: …", "commit"),
        (None, "Only model output audio messages can be truncated", "truncate"),
        (None, "Cancellation failed: no active response found", "cancel"),
        (None, "Conversation already has an active response", "create"),
        (None, "Error committing input audio buffer: the buffer is empty.", "commit"),
    ],
)
def test_a_refusal_without_an_id_is_about_the_oldest_event_of_its_kind(
    code: str | None, message: str, event_id: str
) -> None:
    """protocol.md section 6.2; the older dialect says it without a code."""
    faults = remembering(
        truncate("truncate", "A", 1),
        delete("delete", "B"),
        cancel("cancel", "r1"),
        create("create"),
        commit("commit"),
        truncate("truncate later", "C", 1),
        delete("delete later", "D"),
    )
    assert matched(faults, refusal(message, code)) == event_id


def test_a_refusal_that_names_an_item_is_about_the_event_with_that_item() -> None:
    faults = remembering(delete("e1", "A"), delete("e2", "B"))
    body = refusal(
        "Error deleting item: the item with id 'B' does not exist.", "item_delete_invalid_item_id"
    )
    assert matched(faults, body) == "e2"


@pytest.mark.parametrize("code", [None, UNSET, "rate_limit_exceeded"])
def test_a_refusal_about_nothing_we_know_is_nobody_s(code: str | None) -> None:
    faults = remembering(truncate("e1", "A", 1))
    body = events.ErrorBody(message="The server had an error.", code=code)
    assert faults.match(body) is None


def test_what_is_answered_is_no_longer_open() -> None:
    first, second = truncate("e1", "A", 1), delete("e2", "B")
    faults = remembering(first, second)
    faults.forget(first)
    assert list(faults.open) == [second]
    faults.forget(first)
    faults.clear()
    assert list(faults.open) == []


def test_the_oldest_is_found_by_kind_and_by_what_it_is_about() -> None:
    faults = remembering(delete("e1", "A"), delete("e2", "B"))
    oldest = faults.oldest(events.ConversationItemDelete)
    about = faults.oldest(events.ConversationItemDelete, "B")
    assert (oldest and oldest.event_id, about and about.event_id) == ("e1", "e2")
    assert faults.oldest(events.ConversationItemDelete, "C") is None
    assert faults.oldest(events.ResponseCancel) is None


def test_what_is_remembered_is_bounded_and_the_newest_stay() -> None:
    faults = remembering(*(delete(f"e{n}", "A") for n in range(REMEMBERED_LIMIT + 1)))
    assert len(faults.open) == REMEMBERED_LIMIT
    assert faults.open[0].event_id == "e1"


def test_the_second_of_theirs_of_one_kind_is_ours() -> None:
    """The first one taught us."""
    first, second = truncate("e1", "A", 1), truncate("e2", "B", 1)
    faults = remembering(first)
    assert faults.blame_theirs("truncate/shorter", first) == "theirs"
    faults.remember(second)
    assert faults.blame_theirs("truncate/not audio", second) == "theirs"
    assert faults.blame_theirs("truncate/shorter", second) == "ours"


def test_what_was_under_way_when_the_first_refusal_came_is_a_crossing() -> None:
    """Nobody could know of it yet, and nobody is told of it twice."""
    first, second = delete("e1", "A"), delete("e2", "B")
    faults = remembering(first, second)
    assert faults.blame_theirs("delete/unknown", first) == "theirs"
    assert faults.blame_theirs("delete/unknown", second) == "crossing"


@pytest.mark.parametrize(
    ("message", "numbers"),
    [
        ("Audio content of 2650ms is already shorter than 9100ms", Shorter(2_650, 9_100)),
        ("Audio content of 120.00ms is already shorter than 150.50ms", Shorter(120, 150)),
        ("Audio content of 0ms is already shorter than 1ms", Shorter(0, 1)),
        ("Audio content is shorter", None),
        ("", None),
    ],
)
def test_the_numbers_of_a_refused_truncate_are_read(message: str, numbers: Shorter | None) -> None:
    assert shorter(message) == numbers
