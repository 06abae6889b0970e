"""What was seen and heard of a session, on one time axis. Pure data.

1. Times are microseconds since the card was opened, on the loop's clock.
2. Three witnesses, independent of the client's machine: the wire (every event, both ways), the ear
   (every sample that left the card) and, where the server is local, its memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bargein.audio.card_settings import CardSettings
from bargein.core.inputs import Part
from bargein.core.notices import Notice
from bargein.driver.ports import WireEvent


@dataclass(frozen=True, slots=True)
class OnWire:
    """An event that came, or that was queued for the socket."""

    at_us: int
    direction: Literal["sent", "received"]
    event: WireEvent


@dataclass(frozen=True, slots=True)
class Told:
    """A notice, when the application had it."""

    at_us: int
    notice: Notice


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop of the player: when it was asked for and answered, and the counts it was answered
    with.

    `heard_samples` are in each part's own rate. The last answer counts.
    """

    cut_id: str
    asked_us: int
    answered_us: int | None = None
    heard_samples: tuple[tuple[Part, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """Sound of a part that was heard without a break, at the card's rate."""

    part: Part
    start_us: int
    end_us: int
    first_sample: int
    samples: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line of the user, from its first sound to its last."""

    text: str
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class RememberedPart:
    """What the server's own memory holds of a spoken part of the assistant."""

    item_id: str
    content_index: int
    rate: int
    kept_samples: int


@dataclass(frozen=True, slots=True)
class Memory:
    """The server's memory at the end: its items in order, and the spoken parts of the assistant."""

    item_ids: tuple[str, ...]
    parts: tuple[RememberedPart, ...]


@dataclass(frozen=True, slots=True)
class PartWords:
    """Where the words of a part sound, in its own samples; `exact`, or an estimate."""

    part: Part
    words: tuple[tuple[str, int, int], ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class Envelope:
    """The peak of each `step_us` of sound, 0 to 1, from time 0 on."""

    step_us: int
    peaks: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TraceCheck:
    """What replaying the session's trace through a fresh machine gave. `failure`: None if the
    same."""

    inputs: int
    commands: int
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A whole session."""

    card: CardSettings
    end_us: int
    spoken: tuple[Spoken, ...]
    wire: tuple[OnWire, ...]
    told: tuple[Told, ...]
    stops: tuple[Stop, ...]
    spans: tuple[Span, ...]
    memory: Memory | None
    """None where the server is not ours to look into."""
    mirror_ids: tuple[str, ...]
    """The items of the client's mirror of the conversation, in order."""
    words: tuple[PartWords, ...] = ()
    microphone: Envelope = Envelope(10_000, ())
    ear: Envelope = Envelope(10_000, ())
    trace: TraceCheck | None = None
    unmet: str | None = None
    """Why the user left before all was done as planned; None: it was."""
