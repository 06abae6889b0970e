"""What the judge may look at while a world plays: the ear, the service's memory, the mirror."""

from __future__ import annotations

from bargein.core import inputs
from bargein.core.items import ItemView
from bargein.server.model.memory import RememberedItem
from bargein.sim.actors.card import SimCard
from bargein.sim.actors.client import SimClient
from bargein.sim.actors.service import Service


class LiveTruth:
    """The `Witness` of a stage, which puts its actors here."""

    _card: SimCard
    _client: SimClient
    _server: Service

    def heard(self, part: inputs.Part) -> int:
        """See `Witness`."""
        return self._card.committed(part)

    @property
    def memory(self) -> tuple[RememberedItem, ...]:
        """See `Witness`."""
        return self._server.memory

    @property
    def mirror(self) -> tuple[ItemView, ...]:
        """See `Witness`."""
        return () if self._client.broken else self._client.mirror
