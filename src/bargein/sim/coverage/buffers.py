"""Calls: what happens to the service's output buffer, and to the sound that comes by itself."""

from __future__ import annotations

from bargein import events
from bargein.core import inputs
from bargein.sim.coverage import stops
from bargein.sim.coverage.scene import Scene
from bargein.sim.history import Entry


def clear(scene: Scene, event: events.OutputAudioBufferClear, entry: Entry) -> None:
    scene.rules["buffer 1: we clear"] += 1
    scene.clears += 1


def started(scene: Scene, event: events.OutputAudioBufferStarted, entry: Entry) -> None:
    scene.sounding = True


def cleared(scene: Scene, event: events.OutputAudioBufferCleared, entry: Entry) -> None:
    scene.sounding = False
    if scene.clears:
        scene.clears -= 1
    else:
        scene.rules["buffer 1: the service clears"] += 1


def stopped(scene: Scene, event: events.OutputAudioBufferStopped, entry: Entry) -> None:
    scene.sounding = False
    if scene.clears:
        scene.rules["buffer 2: a clear meets the end"] += 1
        scene.clears -= 1


def truncated(scene: Scene, event: events.ConversationItemTruncated, entry: Entry) -> None:
    """Whoever owns the sound."""
    if scene.by_call:
        scene.rules["buffer 3: the service truncates"] += 1
    stops.truncated(scene, event, entry)


def media(scene: Scene, came: inputs.MediaArrived, entry: Entry) -> None:
    if not came.audio.strip(b"\0"):
        return
    if scene.clears:
        scene.rules["gate: sound behind our clear"] += 1
    elif not scene.sounding:
        scene.rules["gate: sound nobody has told of"] += 1
