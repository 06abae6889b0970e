"""The form of a trace: JSON, one object a line.

1. The first line is the header: format, version, when it was started (a label, for people) and the
   settings.
2. Each further line is one input: `at` (the machine's time in microseconds), `in` (the input),
   `out` (the commands it returned, or null with `raised` where the machine broke), `audio` (how
   many bytes of sound stood at which path, `in.…` or `out.…`), `loudness` (of a reply's sound: its
   format and one hexadecimal digit for each 20 ms, `core/loudness.py`). Events are as on the wire.
3. `{"lost": n}` tells of inputs that were not recorded; `{"end": true}` is the last line of a
   session that was closed. A trace without it was cut.
4. A line counts when its newline is there. The last one may be cut anywhere; any other damage is an
   error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from operator import or_
from typing import Any, Final, TypeAlias

import msgspec
import pybase64
from msgspec.structs import replace

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.edited import Edited
from bargein.core.loudness import LEVELS, sound_of
from bargein.core.settings import Settings
from bargein.errors import LocalValueError
from bargein.events import lenient
from bargein.units import AudioFormat

FORMAT: Final = 1

REPLY_SOUND: Final = ("in.event.delta", "in.audio")
"""Where the sound of a reply stood: in an event, or in media. The microphone's has no loudness."""

JsonObject: TypeAlias = dict[str, Any]


class TraceError(LocalValueError):
    """What was given is no trace, or a damaged or newer one; the text names the line."""


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line."""

    bargein_trace: int
    """The format's number."""
    bargein: str
    """The version that wrote it."""
    started: str
    """When, as its writer tells the time."""
    settings: JsonObject
    shortened_from: int = 0
    """How many inputs it had before some were left out; 0: it is as it was written."""


class Line(msgspec.Struct, frozen=True, omit_defaults=True, rename={"input": "in"}):
    """Any further line, as JSON."""

    at: int = 0
    input: JsonObject | None = None
    out: list[JsonObject] | None = None
    audio: dict[str, int] = {}
    loudness: str = ""
    raised: str | None = None
    lost: int = 0
    end: bool = False


class Entry(msgspec.Struct, frozen=True):
    """One input of the trace and what the machine did about it; or how many inputs are missing."""

    number: int
    """Of the line in the file, from 1."""
    line: Line

    @property
    def at_us(self) -> int:
        """When, on the clock that the machine was given."""
        return self.line.at

    @property
    def audio_format(self) -> AudioFormat:
        """Of the sound in the input, if it is a reply's."""
        kind, _, digits = self.line.loudness.partition(" ")
        return AudioFormat(kind) if digits else AudioFormat.PCM

    def input(self) -> inputs.Input:
        """The input, its sound one of the same length and loudness; zeros where that was not noted.

        Raises TraceError.
        """
        try:
            return _input(_with_sound(self.line)["in"])
        except _UNREADABLE as error:
            raise TraceError(
                f"line {self.number} holds no input of this version: {error}"
            ) from error

    def commands(self) -> list[commands.Command]:
        """What the machine did, sound as zeros of the same length; nothing where it raised.

        Raises TraceError.
        """
        try:
            return [_command(raw) for raw in _with_sound(self.line)["out"]]
        except _UNREADABLE as error:
            raise TraceError(
                f"line {self.number} holds no command of this version: {error}"
            ) from error


class Reader:
    """Reads a trace once, line by line: `header` first, then iterate over the entries.

    After the iteration `cut` says whether the end is missing.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Raises TraceError if the first line is no header of a trace that this version reads."""
        self._lines = iter(lines)
        self.header = _header(next(self._lines, b""))
        self.cut = True

    def settings(self) -> Settings:
        """What the session was started with. Raises TraceError."""
        raw = dict(self.header.settings)
        session = raw.pop("session", {})
        try:
            settings = msgspec.convert(raw, Settings)
            return replace(settings, session=lenient.build(events.Session, session))
        except (msgspec.ValidationError, lenient.WrongValue) as error:
            raise TraceError(f"line 1: settings of another version: {error}") from error

    def __iter__(self) -> Iterator[Entry]:
        for number, text in enumerate(self._lines, 2):
            if not text.endswith(b"\n"):
                return
            try:
                line = _LINE.decode(text)
            except msgspec.MsgspecError as error:
                raise TraceError(f"line {number} is damaged: {error}") from error
            if line.end:
                self.cut = False
                return
            if line.input is None and not line.lost:
                raise TraceError(f"line {number} is damaged: it has no input")
            yield Entry(number, line)


def _header(text: bytes) -> Header:
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raw = None
    number = raw.get("bargein_trace") if isinstance(raw, dict) else None
    if type(number) is not int:
        raise TraceError("not a trace: its first line is not a trace's header")
    if number > FORMAT:
        raise TraceError(
            f"the trace has format {number}, this version reads up to {FORMAT}: update bargein"
        )
    if not text.endswith(b"\n"):
        raise TraceError("the trace is cut in its first line: it holds nothing")
    try:
        return msgspec.convert(raw, Header)
    except msgspec.ValidationError as error:
        raise TraceError(f"line 1 is damaged: {error}") from error


def _with_sound(line: Line) -> JsonObject:
    """The line's `in` and `out` with what stands for the sound that was left out, in base64."""
    whole: Any = {"in": line.input or {}, "out": line.out or []}
    if not line.audio:
        found: JsonObject = whole
        return found
    whole = msgspec.json.decode(msgspec.json.encode(whole))
    for path, length in line.audio.items():
        place = whole
        *way, last = path.split(".")
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        is_reply = path in REPLY_SOUND and line.loudness
        sound = _as_loud(line.loudness, length) if is_reply else bytes(length)
        place[last] = pybase64.b64encode_as_string(sound)
    found = whole
    return found


def _as_loud(loudness: str, length: int) -> bytes:
    kind, _, digits = loudness.partition(" ")
    return sound_of(bytes(int(digit, LEVELS) for digit in digits), length, AudioFormat(kind))


def _without(union: Any, *strange: type[Any]) -> Any:
    """The union without the members that msgspec cannot read by itself."""
    return reduce(or_, (each for each in events.members(union) if each not in strange))


_UNREADABLE: Final = (msgspec.MsgspecError, lenient.WrongValue, LookupError, TypeError, ValueError)
_LINE: Final = msgspec.json.Decoder(Line)
_PLAIN_INPUTS: Final = _without(inputs.Input, inputs.Received, inputs.Asked)
_PLAIN_ASKS: Final = _without(asks.Ask, asks.Respond, asks.Update, asks.SendEvent, asks.Edit)
_PLAIN_COMMANDS: Final = _without(commands.Command, commands.Send, commands.Notify)
_PLAIN_NOTICES: Final = _without(notices.Notice, notices.Connected, notices.UsageReported)


def _input(raw: JsonObject) -> inputs.Input:
    match raw["type"]:
        case "Received":
            return inputs.Received(_server_event(raw["event"]))
        case "Asked":
            return inputs.Asked(raw["ask_id"], _ask(raw["ask"]))
        case _:
            found: inputs.Input = msgspec.convert(raw, _PLAIN_INPUTS)
            return found


def _server_event(raw: JsonObject) -> events.ServerEvent | events.Unknown | events.Malformed:
    if "type" not in raw:
        return msgspec.convert(raw, events.Malformed)
    return events.decode_server(msgspec.json.encode(raw))


def _ask(raw: JsonObject) -> asks.Ask:
    match raw["type"]:
        case "Respond":
            params = raw.get("params")
            return asks.Respond(
                None if params is None else lenient.build(events.ResponseParams, params)
            )
        case "Update":
            return asks.Update(lenient.build(events.Session, raw["session"]))
        case "SendEvent":
            return asks.SendEvent(_client_event(raw["event"]))
        case "Edit":
            params = lenient.build(events.ResponseParams, {"input": raw["wish"]})
            wish = params.input if isinstance(params.input, tuple) else ()
            seen = raw.get("seen")
            known = None if seen is None else tuple(seen)
            return asks.Edit(wish, tuple(raw.get("delete", ())), known)
        case _:
            found: asks.Ask = msgspec.convert(raw, _PLAIN_ASKS)
            return found


def _client_event(raw: JsonObject) -> events.ClientEvent:
    event = events.decode_client(msgspec.json.encode(raw))
    if isinstance(event, events.Malformed):
        raise ValueError(event.reason)
    if isinstance(event, events.Unknown):
        raise ValueError(f"no event of a client: {event.type}")
    return event


def _command(raw: JsonObject) -> commands.Command:
    match raw["type"]:
        case "Send":
            return commands.Send(_client_event(raw["event"]))
        case "Notify":
            return commands.Notify(_notice(raw["notice"]))
        case "Answer":
            answer = msgspec.convert(raw, commands.Answer)
            return replace(answer, value=_value(answer.value))
        case _:
            found: commands.Command = msgspec.convert(raw, _PLAIN_COMMANDS)
            return found


def _value(raw: Any) -> object:
    """What an ask was answered with: the session in effect, a cut, what an edit has done, or what
    JSON has by itself."""
    match raw:
        case {"type": "Interruption"}:
            return msgspec.convert(raw, notices.Interruption)
        case {"type": "realtime" | "transcription"}:
            return lenient.build(events.Session, raw)
        case {"created": _, "deleted": _, "moved": _, "differences": _}:
            return msgspec.convert(raw, Edited)
        case _:
            return raw


def _notice(raw: JsonObject) -> notices.Notice:
    match raw["type"]:
        case "Connected":
            return notices.Connected(lenient.build(events.Session, raw["session"]))
        case "UsageReported":
            usage = lenient.build(events.Usage, raw["usage"])
            return notices.UsageReported(raw["response_id"], usage)
        case _:
            found: notices.Notice = msgspec.convert(raw, _PLAIN_NOTICES)
            return found
