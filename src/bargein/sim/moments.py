"""Moments that the user's acts are drawn around: at one, a microsecond or a sample before or after.

Uniform times miss the interesting ones: some rules were met in one uniform episode of a thousand.
Whoever knows that a moment is coming announces it, with its time; links and cards know theirs
beforehand, so that an act can also come just before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

from bargein.sim.world import Action, World

Anchor: TypeAlias = Literal[
    "created", "first_delta", "last_delta", "done", "stopped", "last_taken", "last_heard"
]
ANCHORS: tuple[Anchor, ...] = get_args(Anchor)


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
