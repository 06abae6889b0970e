"""Scenarios 20 to 26: what the service answers, and the conversation as the client sees it."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import Talk

from bargein import events
from bargein.core import asks
from bargein.core.notices import Fault, InterruptionSettled, Raw, Transcript


def test_an_answer_about_an_older_item_asks_nothing_of_the_one_that_plays() -> None:
    """Scenario 20."""
    talk = Talk()
    talk.speaking()
    talk.cut_at(700)
    talk.cancelled()
    talk.speech_ended()
    talk.speaking("r2", "B", 2_000)
    talk.heard("B", 300)
    talk.sent()
    talk.truncated("A", 700)
    assert talk.sent() == []
    assert len(talk.stops) == 1
    assert talk.mirrored("A").content[0].kept_ms == 700
    assert (talk.mirrored("A").state, talk.mirrored("B").state) == ("cut", "there")


def test_the_text_of_a_cut_reply_ends_at_the_last_word_that_was_heard() -> None:
    """Scenario 21, by the share of the sound: nothing that comes later lengthens it (rule 11)."""
    talk = Talk()
    talk.speaking(ms=2_000)
    talk.words("A", "Once upon a time in a land far away")
    talk.cut_at(900)
    assert talk.mirrored("A").text == "Once upon a"
    talk.words("A", " there was")
    talk.all_words("A", "Once upon a time in a land far away there was a king.")
    talk.cancelled()
    talk.agree()
    assert talk.mirrored("A").text == "Once upon a"
    final = [one for one in talk.told(Transcript) if one.final]
    assert [(one.text, one.cut) for one in final] == [("Once upon a", True)]


@pytest.mark.parametrize("named", [False, True], ids=["without event_id", "with event_id"])
def test_a_truncate_refused_as_longer_settles_where_the_service_ends(named: bool) -> None:
    """Scenario 22: completed, and at least that much was heard."""
    talk = Talk()
    talk.speaking(ms=10_000)
    talk.done()
    talk.cut_at(9_100)
    talk.sent()
    talk.refuse_as_shorter(2_650, named=named)
    talk.pass_ms(10_000)
    assert talk.sent() == []
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.heard_ms, settled.kept_ms) == (9_100, 2_650)
    assert settled.parts[0].answer == "shorter"


@pytest.mark.parametrize("named", [False, True], ids=["without event_id", "with event_id"])
def test_a_truncate_refused_as_longer_is_sent_once_more_where_the_item_is_not_completed(
    named: bool,
) -> None:
    """Scenario 22: the transcript survives a refusal, so the truncate must succeed."""
    talk = Talk()
    talk.speaking(ms=10_000)
    talk.cut_at(9_100)
    talk.cancelled()
    assert talk.sent() == ["truncate A/0 9100"]
    talk.refuse_as_shorter(2_650, named=named)
    assert talk.sent() == ["truncate A/0 2650"]
    talk.truncated("A", 2_650)
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.kept_ms, settled.parts[0].answer) == (2_650, "truncated")


def test_a_truncate_refused_twice_is_let_go() -> None:
    """Rule 12: once more, and not for ever."""
    talk = Talk()
    talk.speaking(ms=10_000)
    talk.cut_at(9_100)
    talk.cancelled()
    talk.refuse_as_shorter(2_650)
    talk.refuse_as_shorter(2_600)
    talk.pass_ms(10_000)
    assert talk.sent() == ["truncate A/0 9100", "truncate A/0 2650"]
    (settled,) = talk.told(InterruptionSettled)
    assert settled.exactness == "unconfirmed"


def test_a_refusal_without_an_id_is_matched_by_its_number() -> None:
    """Rule 12: of two open truncates, the one with that number."""
    talk = Talk()
    talk.speaking(ms=10_000)
    talk.item_done("A", "incomplete")
    talk.item("B")
    talk.delta("B", 5_000)
    talk.heard("A", 10_000)
    talk.speech_started()
    talk.stopped({"A": 10_000, "B": 4_000})
    talk.cancelled()
    assert talk.sent() == ["truncate A/0 10000", "truncate B/0 4000"]
    talk.refuse(None, "Audio content of 3990ms is already shorter than 4000ms", "invalid_value")
    assert talk.sent() == ["truncate B/0 3990"]
    talk.truncated("A", 10_000)
    talk.truncated("B", 3_990)
    (settled,) = talk.told(InterruptionSettled)
    assert [part.kept_ms for part in settled.parts] == [10_000, 3_990]


def test_a_refusal_without_id_or_number_is_the_oldest_open_one() -> None:
    """Rule 12."""
    talk = Talk()
    talk.speaking(ms=1_000)
    talk.item_done("A", "incomplete")
    talk.item("B")
    talk.delta("B", 5_000)
    talk.heard("A", 1_000)
    talk.speech_started()
    talk.stopped({"A": 1_000, "B": 400})
    talk.cancelled()
    talk.refuse(
        None, "Only model output audio messages can be truncated", "unsupported_content_type"
    )
    talk.truncated("B", 400)
    (settled,) = talk.told(InterruptionSettled)
    assert [part.answer for part in settled.parts] == ["unsupported_content_type", "truncated"]


def test_without_an_answer_the_cut_is_unconfirmed_after_two_seconds() -> None:
    """Scenario 23."""
    talk = Talk()
    talk.speaking()
    talk.cut_at(700)
    talk.cancelled()
    talk.pass_ms(1_999)
    assert talk.told(InterruptionSettled) == []
    talk.pass_ms(1)
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.exactness, settled.kept_ms, settled.drift_ms) == ("unconfirmed", None, None)
    assert settled.parts[0].answer == "unconfirmed"


def test_after_an_answer_that_never_came_the_next_cut_is_made_as_ever() -> None:
    """Scenario 23: the session goes on."""
    talk = Talk()
    talk.speaking()
    talk.cut_at(700)
    talk.cancelled()
    talk.pass_ms(10_000)
    talk.speech_ended()
    talk.sent()
    talk.speaking("r2", "B")
    talk.heard("B", 300)
    talk.speech_started("U2")
    talk.stopped({"B": 300})
    assert talk.sent() == ["truncate B/0 300"]


def _unheard_and_deleted(talk: Talk) -> None:
    talk.speaking(ms=800)
    talk.speech_started()
    talk.stopped({"A": 0})
    talk.cancelled()
    assert talk.sent() == ["delete A"]


def _application_deletes(talk: Talk) -> None:
    talk.ask(asks.SendEvent(events.ConversationItemDelete(event_id="app_1", item_id="A")))


@pytest.mark.parametrize("order", ["edit first", "deleted first"])
def test_an_edit_of_the_application_meets_our_delete_and_nothing_is_deleted_again(
    order: str,
) -> None:
    """Scenario 24: the machine deletes once, whatever comes in which order."""
    talk = Talk()
    _unheard_and_deleted(talk)
    if order == "edit first":
        _application_deletes(talk)
        assert talk.sent() == [], "it is going already"
        talk.deleted("A")
    else:
        talk.deleted("A")
        _application_deletes(talk)
    talk.sent()
    talk.refuse(
        events.ConversationItemDelete,
        "Error deleting item: the item with id 'A' does not exist.",
        "item_delete_invalid_item_id",
    )
    talk.pass_ms(10_000)
    assert talk.sent() == []
    assert talk.mirror == []
    (settled,) = talk.told(InterruptionSettled)
    assert settled.kept_ms == 0


@pytest.mark.parametrize("named", [True, False], ids=["wished", "left out"])
def test_an_edit_of_the_conversation_meets_our_delete_and_deletes_nothing_again(
    named: bool,
) -> None:
    """Scenario 24, and the race of the third report: the item is in the mirror until `deleted`."""
    talk = Talk()
    talk.user_item("U", None, "Hello.")
    _unheard_and_deleted(talk)
    assert talk.mirrored("A").state == "going"
    wish = tuple(events.ItemReference(id=item_id) for item_id in ("U", *("A" * named)))
    asked = talk.ask(asks.Edit(wish))
    assert talk.sent() == [], "the difference is computed when the delete is answered"
    talk.deleted("A")
    assert talk.sent() == []
    answer = talk.answer(asked)
    assert answer is not None
    assert [one.why for one in answer.value.differences] == ["gone"] * named
    assert talk.mirror == ["U"]
    assert talk.told(Fault) == []


def test_an_item_that_the_application_has_deleted_is_not_deleted_by_us() -> None:
    """Scenario 24, the other way round; rule 5: what the server does not hold is never named."""
    talk = Talk()
    talk.speaking(ms=800)
    talk.speech_started()
    talk.stopped({"A": 0})
    _application_deletes(talk)
    talk.deleted("A")
    talk.cancelled()
    talk.pass_ms(10_000)
    assert talk.sent() == ["delete A"], "the application's own, passed on"


@pytest.mark.parametrize("heard_ms", [0, 300])
def test_an_item_that_the_application_is_deleting_is_not_named_by_us(heard_ms: int) -> None:
    """Scenario 24, before `deleted`: a second delete, or a truncate, would be refused (P3)."""
    talk = Talk()
    talk.speaking(ms=800)
    _application_deletes(talk)
    talk.cut_at(heard_ms)
    talk.cancelled()
    assert talk.sent() == ["delete A"], "the application's own, passed on"
    talk.deleted("A")
    talk.pass_ms(10_000)
    assert talk.sent() == []
    assert talk.told(InterruptionSettled)[-1].kept_ms == 0


@pytest.mark.parametrize("answered", [True, False])
def test_a_cut_of_what_the_application_has_deleted_is_settled(answered: bool) -> None:
    """The item was in no cut when it was deleted, or when the answer had been waited for."""
    talk = Talk()
    talk.speaking(ms=800)
    _application_deletes(talk)
    if answered:
        talk.deleted("A")
    else:
        talk.pass_ms(2_000)
    talk.cut_at(300)
    talk.cancelled()
    talk.pass_ms(10_000)
    assert talk.sent() == ["delete A"], "the application's own, passed on"
    (settled,) = talk.told(InterruptionSettled)
    assert [part.answer for part in settled.parts] == ["deleted" if answered else "unconfirmed"]


def test_a_delete_of_something_gone_already_is_a_crossing() -> None:
    """Rule 12 for deletes: the item is gone, which is what was wanted."""
    talk = Talk()
    _unheard_and_deleted(talk)
    talk.refuse(
        events.ConversationItemDelete,
        "Error deleting item: the item with id 'A' does not exist.",
        "item_delete_invalid_item_id",
    )
    assert talk.told(Fault) == []
    assert talk.mirror == []
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.kept_ms, settled.exactness) == (0, "exact")


def test_the_order_of_the_conversation_follows_previous_item_id_and_not_the_moment() -> None:
    """Scenario 25."""
    talk = Talk()
    talk.user_item("U1", None)
    talk.response("r1")
    talk.item("A", held=False)
    talk.user_item("U2", "U1")
    talk.receive(
        "conversation.item.added",
        previous_item_id="U1",
        item={"id": "A", "type": "message", "role": "assistant", "content": []},
    )
    talk.receive(
        "conversation.item.input_audio_transcription.completed",
        item_id="U1",
        content_index=0,
        transcript="Hello there.",
    )
    assert talk.mirror == ["U1", "A", "U2"]
    assert talk.mirrored("U1").text == "Hello there."


def test_the_null_that_item_done_carries_moves_nothing() -> None:
    """Scenario 25 and protocol.md section 4.2: `added` alone is trusted."""
    talk = Talk()
    talk.user_item("U1", None)
    talk.speaking()
    talk.item_done("A")
    assert talk.mirror == ["U1", "A"]


def test_an_unknown_event_is_passed_on_and_changes_nothing() -> None:
    """Scenario 26."""
    talk = Talk()
    talk.speaking()
    before = len(talk.commands)
    talk.receive("response.dance.started", response_id="r1", steps=3)
    (raw,) = talk.told(Raw)
    assert raw.event_type == "response.dance.started"
    assert raw.data["steps"] == 3
    assert len(talk.commands) == before + 1


def test_a_field_that_nobody_knows_is_no_obstacle() -> None:
    """Scenario 26."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.receive("input_audio_buffer.speech_started", audio_start_ms=1, item_id="U1", mood={"x": 1})
    talk.stopped({"A": 700})
    assert talk.sent() == ["truncate A/0 700"]


@pytest.mark.parametrize(
    "frame", ["", "null", "[]", "{", '{"type": 3}', '{"type": "response.done"}']
)
def test_what_cannot_be_read_is_passed_on_and_changes_nothing(frame: str) -> None:
    """Scenario 26: a broken frame is the service's trouble, not the session's."""
    from bargein.core import inputs

    talk = Talk()
    talk.speaking()
    talk.give(inputs.Received(events.decode_server(frame)))
    talk.cut_at(700)
    assert talk.sent() == ["truncate A/0 700"]
