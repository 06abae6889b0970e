"""The service's output buffer: what it says of it over WebRTC, and to who joined a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bargein import events

if TYPE_CHECKING:
    from bargein.core.machine import Machine


def started(machine: Machine, event: events.OutputAudioBufferStarted) -> None:
    """The first frame of a response has left."""
    machine.buffer.started(event.response_id)


def stopped(machine: Machine, event: events.OutputAudioBufferStopped) -> None:
    """The last frame of a response has left."""
    machine.buffer.stopped(event.response_id)


def cleared(machine: Machine, event: events.OutputAudioBufferCleared) -> None:
    """What was left of a response was thrown away."""
    machine.buffer.cleared(event.response_id)
