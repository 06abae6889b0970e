"""The only entrance and the only exit."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core import asks, commands, inputs
from bargein.core.machine import Machine
from bargein.core.notices import (
    Connected,
    Dropped,
    Fault,
    InterruptionSettled,
    Lost,
    Transcript,
    TurnEnded,
)
from bargein.core.settings import Settings
from bargein.units import AudioFormat


def test_time_never_goes_back() -> None:
    machine = Machine(Settings())
    machine.handle(inputs.PipeOpened(), now_us=10)
    with pytest.raises(AssertionError, match="time never goes back"):
        machine.handle(inputs.Tick(), now_us=9)


def test_what_was_returned_is_not_changed_by_the_next_input() -> None:
    machine = Machine(Settings())
    first = machine.handle(inputs.PipeOpened(), now_us=0)
    kept = list(first)
    machine.handle(inputs.PipeClosed(), now_us=1)
    assert first == kept


def test_a_tick_too_early_does_nothing() -> None:
    talk = Talk()
    talk.speaking()
    talk.cut_at(700)
    deadline_us = talk.machine.deadline_us
    assert talk.give(inputs.Tick()) == []
    assert talk.machine.deadline_us == deadline_us


def test_a_session_in_which_nothing_is_owed_waits_for_nothing() -> None:
    talk = Talk()
    talk.speaking()
    talk.cut_at(700)
    talk.cancelled()
    talk.agree()
    assert talk.machine.deadline_us is None


def test_a_session_that_begins_behind_its_deadline_is_not_told_as_begun() -> None:
    """It was closed for being late, and the close is under way."""
    talk = Talk(connected=False)
    talk.give(inputs.PipeOpened())
    talk.pass_ms(15_000)
    assert talk.done_of(commands.Close)
    talk.receive("session.created", session=talk.session())
    assert talk.told(Connected) == []


class TestPipeClosed:
    """Rule 14: ids belong to one pipe."""

    def test_what_waits_for_an_answer_ends_as_lost(self) -> None:
        talk = Talk()
        update = talk.ask(asks.Update(events.Session()))
        reply = talk.ask(asks.Respond())
        talk.give(inputs.PipeClosed(1006, "gone"))
        answer = talk.answer(update)
        assert answer is not None
        assert (answer.kind, "1006" in str(answer.error)) == ("lost", True)
        assert [(one.status, one.ask_ids) for one in talk.told(TurnEnded)] == [("lost", (reply,))]
        assert talk.told(Lost) == [Lost(1006, "gone")]
        assert talk.machine.deadline_us is None

    def test_what_arrived_is_still_heard_to_its_end_and_nothing_is_sent_about_it(self) -> None:
        talk = Talk(FALSE_VAD)
        talk.speaking()
        talk.heard("A", 700)
        talk.give(inputs.PipeClosed(1006, ""))
        assert talk.told(TurnEnded) == []
        talk.heard("A", 2_000)
        assert [one.status for one in talk.told(TurnEnded)] == ["lost"]
        assert talk.sent() == []

    def test_a_stop_that_is_unanswered_frees_its_asker(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.heard("A", 700)
        stop = talk.ask(asks.Interrupt())
        talk.give(inputs.PipeClosed(1006, ""))
        assert talk.answer(stop) is not None
        assert [one.exactness for one in talk.told(InterruptionSettled)] == ["lost"]

    def test_no_refusal_is_expected_of_a_pipe_that_is_gone(self) -> None:
        talk = Talk(FALSE_VAD)
        talk.speaking()
        talk.cut_at(700)
        assert len(talk.machine.faults.open) == 2, "the cancel and the truncate"
        talk.give(inputs.PipeClosed(1006, ""))
        assert list(talk.machine.faults.open) == []

    def test_what_waited_for_the_socket_is_gone(self) -> None:
        talk = Talk()
        talk.give(inputs.Blocked())
        talk.capture(20)
        talk.ask(asks.Respond())
        talk.give(inputs.PipeClosed(1006, ""))
        talk.give(inputs.Drained())
        assert talk.sent() == []

    def test_it_is_told_once(self) -> None:
        talk = Talk()
        talk.give(inputs.PipeClosed(1000, ""))
        talk.give(inputs.PipeClosed(1000, ""))
        assert len(talk.told(Lost)) == 1


class TestPlayback:
    """What is given to the player, in order and once."""

    def test_parts_are_given_in_order_and_each_is_finished_once(self) -> None:
        talk = Talk()
        talk.speaking(ms=100)
        talk.item("B")
        talk.delta("B", 200)
        assert (talk.played_ms("A"), talk.played_ms("B")) == (100, 0)
        talk.audio_done("A")
        assert talk.played_ms("B") == 200
        talk.done()
        finished = [one.part.item_id for one in talk.done_of(commands.FinishPlay)]
        assert finished == ["A", "B"]

    def test_a_newer_response_waits_for_the_sound_of_the_older_one(self) -> None:
        talk = Talk()
        talk.speaking(ms=100)
        talk.done()
        talk.speaking("r2", "B", 200)
        order = [one.part.item_id for one in talk.done_of(commands.Play)]
        assert order == ["A", "B"]

    def test_what_is_dropped_for_want_of_room_is_told_and_truncated_later(self) -> None:
        """Rule 4 for what nobody could hear: the memory must not keep it."""
        talk = Talk()
        talk.speaking(ms=100)
        talk.item("B")
        for _ in range(30):
            talk.delta("B", 60_000)
        (dropped, *_) = talk.told(Dropped)
        assert dropped.what == "playback"
        talk.done()
        given_ms = talk.played_ms("B")
        talk.heard("A", 100)
        talk.heard("B", given_ms)
        assert talk.sent() == [f"truncate B/0 {given_ms}"]


def test_a_response_that_ends_while_the_ear_is_behind_is_not_forgotten_before_it_was_heard() -> (
    None
):
    talk = Talk()
    talk.speaking(ms=60_000)
    talk.done()
    for ms in range(0, 60_000, 10_000):
        talk.pass_ms(10_000)
        talk.heard("A", ms)
    talk.speech_started()
    talk.stopped({"A": 50_001})
    assert talk.sent() == ["truncate A/0 50001"]


def test_a_device_that_changes_in_mid_reply_is_believed_from_then_on() -> None:
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.give(inputs.DeviceChanged(None, "unplugged"))
    talk.speech_started()
    assert talk.sent() == ["truncate A/0 700"], "a player that cannot tell is not waited for"


def test_sound_that_comes_after_its_part_was_finished_is_dropped_and_truncated() -> None:
    """The player was told that the part is whole; nothing may wait for ever, nor be remembered."""
    talk = Talk()
    talk.speaking(ms=500)
    talk.item_done("A")
    talk.delta("A", 300)
    talk.response_done()
    talk.heard("A", 500)
    assert talk.played_ms("A") == 500
    assert talk.sent() == ["truncate A/0 500"]
    talk.agree()
    assert [one.response_id for one in talk.told(TurnEnded)] == ["r1"]
    assert dict(talk.machine.ledger.items) == {}


def test_before_the_pipe_is_open_nothing_can_be_asked_for() -> None:
    talk = Talk(connected=False)
    assert talk.machine.capabilities == Capabilities()
    answer = talk.answer(talk.ask(asks.Interrupt()))
    assert answer is not None
    assert answer.kind == "lost"


def test_before_the_session_stands_what_was_asked_for_is_in_effect() -> None:
    audio = events.AudioConfig(
        output=events.AudioOutputConfig(format=events.AudioFormatConfig(type="audio/pcmu"))
    )
    wanted = events.Session(audio=audio)
    talk = Talk(connected=False, audio=AudioFormat.PCMU, session=wanted)
    talk.give(inputs.PipeOpened())
    assert talk.machine.effective == wanted
    assert talk.machine.capabilities == Capabilities()
    talk._item_response["A"] = "r1"
    talk.delta("A", 100)
    assert [one.format for one in talk.done_of(commands.Play)] == [AudioFormat.PCMU]


def test_a_device_that_can_count_is_believed_to_the_sample_from_then_on() -> None:
    """A player that cannot tell is taken for done half a second before the end."""
    talk = Talk(player_margin_samples=None)
    talk.give(inputs.DeviceChanged(0, "plugged in"))
    talk.speaking(ms=2_000)
    talk.done()
    talk.heard("A", 1_900)
    assert talk.told(TurnEnded) == []


class TestEnd:
    """What is waited for when the pipe ends, or the application leaves."""

    def test_a_reply_that_was_whole_is_heard_to_its_end_and_ends_as_it_was(self) -> None:
        talk = Talk()
        talk.speaking(ms=500)
        talk.words("A", "Once")
        talk.words("A", " upon")
        talk.done()
        talk.give(inputs.PipeClosed(1006, ""))
        talk.heard("A", 500)
        (turn,) = talk.told(TurnEnded)
        assert (turn.status, turn.text) == ("completed", "Once upon")

    def test_the_words_of_a_reply_that_was_lost_are_final_when_it_was_heard(self) -> None:
        talk = Talk()
        talk.speaking(ms=500)
        talk.words("A", "Once upon")
        talk.give(inputs.PipeClosed(1006, ""))
        talk.heard("A", 500)
        final = [one.text for one in talk.told(Transcript) if one.final]
        assert final == ["Once upon"]

    def test_who_waits_for_a_hold_is_answered(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.heard("A", 100)
        hold = talk.ask(asks.Hold())
        talk.give(inputs.PipeClosed(1006, ""))
        assert talk.answer(hold) == commands.Answer(hold)

    def test_who_leaves_is_answered(self) -> None:
        talk = Talk()
        talk.speaking()
        talk.heard("A", 100)
        leave = talk.ask(asks.Leave())
        assert talk.answer(leave) is None
        talk.give(inputs.PipeClosed(1006, ""))
        assert talk.answer(leave) == commands.Answer(leave)

    def test_what_sounds_is_stopped_before_a_reply_begun_meanwhile_is_told_of(self) -> None:
        """A reply out of band sounds while the session leaves; the service begins another one."""
        talk = Talk()
        talk.response("r1")
        talk.ask(asks.Leave())
        talk.response("r2", conversation_id=None)
        talk.item("B", "r2")
        talk.part("B")
        talk.delta("B", 500)
        before = len(talk.commands)
        talk.response("r3")
        assert talk.played_ms("B") == 500
        assert isinstance(talk.commands[before], commands.StopPlayback)

    def test_a_request_that_was_never_answered_ends_as_lost_in_full(self) -> None:
        talk = Talk()
        ask = talk.ask(asks.Respond())
        talk.give(inputs.PipeClosed(1006, ""))
        assert talk.told(TurnEnded) == [TurnEnded("assistant", "lost", None, None, (ask,))]

    def test_who_leaves_closes_the_pipe_in_order(self) -> None:
        talk = Talk()
        leave = talk.ask(asks.Leave())
        assert talk.answer(leave) == commands.Answer(leave)
        assert talk.done_of(commands.Close) == [commands.Close(1000, "")]
        assert talk.machine.deadline_us is None

    def test_a_session_that_never_began_is_a_fault_of_theirs_and_is_closed_in_order(self) -> None:
        talk = Talk(connected=False)
        talk.give(inputs.PipeOpened())
        talk.pass_ms(15_000)
        (fault,) = talk.told(Fault)
        assert (fault.blame, fault.code, fault.about) == ("theirs", None, None)
        assert [one.code for one in talk.done_of(commands.Close)] == [1000]

    def test_a_create_that_is_never_answered_is_a_fault_of_theirs(self) -> None:
        talk = Talk()
        ask = talk.ask(asks.Respond())
        talk.pass_ms(15_000)
        (fault,) = talk.told(Fault)
        assert (fault.blame, fault.code, fault.about) == ("theirs", None, "response.create")
        assert talk.told(TurnEnded) == [TurnEnded("assistant", "unanswered", None, None, (ask,))]


def test_a_hold_that_was_answered_is_waited_for_no_more() -> None:
    talk = Talk()
    talk.speaking()
    talk.heard("A", 100)
    talk.ask(asks.Hold())
    talk.held("A", 105)
    assert talk.machine.deadline_us is None


def test_a_stop_answers_a_hold_that_the_player_has_not() -> None:
    talk = Talk()
    talk.speaking()
    talk.heard("A", 100)
    hold = talk.ask(asks.Hold())
    talk.speech_started()
    talk.stopped({"A": 105})
    assert talk.answer(hold) == commands.Answer(hold)


def test_what_the_microphone_lost_is_told_once_for_each_stall() -> None:
    talk = Talk(microphone_limit_ms=300)
    for _ in range(2):
        talk.give(inputs.Blocked())
        talk.capture(160)
        talk.capture(160)
        talk.give(inputs.Drained())
        talk.give(inputs.Blocked())
        talk.give(inputs.Drained())
    assert talk.told(Dropped) == [Dropped("microphone", 3_840)] * 2


def test_a_device_that_is_worse_is_believed_to_its_margin_and_no_further() -> None:
    talk = Talk()
    talk.speaking(ms=2_000)
    talk.done()
    talk.give(inputs.DeviceChanged(480, "plugged in"))
    talk.heard("A", 1_979)
    assert talk.told(TurnEnded) == []
    talk.heard("A", 1_980)
    assert len(talk.told(TurnEnded)) == 1
