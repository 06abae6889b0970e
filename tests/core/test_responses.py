"""Which responses are open, asked for and owed, and when the next may be asked for."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein import events
from bargein.core import asks
from bargein.core.notices import Fault, TurnEnded, TurnStarted
from bargein.core.responses import ATTEMPTS_LIMIT, METADATA_KEY, METADATA_LIMIT

OUT_OF_BAND = asks.Respond(events.ResponseParams(conversation="none"))


def test_a_create_waits_for_response_done() -> None:
    """Rule 7: one response at a time in the default conversation."""
    talk = Talk()
    talk.speaking()
    talk.ask(asks.Respond())
    assert talk.sent() == []
    talk.done()
    assert talk.sent() == ["create"]


def test_of_two_creates_the_second_waits_for_the_end_of_the_first_s_response() -> None:
    talk = Talk()
    talk.ask(asks.Respond())
    talk.ask(asks.Respond(events.ResponseParams(instructions="And then?")))
    assert talk.sent() == ["create"]
    talk.answer_create("r1")
    assert talk.sent() == []
    talk.done()
    assert talk.sent() == ["create"]


def test_a_response_is_recognised_by_the_key_in_its_metadata() -> None:
    """Rule 7: not by order, where two are under way."""
    talk = Talk()
    first = talk.ask(OUT_OF_BAND)
    second = talk.ask(OUT_OF_BAND)
    creates = talk.events_sent(events.ResponseCreate)
    keys = [
        one.response.metadata for one in creates if isinstance(one.response, events.ResponseParams)
    ]
    talk.response("r2", metadata=keys[1], conversation_id=None)
    talk.response("r1", metadata=keys[0], conversation_id=None)
    started = {one.response_id: one.ask_ids for one in talk.told(TurnStarted)}
    assert started == {"r2": (second,), "r1": (first,)}


def test_where_the_service_does_not_echo_metadata_the_order_tells() -> None:
    """Rule 7: "else by order"; other vendors drop it."""
    talk = Talk()
    ask = talk.ask(asks.Respond())
    talk.response("r1", metadata=None)
    assert [(one.response_id, one.ask_ids) for one in talk.told(TurnStarted)] == [("r1", (ask,))]


def test_the_application_s_own_metadata_is_kept_beside_ours() -> None:
    talk = Talk()
    talk.ask(asks.Respond(events.ResponseParams(metadata={"topic": "pizza"})))
    (create,) = talk.events_sent(events.ResponseCreate)
    assert isinstance(create.response, events.ResponseParams)
    metadata = create.response.metadata
    assert isinstance(metadata, dict)
    assert metadata["topic"] == "pizza"
    assert METADATA_KEY in metadata


def test_where_there_is_no_room_for_our_key_none_is_sent() -> None:
    """The service takes 16 pairs at most."""
    talk = Talk()
    full = {f"key_{n}": "x" for n in range(METADATA_LIMIT)}
    talk.ask(asks.Respond(events.ResponseParams(metadata=full)))
    (create,) = talk.events_sent(events.ResponseCreate)
    assert isinstance(create.response, events.ResponseParams)
    assert create.response.metadata == full


def test_responses_out_of_band_wait_for_nobody_and_nobody_waits_for_them() -> None:
    """protocol.md section 4.10."""
    talk = Talk()
    talk.speaking()
    talk.ask(OUT_OF_BAND)
    talk.ask(OUT_OF_BAND)
    assert talk.sent() == ["create", "create"]
    talk.answer_create("r8")
    talk.done("r1")
    talk.ask(asks.Respond())
    assert talk.sent() == ["create"]


def test_turn_detection_does_not_make_an_out_of_band_response_the_answer_of_a_turn() -> None:
    talk = Talk()
    talk.speech_started()
    talk.speech_ended()
    talk.ask(OUT_OF_BAND)
    talk.answer_create("r8")
    talk.pass_ms(5_000)
    assert talk.sent() == ["create", "create"], "the turn is still owed its reply"


def test_a_plain_request_is_answered_by_the_response_that_comes_first() -> None:
    """Rule 13: any later response of the default conversation pays."""
    talk = Talk()
    talk.speech_started()
    talk.speech_ended()
    ask = talk.ask(asks.Respond())
    assert talk.sent() == []
    talk.response("r1")
    talk.done()
    talk.pass_ms(30_000)
    assert talk.sent() == []
    assert talk.told(TurnStarted)[-1].ask_ids == (ask,)


def test_a_request_for_something_particular_is_still_asked_for() -> None:
    talk = Talk()
    talk.speech_started()
    talk.speech_ended()
    talk.ask(asks.Respond(events.ResponseParams(instructions="In Latin.")))
    talk.response("r1")
    assert talk.sent() == []
    talk.done()
    assert talk.sent() == ["create"]


def test_a_create_that_crossed_a_response_of_the_service_s_own_is_no_fault() -> None:
    """Rule 7: the service asked by itself (`idle_timeout_ms`) while our create was under way."""
    talk = Talk()
    ask = talk.ask(asks.Respond())
    talk.receive(
        "input_audio_buffer.timeout_triggered", audio_start_ms=1, audio_end_ms=2, item_id="U1"
    )
    talk.receive("input_audio_buffer.committed", previous_item_id=None, item_id="U1")
    talk.speaking("r9", "Z", 500)
    talk.refuse_as_active("r9")
    assert talk.sent() == ["create"], "none while r9 is open"
    talk.done("r9")
    talk.heard("Z", 500)
    if talk.sent() == ["create"]:
        talk.answer_create("r10")
        talk.done("r10")
    talk.pass_ms(60_000)
    assert talk.told(Fault) == []
    assert [one.ask_ids for one in talk.told(TurnEnded)].count((ask,)) == 1


@pytest.mark.parametrize("by", ["the stop button", "speech"])
@pytest.mark.parametrize("active", [True, False], ids=["as active", "for another reason"])
def test_the_ask_of_a_cut_create_that_is_refused_ends(by: str, active: bool) -> None:
    """Rule 8: the memory ends with its error, and so does the wait of whoever asked."""
    talk = Talk()
    ask = talk.ask(asks.Respond())
    if by == "speech":
        talk.speech_started()
    else:
        talk.ask(asks.Interrupt())
    if active:
        talk.refuse_as_active("r9")
    else:
        talk.refuse(events.ResponseCreate, "Conversation is too long to create a Response.")
    ended = [one for one in talk.told(TurnEnded) if one.role == "assistant"]
    assert [one.ask_ids for one in ended] == [(ask,)]


def test_a_create_refused_for_a_response_we_have_not_seen_waits_for_it() -> None:
    """Rule 7: its `created` is under way, or it never comes."""
    talk = Talk()
    talk.ask(asks.Respond())
    talk.refuse_as_active("r9")
    assert talk.sent() == ["create"]
    talk.pass_ms(4_999)
    assert talk.sent() == []
    talk.pass_ms(1)
    assert talk.sent() == ["create"]


def test_a_create_is_not_asked_for_again_for_ever() -> None:
    talk = Talk()
    ask = talk.ask(asks.Respond())
    for _ in range(ATTEMPTS_LIMIT + 3):
        if talk.sent() == ["create"]:
            talk.refuse_as_active("r_unseen")
        talk.pass_ms(5_000)
    assert len(talk.events_sent(events.ResponseCreate)) == ATTEMPTS_LIMIT
    ended = talk.told(TurnEnded)[-1]
    assert (ended.status, ended.ask_ids) == ("refused", (ask,))


def test_a_create_that_is_refused_for_another_reason_ends_its_ask() -> None:
    talk = Talk()
    ask = talk.ask(asks.Respond())
    talk.refuse(
        events.ResponseCreate,
        "Conversation is too long to create a Response.",
        "conversation_too_long",
    )
    (ended,) = talk.told(TurnEnded)
    assert (ended.status, ended.ask_ids) == ("refused", (ask,))
    talk.pass_ms(60_000)
    assert talk.sent() == ["create"]


def test_a_create_that_nobody_answers_ends_unanswered_after_a_while() -> None:
    talk = Talk()
    ask = talk.ask(asks.Respond())
    talk.pass_ms(14_999)
    assert talk.told(TurnEnded) == []
    talk.pass_ms(1)
    (ended,) = talk.told(TurnEnded)
    assert (ended.status, ended.ask_ids) == ("unanswered", (ask,))
    assert talk.machine.deadline_us is None


def test_a_create_waits_while_the_user_speaks() -> None:
    talk = Talk(FALSE_VAD)
    talk.speech_started()
    talk.ask(asks.Respond())
    assert talk.sent() == []
    talk.speech_ended()
    assert talk.sent() == ["create"]


def test_a_turn_under_create_response_false_is_owed_nothing() -> None:
    """Rule 13: "under `create_response`"."""
    talk = Talk(FALSE_VAD)
    talk.speech_started()
    talk.speech_ended()
    talk.pass_ms(60_000)
    assert talk.sent() == []


def test_a_commit_by_hand_is_owed_nothing() -> None:
    """protocol.md section 4.4: commit never creates a response."""
    talk = Talk()
    talk.ask(asks.SendEvent(events.InputAudioBufferCommit()))
    talk.receive("input_audio_buffer.committed", previous_item_id=None, item_id="U1")
    talk.pass_ms(60_000)
    assert talk.sent() == ["commit"]


@pytest.mark.parametrize("turns", [1, 2, 5])
def test_however_many_turns_wait_one_create_is_owed(turns: int) -> None:
    """Rule 13."""
    talk = Talk()
    for number in range(turns):
        talk.speech_started(f"U{number}")
        talk.speech_ended(f"U{number}")
    talk.pass_ms(5_000)
    talk.answer_create("r1")
    talk.done()
    talk.pass_ms(60_000)
    assert talk.sent() == ["create"]


def test_a_cut_gives_up_what_was_not_asked_for_yet() -> None:
    """Rule 8: a request that waits is a request."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    ask = talk.ask(asks.Respond())
    talk.ask(asks.Interrupt())
    talk.stopped({"A": 700})
    talk.cancelled(reason="client_cancelled")
    talk.pass_ms(60_000)
    assert talk.sent() == ["cancel r1", "truncate A/0 700"]
    superseded = [one.ask_ids for one in talk.told(TurnEnded) if one.status == "superseded"]
    assert superseded == [(ask,)]
