"""The only loop of the server: one session is a machine, an engine and a connection.

1. Everything that happens to a session stands in one queue and is handled by one task, in order;
   the machine's `deadline_us` is the one timer.
2. What is to be sent waits in a queue of its own. While much waits, nothing more is read from that
   client; a client that takes nothing for `write_deadline_s`, or for which too much waits, is cut
   off. Other sessions do not notice.
3. No session holds up the others: between any two inputs the loop is everybody's, and a frame that
   takes long (minutes of audio in one append) is handled in slices or in a thread.
4. When the session ends, for whatever reason, its engine, its tasks and its connection end with
   it.
5. What a client does is its own affair and is never logged as an error; what an engine does wrong
   is (`working`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, assert_never

from bargein import events
from bargein.errors import LocalValueError
from bargein.events.dialect import ENCODERS, Dialect
from bargein.server.engines.base import Engine, EngineFactory
from bargein.server.engines.weights import silero_weights
from bargein.server.framelog import FrameLog
from bargein.server.inbox import Inbox
from bargein.server.model.commands import (
    CallTool,
    ClosePipe,
    Command,
    ListTools,
    Overhear,
    SendEvent,
    StartEngine,
    StartTranscription,
    StopEngine,
    StopRemote,
    StopTranscription,
)
from bargein.server.model.ids import Ids
from bargein.server.model.inputs import (
    EventReceived,
    FrameReceived,
    Input,
    Opened,
    PipeClosed,
    SessionKind,
)
from bargein.server.model.machine import Machine
from bargein.server.model.options import Options
from bargein.server.model.vad import Detector, SileroVad
from bargein.server.outgoing import Outgoing
from bargein.server.slicing import slices
from bargein.server.working import Working, end
from bargein.units import US_PER_S

log = logging.getLogger(__name__)

GOING_AWAY, INTERNAL_ERROR = 1001, 1011
_ID_BITS = 128
_QUICKLY_READ_BYTES = 256 * 1024
"""A frame of this length is decoded in a fraction of a millisecond."""


class Connection(Protocol):
    """One client, admitted. One reader and one writer at a time."""

    async def receive(self) -> str | bytes | None:
        """The next frame; None once the client is gone."""

    async def send(self, frame: str) -> None:
        """Write one text frame; returns when there is room for more. Silent if the client is
        gone."""

    async def close(self, code: int, reason: str) -> None:
        """Send the close frame. Silent if the client is gone."""

    def abort(self) -> None:
        """Drop the connection and what still waits to be written. Any number of times."""


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What the server bears, beside what one session may hold (`Options.limits`)."""

    sessions: int = 64
    write_deadline_s: float = 20.0
    """How long a client may take for nothing of what waits for it."""
    close_deadline_s: float = 2.0
    """How long the writing may take that is left when the session ends."""
    engine_close_deadline_s: float = 5.0
    """How long the engine may take to let go of what it holds when the session ends."""
    unread_bytes: int = 4 * 1024 * 1024
    """While so much waits to be sent, nothing more is read from that client."""
    outgoing_bytes: int = 256 * 1024 * 1024
    """A client for which more waits is cut off. One retrieved item may be very large."""
    waiting_inputs: int = 4
    """Frames and batches of a session that wait to be handled."""
    mcp_lists: int = 8
    """MCP servers that are asked for their tools at once, of one session; more wait."""
    mcp_calls: int = 16
    """Calls of their tools that run at once, of one session; more wait."""
    inline_frame_bytes: int = 8 * 1024
    """A longer frame is handled in slices, if it is audio in which turns are detected, and else in
    a thread: 8 KiB are 128 ms of audio, a millisecond of detecting turns."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise LocalValueError(f"{name} is {getattr(self, name)}: give more than 0")


class Host:
    """The sessions of one server. `new_detector` makes what judges the frames of one session."""

    def __init__(
        self,
        engine_factory: EngineFactory,
        *,
        options: Options | None = None,
        limits: HostLimits | None = None,
        frame_log: FrameLog | None = None,
        new_detector: Callable[[], Detector] | None = None,
    ) -> None:
        self.options = options or Options()
        self.limits = limits or HostLimits()
        self.sessions: dict[str, Session] = {}
        self.sessions_opened = 0
        self.cut_off = 0
        """Clients that were cut off because they did not read."""
        self._engine_factory = engine_factory
        self._frame_log = frame_log
        self._new_detector = new_detector or (lambda: SileroVad(silero_weights()))
        self._closing = False

    @property
    def has_room(self) -> bool:
        """Whether one more session may begin."""
        return not self._closing and len(self.sessions) < self.limits.sessions

    async def run(
        self,
        connection: Connection,
        *,
        model: str,
        kind: SessionKind = "realtime",
        dialect: Dialect = "ga",
    ) -> None:
        """Hold a session with an admitted client until it is over. Never raises for the client's
        or the engine's doing."""
        self.sessions_opened += 1
        key = f"session-{self.sessions_opened}"
        try:
            engine = self._engine_factory()
        except Exception:
            # An engine is anybody's code, and so is its making.
            log.exception("%s: the engine cannot be made", key)
            await connection.close(INTERNAL_ERROR, "")
            return
        session = Session(key, self, connection, engine, self._new_detector())
        self.sessions[key] = session
        try:
            await session.run(model, kind, dialect)
        finally:
            del self.sessions[key]

    async def close(self) -> None:
        """End all sessions, telling each client so, and wait for their ends."""
        self._closing = True
        sessions = list(self.sessions.values())
        for session in sessions:
            session.end(GOING_AWAY, "The server is shutting down.")
        await asyncio.gather(*(session.ended.wait() for session in sessions))

    def note(self, session: str, direction: str, frame: str | bytes) -> None:
        """Keep a frame in the log of frames, if there is one."""
        if self._frame_log is not None:
            self._frame_log.note(session, direction, frame)


class Session:
    """One client's session. `machine` is for looking at, from the loop's thread."""

    def __init__(
        self, key: str, host: Host, connection: Connection, engine: Engine, detector: Detector
    ) -> None:
        self.key = key
        self.machine = Machine(
            ids=Ids(lambda: secrets.randbits(_ID_BITS)), detector=detector, options=host.options
        )
        self.ended = asyncio.Event()
        self._encode = ENCODERS["ga"]
        self._host = host
        self._limits = host.limits
        self._connection = connection
        self._inbox = Inbox(self._limits.waiting_inputs, lambda: len(host.sessions) == 1)
        self._working = Working(
            key,
            engine,
            self._inbox.put,
            lists_at_once=self._limits.mcp_lists,
            calls_at_once=self._limits.mcp_calls,
        )
        self._overhears = engine.overhears
        self._outgoing = Outgoing()
        self._in_thread: asyncio.Future[list[Command]] | None = None
        self._stop = asyncio.Event()

    @property
    def producing(self) -> int:
        """How many responses the engine is at work on."""
        return self._working.responses

    @property
    def transcribing(self) -> int:
        """How many turns' words the engine is at work on."""
        return self._working.transcriptions

    def end(self, code: int, reason: str) -> None:
        """Ask the session to end with this close code; the first one asked for counts."""
        self._outgoing.close(code, reason)
        self._stop.set()

    async def run(self, model: str, kind: SessionKind, dialect: Dialect) -> None:
        """From the admission to the end of everything that belongs to the session."""
        _, reader, writer, _ = tasks = [
            asyncio.create_task(work, name=f"{self.key} {name}")
            for name, work in (
                ("handler", self._handle(model, kind, dialect)),
                ("reader", self._read()),
                ("writer", self._write()),
                ("stop", self._wait_for_stop()),
            )
        ]
        try:
            # Whichever ends first, the session is over: the machine has ended, the client is gone
            # or cut off, or somebody asked for the end.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (fault := task.exception()) is not None:
                    log.error("%s broke", self.key, exc_info=fault)
                    self.end(INTERNAL_ERROR, "")
            if self._outgoing.closing is not None:
                await asyncio.wait({writer}, timeout=self._limits.close_deadline_s)
        finally:
            if not (reader.done() or writer.done()):
                self._connection.abort()
            await end(*tasks)
            self._inbox.close()
            await self._working.end(self._limits.engine_close_deadline_s)
            await self._end_machine()
            self.ended.set()

    async def _wait_for_stop(self) -> None:
        await self._stop.wait()

    async def _end_machine(self) -> None:
        """Tell the machine that it is over. Its last commands have nobody left to do them."""
        if self._in_thread is not None:
            # The machine has one user at a time, and a thread cannot be cancelled.
            await asyncio.wait({self._in_thread})
        self.machine.handle(PipeClosed(), now_us=_now_us())

    async def _handle(self, model: str, kind: SessionKind, dialect: Dialect) -> None:
        """The one place where inputs are handled, in order, and deadlines kept."""
        self._encode = ENCODERS[dialect]
        opened = Opened(
            model, int(time.time()), overhears=self._overhears, kind=kind, dialect=dialect
        )
        self._perform(self.machine.handle(opened, now_us=_now_us()))
        while not self.machine.ended:
            await self._take(await self._inbox.next(self.machine.deadline_us))

    async def _take(self, input: Input) -> None:
        """Handle one input, a long one so that nobody else is held up."""
        machine = self.machine
        if isinstance(input, FrameReceived) and len(input.frame) > self._limits.inline_frame_bytes:
            slice_bytes = machine.slice_bytes
            if slice_bytes is not None and len(input.frame) <= machine.longest_frame:
                if len(input.frame) <= _QUICKLY_READ_BYTES:
                    parts = slices(input.frame, slice_bytes)
                else:
                    parts = await asyncio.to_thread(slices, input.frame, slice_bytes)
                if parts is not None:
                    await self._take_slices(parts)
                    return
            work = asyncio.to_thread(machine.handle, input, now_us=_now_us())
            self._in_thread = asyncio.ensure_future(work)
            self._perform(await asyncio.shield(self._in_thread))
            self._in_thread = None
        else:
            self._perform(machine.handle(input, now_us=_now_us()))

    async def _take_slices(self, parts: Iterator[EventReceived]) -> None:
        for part in parts:
            commands = self.machine.handle(part, now_us=_now_us())
            self._perform(commands)
            if self.machine.ended or any(map(_refuses, commands)):
                return  # One refusal is enough: the buffer is full.
            await self._inbox.give_way()

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case SendEvent(event=event):
                    frame = self._encode(event)
                    if frame is None:
                        continue
                    self._host.note(self.key, "server", frame)
                    self._outgoing.put(frame)
                case ClosePipe(code=code, reason=reason):
                    self._outgoing.close(code, reason)
                case StartEngine():
                    self._working.respond(command)
                case StopEngine(response_id=response_id):
                    self._working.stop_response(response_id)
                case Overhear():
                    self._working.overhear(command)
                case StartTranscription():
                    self._working.transcribe(command)
                case ListTools():
                    self._working.list_tools(command)
                case CallTool():
                    self._working.call_tool(command)
                case StopRemote(item_id=item_id):
                    self._working.stop_remote(item_id)
                case StopTranscription(item_id=item_id):
                    self._working.stop_transcription(item_id)
                case _:
                    assert_never(command)
        out = self._outgoing
        if out.waiting_bytes > self._limits.outgoing_bytes:
            self._cut_off(f"{out.waiting_bytes} bytes wait for it")
        elif out.waiting_bytes > self._limits.unread_bytes:
            out.roomy.clear()

    def _cut_off(self, why: str) -> None:
        log.info("%s: the client does not read (%s) and is cut off", self.key, why)
        self._host.cut_off += 1
        self._outgoing.drop()
        self._connection.abort()
        self._stop.set()

    async def _read(self) -> None:
        while True:
            await self._outgoing.roomy.wait()
            frame = await self._connection.receive()
            if frame is None:
                return
            self._host.note(self.key, "client", frame)
            await self._inbox.put(FrameReceived(frame))

    async def _write(self) -> None:
        out = self._outgoing
        while True:
            while out.frames:
                frame = out.frames.popleft()
                try:
                    async with asyncio.timeout(self._limits.write_deadline_s):
                        await self._connection.send(frame)
                except TimeoutError:
                    self._cut_off(f"nothing was taken for {self._limits.write_deadline_s} s")
                    return
                out.waiting_bytes -= len(frame)
                if out.waiting_bytes <= self._limits.unread_bytes:
                    out.roomy.set()
            if out.closing is not None:
                await self._connection.close(*out.closing)
                return
            out.changed.clear()
            await out.changed.wait()


def _refuses(command: Command) -> bool:
    return isinstance(command, SendEvent) and isinstance(command.event, events.Error)


def _now_us() -> int:
    return round(asyncio.get_running_loop().time() * US_PER_S)
