"""What waits to be sent to one client."""

from __future__ import annotations

import asyncio
from collections import deque


class Outgoing:
    """Frames on their way to the client, and the close frame behind them."""

    def __init__(self) -> None:
        self.frames: deque[str] = deque()
        self.waiting_bytes = 0
        self.closing: tuple[int, str] | None = None
        self.changed = asyncio.Event()
        self.roomy = asyncio.Event()
        self.roomy.set()

    def put(self, frame: str) -> None:
        self.frames.append(frame)
        self.waiting_bytes += len(frame)
        self.changed.set()

    def drop(self) -> None:
        """There is nobody left to send to."""
        self.frames.clear()
        self.waiting_bytes = 0

    def close(self, code: int, reason: str) -> None:
        """Close behind what waits now; the first code asked for counts."""
        if self.closing is None:
            self.closing = code, reason
            self.changed.set()
