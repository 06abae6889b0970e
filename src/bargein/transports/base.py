"""A pipe carries frames and knows nothing of what is in them.

1. Frames keep their order, each way. A pipe that lost a frame closes.
2. What a pipe can do, and who owns playback behind it, is said by its `Capabilities` when it opens.
3. Foreign exceptions stop here: a pipe raises `TransportError` and its kin, or reports `PipeEnd`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PipeEnd:
    """How the pipe ended. `code` and `reason` are the close frame's; None where there was none (1006)."""

    code: int | None
    reason: str


class Pipe(Protocol):
    """One connection. One reader, one writer; `close` may come from anywhere, any number of times."""

    async def open(self) -> None:
        """Connect. Raises `TransportError`; a refusal after the upgrade is a frame and a `PipeEnd`."""

    async def send(self, frame: str) -> None:
        """Write one text frame; returns when the pipe takes more (back-pressure).

        Raises `TransportError` where the pipe has ended; the reader then has the `PipeEnd`.
        """

    async def receive(self) -> str | bytes | PipeEnd:
        """The next frame, or the end; after the end, the end again."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close and wait for the peer, at most as long as the pipe's close deadline. Never raises."""
