"""The same inputs through the same machine: no word. Through a changed one: the first place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trace.sessions import interrupted
from tests.trace.strategies import INPUTS

from bargein.core import commands as cmd
from bargein.core import inputs as inp
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.trace import record
from bargein.trace.format import Reader, TraceError
from bargein.trace.replay import feed, replay

Script = list[tuple[int, inp.Input]]


class Parrot:
    """Sends back what it hears, and announces every third input."""

    def __init__(self, settings: Settings) -> None:
        self.count = 0

    def handle(self, input: inp.Input, /, *, now_us: int) -> Sequence[cmd.Command]:
        self.count += 1
        found: list[cmd.Command] = []
        if isinstance(input, inp.Captured):
            found.append(cmd.SendAudio(input.audio))
        if self.count % 3 == 0:
            found.append(cmd.HoldPlayback(f"cut_{self.count}"))
        return found


class Louder(Parrot):
    def handle(self, input: inp.Input, /, *, now_us: int) -> Sequence[cmd.Command]:
        found = super().handle(input, now_us=now_us)
        return [cmd.SendAudio(c.audio * 2) if isinstance(c, cmd.SendAudio) else c for c in found]


class Mute(Parrot):
    def handle(self, input: inp.Input, /, *, now_us: int) -> Sequence[cmd.Command]:
        found = super().handle(input, now_us=now_us)
        return [c for c in found if not isinstance(c, cmd.HoldPlayback)]


class Chatty(Parrot):
    def handle(self, input: inp.Input, /, *, now_us: int) -> Sequence[cmd.Command]:
        return [*super().handle(input, now_us=now_us), cmd.Close(1000, "bye")]


class Fragile(Parrot):
    def handle(self, input: inp.Input, /, *, now_us: int) -> Sequence[cmd.Command]:
        if isinstance(input, inp.Tick):
            raise AssertionError("no time")
        return super().handle(input, now_us=now_us)


SCRIPT: Script = [
    (10, inp.PipeOpened()),
    (20, inp.Captured(b"abcd")),
    (30, inp.Drained()),
    (40, inp.Tick()),
]


def told(machine: Parrot | Machine, script: Iterable[tuple[int, inp.Input]]) -> list[bytes]:
    """The trace of a session of the machine, without its end."""
    lines = [record.header(Settings(), "now", "0.1.0")]
    for now_us, each in script:
        try:
            done = machine.handle(each, now_us=now_us)
        except Exception as error:  # what the machine raises is part of the story
            lines.append(record.entry(now_us, each, None, f"{type(error).__name__}: {error}"))
        else:
            lines.append(record.entry(now_us, each, done))
    return lines


def test_the_same_machine_gives_the_same_commands() -> None:
    trace = [*told(Parrot(Settings()), SCRIPT), record.end()]
    found = replay(Reader(trace), Parrot)
    assert (found.inputs, found.commands, found.difference, found.cut) == (4, 2, None, False)


def test_the_first_difference_is_named_with_line_time_input_and_both_commands() -> None:
    difference = replay(Reader(told(Parrot(Settings()), SCRIPT)), Louder).difference
    assert difference is not None
    assert (difference.line, difference.at_us, difference.index) == (3, 20, 0)
    assert difference.input["type"] == "Captured"
    assert difference.recorded == {"type": "SendAudio", "audio": "", "bytes of audio": 4}
    assert difference.now == {"type": "SendAudio", "audio": "", "bytes of audio": 8}


def test_a_command_that_is_not_given_any_more_is_a_difference() -> None:
    difference = replay(Reader(told(Parrot(Settings()), SCRIPT)), Mute).difference
    assert difference is not None
    assert (difference.line, difference.recorded, difference.now) == (
        4,
        {"type": "HoldPlayback", "cut_id": "cut_3"},
        None,
    )


def test_a_command_more_than_before_is_a_difference() -> None:
    difference = replay(Reader(told(Parrot(Settings()), SCRIPT)), Chatty).difference
    assert difference is not None
    assert (difference.line, difference.index, difference.recorded) == (2, 0, None)
    assert difference.now == {"type": "Close", "code": 1000, "reason": "bye"}


def test_a_machine_that_breaks_now_differs_from_one_that_did_not() -> None:
    difference = replay(Reader(told(Parrot(Settings()), SCRIPT)), Fragile).difference
    assert difference is not None
    assert (difference.line, difference.recorded) == (5, None)
    assert difference.now == {"type": "Raised", "error": "AssertionError: no time"}


def test_a_machine_that_broke_and_breaks_again_does_the_same() -> None:
    trace = told(Fragile(Settings()), SCRIPT)
    assert replay(Reader(trace), Fragile).difference is None
    mended = replay(Reader(trace), Parrot).difference
    assert mended is not None and mended.recorded is not None
    assert mended.recorded["type"] == "Raised"


def test_the_replay_ends_where_inputs_were_lost() -> None:
    lines = told(Parrot(Settings()), SCRIPT)
    found = replay(Reader([*lines[:3], record.lost(7), *lines[3:]]), Mute)
    assert (found.inputs, found.lost_at_line, found.difference) == (2, 4, None)


def test_a_trace_that_is_still_being_written_is_replayed_as_far_as_it_goes() -> None:
    found = replay(Reader(told(Parrot(Settings()), SCRIPT)), Parrot)
    assert (found.inputs, found.cut) == (4, True)


def test_an_input_that_cannot_be_read_is_an_error_of_the_trace() -> None:
    bad = b'{"at":1,"in":{"type":"Invented"},"out":[]}\n'
    with pytest.raises(TraceError, match="line 2"):
        replay(Reader([record.header(Settings(), "", "0.1.0"), bad]), Parrot)


def test_a_session_of_the_clients_machine_with_an_interruption_replays() -> None:
    trace = told(Machine(Settings()), interrupted())
    found = replay(Reader(trace), Machine)
    assert found.difference is None
    assert found.inputs == len(trace) - 1
    assert found.commands > 40


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 10**6), INPUTS), max_size=8))
def test_whatever_happens_to_the_clients_machine_replays(steps: Script) -> None:
    now_us, script = 0, list[tuple[int, inp.Input]]()
    for wait_us, each in steps:
        now_us += wait_us
        script.append((now_us, each))
    trace = told(Machine(Settings()), script)
    assert replay(Reader(trace), Machine).difference is None


def test_a_trace_is_fed_to_its_end_or_as_far_as_it_can_be() -> None:
    lines = told(Parrot(Settings()), SCRIPT)
    lost = [*lines[:3], record.lost(2), *lines[3:]]
    for trace, machine, ended, count in (
        (lines, Parrot(Settings()), None, 4),
        (lost, Parrot(Settings()), 4, 2),
        (lines, Fragile(Settings()), 5, 3),
    ):
        assert feed(Reader(trace), machine) == ended
        assert machine.count == count


def test_a_trace_of_another_version_is_not_fed() -> None:
    lines = told(Parrot(Settings()), SCRIPT)
    lines[2] = lines[2].replace(b'"Captured"', b'"Capture"')
    with pytest.raises(TraceError):
        feed(Reader(lines), Parrot(Settings()))
