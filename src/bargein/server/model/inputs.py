"""What happens to the server's machine. Past tense; closed set."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from bargein import events
from bargein.events.dialect import Dialect
from bargein.server.model.heard import Heard
from bargein.server.model.score import Step

SessionKind: TypeAlias = Literal["realtime", "transcription"]
"""One holds conversations, the other only writes down what it hears."""

PipeKind: TypeAlias = Literal["websocket", "webrtc"]
"""What carries a session's sound: its events, or a track in each direction."""

MAIN_PIPE = 0
"""The number of the pipe that the session was opened on; a sideband has another."""


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A client was admitted. `wall_time_s` labels ids and `expires_at`; nothing is decided by
    it. `overhears`: the engine wants the user's turns while they are spoken. A session of the kind
    `transcription` has no model of its own (protocol.md §2.6): `model` is empty. `dialect`: what
    the client's frames are written in; events are GA in and out (`events.dialect`).

    `session_id` and `session`: the id that was promised to the client, and what it wants of the
    session from the first, checked by `starting`; None: nothing in particular."""

    model: str
    wall_time_s: int
    overhears: bool = False
    kind: SessionKind = "realtime"
    dialect: Dialect = "ga"
    pipe: PipeKind = "websocket"
    session_id: str | None = None
    session: dict[str, Any] | None = None


class FrameReceived(msgspec.Struct, frozen=True, gc=False):
    """One frame of this pipe, unread; bytes for a binary one."""

    frame: str | bytes
    pipe: int = MAIN_PIPE


class EventReceived(msgspec.Struct, frozen=True, gc=False):
    """A client event whose shape is known to be right (the simulator's way in)."""

    event: events.ClientEvent
    pipe: int = MAIN_PIPE


class MediaReceived(msgspec.Struct, frozen=True, gc=False):
    """Sound of the call's track: PCM at 24 kHz, the next piece of time, silence where nothing
    came."""

    audio: bytes


class Produced(msgspec.Struct, frozen=True, gc=False):
    """The engine made more of a response: steps in order, each after the one before it.

    `final` says that no more will come. Steps for a response that has ended are ignored.
    """

    response_id: str
    steps: tuple[Step, ...]
    final: bool


class EngineFailed(msgspec.Struct, frozen=True, gc=False):
    """The engine broke; the response ends `failed` with this error in its `status_details`. Without
    a message it is a server fault, in the words of that row of `rules`."""

    response_id: str
    type: str
    code: str | None
    message: str | None


class Transcribed(msgspec.Struct, frozen=True, gc=False):
    """The engine heard more of an item: pieces in order. `final` says that no more will come.

    Pieces for a transcription that has ended are ignored.
    """

    item_id: str
    pieces: tuple[Heard, ...]
    final: bool


class TranscriptionFailed(msgspec.Struct, frozen=True, gc=False):
    """The engine cannot hear the words of this item."""

    item_id: str
    type: str
    code: str | None
    message: str


class ToolsListed(msgspec.Struct, frozen=True, gc=False):
    """An MCP server has told its tools; None: it could not be asked."""

    item_id: str
    tools: tuple[events.McpListedTool, ...] | None


class ToolReturned(msgspec.Struct, frozen=True, gc=False):
    """A tool of an MCP server has answered, or could not be called."""

    item_id: str
    result: str | events.McpError


class PipeClosed(msgspec.Struct, frozen=True, gc=False):
    """The client is gone. Everything that still runs for it ends."""


class Tick(msgspec.Struct, frozen=True, gc=False):
    """`deadline_us` has come."""


Input: TypeAlias = (
    Opened
    | FrameReceived
    | EventReceived
    | MediaReceived
    | Produced
    | EngineFailed
    | Transcribed
    | TranscriptionFailed
    | ToolsListed
    | ToolReturned
    | PipeClosed
    | Tick
)
