"""The shipping server's machine in the simulated world, with an engine that draws what it says.

1. A client's message is the cause of what the server answers in the same breath. What was due
   before is done before, so nothing else is taken for an answer.
2. A server that refuses truncation, cancels or deletes, or acknowledges nothing, is this one with
   a filter before it: the machine inside stays the product.
3. A server that moderates cancels a reply as if somebody had asked for it.
4. When the session's time is over the machine says so and closes, with a code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

from bargein import events
from bargein.server.model import score
from bargein.server.model.commands import ClosePipe, Command, SendEvent, StartEngine, StopEngine
from bargein.server.model.ids import Ids
from bargein.server.model.inputs import EventReceived, Opened, PipeClosed, Produced, Tick
from bargein.server.model.machine import Machine
from bargein.server.model.memory import RememberedItem
from bargein.server.model.options import Options as ServerOptions
from bargein.server.model.vad import EnergyVad
from bargein.sim.actors.engine import Engine
from bargein.sim.choices import Choices
from bargein.sim.log import Log
from bargein.sim.moments import OF_SERVER_EVENTS, Moments
from bargein.sim.options import Options
from bargein.sim.world import Alarm, World
from bargein.units import US_PER_MS, US_PER_S

_MODEL = "gpt-realtime"
_WALL_TIME_S = 1_785_457_327
REFUSED_CODE = "unsupported_event"
"""What a server answers to a truncate, cancel or delete if it does not do such a thing."""


class SimServer:
    """`send` carries an event with its number and gives the time of its arrival; `hang_up` closes
    the connection with a code and a reason. `session_us`: when the session's time is over."""

    def __init__(
        self,
        options: Options,
        *,
        world: World,
        choices: Choices,
        log: Log,
        moments: Moments,
        send: Callable[[tuple[int, events.ServerEvent]], int],
        hang_up: Callable[[int, str], None],
        session_us: int | None = None,
    ) -> None:
        self._acknowledges = options.acknowledges
        self._choices = choices if options.moderates else None
        obeys = {
            events.ConversationItemTruncate: options.obeys_truncate,
            events.ConversationItemDelete: options.obeys_delete,
            events.ResponseCancel: options.obeys_cancel,
        }
        self._refused = frozenset(kind for kind, obeyed in obeys.items() if not obeyed)
        self._world = world
        self._log = log
        self._moments = moments
        self._send = send
        self._hang_up = hang_up
        self._engine = Engine(
            choices,
            sound_format=options.format,
            tools=options.tools,
            mixed_parts=options.mixed_parts,
        )
        settings = ServerOptions(lengths_grid_ms=options.lengths_grid_ms)
        if session_us is not None:
            settings = replace(settings, session_us=session_us)
        self._machine = Machine(
            ids=Ids(itertools.count(1).__next__), detector=EnergyVad(), options=settings
        )
        self._alarm = Alarm(world, self._tick)
        self._sent = 0
        self._refusals = 0
        self._deltas_left: dict[str, int] = {}
        self._begun: set[str] = set()

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
        if type(event) in self._refused:
            self._refuse(event, number)
            return
        self._tick()
        commands = self._machine.handle(EventReceived(event), now_us=self._world.now_us)
        self._do(commands, number)

    def close(self) -> None:
        """The client is gone."""
        self._do(self._machine.handle(PipeClosed(), now_us=self._world.now_us), -1)

    def _tick(self) -> None:
        """What is due, is done; and nothing if nothing is."""
        due_us, now_us = self._machine.deadline_us, self._world.now_us
        if due_us is not None and due_us <= now_us:
            self._do(self._machine.handle(Tick(), now_us=now_us), -1)

    def _do(self, commands: list[Command], cause: int) -> None:
        for command in commands:
            match command:
                case SendEvent(event=event):
                    self._tell(event, cause)
                case StartEngine(response_id=response_id, params=params):
                    self._start(response_id, params)
                case StopEngine():
                    pass
                case ClosePipe(code=code, reason=reason):
                    self._hang_up(code, reason)
        due_us = self._machine.deadline_us
        # The end of the session's hour is beyond every episode.
        if due_us is not None and due_us > self._world.now_us + 3_000 * US_PER_S:
            due_us = None
        self._alarm.set(due_us)

    def _start(self, response_id: str, params: events.ResponseParams) -> None:
        steps = self._engine.score(params)
        sounds = sum(1 for step in steps if isinstance(step.action, score.Sound))
        self._deltas_left[response_id] = sounds

        def produce() -> None:
            made = Produced(response_id, steps, final=True)
            self._tick()
            self._do(self._machine.handle(made, now_us=self._world.now_us), -1)

        if self._choices is not None and self._choices.rarely("moderator", 3):
            delay_us = self._choices.draw("moderator", 0, 3_000) * US_PER_MS
            self._world.after(delay_us, lambda: self._end_response(response_id))
        # The engine answers from outside of the machine, never from within its `handle`.
        self._world.after(0, produce)

    def _end_response(self, response_id: str) -> None:
        self._tick()
        if response_id in self._machine.running_response_ids:
            cancel = EventReceived(events.ResponseCancel(response_id=response_id))
            self._do(self._machine.handle(cancel, now_us=self._world.now_us), -1)

    def _refuse(self, event: events.ClientEvent, cause: int) -> None:
        self._refusals += 1
        body = events.ErrorBody(
            type="invalid_request_error",
            code=REFUSED_CODE,
            message=f"Event '{events.type_of(event)}' is not supported.",
            param=None,
            event_id=event.event_id,
        )
        self._tell(events.Error(event_id=f"event_refusal_{self._refusals}", error=body), cause)

    def _tell(self, event: events.ServerEvent, cause: int) -> None:
        if not self._acknowledges and isinstance(
            event, events.ConversationItemTruncated | events.ConversationItemDeleted
        ):
            return
        number = self._sent
        self._sent += 1
        self._log.write("server_sent", event, number, cause)
        arrival_us = self._send((number, event))
        if isinstance(event, events.ResponseOutputAudioDelta):
            self._announce_delta(event.response_id, arrival_us)
            return
        anchor = OF_SERVER_EVENTS.get(type(event))
        if anchor is not None:
            self._moments.announce(anchor, arrival_us)

    def _announce_delta(self, response_id: str, arrival_us: int) -> None:
        self._deltas_left[response_id] -= 1
        if response_id not in self._begun:
            self._begun.add(response_id)
            self._moments.announce("first_delta", arrival_us)
        if not self._deltas_left[response_id]:
            self._moments.announce("last_delta", arrival_us)
