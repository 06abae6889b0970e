"""What the server's machine wants done. Imperative; closed set; done in order."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from bargein import events


class SendEvent(msgspec.Struct, frozen=True, gc=False):
    """Send to the client."""

    event: events.ServerEvent


class ClosePipe(msgspec.Struct, frozen=True, gc=False):
    """Close the connection with this code and reason (protocol.md §1.1.4)."""

    code: int
    reason: str


class StartEngine(msgspec.Struct, frozen=True, gc=False):
    """Ask the engine for a response; it answers with `Produced` until final, or `EngineFailed`.

    `context` is what the model may know: the conversation's items in order (or `input` of an
    out-of-band response), with the words of cut audio as far as they were heard. `params` are the
    effective parameters: the session's, overridden by those of `response.create`.
    """

    response_id: str
    context: tuple[events.Item, ...]
    params: events.ResponseParams


class StopEngine(msgspec.Struct, frozen=True, gc=False):
    """The response has ended; what the engine still makes for it is not wanted."""

    response_id: str


Command: TypeAlias = SendEvent | ClosePipe | StartEngine | StopEngine
