"""Moments that the user's acts are drawn around: at one, a microsecond or a sample before or after.

1. Uniform times miss the interesting ones: some rules were met in one uniform episode of a
   thousand. Whoever knows that a moment is coming announces it, with its time; links and cards
   know theirs beforehand, so that an act can also come just before.
2. What the application is told is a moment, too: it then acts from inside the notice, before
   anything else happens.
3. Anchors are only added at the end: a tape names them by their places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, get_args

from bargein import events
from bargein.core import notices
from bargein.sim.world import Action, World

Anchor: TypeAlias = Literal[
    "created",
    "first_delta",
    "last_delta",
    "done",
    "stopped",
    "last_taken",
    "last_heard",
    "speech_started",
    "speech_stopped",
    "committed",
    "acknowledged",
    "create_arrives",
    "cancel_arrives",
    "truncate_arrives",
    "told_turn_started",
    "told_turn_ended",
    "told_floor",
    "told_cut",
    "told_settled",
    "told_call",
    "told_words",
]
ANCHORS: tuple[Anchor, ...] = get_args(Anchor)

OF_SERVER_EVENTS: Mapping[type, Anchor] = {
    events.ResponseCreated: "created",
    events.ResponseDone: "done",
    events.InputAudioBufferSpeechStarted: "speech_started",
    events.InputAudioBufferSpeechStopped: "speech_stopped",
    events.InputAudioBufferCommitted: "committed",
    events.ConversationItemTruncated: "acknowledged",
    events.ConversationItemDeleted: "acknowledged",
}
"""Each at its arrival; the deltas are counted by the server, which knows which is the last."""

OF_CLIENT_EVENTS: Mapping[type, Anchor] = {
    events.ResponseCreate: "create_arrives",
    events.ResponseCancel: "cancel_arrives",
    events.ConversationItemTruncate: "truncate_arrives",
    events.ConversationItemDelete: "truncate_arrives",
}

OF_NOTICES: Mapping[type, Anchor] = {
    notices.TurnStarted: "told_turn_started",
    notices.TurnEnded: "told_turn_ended",
    notices.FloorChanged: "told_floor",
    notices.Interruption: "told_cut",
    notices.InterruptionSettled: "told_settled",
    notices.ToolCalled: "told_call",
    notices.Transcript: "told_words",
}


class Moments:
    """Where moments are announced and waited for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: dict[Anchor, list[Callable[[int], None]]] = {}

    def announce(self, anchor: Anchor, time_us: int) -> None:
        """The moment will be then. It may be announced again with a better time."""
        waiting = self._waiting
        if waiting:
            for begin in waiting.pop(anchor, ()):
                begin(time_us)

    def when(self, anchor: Anchor, offset_us: int, patience_us: int, action: Action) -> None:
        """Act once, `offset_us` from the next such moment; without one, after `patience_us`."""
        acted = False

        def act() -> None:
            nonlocal acted
            if not acted:
                acted = True
                action()

        def begin(time_us: int) -> None:
            self._world.at(max(self._world.now_us, time_us + offset_us), act)

        self._waiting.setdefault(anchor, []).append(begin)
        self._world.after(patience_us, act)
