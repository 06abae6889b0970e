"""The only loop of the server: one session is a machine, an engine and one connection or more.

1. Everything that happens to a session stands in one queue and is handled by one task, in order;
   the machine's `deadline_us` is the one timer.
2. A connection that does not read is cut off (`pipe`), and its session with it; a sideband alone.
   Other sessions do not notice.
3. No session holds up the others: between any two inputs the loop is everybody's, and a frame that
   takes long (minutes of audio in one append) is handled in slices or in a thread.
4. When the session ends, for whatever reason, its engine, its tasks and its connections end with
   it.
5. What a client does is its own affair and is never logged as an error; what an engine does wrong
   is (`working`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any, assert_never

from bargein import events
from bargein.events.dialect import ENCODERS, Dialect
from bargein.server.engines.base import Engine, EngineFactory
from bargein.server.engines.weights import silero_weights
from bargein.server.framelog import FrameLog
from bargein.server.giving_back import WhenEmpty
from bargein.server.handling import Handling
from bargein.server.inbox import Inbox
from bargein.server.limits import HostLimits
from bargein.server.longframe import LongFrame, LongReceived
from bargein.server.model.commands import (
    CallTool,
    ClosePipe,
    Command,
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
    MAIN_PIPE,
    FrameReceived,
    MediaReceived,
    Opened,
    SessionKind,
)
from bargein.server.model.machine import Machine
from bargein.server.model.options import Options
from bargein.server.model.vad import Detector, SileroVad
from bargein.server.pacing import Pace
from bargein.server.pipe import Connection, Media, Pipe
from bargein.server.working import RemoteServers, Working, end

log = logging.getLogger(__name__)

NORMAL, GOING_AWAY, INTERNAL_ERROR = 1000, 1001, 1011
_ID_BITS = 128


class Host:
    """The sessions of one server. `new_detector` makes what judges the frames of one session; `mcp`
    reaches the MCP servers that no engine plays; `when_empty` is called in a thread a while after
    the last session has ended."""

    def __init__(
        self,
        engine_factory: EngineFactory,
        *,
        options: Options | None = None,
        limits: HostLimits | None = None,
        frame_log: FrameLog | None = None,
        new_detector: Callable[[], Detector] | None = None,
        mcp: RemoteServers | None = None,
        when_empty: Callable[[], None] | None = None,
    ) -> None:
        self.options = options or Options()
        self.limits = limits or HostLimits()
        self.sessions: dict[str, Session] = {}
        self._calls: dict[str, Session] = {}
        self.sessions_opened = 0
        self.cut_off = 0
        """Clients that were cut off because they did not read."""
        self._engine_factory = engine_factory
        self.mcp = mcp
        self._frame_log = frame_log
        self._new_detector = new_detector or (lambda: SileroVad(silero_weights()))
        self._closing = False
        self._when_empty = WhenEmpty(when_empty)

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
        wanted: dict[str, Any] | None = None,
        session_id: str | None = None,
        media: Media | None = None,
        pace: Pace | None = None,
    ) -> None:
        """Hold a session with an admitted client until it is over. Never raises for the client's
        or the engine's doing. `wanted` and `session_id` are as in `Opened`; with `media` it is a
        call, which `find` knows by that id. `pace`: where the connection charges what it does."""
        self.sessions_opened += 1
        key = f"session-{self.sessions_opened}"
        try:
            engine = self._engine_factory()
        except Exception:
            # An engine is anybody's code, and so is its making.
            log.exception("%s: the engine cannot be made", key)
            await connection.close(INTERNAL_ERROR, "")
            return
        pace = pace or Pace()
        session = Session(key, self, connection, engine, self._new_detector(), pace, media)
        self.sessions[key] = session
        self._when_empty.not_now()
        if session_id is not None:
            self._calls[session_id] = session
        opened = Opened(
            model,
            int(time.time()),
            overhears=engine.overhears,
            kind=kind,
            dialect=dialect,
            pipe="websocket" if media is None else "webrtc",
            session_id=session_id,
            session=wanted,
        )
        try:
            await session.run(opened)
        finally:
            pace.leave()
            del self.sessions[key]
            if session_id is not None:
                del self._calls[session_id]
            if not self.sessions and not self._closing:
                self._when_empty.nobody_is_left()

    def find(self, session_id: str) -> Session | None:
        """The call whose session has this id, while it lasts."""
        return self._calls.get(session_id)

    async def close(self) -> None:
        """End all sessions, telling each client so, and wait for their ends."""
        self._closing = True
        self._when_empty.not_now()
        sessions = list(self.sessions.values())
        for session in sessions:
            session.end(GOING_AWAY, "The server is shutting down.")
        await asyncio.gather(*(session.ended.wait() for session in sessions))

    def note(self, session: str, direction: str, frame: str | bytes | LongFrame) -> None:
        """Keep a frame in the log of frames, if there is one."""
        if self._frame_log is not None:
            whole = frame.whole() if isinstance(frame, LongFrame) else frame
            self._frame_log.note(session, direction, whole)


class Session:
    """One client's session. `machine` is for looking at, from the loop's thread."""

    def __init__(
        self,
        key: str,
        host: Host,
        connection: Connection,
        engine: Engine,
        detector: Detector,
        pace: Pace,
        media: Media | None = None,
    ) -> None:
        self.key = key
        self.machine = Machine(
            ids=Ids(lambda: secrets.randbits(_ID_BITS)), detector=detector, options=host.options
        )
        self.ended = asyncio.Event()
        self._encode = ENCODERS["ga"]
        self._host = host
        self._limits = host.limits
        self._media = media
        self._inbox = Inbox(self._limits.waiting_inputs, pace)
        self._handling = Handling(
            self.machine, pace, self._perform, self._limits.inline_frame_bytes
        )
        self._working = Working(
            key,
            engine,
            self._inbox.put,
            servers=host.mcp,
            lists_at_once=self._limits.mcp_lists,
            calls_at_once=self._limits.mcp_calls,
        )
        self._main = Pipe(
            MAIN_PIPE, connection, self._limits, heard=self._heard, gone=self._main_gone
        )
        self._pipes = {MAIN_PIPE: self._main}
        self._attached = 0
        self._stop = asyncio.Event()
        self._over = asyncio.Event()

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
        for pipe in self._pipes.values():
            pipe.close(code, reason)
        self._stop.set()

    @property
    def has_room(self) -> bool:
        """Whether one more sideband may be attached."""
        return len(self._pipes) <= self._limits.sidebands and not self._stop.is_set()

    async def attach(self, connection: Connection) -> None:
        """Hold a sideband until it or the session is over (protocol.md §1.1.6)."""
        self._attached += 1
        number = self._attached

        def gone(why: str) -> None:
            self._note_cut_off(f"sideband {number}", why)

        pipe = Pipe(number, connection, self._limits, heard=self._heard, gone=gone)
        self._pipes[number] = pipe
        name = f"{self.key} sideband {number}"
        reader = asyncio.create_task(pipe.read(), name=f"{name} reader")
        writer = asyncio.create_task(pipe.write(), name=f"{name} writer")
        over = asyncio.create_task(_set(self._over), name=f"{name} over")
        try:
            await asyncio.wait({reader, writer, over}, return_when=asyncio.FIRST_COMPLETED)
            if over.done():
                pipe.close(NORMAL, "")
                await asyncio.wait({writer}, timeout=self._limits.close_deadline_s)
        finally:
            del self._pipes[number]
            if not (reader.done() or writer.done()):
                pipe.abort()
            await end(reader, writer, over)

    async def run(self, opened: Opened) -> None:
        """From the admission to the end of everything that belongs to the session."""
        _, reader, writer, _, *_ = tasks = [
            asyncio.create_task(work, name=f"{self.key} {name}")
            for name, work in (
                ("handler", self._handle(opened)),
                ("reader", self._main.read()),
                ("writer", self._main.write()),
                ("stop", _set(self._stop)),
                *([("ears", self._hear(self._media))] if self._media is not None else []),
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
            if self._main.closing:
                await asyncio.wait({writer}, timeout=self._limits.close_deadline_s)
        finally:
            if not (reader.done() or writer.done()):
                self._main.abort()
            self._over.set()
            await end(*tasks)
            self._inbox.close()
            await self._working.end(self._limits.engine_close_deadline_s)
            await self._handling.end()
            self.ended.set()

    async def _heard(self, frame: FrameReceived | LongReceived) -> None:
        self._host.note(self.key, "client", frame.frame)
        await self._inbox.put(frame)

    async def _hear(self, media: Media) -> None:
        """Until the client's track is gone."""
        while (audio := await media.receive()) is not None:
            await self._inbox.put(MediaReceived(audio))

    async def _handle(self, opened: Opened) -> None:
        """The one place where inputs are handled, in order, and deadlines kept."""
        self._encode = ENCODERS[opened.dialect]
        self._handling.take_now(opened)
        while not self.machine.ended:
            await self._handling.take(await self._inbox.next(self.machine.deadline_us))

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case SendEvent(event=event, to=to):
                    self._send(event, to)
                case SendMedia() | StopMedia():
                    self._play(command)
                case ClosePipe(code=code, reason=reason):
                    for pipe in self._pipes.values():
                        pipe.close(code, reason)
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

    def _send(self, event: events.ServerEvent, to: int | None) -> None:
        frame = self._encode(event)
        if frame is None:
            return
        self._host.note(self.key, "server", frame)
        for number, pipe in tuple(self._pipes.items()):
            if to in (None, number):
                pipe.put(frame)

    def _play(self, command: SendMedia | StopMedia) -> None:
        assert self._media is not None, "only a call has sound to send"
        if isinstance(command, SendMedia):
            self._media.play(command)
        else:
            self._media.silence()

    def _main_gone(self, why: str) -> None:
        self._note_cut_off("the client", why)
        self._stop.set()

    def _note_cut_off(self, who: str, why: str) -> None:
        log.info("%s: %s does not read (%s) and is cut off", self.key, who, why)
        self._host.cut_off += 1


def session_of(call_id: str) -> str:
    """The id of a call's session (protocol.md §1.2.2); that of none for what is no call's id."""
    return f"sess_{call_id[4:]}" if call_id.startswith("rtc_") else ""


async def _set(event: asyncio.Event) -> None:
    await event.wait()
