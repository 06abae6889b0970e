"""Each command is legal where it lands; the microphone, the calls and what waits."""

from __future__ import annotations

import pytest
from tests.sim.invariants.telling import CUT, answered, details, interrupted, playing
from tests.sim.tale import MS, PART, Tale, begun, created, session_updated, truncate

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.sim.options import Options

SOUND = events.InputAudioBufferAppend(audio=bytes(2 * MS * 100))
CALL = events.FunctionCallItem(
    id="item_c", status="completed", name="weather", call_id="call_1", arguments="{}"
)
OUTPUT = events.ConversationItemCreate(
    item=events.FunctionCallOutputItem(call_id="call_1", output="rain")
)


def test_what_was_stopped_or_finished_gets_no_more_sound() -> None:
    tale = playing()
    tale.write("command", commands.FinishPlay(PART))
    interrupted(tale)
    answered(tale, 700)
    tale.played(10)

    assert details(tale.judged(), "I8") == [
        "item_1[0] is played after it was finished",
        "item_1[0] is played after the stop cut_1",
    ]


def test_the_id_of_a_stop_is_used_once() -> None:
    tale = playing()
    interrupted(tale)
    answered(tale, 700)
    tale.write("command", commands.StopPlayback(CUT))

    assert details(tale.judged(), "I8") == ["the id cut_1 is used for a second stop"]


@pytest.mark.parametrize("held", [True, False])
def test_the_player_resumes_what_was_held(held: bool) -> None:
    tale = playing()
    if held:
        tale.write("command", commands.HoldPlayback("hold_1"))
    tale.write("command", commands.ResumePlayback())

    assert len(details(tale.judged(), "I8")) == (0 if held else 1)


def test_nothing_is_sent_before_the_pipe_is_open_or_after_it_is_closed() -> None:
    early, late = Tale(), begun()
    early.client(events.ResponseCreate())
    late.write("command", commands.Close())
    late.client(events.ResponseCreate())
    late.played(10)

    sent = "response.create is sent on a pipe that is not open"
    assert details(early.judged(), "I8") == [sent]
    assert details(late.judged(), "I8") == [sent, "Play comes after the close"]


def test_no_sound_is_sent_before_the_session_is_configured() -> None:
    tale = Tale()
    tale.write("input", inputs.PipeOpened())
    tale.client(SOUND)

    assert details(tale.judged(), "I8") == ["sound is sent before the session is configured"]


def test_after_the_end_only_what_was_heard_is_told() -> None:
    tale = begun()
    for notice in (
        notices.Lost(None, ""),
        notices.FloorChanged("nobody"),
        notices.TurnStarted("user"),
    ):
        tale.write("command", commands.Notify(notice))

    assert details(tale.judged(), "I8") == ["TurnStarted is told after the end of the session"]


def _pressed(*, pre_roll_ms: int = 0) -> Tale:
    tale = begun(Options(turns="manual", pre_roll_ms=pre_roll_ms))
    tale.write("command", commands.Notify(notices.Connected(events.Session())))
    tale.write("input", inputs.Captured(SOUND.audio))
    tale.write("input", inputs.Asked(1, asks.Press()))
    tale.write("command", commands.Answer(1))
    return tale


def test_what_is_said_between_press_and_release_is_sent_behind_a_clear() -> None:
    tale = _pressed()
    tale.client(events.InputAudioBufferClear())
    tale.write("input", inputs.Captured(SOUND.audio))
    tale.client(SOUND)
    tale.write("input", inputs.Asked(2, asks.Release()))
    tale.client(events.InputAudioBufferCommit())
    assert details(tale.judged(), "push-to-talk") == []

    tale.write("input", inputs.Captured(SOUND.audio))
    tale.client(SOUND)
    assert details(tale.judged(), "push-to-talk") == ["200.00 ms are sent, and 100.00 ms were said"]


def test_the_pre_roll_is_said_too() -> None:
    for pre_roll_ms, broken in ((100, 0), (0, 1)):
        tale = _pressed(pre_roll_ms=pre_roll_ms)
        tale.client(events.InputAudioBufferClear())
        tale.client(SOUND)
        assert len(details(tale.judged(), "push-to-talk")) == broken


def test_a_turn_without_its_clear_or_with_a_gap_is_found_out() -> None:
    unclear, short = _pressed(), _pressed()
    for tale in (unclear, short):
        tale.write("input", inputs.Captured(SOUND.audio))
    unclear.client(SOUND)
    short.client(events.InputAudioBufferClear())
    short.client(events.InputAudioBufferCommit())

    assert details(unclear.judged(), "push-to-talk") == [
        "sound is sent and the buffer was not cleared since the press"
    ]
    assert details(short.judged(), "push-to-talk") == [
        "0.00 ms are committed, and 100.00 ms were said"
    ]


def _called(times: int, *, status: str = "completed") -> Tale:
    tale = begun()
    tale.told(created())
    item = events.FunctionCallItem(
        id="item_c", status=status, name="weather", call_id="call_1", arguments="{}"
    )
    tale.told(
        events.ResponseOutputItemDone(event_id="e", response_id="resp_1", output_index=0, item=item)
    )
    for _ in range(times):
        told = notices.ToolCalled("call_1", "weather", "{}", "item_c", "resp_1")
        tale.write("command", commands.Notify(told))
    return tale


def test_a_completed_call_is_told_once_and_an_incomplete_one_never() -> None:
    assert details(_called(1).judged(), "I7") == []
    assert details(_called(0).judged(), "I7") == ["the call call_1 was completed and is not told"]
    assert details(_called(2).judged(), "I7") == ["the call call_1 is told 2 times"]
    assert details(_called(0, status="incomplete").judged(), "I7") == []
    assert details(_called(1, status="incomplete").judged(), "I7") == [
        "the call call_1 is told and was never completed"
    ]


def test_an_output_is_sent_as_often_as_it_is_given() -> None:
    for sent, expected in (
        (0, ["the output of call_1 was given and not sent"]),
        (1, ["the output of call_1 is kept 0 times, given 1"]),
    ):
        tale = _called(1)
        tale.write("input", inputs.Asked(1, asks.SendEvent(OUTPUT)))
        for _ in range(sent):
            tale.client(OUTPUT)
        assert details(tale.judged(), "I7") == expected


def test_what_waited_for_the_socket_is_bounded_and_overtaken() -> None:
    tale = begun(Options(microphone_limit_ms=100))
    tale.write("input", inputs.Blocked())
    tale.client(SOUND)
    tale.write("input", inputs.Drained())
    tale.client(SOUND)
    tale.client(SOUND)
    tale.client(truncate(0))

    assert details(tale.judged(), "I9") == [
        "sound is sent while the socket takes nothing",
        "conversation.item.truncate waited behind the microphone's sound",
        "200.00 ms of the microphone waited",
    ]


def test_a_crossing_is_not_told_and_the_client_never_blames_itself() -> None:
    tale = begun()
    tale.told(session_updated(interrupts=True))
    blames: tuple[notices.Blame, ...] = ("crossing", "ours", "theirs")
    for blame in blames:
        tale.write("command", commands.Notify(notices.Fault(blame, None, "No.")))

    assert details(tale.judged(), "I2") == [
        "a crossing is told: No.",
        "the client blames itself: No.",
    ]


@pytest.mark.parametrize(("first", "broken"), [(1, 0), (2, 1)])
def test_updates_are_answered_in_the_order_of_their_asks(first: int, broken: int) -> None:
    tale = begun()
    for ask_id in (1, 2):
        tale.write("input", inputs.Asked(ask_id, asks.Update(events.Session())))
    tale.write("command", commands.Answer(first))

    assert details(tale.judged(), "I8") == ["ask 2 is answered before 1"][:broken]


@pytest.mark.parametrize("what", ["playback", "microphone"])
def test_no_sound_of_a_reply_is_dropped_for_want_of_room(what: str) -> None:
    tale = playing()
    dropped = notices.Dropped("playback" if what == "playback" else "microphone", 24)
    tale.write("command", commands.Notify(dropped))

    lost = ["1.00 ms of a reply are dropped"]
    assert details(tale.judged(), "I9") == (lost if what == "playback" else [])
