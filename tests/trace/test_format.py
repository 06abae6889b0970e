"""What is recorded is read again: any input, whole, its sound as silence of the same length."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.trace.sessions import interrupted
from tests.trace.strategies import COMMANDS, EACH_INPUT, INPUTS

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.loudness import levels_of
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.trace import record
from bargein.trace.format import Entry, Reader, TraceError
from bargein.units import AudioFormat

HEAD = record.header(Settings(), "some day", "0.1.0")


def silent(value: Any) -> Any:
    """The same with zeros for all sound."""
    match value:
        case bytes():
            return bytes(len(value))
        case msgspec.Struct():
            names = value.__struct_fields__
            return replace(value, **{name: silent(getattr(value, name)) for name in names})
        case tuple():
            return tuple(map(silent, value))
        case _:
            return value


def read(*lines: bytes) -> list[Entry]:
    return list(Reader([HEAD, *lines]))


@pytest.mark.parametrize("name", EACH_INPUT)
def test_every_kind_of_input_is_read_as_it_was_recorded_but_for_the_sound(name: str) -> None:
    @settings(max_examples=150)
    @given(EACH_INPUT[name], st.integers(0, 2**62), st.lists(COMMANDS, max_size=2))
    def round_trip(input: inputs.Input, now_us: int, commands: list[Any]) -> None:
        line = record.entry(now_us, input, commands)
        assert line.endswith(b"\n") and line.count(b"\n") == 1
        (entry,) = read(line)
        assert entry.at_us == now_us
        assert silent(entry.input()) == silent(input)
        assert len(entry.line.out or ()) == len(commands)

    round_trip()


@settings(max_examples=150)
@given(INPUTS, st.lists(COMMANDS, max_size=3))
def test_recording_what_was_read_gives_the_same_line(
    input: inputs.Input, commands: list[Any]
) -> None:
    once = record.entry(1, input, commands)
    (entry,) = read(once)
    (again,) = read(record.entry(1, entry.input(), [silent(each) for each in commands]))
    assert again.line == entry.line


def test_settings_are_read_as_they_were_written() -> None:
    session = events.decode_client(
        '{"type":"session.update","session":{"type":"realtime","instructions":"Be brief.","new":1,'
        '"audio":{"input":{"turn_detection":{"type":"server_vad","threshold":0.4}}}}}'
    )
    assert isinstance(session, events.SessionUpdate)
    assert isinstance(session.session, events.Session)
    given_settings = Settings(session=session.session, pre_roll_ms=300, id_seed="abc")
    assert Reader([record.header(given_settings, "x", "0.1.0")]).settings() == given_settings


def test_a_trace_cut_at_any_byte_gives_its_whole_lines_and_says_that_it_was_cut() -> None:
    entries = [
        record.entry(10, inputs.PipeOpened(), []),
        record.entry(20, inputs.Captured(bytes(960)), []),
        record.entry(30, inputs.Asked(1, asks.Say("héllo")), None, "AssertionError: no"),
    ]
    whole = HEAD + b"".join(entries) + record.end()
    for length in range(len(whole) + 1):
        part = whole[:length]
        lines = part.splitlines(keepends=True)
        if length < len(HEAD):
            with pytest.raises(TraceError, match=r"not a trace|cut in its first line"):
                Reader(lines)
            continue
        reader = Reader(lines)
        found = list(reader)
        assert [entry.number for entry in found] == list(range(2, 2 + len(found)))
        assert len(found) == min(3, part.count(b"\n") - 1)
        assert reader.cut is (length < len(whole))
        for entry in found:
            entry.input()


@pytest.mark.parametrize(
    ("first", "complaint"),
    [
        (b"", "not a trace"),
        (b"\x00\x01\n", "not a trace"),
        (b"RIFF1234WAVEfmt \n", "not a trace"),
        (b"{}\n", "not a trace"),
        (b"[1]\n", "not a trace"),
        (b"[" * 5000 + b"\n", "not a trace"),
        (b'{"bargein_trace":true}\n', "not a trace"),
        (b'{"bargein_trace":2,"bargein":"9.0"}\n', "format 2.*reads up to 1: update bargein"),
        (b'{"bargein_trace":1,"bargein":5}\n', "line 1 is damaged"),
        (HEAD[:-1], "cut in its first line"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_reason(first: bytes, complaint: str) -> None:
    with pytest.raises(TraceError, match=complaint):
        Reader([first] if first else [])


def test_damage_before_the_last_line_is_named_by_its_line() -> None:
    line = record.entry(1, inputs.Tick(), [])
    for damaged in (b"\n", b"garbage\n", b"[]\n", b'{"at":1}\n', line[:-9] + b"\n"):
        with pytest.raises(TraceError, match="line 3 is damaged"):
            read(line, damaged, line)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type":"Invented"}',
        b"{}",
        b'{"type":"Asked","ask_id":1,"ask":{"type":"Invented"}}',
        b'{"type":"Asked","ask_id":1,"ask":{"type":"Update","session":5}}',
        b'{"type":"Asked","ask_id":1,"ask":{"type":"SendEvent","event":{"type":"x"}}}',
        b'{"type":"Asked","ask_id":1,"ask":{"type":"SendEvent","event":{}}}',
        b'{"type":"Received"}',
        b'{"type":"Rendered","heard":5}',
    ],
)
def test_an_input_of_another_version_is_named_by_its_line(raw: bytes) -> None:
    (entry,) = read(b'{"at":1,"in":' + raw + b',"out":[]}\n')
    with pytest.raises(TraceError, match="line 2 holds no input of this version"):
        entry.input()


@pytest.mark.parametrize("path", ["in.event.nowhere.0", "in.event.delta.deeper"])
def test_a_path_to_sound_that_leads_nowhere_is_named_by_its_line(path: str) -> None:
    raw = (
        b'{"at":1,"in":{"type":"Received","event":{"type":"error","delta":"x"}},"audio":{"%s":9}}\n'
    )
    (entry,) = read(raw % path.encode())
    with pytest.raises(TraceError, match="line 2 holds no input of this version"):
        entry.input()


def test_settings_of_another_version_are_refused_by_name() -> None:
    damaged = HEAD.replace(b'"barge_in":"cut"', b'"barge_in":"sing"')
    assert damaged != HEAD
    with pytest.raises(TraceError, match=r"settings of another version.*barge_in"):
        Reader([damaged]).settings()


def test_the_commands_of_a_session_are_read_as_they_were_done_but_for_the_sound() -> None:
    machine = Machine(Settings())
    done = [machine.handle(each, now_us=at) for at, each in interrupted()]
    lines = [record.entry(at, each, c) for (at, each), c in zip(interrupted(), done, strict=True)]
    reader = Reader([record.header(Settings(), "", "0"), *lines])

    found = [entry.commands() for entry in reader]

    kinds = {type(command).__name__ for commands in found for command in commands}
    assert {"Send", "SendAudio", "Play", "StopPlayback", "Answer", "Notify"} <= kinds
    assert found == done


def test_a_command_that_this_version_does_not_know_is_named_by_its_line() -> None:
    line = b'{"in":{"type":"Tick"},"out":[{"type":"Dance"}]}\n'
    [entry] = Reader([record.header(Settings(), "", "0"), line])
    with pytest.raises(TraceError, match="line 2 holds no command of this version"):
        entry.commands()


def test_a_shortened_trace_says_from_how_many_inputs() -> None:
    head = record.header(Settings(), "", "0", shortened_from=2_478)
    assert Reader([head]).header.shortened_from == 2_478
    assert b"shortened" not in record.header(Settings(), "", "0")


def test_what_is_nested_in_a_notice_or_an_ask_or_was_no_event_is_read_as_it_was() -> None:
    params = events.ResponseParams(instructions="Be brief.")
    note = events.MessageItem(role="system", content=(events.InputText(text="So far."),))
    wish = (note, events.ItemReference(id="item_1"))
    told: list[inputs.Input] = [
        inputs.Asked(1, asks.Respond()),
        inputs.Asked(2, asks.Respond(params)),
        inputs.Asked(3, asks.Edit(wish, ("item_2",), ("item_1", "item_2"))),
        inputs.Asked(4, asks.Edit(())),
        inputs.Received(events.Malformed(reason="no JSON", raw="{")),
    ]
    usage = notices.UsageReported("resp_1", events.Usage(total_tokens=7))
    found = read(*(record.entry(1, each, [commands.Notify(usage)]) for each in told))
    assert [entry.input() for entry in found] == told
    assert [entry.commands() for entry in found] == [[commands.Notify(usage)]] * len(told)


def test_settings_without_a_session_have_the_session_of_the_service() -> None:
    head = msgspec.json.decode(HEAD)
    del head["settings"]["session"]
    reader = Reader([msgspec.json.encode(head) + b"\n"])
    assert isinstance(reader.settings().session, events.Session)


def test_media_is_read_back_as_loud_as_it_was() -> None:
    """Whose a frame is depends on whether it is silent: a call must replay as it went."""
    for sound in (b"\x10\x27" * 480, bytes(960)):
        line = record.entry(1, inputs.MediaArrived(480, sound), [])
        (entry,) = read(line)
        came = entry.input()
        assert isinstance(came, inputs.MediaArrived)
        assert levels_of(came.audio, AudioFormat.PCM) == levels_of(sound, AudioFormat.PCM)
        assert sound not in line or not any(sound)
