"""What a page is told of a session, and what whoever comes later is shown."""

from __future__ import annotations

import json

from bargein import events
from bargein.core.notices import (
    Dropped,
    Fault,
    FloorChanged,
    Interruption,
    InterruptionSettled,
    PartRecord,
    Transcript,
    TurnStarted,
    UsageReported,
)
from bargein.driver.ports import Passed
from bargein.web.messages import Button, Floor, Interrupted, Standing, Words, encode
from bargein.web.telling import MOST_RECORDS, MOST_ROWS, Board, gate_after, told, told_event

PART = PartRecord(
    "r1", "A", 0, 24_000, 48_000, 24_000, 1_000, "truncate", 1_000, 1_000, "truncated"
)
CUT = Interruption("cut1", ("interrupt",), ("r1",), 1_000, (PART,), 1_500, None)
SETTLED = InterruptionSettled(
    "cut1", ("interrupt",), ("r1",), 1_000, 1_000, 0, "exact", (PART,), ("response.cancel",)
)
UP = Standing("up", "hands_free", "webrtc", "Connected.")


def record(number: int, *, settled: bool = True) -> Interrupted:
    return Interrupted(f"cut{number}", settled, (), 0, None, 0, 0, "exact", (), ())


def test_a_record_is_told_at_the_stop_and_again_when_it_is_settled() -> None:
    first, second = told(CUT), told(SETTLED)
    assert isinstance(first, Interrupted) and isinstance(second, Interrupted)
    assert (first.cut_id, first.settled, first.heard_ms, first.kept_ms) == (
        "cut1",
        False,
        1_000,
        None,
    )
    assert first.stop_latency_us == 1_500
    assert (second.settled, second.kept_ms, second.drift_ms) == (True, 1_000, 0)
    assert second.commands == ("response.cancel",)
    assert second.parts[0].answer == "truncated"


def test_words_have_a_row_for_each_part_and_speech_has_one_before_its_words() -> None:
    assert told(TurnStarted("user", item_id="U")) == Words("U/0", "user", "", final=False)
    assert told(TurnStarted("assistant", response_id="r1")) is None
    said = told(Transcript("assistant", "A", "Once", False, content_index=2))
    assert said == Words("A/2", "assistant", "Once", final=False)


def test_floors_faults_and_what_was_dropped_are_told_and_costs_are_not() -> None:
    assert told(FloorChanged("user")) == Floor("user")
    assert "Nope" in encode(told(Fault("theirs", None, "Nope")) or UP)
    assert "7 of events" in encode(told(Dropped("events", 7)) or UP)
    assert told(UsageReported("r1", events.Usage())) is None


def test_the_log_has_no_sound_and_no_secret() -> None:
    loud = events.ResponseOutputAudioDelta(
        event_id="e1",
        response_id="r1",
        item_id="A",
        output_index=0,
        content_index=0,
        delta=b"\1\2" * 500,
    )
    entry = told_event(Passed("received", loud), 12)
    assert entry is not None
    assert entry.type == "response.output_audio.delta" and entry.at_ms == 12
    whole = json.loads(encode(entry))["event"]
    assert whole["delta"] == "" and whole["(sound left out)"] == 1_000
    secret = events.SessionUpdate(session=events.Session(instructions="say sk-" + "x" * 40))
    assert "x" * 40 not in encode(told_event(Passed("sent", secret), 0) or UP)
    sent = events.InputAudioBufferAppend(audio=b"\1\2")
    assert told_event(Passed("sent", sent), 0) is None


def test_what_is_no_event_or_of_a_new_kind_is_in_the_log_too() -> None:
    new = events.Unknown(type="moon.rose", raw=events.Fields({"type": "moon.rose", "height": 3}))
    entry = told_event(Passed("received", new), 0)
    assert entry is not None and entry.type == "moon.rose" and entry.event["height"] == 3
    bad = told_event(Passed("received", events.Malformed(reason="no JSON", raw="{")), 0)
    assert bad is not None and bad.type == "(unreadable)"


def test_the_gate_shuts_with_a_clear_and_opens_with_the_next_reply() -> None:
    assert gate_after(Passed("sent", events.OutputAudioBufferClear())) is False
    for kind, gate in (
        (events.OutputAudioBufferCleared, False),
        (events.OutputAudioBufferStarted, True),
        (events.OutputAudioBufferStopped, None),
    ):
        assert gate_after(Passed("received", kind(event_id="e1", response_id="r1"))) is gate


def test_who_comes_later_is_shown_how_it_stands_the_words_so_far_and_the_records() -> None:
    board = Board(UP)
    for message in (
        Floor("user"),
        Floor("assistant"),
        Button(down=True),
        Words("A/0", "assistant", "Once ", final=False),
        Words("A/0", "assistant", "upon", final=False),
        Words("U/0", "user", "Hello.", final=True),
        Words("U/0", "user", " Late.", final=False),
        record(1, settled=False),
        record(1),
    ):
        board.note(message)
    assert board.shown() == [
        UP,
        Floor("assistant"),
        Button(down=True),
        Words("A/0", "assistant", "Once upon", final=False),
        Words("U/0", "user", "Hello.", final=True),
        record(1),
    ]


def test_a_board_is_bounded() -> None:
    board = Board(UP)
    for number in range(1_000):
        board.note(Words(f"{number}", "user", "x" * 50_000, final=True))
        board.note(record(number))
    shown = board.shown()
    assert len(shown) == 1 + MOST_ROWS + MOST_RECORDS
    assert max(len(each.text) for each in shown if isinstance(each, Words)) == 20_000
    assert shown[1] == Words("800", "user", "x" * 20_000, final=True)
