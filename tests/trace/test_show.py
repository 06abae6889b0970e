"""The log reads as the story of the session: what matters in order, the rest folded."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trace.sessions import PART, interrupted, received
from tests.trace.strategies import COMMANDS, INPUTS

from bargein.core import commands as cmd
from bargein.core import inputs as inp
from bargein.core import notices
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.trace import record
from bargein.trace.format import Reader, TraceError
from bargein.trace.show import Row, rows
from bargein.units import AudioFormat


def shown(*lines: bytes, unfolded: bool = False) -> list[Row]:
    return list(rows(Reader([record.header(Settings(), "", "0.1.0"), *lines]), unfolded=unfolded))


def session() -> list[bytes]:
    machine = Machine(Settings())
    return [
        record.entry(now_us, each, machine.handle(each, now_us=now_us))
        for now_us, each in interrupted()
    ]


def only(found: list[Row], what: str) -> Row:
    (row,) = (row for row in found if row.what == what)
    return row


def test_times_are_since_the_first_input() -> None:
    assert [shown(*session())[0].at_us, only(shown(*session()), "error").at_us] == [
        0,
        1_000_000 - 60_000,
    ]


def test_a_run_of_audio_deltas_is_one_row_with_number_and_length() -> None:
    row = only(shown(*session()), "14 audio deltas")
    assert (row.arrow, row.detail) == ("←", "item_1/0 3.50 s")


def test_sound_that_never_went_to_the_player_is_told() -> None:
    delta = received("response.output_audio.delta", **PLACE_DELTA)
    one = record.entry(1, delta, [cmd.Play(PART, bytes(2400), AudioFormat.PCM)])
    two = record.entry(2, delta, [])
    assert only(shown(one, two), "2 audio deltas").detail.endswith(
        "0.10 s, 0.05 s of it to the player"
    )


PLACE_DELTA = {
    "event_id": "e",
    "response_id": "resp_1",
    "item_id": "item_1",
    "output_index": 0,
    "content_index": 0,
    "delta": "AAAA" * 800,
}


def test_the_microphone_is_folded_with_what_was_captured_and_what_was_sent() -> None:
    row = only(shown(*session()), "microphone")
    assert row.detail == "0.40 s in 20 blocks, 0.40 s sent"


def test_the_microphone_is_counted_in_the_format_that_is_in_use() -> None:
    lines = [
        record.entry(1, inp.PipeOpened(), [cmd.UseInputFormat(AudioFormat.PCMU)]),
        record.entry(2, inp.Captured(bytes(4000)), []),
    ]
    assert only(shown(*lines), "microphone").detail == "0.50 s in 1 blocks, 0.00 s sent"


def test_words_of_a_run_are_joined() -> None:
    row = next(row for row in shown(*session()) if "transcript" in row.what)
    assert (row.what, row.detail) == (
        "2 output_audio_transcript deltas",
        "item_1/0 “Once upon a time”",
    )


def test_the_cut_stands_in_its_order_between_speech_and_record() -> None:
    whats = [row.what for row in shown(*session())]
    order = ["input_audio_buffer.speech_started", "StopPlayback", "PlaybackStopped", "error"]
    assert [what for what in whats if what in order] == order


def test_a_stop_tells_what_was_heard_in_samples_and_seconds() -> None:
    row = only(shown(*session()), "PlaybackStopped")
    assert row.detail == "cut_unasked: item_1/0 7200 samples = 0.300 s (exact)"


def test_the_record_of_an_interruption_tells_heard_kept_and_what_was_sent() -> None:
    part = notices.PartRecord(
        "resp_1", "item_1", 0, 24_000, 84_000, 7_200, 300, "truncate", 300, 300, "truncated"
    )
    settled = notices.InterruptionSettled(
        "cut_1",
        ("speech",),
        ("resp_1",),
        300,
        300,
        0,
        "exact",
        (part,),
        ("conversation.item.truncate",),
    )
    row = only(shown(record.entry(1, inp.Tick(), [cmd.Notify(settled)])), "InterruptionSettled")
    assert row.detail == (
        "cut_1 by speech: heard 300 ms kept 300 ms, drift 0 ms, exact; sent "
        "[conversation.item.truncate]; item_1/0 heard 7200 of 84000 truncate truncated"
    )


def test_unfolded_every_input_and_every_command_has_its_row() -> None:
    lines = session()
    entries = list(Reader([record.header(Settings(), "", "0.1.0"), *lines]))
    expected = sum(1 + len(entry.line.out or ()) for entry in entries)
    assert len(shown(*lines, unfolded=True)) == expected


def test_lost_inputs_and_a_broken_machine_are_rows_of_their_own() -> None:
    lines = [
        record.entry(5_000, inp.Tick(), []),
        record.lost(7),
        record.entry(9_000, inp.Tick(), None, "AssertionError: no time"),
    ]
    found = shown(*lines)
    assert only(found, "lost").detail == "7 inputs were not recorded"
    assert only(found, "the machine broke").detail == "AssertionError: no time"
    assert [row.kind for row in found] == ["fault", "fault"]


def test_control_characters_of_the_service_do_not_reach_the_terminal() -> None:
    evil = received("error", event_id="e", error={"message": "\x1b]0;owned\x07\u202e\n!"})
    (row,) = shown(record.entry(1, evil, []))
    assert row.text().isprintable()
    assert r"\x1b]0;owned\x07\u202e\n!" in row.text()


def test_rows_are_plain_data() -> None:
    row = shown(*session())[0]
    assert msgspec.json.decode(msgspec.json.encode(row), type=Row) == row


@settings(max_examples=150)
@given(st.lists(st.tuples(INPUTS, st.lists(COMMANDS, max_size=2)), max_size=5), st.booleans())
def test_whatever_was_recorded_can_be_shown(
    steps: list[tuple[inp.Input, list[cmd.Command]]], unfolded: bool
) -> None:
    lines = [record.entry(i, each, done) for i, (each, done) in enumerate(steps)]
    for row in shown(*lines, unfolded=unfolded):
        assert row.text().isprintable()


@pytest.mark.parametrize(
    "line",
    [
        b'{"at":1,"in":{"type":"PlaybackStopped","heard":[5]},"out":[]}\n',
        b'{"at":1,"in":{},"out":[{"type":"Play","part":{},"format":"wax"}]}\n',
        b'{"at":1,"in":{"type":"Rendered","heard":[{}]},"out":[]}\n',
    ],
)
def test_a_line_that_makes_no_sense_is_named(line: bytes) -> None:
    with pytest.raises(TraceError, match="line 2 cannot be shown"):
        shown(line)
