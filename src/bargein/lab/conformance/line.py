"""One connection to a server, and the talk that is held on it now.

1. It does the steps of a script and writes down what is seen. Every wait has a deadline.
2. What makes only sense in a call (`phoning`) is done by its `phone`; elsewhere it is passed over.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

import msgspec

from bargein.errors import TransportError
from bargein.events.dialect import Dialect, client_to_beta
from bargein.lab.conformance.script import (
    Attach,
    Fence,
    Patience,
    Post,
    Send,
    SendRaw,
    Speak,
    SpeakLive,
    Step,
    Until,
)
from bargein.lab.conformance.seen import End, Seen, is_flat, read_frame
from bargein.secret import Secret
from bargein.transports.base import Pipe, PipeEnd
from bargein.transports.websocket import Auth, WebSocketPipe

_CHUNK_BYTES = 4_800
_FRAMES_LIMIT = 20_000
_FENCES: Mapping[Fence, tuple[str, Mapping[str, Any]]] = {
    "clear": ("input_audio_buffer.cleared", {"type": "input_audio_buffer.clear"}),
    "update": ("session.updated", {"type": "session.update", "session": {"type": "realtime"}}),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Which server, as whom, and how patiently. `url` has the model in its query."""

    url: str
    secret: Secret | None
    auth: Auth = "header"
    dialect: Dialect = "ga"
    """What is spoken to it; a session that begins flat is spoken to in beta anyway."""
    reply_s: float = 20.0
    answer_s: float = 5.0
    grace_s: float = 0.3
    """What was sent before the fence may be answered a little after it, by a server that hands
    things on to others."""
    aside_s: float = 1.0
    """What no event of ours asks for, such as rate limits."""
    limit_s: float = 300.0

    def seconds(self, patience: Patience) -> float:
        """How long to wait."""
        match patience:
            case "answer":
                return self.answer_s
            case "reply":
                return self.reply_s
            case "aside":
                return self.aside_s


class Phone(Protocol):
    """What is beside a call's channel: requests, a sideband, the tracks."""

    async def do(self, step: Post | Attach | SpeakLive, line: Line) -> bool:
        """Do it; whether it could be done."""

    async def hang_up(self) -> None:
        """Let go of it all."""


class Line:
    """One connection, and the talk that is held on it now."""

    def __init__(
        self,
        pipe: Pipe,
        seen: Seen,
        fences: set[Fence],
        *,
        beta: bool,
        phone: Phone | None = None,
    ) -> None:
        self._pipe = pipe
        self._phone = phone
        self._fences = fences
        self._beta = beta
        self._began_s = asyncio.get_running_loop().time()
        self._changed = asyncio.Event()
        self._fence: Fence | None = None
        self.seen = seen
        self.end: End | None = None
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading
        await self._pipe.close()
        if self._phone is not None:
            await self._phone.hang_up()

    async def do(self, step: Step, place: Place) -> bool:
        match step:
            case Send(event=event):
                await self._send(self._frame(event))
            case SendRaw(frame=frame):
                await self._send(frame)
            case Speak(pcm=pcm):
                for start in range(0, len(pcm), _CHUNK_BYTES):
                    audio = base64.b64encode(pcm[start : start + _CHUNK_BYTES]).decode()
                    event = {"type": "input_audio_buffer.append", "audio": audio}
                    await self._send(msgspec.json.encode(event).decode(), written=False)
            case Until():
                return await self._until(step, place)
            case Post() | Attach() | SpeakLive():
                return self._phone is not None and await self._phone.do(step, self)
            case _:
                assert_never(step)
        return True

    async def wait(self, found: Callable[[Seen], bool], seconds: float) -> bool:
        """Whether it was found before the time was over, or the connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not found(self.seen) and self.end is None:
                    self._changed.clear()
                    await self._changed.wait()
        return found(self.seen)

    def _frame(self, event: Mapping[str, Any]) -> str:
        said = client_to_beta(dict(event)) if self._beta else event
        return msgspec.json.encode(said).decode()

    async def _until(self, step: Until, place: Place) -> bool:
        seconds = place.seconds(step.patience)
        fence = self._usable(step.fence)
        if fence is None:
            return await self.wait(step.found, seconds)
        self._fence = fence
        await self._send(self._frame(_FENCES[fence][1]), written=False)
        await self.wait(lambda _: self._fence is None, seconds)
        self._fence = None
        return await self.wait(step.found, place.grace_s)

    def _usable(self, wanted: Fence | None) -> Fence | None:
        if wanted is None or wanted in self._fences:
            return wanted
        return next(iter(self._fences), None)

    async def _send(self, frame: str | bytes, *, written: bool = True) -> None:
        if self.end is not None:
            return
        if written:
            self.seen.take(self.now_us(), frame, sent=True)
        try:
            match self._pipe:
                case WebSocketPipe() as pipe:
                    await pipe.send(frame)
                case pipe:
                    text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
                    await pipe.send(text)
        except TransportError:
            # The reader tells how it ended.
            await self.wait(lambda _: self.end is not None, 1.0)

    async def _read(self) -> None:
        while self.end is None:
            frame = await self._pipe.receive()
            if isinstance(frame, PipeEnd):
                self.end = self.seen.end = End(frame.code, frame.reason)
            else:
                self._arrived(frame)
            self._changed.set()

    def _arrived(self, frame: str | bytes) -> None:
        read = read_frame(0, frame)
        kind = read.kind
        if kind == "session.created" and is_flat(read.raw.get("session")):
            self._beta = True
        for fence, (answer, _) in _FENCES.items():
            if kind == answer:
                self._fences.add(fence)
                if self._fence == fence:
                    self._fence = None
                    return
        if len(self.seen.frames) < _FRAMES_LIMIT:
            self.seen.take(self.now_us(), frame)

    def changed(self) -> None:
        """Something was written down by somebody else."""
        self._changed.set()

    def now_us(self) -> int:
        """Since the connection was asked for."""
        return int((asyncio.get_running_loop().time() - self._began_s) * 1e6)
