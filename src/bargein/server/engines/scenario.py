"""A scenario: what the `script` engine says, in a TOML file, read strictly.

1. A scenario is an ordered list of replies. Which one answers is decided by `script`; how it
   sounds on the wire, by `scoring`.
2. Nothing is guessed: an unknown key, a wrong type or a value out of range is an error that names
   the file, the place in it, the value and what to write instead.
3. Times are in milliseconds of the server's clock, sizes in samples of 24 kHz: 5 997 samples are
   249.875 ms, so that no client can get away with whole milliseconds.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

from bargein.errors import LocalValueError
from bargein.server.engines.espeak import WORDS_PER_MINUTE
from bargein.server.engines.tables import (
    MAX_MS,
    RemoteFault,
    RemoteServerTable,
    RemoteToolTable,
    Table,
    check,
    explain,
)

DEFAULT_SCENARIO = "storyteller"
_MAX_FILE_BYTES = 4 * 1024 * 1024
_MAX_SAMPLES = 24_000 * 60


class Manner(Table, frozen=True, kw_only=True):
    """How a reply is made and sent. Every field may be given for the scenario and for a reply."""

    voice: str | None = None
    """An espeak-ng voice ("en-us+f3"); without one, that of the session's `voice`."""
    words_per_minute: int | None = None
    speed: float | None = None
    """How many seconds of audio are made in one second (protocol.md §5: 3 to 5)."""
    first_event_after_ms: int | None = None
    """From `response.created` to the first event after it."""
    first_audio_after_ms: int | None = None
    """From `content_part.added` to the first audio delta."""
    delta_samples: int | None = None
    first_delta_samples: int | None = None
    words_before_audio: int | None = None
    """How many transcript deltas come before the first audio delta (protocol.md §5: 2 to 5)."""
    transcript_pace: float | None = None
    """How many times faster than the audio the rest of the transcript is sent."""
    text_delta_every_ms: int | None = None
    """Between the deltas of written text and of a call's arguments."""
    trailing_silence_ms: int | None = None
    """Silence behind the last word of a spoken part."""

    def __post_init__(self) -> None:
        check(
            self,
            words_per_minute=WORDS_PER_MINUTE,
            speed=(0.1, 1_000),
            first_event_after_ms=(0, MAX_MS),
            first_audio_after_ms=(0, MAX_MS),
            delta_samples=(1, _MAX_SAMPLES),
            first_delta_samples=(1, _MAX_SAMPLES),
            words_before_audio=(0, 1_000),
            transcript_pace=(1, 1_000),
            text_delta_every_ms=(0, MAX_MS),
            trailing_silence_ms=(0, 60_000),
        )

    def over(self, other: Manner) -> Manner:
        """This manner, with what it leaves open taken from the other."""
        given = {
            name: value
            for name in Manner.__struct_fields__
            if (value := getattr(self, name)) is not None
        }
        return msgspec.structs.replace(_only_manner(other), **given)


def _only_manner(table: Manner) -> Manner:
    return Manner(**{name: getattr(table, name) for name in Manner.__struct_fields__})


USUAL = Manner(
    words_per_minute=165,
    speed=4.0,
    first_event_after_ms=250,
    first_audio_after_ms=120,
    delta_samples=5_997,
    first_delta_samples=2_397,
    words_before_audio=3,
    transcript_pace=2.0,
    text_delta_every_ms=20,
    trailing_silence_ms=240,
)
"""As protocol.md §5 measures the service, where neither scenario nor reply says otherwise."""


class Gap(Table, frozen=True, kw_only=True):
    """The making of a spoken part stalls: `for_ms`, before the delta that reaches `at_ms` of its
    audio."""

    at_ms: int
    for_ms: int

    def __post_init__(self) -> None:
        check(self, at_ms=(0, MAX_MS), for_ms=(0, MAX_MS))


class Part(Table, frozen=True, kw_only=True):
    """One content part: spoken (`say`) or written (`write`)."""

    say: str | None = None
    write: str | None = None
    gaps: tuple[Gap, ...] = ()

    def __post_init__(self) -> None:
        given = [name for name in ("say", "write") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a part has {given or 'nothing'}: give it one of 'say' and 'write'")
        if self.gaps and self.say is None:
            raise ValueError("gaps are in the audio: give them beside 'say'")


class Output(Part, frozen=True, kw_only=True):
    """One item of the response: a message of one part (`say`, `write`), of several (`parts`), or a
    function call (`call`, with `arguments` as a table or as the literal text). With `server` it is
    the call of a remote tool, of the MCP server that is declared with this label."""

    parts: tuple[Part, ...] | None = None
    call: str | None = None
    server: str | None = None
    arguments: dict[str, Any] | str | None = None
    phase: Literal["commentary", "final_answer"] | None = None
    after_ms: int = 0
    """A pause before the item."""

    def __post_init__(self) -> None:
        names = ("say", "write", "parts", "call")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"an output has {given or 'nothing'}: give it one of 'say', 'write', 'parts' "
                "and 'call'"
            )
        if self.arguments is not None and self.call is None:
            raise ValueError("arguments need a 'call'")
        if self.server is not None and self.call is None:
            raise ValueError("server is whose tool is called: give it beside 'call'")
        if self.phase is not None and self.call is not None:
            raise ValueError("phase belongs to messages: take it away from the 'call'")
        if self.gaps and self.say is None:
            raise ValueError("gaps are in the audio: give them beside 'say'")
        check(self, after_ms=(0, MAX_MS))

    @property
    def message_parts(self) -> tuple[Part, ...]:
        """The parts of a message; of a call, none."""
        if self.call is not None:
            return ()
        return self.parts if self.parts is not None else (self,)


class Ending(Table, frozen=True, kw_only=True):
    """How a reply ends other than completed.

    `at_ms`: once so much of the reply's audio was sent; without it, after all its outputs.
    """

    status: Literal["failed", "incomplete"]
    reason: Literal["max_output_tokens", "content_filter"] | None = None
    type: str | None = None
    code: str | None = None
    message: str | None = None
    """What is not said of a code that the service is known to send (protocol.md §4.15, §6.2) is as
    the service says it."""
    at_ms: int | None = None

    def __post_init__(self) -> None:
        if (self.status == "incomplete") is not (self.reason is not None):
            raise ValueError(
                f"status is {self.status!r} and reason is {self.reason!r}: give 'incomplete' with "
                "'max_output_tokens' or 'content_filter', or 'failed' without a reason"
            )
        check(self, at_ms=(0, MAX_MS))

    @property
    def failure(self) -> tuple[str, str | None, str]:
        """Type, code and message of the error."""
        known = _KNOWN_FAILURES.get(self.code or "", _UNKNOWN_FAILURE)
        return self.type or known[0], self.code, self.message or known[1]


_REFUSED = "invalid_request_error"
_KNOWN_FAILURES: Mapping[str, tuple[str, str]] = {
    "insufficient_quota": (
        _REFUSED,
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "rate_limit_exceeded": (_REFUSED, "Rate limit reached."),
    "inference_rate_limit_exceeded": (_REFUSED, "Rate limit reached."),
}
_UNKNOWN_FAILURE = ("server_error", "The scenario says that this response fails.")


class Reply(Manner, frozen=True, kw_only=True):
    """One response. Without outputs it is empty: created, and done at once."""

    outputs: tuple[Output, ...] = ()
    user: str | None = None
    """What the user is expected to have said: it travels with the scenario for whoever plays the
    user or checks a transcript."""
    when: str | None = None
    """A regular expression, looked for in the user's last words whatever their case; the reply
    answers only what matches."""
    after_call: str | None = None
    """The reply answers only the output of a function of this name."""
    ending: Ending | None = None

    def __post_init__(self) -> None:
        Manner.__post_init__(self)
        if self.when is not None and self.after_call is not None:
            raise ValueError("a reply has 'when' and 'after_call': give one of them")
        if self.when is not None:
            try:
                re.compile(self.when)
            except re.error as error:
                raise ValueError(f"when is {self.when!r}, no regular expression: {error}") from None

    @property
    def calls(self) -> tuple[str, ...]:
        """What it calls: functions by their names, remote tools as `callee` writes them."""
        calls = ((output.server, output.call) for output in self.outputs)
        return tuple(callee(server, call) for server, call in calls if call is not None)


def callee(server: str | None, name: str) -> str:
    """One name for what is called: a function's own, or a remote tool's behind its server's."""
    return name if server is None else f"{server}/{name}"


class Scenario(Manner, frozen=True, kw_only=True):
    """A whole file."""

    replies: tuple[Reply, ...]
    name: str = ""
    about: str = ""
    mcp: tuple[RemoteServerTable, ...] = ()
    """MCP servers that the scenario plays; nothing is reached over a network."""
    hears: tuple[str, ...] = ()
    """What the user's spoken turns say, in order and then from the beginning again: the engine has
    no ears, and this is what its transcriptions say."""

    def __post_init__(self) -> None:
        Manner.__post_init__(self)
        if not any(reply.when is None and reply.after_call is None for reply in self.replies):
            raise ValueError(
                "replies has none that may answer anything: "
                "give at least one without 'when' and 'after_call'"
            )
        labels = [server.label for server in self.mcp]
        if len(set(labels)) < len(labels):
            raise ValueError("two servers of mcp have one label: give each its own")

    def manner_of(self, reply: Reply) -> Manner:
        """How this reply is made, nothing left open but perhaps the voice."""
        return reply.over(self.over(USUAL))

    @classmethod
    def of(cls, values: Mapping[str, Any], *, source: str = "scenario") -> Self:
        """Build it from plain values. Raises `LocalValueError`, with `source` for the file."""
        try:
            return msgspec.convert(dict(values), cls)
        except msgspec.ValidationError as error:
            told = explain(str(error), values, cls, _TABLES, _WORDS)
            raise LocalValueError(f"{source}: {told}") from None


def load_scenario(source: str | Path) -> Scenario:
    """Read a TOML file, or one of the built-in scenarios by its name.

    Raises `LocalValueError`, which names the file and what is wrong in it.
    """
    if str(source) in builtin_scenarios():
        file = resources.files(__package__) / "scenarios" / f"{source}.toml"
        return _parse(file.read_bytes(), str(source))
    try:
        with Path(source).open("rb") as stream:
            content = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        names = ", ".join(sorted(builtin_scenarios()))
        raise LocalValueError(
            f"{source}: {error.strerror or error}; give a TOML file or a built-in scenario: {names}"
        ) from error
    if len(content) > _MAX_FILE_BYTES:
        raise LocalValueError(f"{source}: more than {_MAX_FILE_BYTES} bytes; make it smaller")
    return _parse(content, str(source))


@cache
def builtin_scenarios() -> frozenset[str]:
    """The names that `load_scenario` knows without a file."""
    folder = resources.files(__package__) / "scenarios"
    names = (entry.name for entry in folder.iterdir())
    return frozenset(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def _parse(content: bytes, source: str) -> Scenario:
    try:
        values = tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise LocalValueError(
            f"{source}: byte {error.start} is no UTF-8; save it as UTF-8"
        ) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise LocalValueError(f"{source}: not TOML: {error}") from None
    return Scenario.of(values, source=source)


_TABLES: Mapping[str, type[Table]] = {
    "replies": Reply,
    "outputs": Output,
    "parts": Part,
    "gaps": Gap,
    "ending": Ending,
    "mcp": RemoteServerTable,
    "tools": RemoteToolTable,
    "error": RemoteFault,
}
_WORDS: Mapping[str, tuple[str, ...]] = {
    "phase": ("commentary", "final_answer"),
    "status": ("failed", "incomplete"),
    "reason": ("max_output_tokens", "content_filter"),
    "type": ("protocol_error", "tool_execution_error", "http_error"),
}
"""What may stand where only some words may."""
