"""What follows from the records after every input: ends, floors and what is owed."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.consequences import ENDED_LIMIT
from bargein.core.notices import Dropped, InterruptionSettled, Transcript, TurnEnded


def ended(talk: Talk) -> list[str | None]:
    """The responses whose turn is over for the application."""
    return [one.response_id for one in talk.told(TurnEnded) if one.role == "assistant"]


def written(talk: Talk, response_id: str, item_id: str) -> None:
    """A response in text, whole."""
    talk.response(response_id, conversation_id=None)
    talk.item(item_id, held=False)
    talk.part(item_id, 0, "text")
    talk.text(item_id, "Hello.")
    talk.response_done(response_id)


def test_a_written_reply_ends_beside_one_that_is_still_being_made() -> None:
    talk = Talk()
    talk.speaking()
    written(talk, "r2", "B")
    assert ended(talk) == ["r2"]


def test_a_written_reply_ends_beside_one_that_is_still_being_heard() -> None:
    talk = Talk()
    talk.speaking()
    talk.done()
    talk.heard("A", 700)
    written(talk, "r2", "B")
    assert ended(talk) == ["r2"]


def test_a_written_reply_ends_beside_one_that_is_cut_and_not_settled() -> None:
    talk = Talk()
    talk.speaking()
    talk.cut_at(700)
    talk.cancelled()
    written(talk, "r2", "B")
    assert ended(talk) == ["r1", "r2"]


def test_the_turn_of_a_reply_that_is_being_cut_ends_after_the_stop_is_answered() -> None:
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    talk.cancelled()
    assert ended(talk) == []
    talk.stopped({"A": 700})
    (turn,) = talk.told(TurnEnded)
    assert (turn.response_id, turn.status, turn.cut) == ("r1", "cancelled", True)


def test_the_words_of_each_part_are_final_when_it_was_heard_whoever_else_speaks() -> None:
    """r1 is heard to its end and not over; r2 sounds beside the conversation."""
    talk = Talk()
    talk.speaking(ms=100)
    talk.item("I")
    talk.audio_done("A")
    talk.item_done("A")
    talk.heard("A", 100)
    talk.response("r2", conversation_id=None)
    talk.item("B", held=False)
    talk.words("B", "Psst.")
    talk.delta("B", 100)
    talk.done("r2")
    talk.heard("B", 100)
    final = [(one.item_id, one.text) for one in talk.told(Transcript) if one.final]
    assert final == [("A", ""), ("B", "Psst.")]


def test_the_final_words_of_a_second_part_name_it() -> None:
    talk = Talk()
    talk.speaking(ms=100)
    talk.delta("A", 100, 1)
    talk.words("A", "One.", 0)
    talk.words("A", "Two.", 1)
    talk.audio_done("A", 0)
    talk.audio_done("A", 1)
    talk.item_done("A")
    talk.heard("A", 100, 0)
    talk.heard("A", 100, 1)
    assert [one for one in talk.told(Transcript) if one.final] == [
        Transcript("assistant", "A", "One.", True, 0),
        Transcript("assistant", "A", "Two.", True, 1),
    ]


def test_of_the_responses_that_are_over_the_last_are_known() -> None:
    """What still comes of them is ignored; beyond the limit it begins a response anew."""
    talk = Talk()
    count = ENDED_LIMIT + 1
    for number in range(count):
        talk.response(f"r{number}")
        talk.response_done(f"r{number}")
    assert len(ended(talk)) == count
    for number in (1, count - 1):
        talk._item_response["A"] = f"r{number}"
        talk.delta("A", 10)
    assert talk.done_of(commands.Play) == []
    talk._item_response["A"] = "r0"
    talk.delta("A", 10)
    assert len(talk.done_of(commands.Play)) == 1


def test_a_debt_that_waits_for_the_socket_is_paid_by_the_service_s_own_response() -> None:
    """Rule 13: any later response of the conversation pays it."""
    talk = Talk()
    talk.speech_started()
    talk.speech_ended()
    talk.give(inputs.Blocked())
    talk.pass_ms(5_000)
    talk.response("r1")
    talk.response_done()
    talk.give(inputs.Drained())
    assert talk.sent() == []


def test_nobody_has_the_floor_before_the_first_sound_is_heard_or_after_the_cut() -> None:
    talk = Talk(FALSE_VAD)
    talk.speaking()
    assert talk.floor == "nobody"
    talk.heard("A", 10)
    assert talk.floor == "assistant"
    talk.ask(asks.Interrupt())
    assert talk.floor == "nobody"
    talk.stopped({"A": 10})
    assert talk.floor == "nobody"


def test_what_is_dropped_for_want_of_room_is_told_once_for_each_part() -> None:
    talk = Talk()
    talk.speaking(ms=100)
    for item_id in ("B", "C"):
        talk.item(item_id)
        for _ in range(24):
            talk.delta(item_id, 60_000)
    told = talk.told(Dropped)
    assert [one.what for one in told] == ["playback"] * 2
    assert [one.count for one in told] == [1_440_000, 1_440_000]


def test_a_response_that_is_over_without_the_ends_of_its_items_ends_when_it_was_heard() -> None:
    """Other vendors leave events out (protocol.md section 8)."""
    talk = Talk()
    talk.speaking(ms=100)
    talk.receive("response.done", response={"id": "r1", "status": "completed", "output": []})
    assert [one.part.item_id for one in talk.done_of(commands.FinishPlay)] == ["A"]
    talk.response("r2", conversation_id=None)
    talk.item("B", held=False)
    talk.delta("B", 100)
    talk.heard("A", 100)
    assert [one.part.item_id for one in talk.done_of(commands.FinishPlay)] == ["A"]


class TestTime:
    """What is done when a wait comes to its end."""

    def test_a_cut_response_that_the_service_never_ends_is_cancelled_for_the_application(
        self,
    ) -> None:
        talk = Talk(FALSE_VAD)
        talk.speaking()
        talk.cut_at(700)
        talk.agree()
        talk.pass_ms(5_000)
        (turn,) = talk.told(TurnEnded)
        assert (turn.response_id, turn.status, turn.cut) == ("r1", "cancelled", True)
        assert [one.kept_ms for one in talk.told(InterruptionSettled)] == [700]

    def test_a_second_truncate_that_nobody_answers_leaves_its_cut_unconfirmed(self) -> None:
        """The cut was settled, and its items forgotten, before the player knew better."""
        talk = Talk()
        talk.speaking()
        talk.cut_at(700)
        talk.cancelled()
        talk.agree()
        talk.stopped({"A": 600})
        talk.pass_ms(2_000)
        exactness = [one.exactness for one in talk.told(InterruptionSettled)]
        assert exactness == ["exact", "unconfirmed"]

    @pytest.mark.parametrize("count", [520])
    def test_the_waits_of_what_was_forgotten_for_want_of_room_end_without_a_word(
        self, count: int
    ) -> None:
        talk = Talk()
        for number in range(count):
            item = events.MessageItem(id=f"U{number}", role="user", content=())
            talk.ask(asks.SendEvent(events.ConversationItemCreate(item=item)))
        told = len(talk.notices)
        talk.pass_ms(15_000)
        assert len(talk.notices) == told
        assert talk.machine.deadline_us is None
