"""The shipping server's machine in a simulated world, whoever says what the model says.

1. A client's message is the cause of what the server answers in the same breath. What was due
   before is done before, so nothing else is taken for an answer.
2. A server that refuses truncation, cancels or deletes, or acknowledges nothing, is this one with
   a filter before it: the machine inside stays the product.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import assert_never

from bargein import events
from bargein.server.model.commands import (
    CallTool,
    ClosePipe,
    ListTools,
    Overhear,
    SendEvent,
    SendMedia,
    StartEngine,
    StartTranscription,
    StopEngine,
    StopMedia,
    StopRemote,
    StopTranscription,
)
from bargein.server.model.ids import Ids
from bargein.server.model.inputs import (
    EventReceived,
    Input,
    MediaReceived,
    Opened,
    PipeClosed,
    Tick,
)
from bargein.server.model.machine import Machine
from bargein.server.model.memory import RememberedItem
from bargein.server.model.options import Options as ServerOptions
from bargein.server.model.vad import EnergyVad
from bargein.sim.log import Log
from bargein.sim.options import Options
from bargein.sim.world import Alarm, World
from bargein.units import US_PER_S

_MODEL = "gpt-realtime"
_WALL_TIME_S = 1_785_457_327
_BEYOND_US = 3_000 * US_PER_S
REFUSED_CODE = "unsupported_event"
"""What a server answers to a truncate, cancel or delete if it does not do such a thing."""


class Service(ABC):
    """What is the same for every model. `session_us`: when the session's time is over."""

    def __init__(
        self, options: Options, *, world: World, log: Log, session_us: int | None = None
    ) -> None:
        obeys = {
            events.ConversationItemTruncate: options.obeys_truncate,
            events.ConversationItemDelete: options.obeys_delete,
            events.ResponseCancel: options.obeys_cancel,
        }
        self._refused = frozenset(kind for kind, obeyed in obeys.items() if not obeyed)
        self._acknowledges = options.acknowledges
        self._webrtc = options.webrtc
        self._world = world
        self._log = log
        settings = ServerOptions(
            lengths_grid_ms=options.lengths_grid_ms, context_tokens=options.context_tokens or None
        )
        if session_us is not None:
            settings = replace(settings, session_us=session_us)
        self._machine = Machine(
            ids=Ids(itertools.count(1).__next__), detector=EnergyVad(), options=settings
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
        """Whether a response is running, or sound of one waits for its time to leave."""
        if self._webrtc and self._alarm.due_us is not None:
            return True
        return bool(self._machine.running_response_ids)

    def open(self) -> None:
        """Admit the client."""
        self._handle(Opened(_MODEL, _WALL_TIME_S, pipe="webrtc" if self._webrtc else "websocket"))

    def hear(self, audio: bytes) -> None:
        """Sound of the client's track has arrived."""
        self._tick()
        self._handle(MediaReceived(audio))

    def receive(self, message: tuple[int, events.ClientEvent]) -> None:
        """A message of the client has arrived."""
        number, event = message
        self._log.write("server_got", event, number)
        if type(event) in self._refused:
            self._refuse(event, number)
            return
        self._tick()
        self._handle(EventReceived(event), number)

    def close(self) -> None:
        """The client is gone."""
        self._handle(PipeClosed())

    @abstractmethod
    def _start(self, request: StartEngine) -> None:
        """The model is to answer; from outside of the machine, never from within its `handle`."""

    def _reach(self, command: ListTools | CallTool | StopRemote) -> None:
        """Reach the MCP servers that the client has declared; here it has declared none."""
        return

    @abstractmethod
    def _carry(self, number: int, event: events.ServerEvent) -> None:
        """The event leaves for the client, under this number."""

    def _play(self, command: SendMedia | StopMedia) -> None:
        """A frame leaves on the track, or none does any more."""
        raise AssertionError("over WebSocket there is no track")

    @abstractmethod
    def _hang_up(self, code: int, reason: str) -> None:
        """The server closes the connection."""

    def _tick(self) -> None:
        """What is due, is done; and nothing if nothing is."""
        due_us = self._machine.deadline_us
        if due_us is not None and due_us <= self._world.now_us:
            self._handle(Tick())

    def _handle(self, happened: Input, cause: int = -1) -> None:
        now_us = self._world.now_us
        for command in self._machine.handle(happened, now_us=now_us):
            match command:
                case SendEvent(event=event):
                    self._tell(event, cause)
                case StartEngine():
                    self._start(command)
                case ClosePipe(code=code, reason=reason):
                    self._hang_up(code, reason)
                case StopEngine() | Overhear() | StartTranscription() | StopTranscription():
                    # A simulated model has said all at once, and has no ears.
                    pass
                case SendMedia() | StopMedia():
                    self._play(command)
                case ListTools() | CallTool() | StopRemote():
                    self._reach(command)
                case _:
                    assert_never(command)
        due_us = self._machine.deadline_us
        # The end of the session's hour is beyond every episode.
        if due_us is not None and due_us > now_us + _BEYOND_US:
            due_us = None
        self._alarm.set(due_us)

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
        self._carry(number, event)
