"""Where everything that happens is written down, in order."""

from __future__ import annotations

from collections.abc import Callable

from bargein.sim.history import Entry, Kind
from bargein.sim.world import World


class Log:
    """The entries of one episode. `take` sees each as soon as it is written."""

    def __init__(self, world: World, take: Callable[[Entry], None] | None = None) -> None:
        self._world = world
        self._take = take
        self.entries: list[Entry] = []

    def write(self, kind: Kind, what: object, number: int = -1, cause: int = -1) -> None:
        """It happens now."""
        entry = Entry(self._world.now_us, kind, what, number, cause)
        self.entries.append(entry)
        if self._take is not None:
            self._take(entry)
