"""What the application asks for, and how each ask is answered once."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.notices import Interruption, InterruptionSettled, TurnEnded, TurnStarted


def answered(talk: Talk, ask_id: int) -> commands.Answer:
    """The answer, which must have come."""
    answer = talk.answer(ask_id)
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    "ask",
    [
        asks.Say("Hello."),
        asks.Respond(),
        asks.Interrupt(),
        asks.CancelReply(1),
        asks.Press(),
        asks.Release(),
        asks.Hold(),
        asks.Resume(),
        asks.Mute(True),
        asks.Update(events.Session()),
        asks.SendEvent(events.InputAudioBufferClear()),
    ],
    ids=lambda ask: type(ask).__name__,
)
def test_after_the_end_every_ask_is_answered_with_the_end(ask: asks.Ask) -> None:
    talk = Talk()
    talk.give(inputs.PipeClosed(1000, ""))
    ask_id = talk.ask(ask)
    assert answered(talk, ask_id).kind == "lost"
    assert talk.sent() == []


class TestHold:
    """The reply pauses in the ear; the service is told nothing."""

    def test_a_hold_is_answered_when_it_is_silent(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.heard("A", 700)
        hold = talk.ask(asks.Hold())
        assert talk.answer(hold) is None
        talk.held("A", 705)
        assert answered(talk, hold).error is None
        talk.ask(asks.Resume())
        assert len(talk.done_of(commands.ResumePlayback)) == 1
        assert talk.sent() == []

    def test_where_nothing_sounds_there_is_nothing_to_hold(self) -> None:
        talk = Talk()
        assert answered(talk, talk.ask(asks.Hold())).error is None
        assert talk.done_of(commands.HoldPlayback) == []

    def test_where_nothing_is_held_there_is_nothing_to_resume(self) -> None:
        talk = Talk()
        talk.speaking()
        assert answered(talk, talk.ask(asks.Resume())).error is None
        talk.heard("A", 700)
        talk.ask(asks.Hold())
        talk.ask(asks.Resume())
        talk.ask(asks.Resume())
        assert len(talk.done_of(commands.ResumePlayback)) == 1

    def test_a_stop_ends_the_hold(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.heard("A", 700)
        talk.ask(asks.Hold())
        talk.held("A", 705)
        talk.cut_at(705)
        talk.ask(asks.Resume())
        assert talk.done_of(commands.ResumePlayback) == []

    def test_a_hold_that_the_player_never_answers_does_not_keep_its_asker(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.heard("A", 700)
        hold = talk.ask(asks.Hold())
        talk.pass_ms(200)
        assert talk.answer(hold) is not None


class TestCancelReply:
    """The reply of one ask is given up, and no other."""

    def test_a_reply_that_is_heard_is_interrupted(self) -> None:
        talk = Talk()
        reply = talk.ask(asks.Respond())
        talk.answer_create("r1")
        talk.item("A")
        talk.delta("A", 2_000)
        talk.heard("A", 700)
        talk.sent()
        cancel = talk.ask(asks.CancelReply(reply))
        talk.stopped({"A": 700})
        assert talk.sent() == ["cancel r1", "truncate A/0 700"]
        (record,) = talk.told(Interruption)
        assert record.askers == ("cancel",)
        assert answered(talk, cancel).error is None

    def test_a_reply_that_was_not_asked_for_yet_never_is(self) -> None:
        talk = Talk()
        talk.speaking()
        reply = talk.ask(asks.Respond())
        talk.ask(asks.CancelReply(reply))
        talk.done()
        talk.heard("A", 2_000)
        talk.pass_ms(60_000)
        assert (talk.sent(), talk.stops) == ([], [])
        superseded = [one.ask_ids for one in talk.told(TurnEnded) if one.status == "superseded"]
        assert superseded == [(reply,)]

    def test_a_reply_out_of_band_is_given_up_before_it_was_created(self) -> None:
        talk = Talk()
        reply = talk.ask(asks.Respond(events.ResponseParams(conversation="none")))
        talk.speaking()
        talk.ask(asks.CancelReply(reply))
        assert talk.stops == [], "what is heard is another reply"
        talk.answer_create("r9")
        assert talk.sent() == ["create", "cancel r9"]

    def test_a_reply_that_is_over_cannot_be_given_up(self) -> None:
        talk = Talk()
        reply = talk.ask(asks.Respond())
        talk.answer_create("r1")
        talk.done()
        talk.sent()
        talk.speaking("r2", "B")
        cancel = talk.ask(asks.CancelReply(reply))
        assert answered(talk, cancel).value is None
        assert (talk.sent(), talk.stops) == ([], [])


class TestUpdate:
    """`session.update` is answered by `session.updated`."""

    def test_an_update_is_answered_with_the_effective_session(self) -> None:
        talk = Talk()
        update = talk.ask(asks.Update(events.Session(instructions="Be brief.")))
        assert talk.sent() == ["session.update"]
        assert talk.answer(update) is None
        talk.receive("session.updated", session=talk.session(FALSE_VAD))
        assert isinstance(answered(talk, update).value, events.Session)

    def test_a_refused_update_is_the_asker_s(self) -> None:
        talk = Talk()
        update = talk.ask(asks.Update(events.Session()))
        talk.refuse(
            events.SessionUpdate,
            "Cannot update a conversation's voice if assistant audio is present.",
            "cannot_update_voice",
        )
        answer = answered(talk, update)
        assert (answer.kind, answer.code) == ("refused", "cannot_update_voice")
        assert "voice" in str(answer.error)

    def test_an_update_that_nobody_answers_is_late(self) -> None:
        talk = Talk()
        update = talk.ask(asks.Update(events.Session()))
        talk.pass_ms(15_000)
        assert answered(talk, update).kind == "late"

    def test_two_updates_are_answered_in_their_order(self) -> None:
        talk = Talk()
        first = talk.ask(asks.Update(events.Session()))
        second = talk.ask(asks.Update(events.Session()))
        talk.receive("session.updated", session=talk.session())
        assert (talk.answer(first) is not None, talk.answer(second)) == (True, None)


class TestSendEvent:
    """What the application sends by itself keeps our rules of order."""

    def test_a_create_is_held_while_a_response_is_open(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.ask(asks.SendEvent(events.ResponseCreate()))
        assert talk.sent() == []
        talk.done()
        assert talk.sent() == ["create"]

    def test_a_cancel_where_nothing_is_open_is_refused_before_it_is_sent(self) -> None:
        talk = Talk()
        cancel = talk.ask(asks.SendEvent(events.ResponseCancel()))
        assert answered(talk, cancel).kind == "local"
        assert talk.sent() == []

    def test_a_message_with_an_id_is_coming_until_it_is_there(self) -> None:
        talk = Talk()
        item = events.MessageItem(id="mine", role="user", content=(events.InputText(text="Hi."),))
        talk.ask(asks.SendEvent(events.ConversationItemCreate(item=item)))
        assert talk.mirrored("mine").state == "coming"
        talk.user_item("mine", None, "Hi.")
        assert talk.mirrored("mine").state == "there"

    def test_a_refused_message_is_not_coming(self) -> None:
        talk = Talk()
        item = events.MessageItem(id="mine", role="user", content=())
        talk.ask(asks.SendEvent(events.ConversationItemCreate(item=item)))
        talk.refuse(
            events.ConversationItemCreate,
            "Error adding item: an item with id 'mine' already exists.",
            "item_create_duplicate_item_id",
        )
        assert talk.mirror == []

    def test_an_id_that_the_application_gave_is_kept(self) -> None:
        talk = Talk()
        talk.ask(asks.SendEvent(events.ConversationItemRetrieve(event_id="mine", item_id="A")))
        (retrieve,) = talk.events_sent(events.ConversationItemRetrieve)
        assert retrieve.event_id == "mine"

    def test_an_event_without_an_id_is_given_one(self) -> None:
        """So that its refusal can be told from others."""
        talk = Talk()
        talk.ask(asks.SendEvent(events.ConversationItemRetrieve(item_id="A")))
        talk.ask(asks.SendEvent(events.ConversationItemRetrieve(item_id="A")))
        first, second = talk.events_sent(events.ConversationItemRetrieve)
        assert first.event_id
        assert first.event_id != second.event_id


class TestSay:
    """The user typed."""

    def test_it_is_answered_with_the_id_of_the_message(self) -> None:
        talk = Talk()
        say = talk.ask(asks.Say("Hello."))
        (create,) = talk.events_sent(events.ConversationItemCreate)
        assert answered(talk, say).value == create.item.id
        assert len(str(create.item.id)) <= 32, "the service takes no longer one"

    def test_ids_of_two_sessions_differ_by_their_seed(self) -> None:
        ids = []
        for seed in ("one", "two"):
            talk = Talk(id_seed=seed)
            ids.append(answered(talk, talk.ask(asks.Say("Hello."))).value)
        assert ids[0] != ids[1]


class TestMute:
    """The microphone is muted at the recorder, so that the service's clock goes on."""

    @pytest.mark.parametrize("muted", [True, False])
    def test_the_recorder_is_told(self, muted: bool) -> None:
        talk = Talk()
        assert answered(talk, talk.ask(asks.Mute(muted))).error is None
        assert [one.muted for one in talk.done_of(commands.MuteMicrophone)] == [muted]


class TestLeave:
    """Stop, settle, close."""

    def test_what_is_heard_is_settled_before_the_pipe_closes(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.heard("A", 700)
        leave = talk.ask(asks.Leave())
        talk.stopped({"A": 700})
        talk.cancelled(reason="client_cancelled")
        assert talk.done_of(commands.Close) == []
        talk.truncated("A", 700)
        assert talk.sent() == ["cancel r1", "truncate A/0 700"]
        assert len(talk.done_of(commands.Close)) == 1
        assert answered(talk, leave).error is None
        (settled,) = talk.told(InterruptionSettled)
        assert settled.askers == ("leave",)

    def test_where_nothing_is_open_the_pipe_closes_at_once(self) -> None:
        talk = Talk()
        talk.ask(asks.Leave())
        assert len(talk.done_of(commands.Close)) == 1

    def test_a_server_that_answers_nothing_keeps_nobody(self) -> None:
        talk = Talk()
        talk.speaking()
        leave = talk.ask(asks.Leave())
        talk.pass_ms(3_000)
        assert len(talk.done_of(commands.Close)) == 1
        assert answered(talk, leave).error is None

    def test_after_the_close_no_sound_is_sent(self) -> None:
        talk = Talk()
        talk.ask(asks.Leave())
        talk.capture(20)
        assert talk.sent() == []

    def test_leaving_twice_closes_once(self) -> None:
        talk = Talk()
        first, second = talk.ask(asks.Leave()), talk.ask(asks.Leave())
        talk.give(inputs.PipeClosed(1000, ""))
        assert len(talk.done_of(commands.Close)) == 1
        assert {answered(talk, first).error, answered(talk, second).error} == {None}


def test_a_turn_names_the_asks_that_it_answers() -> None:
    talk = Talk()
    ask = talk.ask(asks.Say("Hello."))
    talk.answer_create("r1")
    talk.done()
    assert [one.ask_ids for one in talk.told(TurnStarted)] == [(ask,)]
    assert [one.ask_ids for one in talk.told(TurnEnded)] == [(ask,)]
