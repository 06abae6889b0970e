"""What happens to the client's machine. Past tense; a closed set.

1. Everything the machine ever learns is one of these, with the time it happened; so the list of
   them is the trace, the replay, the simulation and the bug report.
2. They are plain data: a trace writes them, without the sound (its length is kept).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core.asks import Ask


class Part(msgspec.Struct, frozen=True, order=True, gc=False, cache_hash=True):
    """One spoken content part: what positions are counted in. It is the player's mark."""

    response_id: str
    item_id: str
    content_index: int


class Heard(msgspec.Struct, frozen=True, gc=False):
    """So many samples of the part, in its own format, were heard."""

    part: Part
    samples: int


class PipeOpened(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The pipe to the service is open. Nothing was sent on it yet."""

    capabilities: Capabilities = Capabilities()


class PipeClosed(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The pipe has ended, by whoever's doing. `code` is None where no close frame came."""

    code: int | None = None
    reason: str = ""


class Received(msgspec.Struct, frozen=True, tag=True, gc=False):
    """An event arrived, decoded: of the vocabulary, unknown to it, or malformed."""

    event: events.ServerEvent | events.Unknown | events.Malformed


class Captured(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The microphone gave sound, already in the session's input format (wire bytes)."""

    audio: bytes


class MediaArrived(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A piece of the service's sound came by a channel of its own, as 16-bit PCM at 24 kHz.

    `place` is where its first sample stands on the sender's clock, in samples at 24 kHz: the RTP
    timestamp, not wrapped. Pieces come in the order of their places; where one is missing, nothing
    or what was made up in its place comes (`made_up`).
    """

    place: int
    audio: bytes
    made_up: bool = False


class Rendered(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Progress of the player: heard so far, for the parts whose count changed."""

    heard: tuple[Heard, ...]


class PlaybackHeld(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The player obeyed `HoldPlayback`; the counts stand until it resumes or stops."""

    cut_id: str
    heard: tuple[Heard, ...]


class PlaybackStopped(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The player obeyed `StopPlayback`. Final; the same `cut_id` again is a correction.

    `margin_samples` is how far the counts may be off; None where the player cannot tell.
    """

    cut_id: str
    heard: tuple[Heard, ...]
    margin_samples: int | None = 0


class DeviceChanged(msgspec.Struct, frozen=True, tag=True, gc=False):
    """What the player is worth from now on: off by at most so many samples, or None: it cannot
    tell.
    """

    margin_samples: int | None = 0
    detail: str = ""


class Starved(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The player ran out of sound in mid-reply for so many samples at its own rate."""

    samples: int


class Asked(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The application asked for something. It is answered once, by `Answer` with the same id."""

    ask_id: int
    ask: Ask


class ToolApproved(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The application decided about a call that needs approval: `AskApproval`'s answer. `reason`
    is told to the model where it may not run."""

    call_id: str
    granted: bool
    reason: str = ""


class ToolReturned(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The tool of a call came to its end; `output` is what the model is told, also of an error."""

    call_id: str
    output: str
    failed: bool = False


class Blocked(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The socket takes no more for now: what is sent from here on waits in the machine, in its
    order.
    """


class Drained(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The socket takes more again."""


class Tick(msgspec.Struct, frozen=True, tag=True, gc=False):
    """`deadline_us` has come."""


Input: TypeAlias = (
    PipeOpened
    | PipeClosed
    | Received
    | Captured
    | MediaArrived
    | Rendered
    | PlaybackHeld
    | PlaybackStopped
    | DeviceChanged
    | Starved
    | Asked
    | ToolApproved
    | ToolReturned
    | Blocked
    | Drained
    | Tick
)

JsonObject: TypeAlias = dict[str, Any]
