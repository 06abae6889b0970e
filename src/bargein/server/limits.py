"""What the server bears."""

from __future__ import annotations

from dataclasses import dataclass

from bargein.errors import LocalValueError


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What the server bears, beside what one session may hold (`Options.limits`)."""

    sessions: int = 64
    visits: int = 64
    """Connections of one address at once beside sessions that are there, before more wait."""
    visits_per_second: int = 10
    """So fast that line goes on. To begin a session and to end it takes a core three milliseconds,
    so others find it there in a thirtieth of the time."""
    sidebands: int = 8
    """Connections to one call, beside its own."""
    write_deadline_s: float = 20.0
    """How long a client may take for nothing of what waits for it; over WebRTC, also until its
    channel is open."""
    close_deadline_s: float = 2.0
    """How long the writing may take that is left when the session ends."""
    engine_close_deadline_s: float = 5.0
    """How long the engine may take to let go of what it holds when the session ends."""
    unread_bytes: int = 4 * 1024 * 1024
    """While so much waits to be sent, nothing more is read from that client."""
    outgoing_bytes: int = 256 * 1024 * 1024
    """A client for which more waits is cut off. One retrieved item may be very large."""
    waiting_inputs: int = 4
    """Frames and batches of a session that wait to be handled."""
    mcp_lists: int = 8
    """MCP servers that are asked for their tools at once, of one session; more wait."""
    mcp_calls: int = 16
    """Calls of their tools that run at once, of one session; more wait."""
    inline_frame_bytes: int = 8 * 1024
    """A longer frame is handled in slices, if it is audio in which turns are detected, and else in
    a thread: 8 KiB are 128 ms of audio, a millisecond of detecting turns."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise LocalValueError(f"{name} is {getattr(self, name)}: give more than 0")
