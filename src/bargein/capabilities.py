"""What a Realtime server can do. A leaf: the core decides by it, the tools write it to a file."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from bargein.errors import LocalValueError

FILE_FORMAT = "bargein-capabilities/1"

Interrupts: TypeAlias = Literal["as_told", "always", "never"]
Dialect: TypeAlias = Literal["ga", "beta"]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of this server. The defaults are OpenAI's service over WebSocket."""

    playback_owner: Literal["client", "server"] = "client"
    """Who holds the queue of sound that is not heard yet: over WebRTC it is the server."""
    media: Literal["here", "elsewhere"] = "here"
    """Where the sound of a call comes out: here, or, of a call that was joined, at another peer."""
    truncate: bool = True
    """It obeys `conversation.item.truncate`; without it a cut is local only."""
    delete: bool = True
    """It obeys `conversation.item.delete`."""
    cancel: bool = True
    """It obeys `response.cancel`; without it a cut response is muted to its end."""
    acknowledges: bool = True
    """It answers truncate and delete; without it they are not waited for."""
    lengths_grid_ms: int = 1
    """It counts the lengths of its own audio in steps of so many milliseconds, rounded down."""
    interrupts: Interrupts = "as_told"
    """Whether it cancels the open response at `speech_started`: where `interrupt_response` says so,
    whatever that says, or never; then the client cancels."""
    dialect: Dialect = "ga"
    """How it wants to be spoken to: sessions nested as today, or flat as in the retired beta. What
    it says itself is understood in both."""

    def __repr__(self) -> str:
        # What came later is shown where it is not usual: the digests of the simulator's episodes
        # are over this text, and ordinary ones keep theirs.
        shown = ", ".join(
            f"{name}={value!r}"
            for name in self.__struct_fields__
            if (value := getattr(self, name)) != _LATER.get(name)
        )
        return f"Capabilities({shown})"


_LATER = {"media": "here", "interrupts": "as_told", "dialect": "ga"}


def from_file(text: str | bytes) -> Capabilities:
    """What `bargein conform` wrote. Raises `LocalValueError`, which names the field."""
    try:
        whole = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise LocalValueError(f"is not JSON: {error}") from None
    if not isinstance(whole, dict) or whole.get("format") != FILE_FORMAT:
        raise LocalValueError(f"is no capability file: 'format' must be {FILE_FORMAT!r}")
    given: Any = whole.get("capabilities")
    if not isinstance(given, dict):
        raise LocalValueError("capabilities: is missing, or no object")
    unknown = sorted(given.keys() - {*Capabilities.__struct_fields__})
    if unknown:
        known = ", ".join(Capabilities.__struct_fields__)
        raise LocalValueError(f"capabilities.{unknown[0]}: is unknown; known are {known}")
    try:
        return msgspec.convert(given, Capabilities)
    except msgspec.ValidationError as error:
        raise LocalValueError(f"capabilities: {error}") from None
