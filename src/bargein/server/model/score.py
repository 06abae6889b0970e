"""What an engine wants said, as a score that the machine plays on its own clock.

A score is a list of steps. Each waits `after_us` from the step before it (the first from the
moment of `response.created`, or from the arrival of its `Produced` where that is later), then
acts. The engine never looks at a clock and never names an item: the machine mints ids, paces, cuts
and remembers.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class OpenMessage(msgspec.Struct, frozen=True, gc=False):
    """An assistant message begins (`response.output_item.added`). `phase` is shown by models of the
    2.x line only, and of theirs one without it is the `final_answer`."""

    phase: Literal["commentary", "final_answer"] | None = None


class OpenPart(msgspec.Struct, frozen=True, gc=False):
    """A content part of the open message begins (`response.content_part.added`)."""

    kind: Literal["audio", "text"]


class SayText(msgspec.Struct, frozen=True, gc=False):
    """A transcript delta (audio part) or text delta (text part) of the open part."""

    delta: str


class Sound(msgspec.Struct, frozen=True, gc=False):
    """An audio delta of the open part: bytes of the response's output format, any whole samples."""

    audio: bytes


class Word(msgspec.Struct, frozen=True, gc=False):
    """Where a word of the open audio part ends, in samples of its audio: what truncation cuts
    at."""

    text: str
    start_sample: int
    end_sample: int


class ClosePart(msgspec.Struct, frozen=True, gc=False):
    """The open part is whole."""


class CloseMessage(msgspec.Struct, frozen=True, gc=False):
    """The open message is whole; its open part closes first."""


class OpenCall(msgspec.Struct, frozen=True, gc=False):
    """A function call begins. An open message stays open until the response ends (protocol.md
    §4.5).

    With a `server_label` it is a call of a remote tool, one of `StartEngine.remote_tools`: it
    closes an open message, and the machine has it run once its arguments are whole.
    """

    name: str
    server_label: str | None = None


class Arguments(msgspec.Struct, frozen=True, gc=False):
    """A delta of the open call's arguments."""

    delta: str


class CloseCall(msgspec.Struct, frozen=True, gc=False):
    """The open call's arguments are whole."""


class Cost(msgspec.Struct, frozen=True, gc=False):
    """What the engine's own model counted, in tokens: shown as the response's text tokens in place
    of the machine's estimate. The last one counts; audio is counted by the machine in any case."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


class EndIncomplete(msgspec.Struct, frozen=True, gc=False):
    """The response ends here as `incomplete`."""

    reason: Literal["max_output_tokens", "content_filter"]


class EndFailed(msgspec.Struct, frozen=True, gc=False):
    """The response ends here as `failed`."""

    type: str
    code: str | None
    message: str


Action: TypeAlias = (
    OpenMessage
    | OpenPart
    | SayText
    | Sound
    | Word
    | ClosePart
    | CloseMessage
    | OpenCall
    | Arguments
    | CloseCall
    | Cost
    | EndIncomplete
    | EndFailed
)


class Step(msgspec.Struct, frozen=True, gc=False):
    """One action, `after_us` microseconds after the step before it."""

    action: Action
    after_us: int = 0
