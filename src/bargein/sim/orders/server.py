"""The shipping server's machine, with a model that says what the scene wants, piece by piece.

It is `actors.server.SimServer` without chance. Every piece is due at once, so that the order of
events is the scene's and not the clock's.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bargein import events
from bargein.server.model.commands import ClosePipe, Command, SendEvent, StartEngine, StopEngine
from bargein.server.model.ids import Ids
from bargein.server.model.inputs import EventReceived, Opened, PipeClosed, Produced, Tick
from bargein.server.model.machine import Machine
from bargein.server.model.memory import RememberedItem
from bargein.server.model.options import Options as ServerOptions
from bargein.server.model.vad import EnergyVad
from bargein.sim.actors.server import REFUSED_CODE
from bargein.sim.log import Log
from bargein.sim.options import Options
from bargein.sim.orders.scene import Score, spoken
from bargein.sim.world import Alarm, World
from bargein.units import US_PER_S

_MODEL = "gpt-realtime"
_WALL_TIME_S = 1_785_457_327
_PLAIN = spoken((40,))


@dataclass(frozen=True, slots=True)
class Piece:
    """What the model says next of a response."""

    produced: Produced


class ScriptedServer:
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
        self._options = options
        self._scores = deque(scores)
        self._world = world
        self._log = log
        self._send = send
        self._say = say
        self._machine = Machine(
            ids=Ids(itertools.count(1).__next__),
            detector=EnergyVad(),
            options=ServerOptions(lengths_grid_ms=options.lengths_grid_ms),
        )
        self._alarm = Alarm(world, self._tick)
        self._sent = 0
        self._refusals = 0

    @property
    def memory(self) -> tuple[RememberedItem, ...]:
        """What the service remembers now."""
        return self._machine.memory

    @property
    def busy(self) -> bool:
        """Whether a response is running."""
        return bool(self._machine.running_response_ids)

    def open(self) -> None:
        """Admit the client."""
        self._do(self._machine.handle(Opened(_MODEL, _WALL_TIME_S), now_us=self._world.now_us), -1)

    def receive(self, message: tuple[int, events.ClientEvent]) -> None:
        """A message of the client has arrived."""
        number, event = message
        self._log.write("server_got", event, number)
        if isinstance(event, events.ConversationItemTruncate) and not self._options.obeys_truncate:
            self._refuse(event, number)
            return
        self._tick()
        self._do(self._machine.handle(EventReceived(event), now_us=self._world.now_us), number)

    def produce(self, piece: Piece) -> None:
        """The model says it."""
        self._do(self._machine.handle(piece.produced, now_us=self._world.now_us), -1)

    def close(self) -> None:
        """The client is gone."""
        self._do(self._machine.handle(PipeClosed(), now_us=self._world.now_us), -1)

    def wants(self, piece: Piece) -> bool:
        """Whether the response still runs."""
        return piece.produced.response_id in self._machine.running_response_ids

    def _tick(self) -> None:
        self._do(self._machine.handle(Tick(), now_us=self._world.now_us), -1)

    def _do(self, commands: list[Command], cause: int) -> None:
        for command in commands:
            match command:
                case SendEvent(event=event):
                    self._tell(event, cause)
                case StartEngine(response_id=response_id, params=params):
                    self._start(response_id, params)
                case StopEngine() | ClosePipe():
                    # What nobody wants is left out when its turn comes, and no scene is an hour.
                    pass
        due_us = self._machine.deadline_us
        if due_us is not None and due_us > self._world.now_us + 3_000 * US_PER_S:
            due_us = None
        self._alarm.set(due_us)

    def _start(self, response_id: str, params: events.ResponseParams) -> None:
        pieces: Score = ((),)
        if params.output_modalities == ("audio",):
            pieces = self._scores.popleft() if self._scores else _PLAIN
        for number, steps in enumerate(pieces, start=1):
            self._say(Piece(Produced(response_id, steps, final=number == len(pieces))))

    def _refuse(self, event: events.ConversationItemTruncate, cause: int) -> None:
        self._refusals += 1
        body = events.ErrorBody(
            type="invalid_request_error",
            code=REFUSED_CODE,
            message="Event 'conversation.item.truncate' is not supported.",
            param=None,
            event_id=event.event_id,
        )
        self._tell(events.Error(event_id=f"event_refusal_{self._refusals}", error=body), cause)

    def _tell(self, event: events.ServerEvent, cause: int) -> None:
        if not self._options.acknowledges and isinstance(
            event, events.ConversationItemTruncated | events.ConversationItemDeleted
        ):
            return
        number = self._sent
        self._sent += 1
        self._log.write("server_sent", event, number, cause)
        self._send((number, event))
