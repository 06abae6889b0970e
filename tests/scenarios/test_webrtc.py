"""Scenarios 34 to 36 and what follows from them: the service owns the queue of sound."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.scenarios.call import LOUD, SILENT, Call
from tests.scenarios.rig import FALSE_VAD, SERVER_VAD, Talk

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core import asks, commands, inputs
from bargein.core.notices import (
    Connected,
    Interruption,
    InterruptionSettled,
    Lost,
    Transcript,
    TurnEnded,
)


def test_a_stop_cancels_and_clears_and_waits_for_the_word_that_it_is_clear() -> None:
    """Scenario 34."""
    call = Call()
    call.speaks(1_000)
    call.ask(asks.Interrupt())
    assert call.sent() == ["cancel r1", "clear output"]
    call.stopped({"A": 940})
    call.cancelled(reason="client_cancelled")
    assert call.told(InterruptionSettled) == []
    call.cut_by_service("A", 1_060)
    (record,) = call.told(InterruptionSettled)
    assert (record.heard_ms, record.kept_ms, record.left_ms) == (940, 1_060, 1_000)
    assert record.exactness == "exact"
    assert record.commands == ("response.cancel", "output_audio_buffer.clear")
    assert call.sent() == []


def test_the_stop_is_the_first_command_of_all() -> None:
    """Scenario 34: silence does not wait for the service."""
    call = Call()
    call.speaks(1_000)
    call.commands.clear()
    call.ask(asks.Interrupt())
    assert isinstance(call.commands[0], commands.StopPlayback)


def test_when_the_user_speaks_nothing_is_sent_and_the_mirror_follows_the_service() -> None:
    """Scenario 35."""
    call = Call()
    call.speaks(1_000)
    call.sent()
    call.speech_started()
    call.cut_by_service("A", 1_040)
    call.cancelled()
    call.stopped({"A": 960})
    assert call.sent() == []
    (record,) = call.told(InterruptionSettled)
    assert (record.heard_ms, record.kept_ms) == (960, 1_040)
    assert call.mirrored("A").content[0].kept_ms == 1_040
    assert call.mirrored("A").content[0].heard_ms == 960
    assert call.mirrored("A").state == "cut"


def test_speech_cuts_what_still_plays_of_a_response_that_was_done_long_ago() -> None:
    """Scenario 35, as in the public log: `response.done` came while seconds were in the buffer."""
    call = Call()
    call.begins()
    call.done()
    call.sound(4_000)
    call.heard("A", 3_900)
    call.sent()
    call.speech_started()
    call.cut_by_service("A", 4_000)
    call.stopped({"A": 3_900})
    assert call.sent() == []
    assert len(call.stops) == 1
    (record,) = call.told(InterruptionSettled)
    assert (record.heard_ms, record.kept_ms) == (3_900, 4_000)


def test_under_interrupt_response_false_speech_cuts_all_the_same() -> None:
    """Protocol §4.6 f: the service clears the buffer whatever it was told; the cancel is ours."""
    call = Call(FALSE_VAD, barge_in="keep_talking")
    call.speaks(1_000)
    call.sent()
    call.speech_started()
    assert len(call.stops) == 1
    assert call.sent() == ["cancel r1"]


def test_a_data_channel_that_ends_ends_the_session_though_the_media_lives() -> None:
    """Scenario 36: nobody could say any more what may be heard, and nothing more is said."""
    call = Call()
    call.speaks(1_000)
    given = call.played_ms("A")
    call.give(inputs.PipeClosed(None, "the data channel closed"))
    assert call.told(Lost) == [Lost(None, "the data channel closed")]
    call.sound(500)
    call.capture(100)
    assert call.played_ms("A") == given
    assert call.sent() == []
    assert call.machine.deadline_us is None


def test_what_comes_of_a_cut_reply_is_never_played() -> None:
    call = Call()
    call.speaks(1_000)
    call.ask(asks.Interrupt())
    call.sound(200)
    call.buffer("cleared")
    call.sound(200)
    assert call.played_ms("A") == 1_000


@pytest.mark.parametrize("late_ms", [-300, -100, 0, 100, 300])
def test_of_the_next_reply_the_first_word_is_heard_however_late_the_media_is(late_ms: int) -> None:
    """The channels are skewed: each frame comes so much later than the event of its time."""
    call = Call()
    frame = 480
    sent: list[tuple[int, bytes]] = []
    begins, stops = [0, 1_500], [1_000, 2_500]
    for reply, (begin, stop) in enumerate(zip(begins, stops, strict=True)):
        value = (LOUD, b"\x20\x4e")[reply]
        sent += [(begin + at, value) for at in range(0, stop - begin, 20)]

    def clear() -> None:
        call.buffer("cleared", "r1")
        call.truncated("A", 1_000)

    told: dict[int, Callable[[], object]] = {
        0: lambda: call.begins("r1", "A"),
        980: lambda: call.ask(asks.Interrupt()),
        1_000: clear,
        1_500: lambda: call.begins("r2", "B"),
    }
    for now_ms in range(-400, 3_000, 20):
        if (say := told.get(now_ms)) is not None:
            say()
        for at_ms, value in sent:
            if at_ms + late_ms == now_ms:
                call.give(inputs.MediaArrived((at_ms + 10_000) * 24, value * frame))
        call.pass_ms(20)
        if call.stops and not call.told(Interruption):
            call.stopped({})
            call.cancelled("r1", "client_cancelled")
    assert {one[:2] for one in call.played("A")} <= {LOUD}
    assert [one[:2] for one in call.played("B")] == [b"\x20\x4e"] * 50


def test_silence_before_the_first_word_is_not_played() -> None:
    """What was kept for a reply is heard at once, so what is silent of it would only be late."""
    call = Call()
    call.sound(200, SILENT)
    call.sound(40)
    call.begins()
    assert [one[:2] for one in call.played("A")] == [LOUD] * 2


def test_the_next_response_is_asked_for_when_the_last_is_done_and_cleared() -> None:
    call = Call()
    call.speaks(1_000)
    call.ask(asks.Say("No, wait."))
    call.stopped({"A": 1_000})
    assert call.sent() == ["cancel r1", "clear output", "say No, wait."]
    call.cancelled(reason="client_cancelled")
    assert call.sent() == []
    call.cut_by_service("A", 1_020)
    assert call.sent() == ["create"]


def test_a_service_that_does_not_say_cleared_is_waited_for_a_second() -> None:
    call = Call()
    call.speaks(1_000)
    call.ask(asks.Say("No, wait."))
    call.stopped({"A": 1_000})
    call.cancelled(reason="client_cancelled")
    call.sent()
    call.pass_ms(990)
    assert call.sent() == []
    call.pass_ms(20)
    assert call.sent() == ["create"]
    (record,) = call.told(InterruptionSettled)
    assert (record.kept_ms, record.exactness) == (None, "unconfirmed")


def test_a_service_that_does_not_clear_when_the_user_speaks_is_asked_to() -> None:
    call = Call()
    call.speaks(1_000)
    call.speech_started()
    call.stopped({"A": 1_000})
    call.sent()
    call.pass_ms(1_010)
    assert call.sent() == ["clear output"]


def test_a_stop_after_everything_was_heard_sends_nothing() -> None:
    call = Call()
    call.speaks(1_000)
    call.done()
    call.buffer("stopped")
    call.pass_ms(500)
    call.sent()
    call.ask(asks.Interrupt())
    assert call.sent() == []
    assert call.told(Interruption) == []
    assert [turn.status for turn in call.told(TurnEnded)] == ["completed"]


def test_what_had_left_whole_is_kept_whole_though_its_end_was_not_heard() -> None:
    """The last of it is in the card when the user stops it: the service is told nothing."""
    call = Call()
    call.speaks(1_000)
    call.done()
    call.buffer("stopped")
    call.heard("A", 940)
    call.ask(asks.Interrupt())
    call.stopped({"A": 940})
    (record,) = call.told(InterruptionSettled)
    assert (record.heard_ms, record.kept_ms, record.commands) == (940, 1_000, ())


def test_the_end_of_the_buffer_answers_a_clear_that_crossed_it() -> None:
    call = Call()
    call.speaks(1_000)
    call.done()
    call.ask(asks.Interrupt())
    call.stopped({"A": 990})
    assert call.sent() == ["clear output"]
    call.buffer("stopped")
    (record,) = call.told(InterruptionSettled)
    assert record.kept_ms == 1_000


def test_a_response_that_was_cut_before_it_was_born_is_cancelled_and_cleared_once() -> None:
    """Scenario 17 over WebRTC: the cancel may come behind its first frame."""
    call = Call()
    call.ask(asks.Respond())
    call.ask(asks.Interrupt())
    call.sent()
    call.answer_create("r1")
    assert call.sent() == ["cancel r1"]
    call.item("A")
    call.part("A")
    call.buffer("started")
    call.buffer("started")
    assert call.sent() == ["clear output"]
    call.sound(100)
    call.cut_by_service("A", 100)
    call.cancelled(reason="client_cancelled")
    assert call.played("A") == []
    (record,) = call.told(InterruptionSettled)
    assert (record.heard_ms, record.kept_ms) == (0, 100)


def test_of_two_spoken_items_the_counts_are_divided_where_the_service_says() -> None:
    call = Call()
    call.begins()
    call.sound(600)
    call.item_done("A")
    call.item("B", "r1")
    call.part("B")
    call.sound(400)
    call.heard("A", 960)
    call.ask(asks.Interrupt())
    call.stopped({"A": 960})
    call.cancelled(reason="client_cancelled")
    call.cut_by_service("B", 400)
    (record,) = call.told(InterruptionSettled)
    by_item = {part.item_id: (part.heard_ms, part.kept_ms) for part in record.parts}
    assert by_item == {"A": (600, 600), "B": (360, 400)}
    assert (record.heard_ms, record.kept_ms) == (960, 1_000)


def test_a_clear_by_somebody_else_is_a_cut_of_the_services() -> None:
    """Another peer of the call pressed stop."""
    call = Call()
    call.speaks(1_000)
    call.sent()
    call.cut_by_service("A", 1_000)
    assert len(call.stops) == 1
    call.stopped({"A": 980})
    call.cancelled(reason="client_cancelled")
    (record,) = call.told(InterruptionSettled)
    assert (record.askers, record.kept_ms) == (("service",), 1_000)


def test_the_names_of_the_first_weeks_mean_the_same() -> None:
    """The report of February 2025 has `output_audio_buffer.audio_stopped`."""
    call = Call()
    call.response("r1")
    call.item("A")
    call.part("A")
    call.buffer("audio_started")
    call.sound(500)
    call.done()
    call.buffer("audio_stopped")
    call.heard("A", 500)
    call.pass_ms(500)
    assert [turn.status for turn in call.told(TurnEnded)] == ["completed"]


def test_a_reply_ends_when_its_last_sound_was_heard_and_not_when_it_was_made() -> None:
    call = Call()
    call.begins(text="Once upon a time.")
    call.done()
    call.sound(1_000)
    assert call.told(TurnEnded) == []
    assert [one for one in call.told(Transcript) if one.final] == []
    call.buffer("stopped")
    call.heard("A", 1_000)
    call.pass_ms(500)
    assert [turn.status for turn in call.told(TurnEnded)] == ["completed"]
    assert [one.text for one in call.told(Transcript) if one.final] == ["Once upon a time."]


def test_hold_is_refused_where_the_service_goes_on_sending() -> None:
    call = Call()
    call.speaks(1_000)
    ask_id = call.ask(asks.Hold())
    answer = call.answer(ask_id)
    assert answer is not None and answer.kind == "local"


def test_sound_of_the_microphone_does_not_wait_for_the_data_channel() -> None:
    call = Call()
    call.give(inputs.Blocked())
    call.capture(100)
    assert call.sent() == ["sound 100"]


def test_who_joined_a_call_asks_for_the_session_since_nobody_tells_of_it() -> None:
    """Protocol §1.1.6: no `session.created` on a sideband."""
    call = Talk(connected=False)
    call.give(inputs.PipeOpened(Capabilities(playback_owner="server", media="elsewhere")))
    assert len(call.events_sent(events.SessionUpdate)) == 1
    call.receive("session.updated", session=call.session(SERVER_VAD))
    assert len(call.told(Connected)) == 1


def test_who_joined_a_call_takes_the_services_word_for_what_was_heard() -> None:
    call = Call(elsewhere=True)
    call.begins(text="Once upon a time.")
    ask_id = call.ask(asks.Interrupt())
    assert call.stops == []
    assert call.sent()[-2:] == ["cancel r1", "clear output"]
    assert call.answer(ask_id) is None
    call.cancelled(reason="client_cancelled")
    call.cut_by_service("A", 1_200)
    (record,) = call.told(InterruptionSettled)
    assert (record.heard_ms, record.kept_ms, record.exactness) == (1_200, 1_200, "within")
    answer = call.answer(ask_id)
    assert answer is not None and isinstance(answer.value, Interruption)
