"""The simulated service, with a model that draws what it says.

1. A server that moderates cancels a reply as if somebody had asked for it.
2. When the session's time is over the machine says so and closes, with a code.
"""

from __future__ import annotations

from collections.abc import Callable

from bargein import events
from bargein.server.model import score
from bargein.server.model.commands import (
    CallTool,
    ListTools,
    SendMedia,
    StartEngine,
    StopMedia,
    StopRemote,
)
from bargein.server.model.inputs import EventReceived, Produced, ToolReturned, ToolsListed
from bargein.sim.actors.engine import Engine
from bargein.sim.actors.media import MediaChannel
from bargein.sim.actors.service import Service
from bargein.sim.choices import Choices
from bargein.sim.log import Log
from bargein.sim.moments import OF_SERVER_EVENTS, Moments
from bargein.sim.options import Options
from bargein.sim.world import World
from bargein.units import US_PER_MS


class SimServer(Service):
    """`send` carries an event with its number and gives the time of its arrival; `hang_up` closes
    the connection with a code and a reason."""

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
        media: MediaChannel | None = None,
    ) -> None:
        super().__init__(options, world=world, log=log, session_us=session_us)
        self._draws = choices
        self._remote_calls = self._under_way = 0
        self._choices = choices if options.moderates else None
        self._moments = moments
        self._media = media
        self._send = send
        self._close_pipe = hang_up
        self._engine = Engine(
            choices,
            sound_format=options.format,
            tools=options.tools,
            mixed_parts=options.mixed_parts,
        )
        self._deltas_left: dict[str, int] = {}
        self._begun: set[str] = set()

    def _start(self, request: StartEngine) -> None:
        response_id = request.response_id
        steps = self._engine.score(request.params, remote=bool(request.remote_tools))
        sounds = sum(1 for step in steps if isinstance(step.action, score.Sound))
        self._deltas_left[response_id] = sounds

        def produce() -> None:
            self._tick()
            self._handle(Produced(response_id, steps, final=True))

        if self._choices is not None and self._choices.rarely("moderator", 3):
            delay_us = self._choices.draw("moderator", 0, 3_000) * US_PER_MS
            self._world.after(delay_us, lambda: self._end_response(response_id))
        self._world.after(0, produce)

    def _reach(self, command: ListTools | CallTool | StopRemote) -> None:
        """An MCP server takes its time, and now and then it has no list, or fails at a call."""
        choices = self._draws
        match command:
            case ListTools(item_id=item_id):
                stream = "remote/list"
                tools = (
                    None if choices.rarely(stream, 8) else (events.McpListedTool(name="search"),)
                )
                self._later(choices.draw(stream, 0, 2_000), ToolsListed(item_id, tools))
            case CallTool(item_id=item_id):
                self._remote_calls += 1
                stream = f"remote/call/{self._remote_calls}"
                delay_ms = choices.draw(stream, 0, 3_000)
                result: str | events.McpError = "three plans"
                if choices.rarely(stream, 4):
                    result = events.McpError(type="http_error", code=503, message="Gone.")
                self._later(delay_ms, ToolReturned(item_id, result))
            case StopRemote():
                # What comes after all is ignored.
                pass

    def _later(self, delay_ms: int, happened: ToolsListed | ToolReturned) -> None:
        self._under_way += 1

        def report() -> None:
            self._under_way -= 1
            self._tick()
            self._handle(happened)

        self._world.after(delay_ms * US_PER_MS, report)

    @property
    def busy(self) -> bool:
        """Whether a response is running, or an MCP server will still answer."""
        return super().busy or self._under_way > 0

    def _end_response(self, response_id: str) -> None:
        self._tick()
        if response_id in self._machine.running_response_ids:
            self._handle(EventReceived(events.ResponseCancel(response_id=response_id)))

    def _hang_up(self, code: int, reason: str) -> None:
        self._close_pipe(code, reason)

    def _play(self, command: SendMedia | StopMedia) -> None:
        if self._media is None:
            return
        if isinstance(command, SendMedia):
            self._media.send(command)
        else:
            self._media.stop()

    def _carry(self, number: int, event: events.ServerEvent) -> None:
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
