"""What the server's machine wants done. Imperative; closed set; done in order."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from bargein import events
from bargein.units import AudioFormat


class SendEvent(msgspec.Struct, frozen=True, gc=False):
    """Send to the client: to the pipe `to`, or to all of the session's."""

    event: events.ServerEvent
    to: int | None = None


class SendMedia(msgspec.Struct, frozen=True, gc=False):
    """Send 20 ms of a response on the call's track, now. It counts as having left.

    `at_us` is its place on the track, a whole number of frames from the last one; `more` says that
    another follows 20 ms later. Where none does, the track is silent.
    """

    response_id: str
    audio: bytes
    format: AudioFormat
    at_us: int
    more: bool


class StopMedia(msgspec.Struct, frozen=True, gc=False):
    """The track is silent from here on: the frame that was announced does not follow."""


class ClosePipe(msgspec.Struct, frozen=True, gc=False):
    """Close the connection with this code and reason (protocol.md §1.1.4)."""

    code: int
    reason: str


class RemoteTool(msgspec.Struct, frozen=True, gc=False):
    """A tool of an MCP server that a response may call (`score.OpenCall.server_label`)."""

    server_label: str
    tool: events.McpListedTool
    needs_approval: bool


class StartEngine(msgspec.Struct, frozen=True, gc=False):
    """Ask the engine for a response; it answers with `Produced` until final, or `EngineFailed`.

    `context` is what the model may know: the conversation's items in order (or `input` of an
    out-of-band response), with the words of cut audio as far as they were heard. `params` are the
    effective parameters: the session's, overridden by those of `response.create`. `model` is the
    session's. `cut_item_ids` are the items of the context that were truncated, `remote_tools` the
    tools of MCP servers that it may call.
    """

    response_id: str
    context: tuple[events.Item, ...]
    params: events.ResponseParams
    model: str
    session_id: str
    cut_item_ids: frozenset[str] = frozenset()
    remote_tools: tuple[RemoteTool, ...] = ()


class StopEngine(msgspec.Struct, frozen=True, gc=False):
    """The response has ended; what the engine still makes for it is not wanted."""

    response_id: str


class Overhear(msgspec.Struct, frozen=True, gc=False):
    """Let the engine hear what the user says while it is said. Only for one that overhears.

    `audio` continues that of the item so far, which begins with the prefix padding; `last` is with
    the end of the turn. Sound of another item means that there is no more of this one: it was
    cleared if there was no `last`.
    """

    item_id: str
    audio: bytes
    format: AudioFormat
    last: bool = False


class StartTranscription(msgspec.Struct, frozen=True, gc=False):
    """Ask the engine for the words of the user's audio; it answers with `Transcribed` until final,
    or `TranscriptionFailed`.

    `settings` are the session's effective `audio.input.transcription`. If `live`, the item is not
    committed yet and `audio` is empty: its sound comes by `Overhear`, up to the `last`.
    """

    item_id: str
    content_index: int
    audio: bytes
    format: AudioFormat
    settings: events.Transcription
    live: bool = False


class StopTranscription(msgspec.Struct, frozen=True, gc=False):
    """The words of this item are not wanted any more."""

    item_id: str


class ListTools(msgspec.Struct, frozen=True, gc=False):
    """Ask an MCP server for its tools; the answer is `ToolsListed`, with None if there are none
    to be had."""

    item_id: str
    server: events.McpTool


class CallTool(msgspec.Struct, frozen=True, gc=False):
    """Call a tool of an MCP server; the answer is `ToolReturned`. `arguments` is the text that the
    model made, which may be no JSON."""

    item_id: str
    server: events.McpTool
    name: str
    arguments: str


class StopRemote(msgspec.Struct, frozen=True, gc=False):
    """What an MCP server still answers about this item is not wanted."""

    item_id: str


Command: TypeAlias = (
    SendEvent
    | SendMedia
    | StopMedia
    | ClosePipe
    | StartEngine
    | StopEngine
    | Overhear
    | StartTranscription
    | StopTranscription
    | ListTools
    | CallTool
    | StopRemote
)
