"""What the application sends by itself, and what becomes of items that it touches."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.notices import Interruption, InterruptionSettled, TurnEnded, TurnStarted


def send(talk: Talk, event: Any) -> commands.Answer | None:
    """The application sends it; returns the answer, if it came at once."""
    return talk.answer(talk.ask(asks.SendEvent(event)))


def test_a_create_of_its_own_keeps_what_it_asks_for() -> None:
    talk = Talk()
    params = events.ResponseParams(instructions="Be brief.")
    answer = send(talk, events.ResponseCreate(response=params))
    (sent,) = talk.events_sent(events.ResponseCreate)
    assert isinstance(sent.response, events.ResponseParams)
    assert sent.response.instructions == "Be brief."
    assert answer is not None
    assert sent.response.metadata == {"bargein": answer.value}


def test_sound_of_its_own_goes_out_as_it_is() -> None:
    talk = Talk()
    assert send(talk, events.InputAudioBufferAppend(audio=b"1234")) is not None
    assert talk.done_of(commands.SendAudio) == [commands.SendAudio(b"1234")]


def test_an_update_of_its_own_is_answered_with_the_session_in_effect() -> None:
    talk = Talk()
    session = events.Session(instructions="Be brief.")
    ask = talk.ask(asks.SendEvent(events.SessionUpdate(session=session)))
    assert talk.events_sent(events.SessionUpdate)[-1].session == session
    talk.receive("session.updated", session=talk.session())
    answer = talk.answer(ask)
    assert answer is not None
    assert answer.value == talk.machine.effective


@pytest.mark.parametrize("item_id", ["U", None])
@pytest.mark.parametrize("event_id", ["mine", None])
def test_an_item_of_its_own_keeps_its_id_and_that_of_its_event(
    item_id: str | None, event_id: str | None
) -> None:
    talk = Talk()
    item: Any = events.MessageItem(role="user", content=())
    if item_id is not None:
        item = events.MessageItem(id=item_id, role="user", content=())
    send(talk, events.ConversationItemCreate(event_id=event_id, item=item))
    (sent,) = talk.events_sent(events.ConversationItemCreate)
    assert sent.item == item
    assert (sent.event_id == "mine") is (event_id == "mine")
    assert isinstance(sent.event_id, str)


def test_an_item_of_a_kind_that_nobody_knows_is_passed_on() -> None:
    talk = Talk()
    frame = '{"type": "conversation.item.create", "item": {"type": "of_tomorrow"}}'
    assert send(talk, events.decode_client(frame)) is not None
    assert talk.sent() == ["conversation.item.create"]


def test_a_cancel_that_names_a_response_out_of_band_cancels_it_alone() -> None:
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.response("r2", conversation_id=None)
    answer = send(talk, events.ResponseCancel(response_id="r2"))
    assert talk.sent() == ["cancel r2"]
    assert answer is not None
    assert answer.error is None
    assert talk.stops == []


@pytest.mark.parametrize("response_id", [None, "r1"])
def test_a_cancel_of_what_is_heard_is_an_interruption(response_id: str | None) -> None:
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.heard("A", 700)
    event = events.ResponseCancel()
    if response_id is not None:
        event = events.ResponseCancel(response_id=response_id)
    ask = talk.ask(asks.SendEvent(event))
    talk.stopped({"A": 700})
    (record,) = talk.told(Interruption)
    assert record.askers == ("interrupt",)
    answer = talk.answer(ask)
    assert answer is not None
    assert answer.value == record


def test_a_cancel_where_nothing_is_open_is_refused_before_it_is_sent() -> None:
    talk = Talk(FALSE_VAD)
    talk.response("r2", conversation_id=None)
    talk.response_done("r2")
    answer = send(talk, events.ResponseCancel(response_id="r2"))
    assert answer is not None
    assert answer.kind == "local"
    assert talk.sent() == []


def test_giving_up_a_reply_out_of_band_leaves_the_others_alone() -> None:
    talk = Talk(FALSE_VAD)
    aside = events.ResponseParams(conversation="none")
    first, second = talk.ask(asks.Respond(aside)), talk.ask(asks.Respond())
    for _ in range(2):
        assert talk.answer(talk.ask(asks.CancelReply(second))) is not None
    talk.answer_create("r1")
    assert talk.sent() == ["create", "create"]
    for _ in range(2):
        assert talk.answer(talk.ask(asks.CancelReply(first))) is not None
    assert talk.sent() == ["cancel r1"]


def test_giving_up_a_reply_leaves_another_that_was_asked_for_wanted() -> None:
    talk = Talk()
    first, second = talk.ask(asks.Respond()), talk.ask(asks.Respond())
    talk.ask(asks.CancelReply(first))
    talk.answer_create("r1")
    talk.cancelled("r1", "client_cancelled")
    talk.answer_create("r2")
    assert talk.sent() == ["create", "cancel r1", "create"]
    talk.item("B")
    talk.delta("B", 100)
    assert talk.played_ms("B") == 100
    started = [(one.response_id, one.ask_ids) for one in talk.told(TurnStarted)]
    assert started == [("r1", (first,)), ("r2", (second,))]


def test_a_request_that_waits_and_is_given_up_is_answered_and_superseded() -> None:
    talk = Talk()
    talk.speaking()
    reply = talk.ask(asks.Respond())
    assert talk.answer(talk.ask(asks.CancelReply(reply))) is not None
    assert talk.told(TurnEnded) == [TurnEnded("assistant", "superseded", None, None, (reply,))]


def test_a_message_is_not_answered_by_a_response_that_began_before_it_was_added() -> None:
    """Rule 13: what the service says of a turn before it has the message is no answer to it."""
    talk = Talk(
        {**FALSE_VAD, "create_response": True},
        barge_in="keep_talking",
    )
    talk.speaking()
    talk.heard("A", 100)
    talk.ask(asks.Say("Hello."))
    talk.stopped({"A": 100})
    talk.speech_started()
    talk.speech_ended()
    talk.cancelled("r1", "client_cancelled")
    talk.agree()
    talk.sent()
    talk.response("r2")
    talk.response_done("r2")
    assert talk.sent() == ["create"]


class TestPushToTalk:
    """What a press and a release tell."""

    def test_a_press_is_an_asker_of_the_cut(self) -> None:
        talk = Talk(None)
        talk.speaking()
        talk.heard("A", 700)
        talk.ask(asks.Press())
        talk.stopped({"A": 700})
        (record,) = talk.told(Interruption)
        assert record.askers == ("push_to_talk",)

    def test_too_short_a_press_ends_as_superseded(self) -> None:
        talk = Talk(None)
        talk.ask(asks.Press())
        talk.capture(99)
        release = talk.ask(asks.Release())
        assert talk.told(TurnEnded) == [TurnEnded("user", "superseded")]
        assert talk.answer(release) == commands.Answer(release, False)

    def test_a_release_before_the_stop_is_answered_is_answered_behind_it(self) -> None:
        talk = Talk(None)
        talk.speaking()
        talk.heard("A", 700)
        talk.ask(asks.Press())
        talk.capture(120)
        release = talk.ask(asks.Release())
        assert talk.answer(release) is None
        talk.stopped({"A": 700})
        assert talk.answer(release) == commands.Answer(release, True)
        assert talk.told(TurnEnded)[-1] == TurnEnded("user")

    def test_what_was_said_is_answered_by_any_response_that_begins_after_it(self) -> None:
        talk = Talk(None)
        talk.speaking()
        talk.heard("A", 700)
        talk.ask(asks.Press())
        talk.stopped({"A": 700})
        talk.capture(120)
        talk.ask(asks.Release())
        talk.response("r2")
        talk.cancelled("r1", "client_cancelled")
        talk.agree()
        talk.response_done("r2")
        assert "create" not in talk.sent()


class TestItems:
    """What the service says about items."""

    def test_an_item_that_was_retrieved_is_shown_as_it_is(self) -> None:
        talk = Talk()
        talk.user_item("U", None)
        talk.user_item("V", "U")
        for item_id in ("U", "V"):
            send(talk, events.ConversationItemRetrieve(item_id=item_id))
        content = [{"type": "input_audio", "transcript": "Hello."}]
        item = {"id": "V", "type": "message", "role": "user", "content": content}
        talk.receive("conversation.item.retrieved", item=item)
        assert talk.mirrored("V").text == "Hello."
        assert [sent.key for sent in talk.machine.faults.open] == ["U"]
        other = {"id": "Z", "type": "message", "role": "user", "content": content}
        talk.receive("conversation.item.retrieved", item=other)
        assert talk.mirror == ["U", "V"]

    def test_each_message_is_acknowledged_by_its_own_item(self) -> None:
        talk = Talk()
        first = talk.answer(talk.ask(asks.Say("One.", reply=False)))
        second = talk.answer(talk.ask(asks.Say("Two.", reply=False)))
        assert first is not None
        assert second is not None
        assert str(first.value).startswith("item_"), "an id that says what it is of"
        talk.user_item(second.value, None, "Two.")
        assert [sent.key for sent in talk.machine.faults.open] == [first.value]

    def test_the_conversation_s_word_alone_ends_an_item(self) -> None:
        """`response.output_item.done` may be missing (protocol.md section 8)."""
        talk = Talk()
        talk.speaking()
        talk.cut_at(0)
        assert talk.sent() == []
        body = {"id": "A", "type": "message", "role": "assistant", "status": "incomplete"}
        talk.receive("conversation.item.done", previous_item_id=None, item=body | {"content": []})
        assert talk.sent() == ["delete A"]
        assert talk.mirrored("A").status == "incomplete"

    def test_a_truncate_of_the_application_s_own_settles_nothing_of_a_cut(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.cut_at(700)
        talk.cancelled()
        event = events.ConversationItemTruncate(item_id="A", content_index=0, audio_end_ms=300)
        send(talk, event)
        talk.truncated("A", 300)
        assert talk.told(InterruptionSettled) == []
        talk.truncated("A", 700)
        assert [one.kept_ms for one in talk.told(InterruptionSettled)] == [700]

    def test_each_delete_is_acknowledged_by_its_own_item(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.item("B")
        talk.delta("B", 500)
        talk.cut_at(0)
        talk.cancelled()
        assert talk.sent() == ["delete A", "delete B"]
        talk.deleted("B")
        assert [sent.key for sent in talk.machine.faults.open] == ["A"]
        talk.deleted("A")
        assert talk.machine.deadline_us is None

    def test_a_delete_of_the_application_s_own_is_going_until_it_is_refused(self) -> None:
        talk = Talk()
        talk.speaking()
        send(talk, events.ConversationItemDelete(item_id="A"))
        assert talk.mirrored("A").state == "going"
        talk.refuse(events.ConversationItemDelete, "No.", "invalid_value")
        assert talk.mirrored("A").state == "there"
        talk.sent()
        talk.cut_at(700)
        assert talk.sent() == ["truncate A/0 700"]


def test_a_response_that_is_created_twice_begins_once() -> None:
    talk = Talk()
    talk.response("r1")
    talk.response("r1")
    assert len(talk.told(TurnStarted)) == 1


def test_a_create_that_was_answered_is_waited_for_no_more() -> None:
    talk = Talk()
    talk.ask(asks.Respond(events.ResponseParams(conversation="none")))
    talk.ask(asks.Respond())
    talk.answer_create("r1")
    assert len(talk.machine.faults.open) == 1
    talk.answer_create("r2")
    assert list(talk.machine.faults.open) == []
    assert talk.machine.deadline_us is None


def test_a_cancel_that_was_answered_is_waited_for_no_more() -> None:
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.cut_at(700)
    talk.cancelled("r1", "client_cancelled")
    talk.agree()
    assert all(sent.overdue for sent in talk.machine.faults.open)
    assert talk.machine.deadline_us is None


def test_a_cancel_that_was_taken_back_is_not_waited_for() -> None:
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.heard("A", 700)
    talk.give(inputs.Blocked())
    talk.ask(asks.Interrupt())
    talk.stopped({"A": 700})
    talk.done()
    kinds = [events.type_of(sent.event) for sent in talk.machine.faults.open]
    assert kinds == ["conversation.item.truncate"]


def test_each_cancel_that_waits_is_taken_back_with_its_own_response() -> None:
    talk = Talk(FALSE_VAD)
    talk.response("r1", conversation_id=None)
    talk.response("r2", conversation_id=None)
    talk.give(inputs.Blocked())
    for response_id in ("r1", "r2"):
        send(talk, events.ResponseCancel(response_id=response_id))
    talk.response_done("r2")
    assert [sent.key for sent in talk.machine.faults.open] == ["r1"]
    talk.give(inputs.Drained())
    assert talk.sent() == ["cancel r1"]


def test_after_a_response_whose_beginning_was_never_seen_the_next_may_be_asked_for() -> None:
    talk = Talk()
    talk._item_response["A"] = "r1"
    talk.delta("A", 100)
    talk.receive("response.done", response={"id": "r1", "status": "completed", "output": []})
    talk.ask(asks.Respond())
    assert talk.sent() == ["create"]


def test_a_request_out_of_band_is_not_given_up_with_the_others() -> None:
    """Nobody waits for it, so a stop button does not mean it."""
    talk = Talk(FALSE_VAD)
    talk.ask(asks.Respond(events.ResponseParams(conversation="none")))
    first = talk.answer(talk.ask(asks.Interrupt()))
    assert first is not None
    assert first.value is None, "nothing was cut"
    talk.ask(asks.Respond())
    talk.ask(asks.Interrupt())
    talk.answer_create("r1")
    talk.answer_create("r2")
    assert talk.sent() == ["create", "create", "cancel r2"]


def test_a_request_that_only_waits_for_the_socket_is_given_up_by_an_interruption() -> None:
    talk = Talk()
    talk.give(inputs.Blocked())
    reply = talk.ask(asks.Respond())
    talk.ask(asks.Interrupt())
    assert talk.told(TurnEnded) == [TurnEnded("assistant", "superseded", None, None, (reply,))]
    talk.give(inputs.Drained())
    assert talk.sent() == []


def test_a_request_that_was_given_up_is_not_given_up_twice() -> None:
    talk = Talk()
    talk.ask(asks.Respond())
    answers = [talk.answer(talk.ask(asks.Interrupt())) for _ in range(2)]
    (record,) = talk.told(Interruption)
    assert [answer.value for answer in answers if answer] == [record] * 2


def test_all_waits_that_come_due_while_the_socket_takes_nothing_go_on() -> None:
    talk = Talk()
    talk.give(inputs.Blocked())
    for text in ("One.", "Two."):
        talk.ask(asks.Say(text, reply=False))
    talk.pass_ms(15_000)
    assert talk.machine.deadline_us == talk.now_us + 15_000_000
    assert len(talk.machine.faults.open) == 2
