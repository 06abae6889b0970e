"""The two clients that are compared, under one face.

1. `ours` is a session of this library, as `bargein.connect` gives it.
2. `naive` is the client of report 001: its stop is `conversation.item.truncate`, with the time
   since the reply began to sound as its position, and `response.cancel`, and nothing else. Over
   WebSocket it keeps the queue that it plays from; over WebRTC it plays what comes. At
   `speech_started` it does the same.
3. Both play on the same virtual card and hear the same virtual microphone, over the pipes that
   ship. Who measures them stands outside (`witness`, `ear`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

import bargein
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.client.session import Session
from bargein.core.inputs import Part
from bargein.core.notices import Fault, InterruptionSettled
from bargein.driver.media import Media
from bargein.errors import AdmissionError, DeadlineExceeded, TransportError
from bargein.lab.ab.scenario import How
from bargein.lab.ab.witness import CallWitness, Witness, now_us
from bargein.transports.base import PipeEnd

RATE = 24_000
_OPEN_S = 15.0
_FORMAT = {"type": "audio/pcm", "rate": RATE}

Speak = Callable[[], Awaitable[None]]
"""Say the story's words into the microphone; returns when they are said."""


@dataclass(frozen=True, slots=True)
class Devices:
    """What both clients play on and hear with."""

    player: VirtualPlayer
    recorder: VirtualRecorder


class Client(Protocol):
    """A client in a conversation."""

    async def ask(self, text: str) -> None:
        """Type it, and want an answer."""

    async def stop(self, how: How, words: str, speak: Speak) -> None:
        """Stop what is heard."""

    async def send(self, event: dict[str, Any]) -> None:
        """An event of one's own."""

    @property
    def record(self) -> dict[str, Any] | None:
        """What it tells of the interruption, if it does."""


@dataclass(slots=True)
class _Ours:
    session: Session
    settled: list[InterruptionSettled] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    async def ask(self, text: str) -> None:
        await self.session.say(text)

    async def stop(self, how: How, words: str, speak: Speak) -> None:
        if how == "button":
            await self.session.interrupt()
        elif how == "typed":
            await self.session.say(words)
        elif how == "push_to_talk":
            async with self.session.push_to_talk():
                await speak()
        else:
            await speak()

    async def send(self, event: dict[str, Any]) -> None:
        await self.session.send(event)

    @property
    def record(self) -> dict[str, Any] | None:
        if not self.settled:
            return None
        told = self.settled[0]
        return {
            **msgspec.to_builtins(told),
            "left_ms": told.left_ms,
            "faults": [msgspec.to_builtins(fault) for fault in self.faults],
        }

    async def listen(self) -> None:
        """Keep what is told, until the session ends."""
        async for notice in self.session.notices(InterruptionSettled, Fault):
            if isinstance(notice, InterruptionSettled):
                self.settled.append(notice)
            elif isinstance(notice, Fault):
                self.faults.append(notice)


@asynccontextmanager
async def ours(
    pipe: Witness, devices: Devices, how: How, instructions: str
) -> AsyncIterator[Client]:
    """A session of this library. Raises what `connect` raises."""
    turns = bargein.PushToTalk() if how == "push_to_talk" else bargein.ServerVad()
    connecting = bargein.connect(
        transport=pipe,
        session={"audio": {"output": {"format": _FORMAT}}},
        instructions=instructions,
        turns=turns,
        audio=bargein.Audio(devices.player, devices.recorder),
    )
    async with connecting as session:
        client = _Ours(session)
        reading = asyncio.create_task(client.listen())
        try:
            yield client
        finally:
            reading.cancel()
            await asyncio.wait((reading,))


class _Naive:
    def __init__(self, pipe: Witness, devices: Devices, how: How) -> None:
        self._pipe, self._devices = pipe, devices
        self._media: Media | None = None
        self._talking = how != "push_to_talk"
        self._by_track = isinstance(pipe, CallWitness)
        self._sounding = ""
        self._item_id = ""
        self._began_us: int | None = None
        self._stopped = False
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.configured = asyncio.Event()
        self.refusal = ""
        """The first thing that the service refused."""

    record: dict[str, Any] | None = None

    async def open(self) -> None:
        devices = self._devices
        if isinstance(self._pipe, CallWitness):
            self._media = Media(self._pipe, self._sound_came, now_us)
        await self._pipe.open()
        devices.player.attach(lambda report: None)
        devices.recorder.attach(self._captured)

    def close(self) -> None:
        if self._media is not None:
            self._media.close()
        self._devices.recorder.stop()
        self._devices.player.close()

    async def ask(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.send({"type": "conversation.item.create", "item": item})
        await self.send({"type": "response.create"})

    async def stop(self, how: How, words: str, speak: Speak) -> None:
        if how == "voice":
            await speak()
            return
        self._halt()
        if how == "typed":
            await self.ask(words)
        elif how == "push_to_talk":
            await self.send({"type": "input_audio_buffer.clear"})
            self._talking = True
            await speak()
            self._talking = False
            await self.send({"type": "input_audio_buffer.commit"})
            await self.send({"type": "response.create"})

    async def send(self, event: dict[str, Any]) -> None:
        self._outgoing.put_nowait(event)

    async def write(self) -> None:
        while True:
            await self._pipe.send(json.dumps(await self._outgoing.get()))

    async def read(self) -> None:
        while not isinstance(frame := await self._pipe.receive(), PipeEnd):
            self._take(json.loads(frame))

    def _take(self, event: dict[str, Any]) -> None:
        match event:
            case {"type": "session.updated"}:
                self.configured.set()
            case {"type": "error", "error": {"message": str(said)}}:
                self.refusal = self.refusal or said
            case {
                "type": "response.output_item.added",
                "item": {"type": "message", "id": str(one)},
            }:
                self._item_id = self._item_id or one
            case {"type": "response.output_audio.delta" | "response.audio.delta"}:
                self._begins()
                part = Part(event["response_id"], event["item_id"], event["content_index"])
                self._devices.player.play(part, base64.b64decode(event["delta"]), RATE)
            case {"type": "output_audio_buffer.started", "response_id": str(response_id)}:
                self._begins()
                self._sounding = response_id
            case {"type": "input_audio_buffer.speech_started"} if self._began_us is not None:
                self._halt()
            case {"type": str(name)} if name in _OVER:
                self._sounding = ""
            case _:
                pass

    def _begins(self) -> None:
        self._began_us = now_us() if self._began_us is None else self._began_us

    def _halt(self) -> None:
        """What the report's client did, in its order."""
        if self._stopped:
            return
        self._stopped = True
        began_us = now_us() if self._began_us is None else self._began_us
        truncate = {
            "type": "conversation.item.truncate",
            "item_id": self._item_id,
            "content_index": 0,
            "audio_end_ms": (now_us() - began_us) // 1_000,
        }
        self._outgoing.put_nowait(truncate)
        self._outgoing.put_nowait({"type": "response.cancel"})

    def _sound_came(self, came: Any) -> None:
        self._devices.player.play(Part(self._sounding, "", 0), came.audio, RATE)

    def _captured(self, pcm: bytes, rate: int) -> None:
        if self._media is not None:
            self._media.speak(pcm)
        elif self._talking:
            audio = base64.b64encode(pcm).decode()
            self._outgoing.put_nowait({"type": "input_audio_buffer.append", "audio": audio})


async def _configured(client: _Naive, reading: asyncio.Task[None]) -> None:
    """Wait until its settings are taken. Raises what stands against that."""
    waiting = asyncio.create_task(client.configured.wait())
    try:
        await asyncio.wait((waiting, reading), timeout=_OPEN_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if client.configured.is_set():
        return
    if client.refusal:
        raise AdmissionError(f"the naive client was refused: {client.refusal}")
    if reading.done():
        reading.result()
        raise TransportError("the naive client's connection ended before its session stood")
    raise DeadlineExceeded(f"the naive client's session did not stand after {_OPEN_S:g} s")


_OVER = (
    "output_audio_buffer.stopped",
    "output_audio_buffer.audio_stopped",
    "output_audio_buffer.cleared",
)


@asynccontextmanager
async def naive(
    pipe: Witness, devices: Devices, how: How, instructions: str
) -> AsyncIterator[Client]:
    """The report's client. Raises `TransportError` and its kin where there is no session."""
    client = _Naive(pipe, devices, how)
    tasks: list[asyncio.Task[None]] = []
    try:
        await client.open()
        tasks = [asyncio.create_task(work()) for work in (client.read, client.write)]
        detection = None if how == "push_to_talk" else {"type": "server_vad"}
        audio = {"input": {"turn_detection": detection}, "output": {"format": _FORMAT}}
        session = {"type": "realtime", "instructions": instructions, "audio": audio}
        await client.send({"type": "session.update", "session": session})
        await _configured(client, tasks[0])
        devices.recorder.start()
        yield client
    finally:
        for task in tasks:
            task.cancel()
        client.close()
        await _closed(pipe)
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, TransportError):
                await task


async def _closed(pipe: Witness) -> None:
    """Close it, also while being cancelled: it is what the cancelling is for."""
    closing = asyncio.create_task(pipe.close())
    while not closing.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait((closing,))
