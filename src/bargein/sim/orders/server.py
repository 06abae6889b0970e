"""The simulated service, with a model that says what the scene wants, piece by piece.

It is `actors.server.SimServer` without chance. Every piece is due at once, so that the order of
events is the scene's and not the clock's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bargein import events
from bargein.server.model.commands import StartEngine
from bargein.server.model.inputs import Produced
from bargein.sim.actors.service import Service
from bargein.sim.log import Log
from bargein.sim.options import Options
from bargein.sim.orders.scene import Score, spoken
from bargein.sim.world import World

_PLAIN = spoken((40,))


@dataclass(frozen=True, slots=True)
class Piece:
    """What the model says next of a response."""

    produced: Produced


class ScriptedServer(Service):
    """`send` takes an event with its number, `say` a piece of a reply when the model has it."""

    def __init__(
        self,
        options: Options,
        scores: tuple[Score, ...],
        *,
        world: World,
        log: Log,
        send: Callable[[tuple[int, events.ServerEvent]], None],
        say: Callable[[Piece], None],
    ) -> None:
        super().__init__(options, world=world, log=log)
        self._scores = deque(scores)
        self._send = send
        self._say = say

    def produce(self, piece: Piece) -> None:
        """The model says it."""
        self._handle(piece.produced)

    def wants(self, piece: Piece) -> bool:
        """Whether the response still runs."""
        return piece.produced.response_id in self._machine.running_response_ids

    def _start(self, request: StartEngine) -> None:
        response_id = request.response_id
        pieces: Score = ((),)
        if request.params.output_modalities == ("audio",):
            pieces = self._scores.popleft() if self._scores else _PLAIN
        for number, steps in enumerate(pieces, start=1):
            self._say(Piece(Produced(response_id, steps, final=number == len(pieces))))

    def _carry(self, number: int, event: events.ServerEvent) -> None:
        self._send((number, event))

    def _hang_up(self, code: int, reason: str) -> None:
        """No scene is an hour."""
