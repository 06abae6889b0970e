"""What happens to the server's machine. Past tense; closed set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from bargein import events
from bargein.server.model.score import Step


@dataclass(frozen=True, slots=True)
class Opened:
    """A client was admitted. `wall_time_s` labels ids and `expires_at`; nothing is decided by
    it."""

    model: str
    wall_time_s: int


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """One WebSocket frame, unread; bytes for a binary frame."""

    frame: str | bytes


@dataclass(frozen=True, slots=True)
class EventReceived:
    """A client event whose shape is known to be right (the simulator's way in)."""

    event: events.ClientEvent


@dataclass(frozen=True, slots=True)
class Produced:
    """The engine made more of a response: steps in order, each after the one before it.

    `final` says that no more will come. Steps for a response that has ended are ignored.
    """

    response_id: str
    steps: tuple[Step, ...]
    final: bool


@dataclass(frozen=True, slots=True)
class EngineFailed:
    """The engine broke; the response ends `failed` with this error in its `status_details`."""

    response_id: str
    type: str
    code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class PipeClosed:
    """The client is gone. Everything that still runs for it ends."""


@dataclass(frozen=True, slots=True)
class Tick:
    """`deadline_us` has come."""


Input: TypeAlias = (
    Opened | FrameReceived | EventReceived | Produced | EngineFailed | PipeClosed | Tick
)
