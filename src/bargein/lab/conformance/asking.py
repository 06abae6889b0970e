"""The only edge: connects, does what the scripts say, and writes down what is seen.

1. Every wait has a deadline, and all talks together have one. What is not reached stays unseen.
2. Nothing that a server does is raised, but that it cannot be reached at all.
3. After `GIVE_UP_AFTER` sessions in a row that did not begin, no further one is tried.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from bargein.errors import TransportError
from bargein.events.dialect import Dialect, client_to_beta
from bargein.lab.conformance.script import Fence, Patience, Send, SendRaw, Speak, Step, Talk, Until
from bargein.lab.conformance.seen import End, Seen, is_flat, read_frame
from bargein.secret import Secret
from bargein.transports.base import PipeEnd
from bargein.transports.websocket import Auth, WebSocketPipe

GIVE_UP_AFTER = 2
UNKNOWN_MODEL = "gpt-nope"
_WRONG_KEY = "sk-conform-this-key-is-wrong-0000"
_BETA_HEADER: Mapping[str, str] = {"OpenAI-Beta": "realtime=v1"}
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


class _Line:
    """One connection, and the talk that is held on it now."""

    def __init__(self, pipe: WebSocketPipe, seen: Seen, fences: set[Fence], *, beta: bool) -> None:
        self._pipe = pipe
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
            self.seen.take(self._now_us(), frame, sent=True)
        try:
            await self._pipe.send(frame)
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
            self.seen.take(self._now_us(), frame)

    def _now_us(self) -> int:
        return int((asyncio.get_running_loop().time() - self._began_s) * 1e6)


@dataclass(slots=True)
class Asker:
    """Holds talks with one server, one after the other."""

    place: Place
    _fences: set[Fence] = field(default_factory=set)
    _shared: _Line | None = None
    _unbegun: int = 0
    _reached: bool = False

    async def hold(
        self, talks: Sequence[Talk], tell: Callable[[Talk], None] = lambda _: None
    ) -> dict[str, Seen]:
        """What was seen of each talk, by its name. Raises `TransportError` where nothing answers
        at that address."""
        found = {talk.name: Seen() for talk in talks}
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.place.limit_s):
                    for talk in talks:
                        tell(talk)
                        await self._hold(talk, found[talk.name])
        finally:
            await self._drop_shared()
        return found

    async def _hold(self, talk: Talk, seen: Seen) -> None:
        if talk.begins and self._unbegun >= GIVE_UP_AFTER:
            return
        reused = talk.shared and self._shared is not None
        line = await self._line(talk, seen)
        if line is None:
            return
        try:
            await self._converse(talk, line)
        finally:
            if line is not self._shared:
                await line.close()
        if reused and line.end is not None and not seen.received():
            # It ended because of the talk before: that is told by another question.
            seen.frames.clear()
            seen.end = None
            await self._hold(talk, seen)

    async def _converse(self, talk: Talk, line: _Line) -> None:
        script = talk.script(line.seen)
        line.seen.started = True
        with contextlib.closing(script):
            step = next(script, None)
            while step is not None:
                found = await line.do(step, self.place)
                if line.end is not None:
                    return
                try:
                    step = script.send(found)
                except StopIteration:
                    step = None
            line.seen.finished = True

    async def _line(self, talk: Talk, seen: Seen) -> _Line | None:
        """The connection for the talk, with its session begun; None where there is none."""
        if talk.shared and self._shared is not None:
            if self._shared.end is None:
                self._shared.seen = seen
                seen.status = 101
                return self._shared
            await self._drop_shared()
        pipe = await self._open(talk, seen)
        if pipe is None:
            return None
        line = _Line(pipe, seen, self._fences, beta=self.place.dialect == "beta")
        if talk.begins and not await self._begins(line):
            return None
        if talk.shared:
            self._shared = line
        return line

    async def _begins(self, line: _Line) -> bool:
        """Whether its session begins in time; where it does not, the connection is closed."""
        begun = False
        try:
            begun = await line.wait(
                lambda seen: seen.first("session.created") is not None, self.place.reply_s
            )
            self._unbegun = 0 if begun else self._unbegun + 1
        finally:
            # Also when the time for all talks ends here.
            if not begun:
                await line.close()
        return begun

    async def _open(self, talk: Talk, seen: Seen) -> WebSocketPipe | None:
        place = self.place
        pipe = WebSocketPipe(
            address(place.url, talk),
            _key(talk, place.secret),
            auth=place.auth,
            headers={**(_BETA_HEADER if place.dialect == "beta" else {}), **talk.headers},
            open_timeout_s=place.reply_s,
            close_timeout_s=1.0,
        )
        try:
            await pipe.open()
        except TransportError as error:
            seen.status = error.code
            if not self._reached and error.code is None:
                raise
            self._reached = True
            self._unbegun += talk.begins
            return None
        self._reached = True
        seen.status = 101
        return pipe

    async def _drop_shared(self) -> None:
        if self._shared is not None:
            await self._shared.close()
            self._shared = None


def address(url: str, talk: Talk) -> str:
    """Where the talk connects: the server's address, with the model or the query it is about."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if talk.model != "given" or talk.query:
        query = [(name, value) for name, value in query if name != "model"]
    if talk.model == "unknown":
        query.append(("model", UNKNOWN_MODEL))
    query.extend(talk.query.items())
    return urlunsplit((*parts[:3], urlencode(query), ""))


def _key(talk: Talk, given: Secret | None) -> Secret | None:
    match talk.key:
        case "given":
            return given
        case "wrong":
            return Secret(_WRONG_KEY)
        case "none":
            return None
