"""A pipe carries frames and knows nothing of what is in them.

1. Frames keep their order, each way. A pipe that lost a frame closes.
2. What a pipe can do, and who owns playback behind it, is said by its `Capabilities` when it opens.
3. Foreign exceptions stop here: a pipe raises `TransportError` and its kin, or reports `PipeEnd`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable


@dataclass(frozen=True, slots=True)
class PipeEnd:
    """How the pipe ended: the close frame's `code` and `reason`; None without one (1006)."""

    code: int | None
    reason: str


class Pipe(Protocol):
    """One connection: one reader, one writer; `close` may come from anywhere, at any time."""

    async def open(self) -> None:
        """Connect, or raise `TransportError`; a refusal after the upgrade is a frame and an end."""

    async def send(self, frame: str) -> None:
        """Write one text frame; returns when the pipe takes more (back-pressure).

        Raises `TransportError` where the pipe has ended; the reader then has the `PipeEnd`.
        """

    async def receive(self) -> str | bytes | PipeEnd:
        """The next frame, or the end; after the end, the end again."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close and wait for the peer, at most until the close deadline. Never raises."""


@runtime_checkable
class PromptPipe(Protocol):
    """What a pipe may have besides: writing without a task, for those who send often."""

    def send_at_once(self, frame: str) -> Coroutine[Any, Any, None] | None:
        """Write one text frame now. None: it is written. Else it is on its way, and what is left
        must be awaited, in one task, before anything else is sent.

        Raises `TransportError` where the pipe has ended.
        """


MediaSink: TypeAlias = Callable[[int, int, bytes], None]
"""A packet of sound that arrived: its RTP sequence number, timestamp and payload."""


@runtime_checkable
class MediaPipe(Protocol):
    """What a pipe has besides where sound goes by a track of its own, in packets of Opus."""

    def attach_media(self, sink: MediaSink) -> None:
        """Give the place for packets, before the pipe is opened. It is called on the loop."""

    def send_media(self, payload: bytes, position: int) -> None:
        """Send a packet at its place on our track, in samples at 48 kHz, which rises."""
