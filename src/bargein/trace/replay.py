"""A trace through a machine again: the same inputs at the same times give the same commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec

from bargein.core.commands import Command
from bargein.core.inputs import Input
from bargein.core.settings import Settings
from bargein.trace import record
from bargein.trace.format import Entry, JsonObject, Line, Reader, TraceError


class Handles(Protocol):
    """The client's machine, or one that claims to be."""

    def handle(self, input: Input, /, *, now_us: int) -> Sequence[Command]:
        """What the machine does about the input."""


class Difference(msgspec.Struct, frozen=True):
    """The first place where the machine does not do what the trace says."""

    line: int
    """In the file, from 1."""
    at_us: int
    input: JsonObject
    index: int
    """Of the command among those of this input, from 0."""
    recorded: JsonObject | None
    """The command in the trace; None where the trace has no further one."""
    now: JsonObject | None
    """The command that the machine gives now; None where it gives no further one."""


class Replay(msgspec.Struct, frozen=True):
    """What came of it. Without a difference, all that was fed gave what the trace says."""

    inputs: int
    commands: int
    difference: Difference | None = None
    lost_at_line: int | None = None
    """Where inputs are missing in the trace: what follows them cannot be replayed."""
    cut: bool = False
    """The trace has no end: its writer died, or is still writing."""


def replay(reader: Reader, start: Callable[[Settings], Handles]) -> Replay:
    """Feed the trace to a machine made by `start`, up to the first difference. Raises TraceError.

    A machine that raises gives, in place of its commands, one of the type `Raised`.
    """
    machine = start(reader.settings())
    fed = given = 0
    for entry in reader:
        if entry.line.lost:
            return Replay(fed, given, lost_at_line=entry.number)
        fed += 1
        recorded, now = _outcome(entry.line), _outcome(_again(machine, entry))
        given += len(recorded)
        if recorded != now:
            return Replay(fed, given, _first(entry, recorded, now))
    return Replay(fed, given, cut=reader.cut)


def feed(reader: Reader, machine: Handles) -> int | None:
    """Feed the trace to the machine, to its end or as far as that is possible. Raises TraceError.

    Gives the line where it ends before: inputs are missing there, or the machine broke.
    """
    for entry in reader:
        if entry.line.lost:
            return entry.number
        try:
            machine.handle(entry.input(), now_us=entry.at_us)
        except TraceError:
            raise
        except Exception:  # a machine that breaks breaks here as it did in the session
            return entry.number
    return None


def _again(machine: Handles, entry: Entry) -> Line:
    """The line that the recorder would write now."""
    input = entry.input()
    try:
        commands = machine.handle(input, now_us=entry.at_us)
    except Exception as error:  # that the machine breaks is what the replay is to find out
        text = record.entry(entry.at_us, input, None, f"{type(error).__name__}: {error}")
    else:
        text = record.entry(entry.at_us, input, commands)
    return _LINE.decode(text)


def _outcome(line: Line) -> list[JsonObject]:
    """The line's commands, with the length of their sound; or that the machine raised."""
    if line.raised is not None:
        return [{"type": "Raised", "error": line.raised}]
    outcome = [dict(command) for command in line.out or ()]
    for path, count in line.audio.items():
        room, _, rest = path.partition(".")
        if room == "out":
            index, _, place = rest.partition(".")
            outcome[int(index)][f"bytes of {place}"] = count
    return outcome


def _first(entry: Entry, recorded: list[JsonObject], now: list[JsonObject]) -> Difference:
    def nth(commands: list[JsonObject], index: int) -> Any:
        return commands[index] if index < len(commands) else None

    index = next(i for i in range(len(recorded) + len(now)) if nth(recorded, i) != nth(now, i))
    input = entry.line.input or {}
    return Difference(
        entry.number, entry.at_us, input, index, nth(recorded, index), nth(now, index)
    )


_LINE: Final = msgspec.json.Decoder(Line)
