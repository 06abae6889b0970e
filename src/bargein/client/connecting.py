"""`connect`: from a few arguments to a conversation, and back to nothing.

1. The session owns what it was given from the moment `async with` begins: the pipe, the audio
   and the trace are closed when the block is left, in whatever way.
2. One task runs the driver; leaving the block waits for its end.
3. The key is shown nowhere: not in an error, not in a repr, not in a log or a trace.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl as ssl_module
from collections.abc import Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Literal, Protocol

from msgspec.structs import replace

from bargein import events
from bargein.audio.base import Player, Recorder
from bargein.audio.card_settings import CardSettings, margin_of
from bargein.audio.ear import Ear
from bargein.audio.virtual import VirtualPlayer
from bargein.capabilities import Capabilities
from bargein.client import config
from bargein.client.board import Board
from bargein.client.config import PushToTalk, Truncation, Turns
from bargein.client.dialling import ApiKey, MakePipe, base_of, calling, dialling, taking
from bargein.client.servers import capabilities_of, headers_for, usual_auth
from bargein.client.session import Session
from bargein.client.standing import standing
from bargein.core.budget import Budget
from bargein.core.machine import Machine
from bargein.core.notices import Connected, Fault, Lost
from bargein.core.settings import BargeIn, ServerRule, Settings, ToolRule
from bargein.driver.limits import Limits
from bargein.driver.loop import Driver
from bargein.errors import (
    DeadlineExceeded,
    LocalProtocolError,
    LocalValueError,
    TransportError,
)
from bargein.tools.given import Given, sorted_out
from bargein.tools.registry import Approver, Tool
from bargein.tools.runner import Runner
from bargein.tracing import TraceWriter
from bargein.transports.base import MediaPipe, Pipe
from bargein.transports.websocket import Auth, WebSocketPipe


class Devices(Protocol):
    """What `audio` may be: `bargein.Audio`, `bargein.Wav`, or anything of this shape."""

    @property
    def player(self) -> Player: ...
    @property
    def recorder(self) -> Recorder | None: ...
    def close(self) -> None: ...


class _Silence:
    """No devices: nothing is captured, and sound is heard by nobody, at the pace of real time."""

    recorder: Recorder | None = None

    def __init__(self) -> None:
        self.player: Player = VirtualPlayer(CardSettings(latency_us=0), ear=Ear(limit_samples=0))

    def close(self) -> None:
        self.player.close()


def connect(
    model: str = "gpt-realtime",
    *,
    url: str | None = None,
    api_key: ApiKey | None = None,
    transport: Literal["websocket", "webrtc"] | Pipe = "websocket",
    call_id: str | None = None,
    session: Mapping[str, Any] | None = None,
    instructions: str | None = None,
    voice: str | None = None,
    turns: Turns | None = None,
    barge_in: BargeIn = "cut",
    tools: Iterable[Any] | None = None,
    approve: Approver | None = None,
    audio: Devices | None = None,
    capabilities: Capabilities | str | os.PathLike[str] | None = None,
    trace: str | os.PathLike[str] | None = None,
    limits: Limits | None = None,
    budget: Budget | None = None,
    truncation: Truncation | None = None,
    open_timeout: float = 10.0,
    auth: Auth | None = None,
    headers: Mapping[str, str] | None = None,
    subprotocols: Iterable[str] = (),
    compression: bool = False,
    ping_interval: float | None = 20.0,
    proxy: str | Literal[True] | None = True,
    ssl: ssl_module.SSLContext | None = None,
) -> Connecting:
    """Hold a conversation: `async with bargein.connect(...) as session`.

    Where: `url` (`https://host/v1`, or a whole `wss://…/realtime`), else `OPENAI_BASE_URL`, else
    OpenAI. As whom: `api_key`, a text or a callable that gives one, else `OPENAI_API_KEY`; it goes
    into the `Authorization` header, and for Azure into `api-key`, unless `auth` says otherwise. A
    `transport` that is a `Pipe` of your own needs neither, and is a call where it is a `MediaPipe`.

    `transport="webrtc"` makes a call: sound goes by tracks of its own, and the service owns what
    waits to be heard. It needs the extra `webrtc`, and sound is what it asks for, `audio` or not.
    `call_id` joins a call over WebRTC that somebody else holds: tools, words and interruptions
    here, its sound there. What is not said of the session stays, and `model` says nothing.

    What: `session` is the service's own JSON; the other arguments lie over it. Without `turns` the
    service's default holds (server VAD). Without `audio` nothing is captured and the session asks
    for text, unless `session` asks for sound: that is then taken as heard in real time.

    `tools` are functions (`bargein.tool`) and tools of LlamaIndex, LangChain and pydantic-ai, whose
    calls are run and answered for you; `bargein.mcp_server`s, which the service calls; or mappings
    as in `session.tools`, whose calls you are told and answer yourself. `approve` is asked before a
    tool with `approval=True` runs, and before the service calls one of a server.

    `capabilities` say what a server other than OpenAI's can do: an object, or the file that
    `bargein conform` wrote.

    `trace` names a file that gets everything the session's machine was told, to replay it; it holds
    the words of the conversation and neither its sound nor the key.

    `budget` is what the session may use of tokens, sound and time; when it is used the session
    ends, politely. `truncation` is what the service does with a conversation that no longer fits.

    Times are seconds. Raises `LocalValueError` and `LocalProtocolError` here, for what can never
    be; entering raises `AdmissionError` where the service refuses the key or the model,
    `RemoteProtocolError` where it refuses the settings, `DeadlineExceeded` after `open_timeout`,
    and `TransportError` where it is not reached.
    """
    limits = limits or Limits()
    can = capabilities_of(capabilities)
    whole = dict(session or {})
    config.check_capabilities(can)
    if call_id is not None:
        if audio is not None:
            raise LocalValueError(
                "audio: the sound of a call that is joined is elsewhere; give None"
            )
        can = replace(can, playback_owner="server", media="elsewhere")
    elif transport == "webrtc" or isinstance(transport, MediaPipe):
        can = replace(can, playback_owner="server")
    elif audio is None:
        whole.setdefault("output_modalities", ["text"])
    given = sorted_out(tools or ())
    wanted = config.merged_session(
        whole,
        instructions=instructions,
        voice=voice,
        turns=turns,
        tools=None if tools is None else given.declared(),
        truncation=truncation,
    )
    if isinstance(transport, str):
        if transport not in ("websocket", "webrtc"):
            raise LocalValueError(f"transport: {transport!r}; give 'websocket', 'webrtc' or a Pipe")
        new_pipe = partial(
            WebSocketPipe,
            auth=auth or usual_auth(base_of(url)),
            headers=headers_for(can, headers),
            subprotocols=tuple(subprotocols),
            compression=compression,
            frame_bytes=limits.frame_bytes,
            ping_interval_s=ping_interval,
            open_timeout_s=open_timeout,
            proxy=proxy,
            ssl=ssl,
        )
        if transport == "webrtc" and call_id is None:
            config.check_call(turns, wanted)
            make_pipe = calling(url, model, api_key, headers, open_timeout, ssl)
        else:
            make_pipe = dialling(url, model, api_key, new_pipe, call_id=call_id)
    else:
        if isinstance(transport, MediaPipe):
            config.check_call(turns, wanted)
        make_pipe = taking(transport)
    if audio is not None and not hasattr(audio, "player"):
        raise LocalValueError(
            f"audio: {audio!r}; give Wav(in_path, out_path), Audio(player, recorder) or None"
        )
    return Connecting(
        make_pipe,
        _settings(wanted, turns, barge_in, limits, can, given, budget),
        _runner(given, approve),
        audio or _Silence(),
        can,
        trace,
        limits,
        open_timeout,
    )


def _settings(
    wanted: events.Session,
    turns: Turns | None,
    barge_in: BargeIn,
    limits: Limits,
    can: Capabilities,
    given: Given,
    budget: Budget | None,
) -> Settings:
    owns = can.playback_owner == "server"
    config.check_barge_in(barge_in, wanted, can.interrupts, service_owns=owns)
    return Settings(
        session=wanted,
        barge_in=barge_in,
        push_to_talk=config.turn_detection_of(wanted) is None,
        pre_roll_ms=turns.pre_roll_ms if isinstance(turns, PushToTalk) else 0,
        microphone_limit_ms=limits.microphone_ms,
        id_seed=secrets.token_hex(4),
        budget=budget,
        tools=tuple(_rule_of(tool) for tool in given.tools) if given.tools else None,
        servers=tuple(
            ServerRule(label=one.label, approval=bool(one.approval), trusted=one.trusted)
            for one in given.servers
        ),
    )


def _runner(given: Given, approve: Approver | None) -> Runner | None:
    """What runs the tools of ours and asks for approvals; None where there is nothing to do."""
    if not given.tools and not given.servers:
        return None
    return Runner(given.tools, servers=given.servers, approve=approve)


def _rule_of(tool: Tool) -> ToolRule:
    return ToolRule(
        name=tool.name,
        at_barge_in=tool.at_barge_in,
        timeout_ms=None if tool.timeout_s is None else max(1, round(tool.timeout_s * 1_000)),
        approval=bool(tool.approval),
    )


class Connecting:
    """What `connect` gives: entered once, it is a session until the block is left."""

    def __init__(
        self,
        make_pipe: MakePipe,
        settings: Settings,
        tools: Runner | None,
        audio: Devices,
        capabilities: Capabilities,
        trace: str | os.PathLike[str] | None,
        limits: Limits,
        open_timeout: float,
    ) -> None:
        if not open_timeout > 0:
            raise LocalValueError(f"open_timeout: {open_timeout}; give more than 0 seconds")
        self._make_pipe, self._settings, self._audio = make_pipe, settings, audio
        self._tools = tools
        self._capabilities, self._limits, self._open_timeout = capabilities, limits, open_timeout
        self._trace_path = trace
        self._trace: TraceWriter | None = None
        self._board = Board()
        self._entered = False
        self._pipe: Pipe | None = None
        self._session: Session | None = None
        self._run: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Session:
        if self._entered:
            raise LocalProtocolError("connect: was entered before; call it for each session")
        self._entered = True
        try:
            async with asyncio.timeout(self._open_timeout):
                return await self._open(self._board)
        except TimeoutError as error:
            await self._end()
            if isinstance(error, TransportError):
                raise
            raise DeadlineExceeded(
                f"connect: the session did not stand after {self._open_timeout:g} s"
            ) from None
        except BaseException:
            await self._end()
            raise

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._session is not None
        try:
            await self._session.close()
        finally:
            await self._end()
        if exc is None and (failure := self._board.untold_failure()) is not None:
            raise failure

    async def _open(self, board: Board) -> Session:
        self._pipe = pipe = await self._make_pipe()
        await pipe.open()
        player = self._audio.player
        settings = replace(self._settings, player_margin_samples=margin_of(player.accuracy))
        machine = Machine(settings)
        if self._trace_path is not None:
            self._trace = TraceWriter(self._trace_path, settings, format_of=machine.audio_format_of)
        driver = Driver(
            machine,
            pipe,
            player,
            self._audio.recorder,
            board,
            capabilities=self._capabilities,
            limits=self._limits,
            tools=self._tools,
            record=self._trace.record if self._trace is not None else None,
        )
        can = self._capabilities.interrupts
        session = Session(machine, driver, board, self._settings, self._limits, can)
        if self._tools is not None:
            self._tools.session = session
        beginning = session.notices(Connected, Fault, Lost)
        self._session = session
        self._run = asyncio.create_task(_run(driver, board))
        effective = await standing(beginning)
        owns = self._capabilities.playback_owner == "server"
        config.check_barge_in(self._settings.barge_in, effective, can, service_owns=owns)
        beginning.close()
        return session

    async def _end(self) -> None:
        """End the task and what the session owns, also while being cancelled once more."""
        try:
            if self._run is not None:
                self._run.cancel()
                await _over(self._run)
            if self._pipe is not None:
                await _over(asyncio.create_task(self._pipe.close()))
        finally:
            try:
                self._audio.close()
            finally:
                if self._trace is not None:
                    # It waits for the disk, which may not hold up other sessions of this loop.
                    await _over(asyncio.create_task(asyncio.to_thread(self._trace.close)))


async def _run(driver: Driver, board: Board) -> None:
    failure: Exception | None = None
    try:
        await driver.run()
    except Exception as error:
        failure = error
    finally:
        board.finish(failure)


async def _over(task: asyncio.Task[None]) -> None:
    """Wait for the end of a task that is ending; a cancellation meanwhile is raised after it."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
