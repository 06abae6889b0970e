"""The bounds of a session: every queue and every wait has one, and each may be set."""

from __future__ import annotations

from dataclasses import dataclass, fields

from bargein.errors import LocalValueError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a session holds and waits for at most. All must be above nought."""

    frame_bytes: int = 16 * 1024 * 1024
    """A larger frame from the service ends the pipe; an item with its audio takes megabytes."""
    outgoing_characters: int = 64 * 1024
    """So much may wait for the socket before the machine keeps the rest in its own order."""
    send_s: float = 20.0
    """A frame that the socket does not take in this time ends the pipe as lost."""
    close_s: float = 5.0
    """`Session.close`: what is heard is settled and the pipe closed in this time, or it is cut."""
    microphone_ms: int = 10_000
    """Sound of the microphone that may wait; the oldest beyond it is dropped and counted."""
    notices: int = 1_024
    """Waiting notices, for each subscriber; the oldest beyond it are dropped and counted."""
    events: int = 1_024
    """Waiting raw events, for each subscriber of `Session.events`; as with notices."""

    def __post_init__(self) -> None:
        """Raises `LocalValueError` naming the limit that cannot be."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise LocalValueError(f"limits.{field.name}: {value}; give more than 0")
