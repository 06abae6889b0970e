"""Lines of a trace, as bytes ready to be written; `format` states their form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from bargein.core.commands import Command
from bargein.core.inputs import Input
from bargein.core.settings import Settings
from bargein.masking import may_hold_secrets, without_secrets
from bargein.trace.format import FORMAT, Header, Line
from bargein.trace.leave_out import hollow, loudness_of, plain
from bargein.units import AudioFormat


class _NotPlain(Exception):
    """The line holds something that only the slow way can write."""


def _refuse(value: Any) -> Any:
    raise _NotPlain


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_refuse)
_NOT_JSON: Final = (_NotPlain, UnicodeError, TypeError, ValueError, RecursionError, OverflowError)


class _Line(msgspec.Struct, frozen=True, omit_defaults=True, rename={"input": "in"}):
    """`Line` before it is JSON."""

    at: int
    input: Input
    out: Sequence[Command] | None
    audio: dict[str, int] = {}
    loudness: str = ""
    raised: str | None = None


def header(settings: Settings, started: str, version: str, *, shortened_from: int = 0) -> bytes:
    """The first line. `started` says when, for people; `version` is that of the machine."""
    line = Header(FORMAT, version, started, without_secrets(plain(settings)), shortened_from)
    return _ENCODER.encode(line) + b"\n"


def entry(
    now_us: int,
    input: Input,
    commands: Sequence[Command] | None,
    raised: str | None = None,
    audio_format: AudioFormat = AudioFormat.PCM,
) -> bytes:
    """The line of one input. `commands` is None where the machine raised, and `raised` says what.
    `audio_format` is that of the input's sound, if it is a reply's.

    Never raises: what cannot be written at all becomes a lost input.
    """
    counts: dict[str, int] = {}
    try:
        quiet = hollow(input, "in", counts)
        out = commands and [hollow(each, f"out.{i}", counts) for i, each in enumerate(commands)]
        line = _Line(now_us, quiet, out, counts, loudness_of(input, audio_format), raised)
        try:
            text = _ENCODER.encode(line)
            if may_hold_secrets(text):
                text = _ENCODER.encode(without_secrets(msgspec.json.decode(text)))
        except _NOT_JSON:
            text = _ENCODER.encode(without_secrets(plain(line)))
    except _NOT_JSON:
        return lost(1)
    return text + b"\n"


def lost(count: int) -> bytes:
    """The line that tells of inputs which could not be recorded."""
    return _ENCODER.encode(Line(lost=count)) + b"\n"


def end() -> bytes:
    """The last line of a session that was closed."""
    return _ENCODER.encode(Line(end=True)) + b"\n"
