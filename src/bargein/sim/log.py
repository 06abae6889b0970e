"""Where everything that happens is written down, in order."""

from __future__ import annotations

from bargein.sim.history import Entry, Kind
from bargein.sim.world import World


class Log:
    """The entries of one episode."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.entries: list[Entry] = []

    def write(self, kind: Kind, what: object, number: int = -1, cause: int = -1) -> None:
        """It happens now."""
        self.entries.append(Entry(self._world.now_us, kind, what, number, cause))
