"""The client and the local server in one process, over a memory pipe: what virtual time runs.

Everything that ships is in it but the socket: machine, driver and public face of the client; host,
machine, voice activity and script engine of the server; the virtual card and microphone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import bargein
from bargein.audio.card_settings import CardSettings
from bargein.audio.ear import Ear
from bargein.audio.formats import Samples
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.lab.bench.user import RATE
from bargein.server.engines.scenario import DEFAULT_SCENARIO, load_scenario
from bargein.server.engines.script import ScriptEngine
from bargein.server.host import Host
from bargein.server.model.options import Limits, Options
from bargein.transports.base import PipeEnd
from bargein.transports.memory import MemoryPipe, pair
from bargein.units import US_PER_S

MODEL = "gpt-realtime-2.1"
_SERVER_KEEPS_BYTES = 1024 * 1024
"""The server lets go of older sound: what it keeps by default would hide the rest for an hour."""
_LONGEST_S = 24 * 3_600


@dataclass(slots=True)
class Tap:
    """A pipe that keeps the frames that were received."""

    pipe: MemoryPipe
    frames: list[str] = field(default_factory=list)

    async def open(self) -> None:
        """See `Pipe`."""
        await self.pipe.open()

    async def send(self, frame: str) -> None:
        """See `Pipe`."""
        await self.pipe.send(frame)

    async def receive(self) -> str | bytes | PipeEnd:
        """See `Pipe`."""
        frame = await self.pipe.receive()
        if isinstance(frame, str):
            self.frames.append(frame)
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """See `Pipe`."""
        await self.pipe.close(code, reason)


class _Connection:
    """The server's end of a memory pipe."""

    def __init__(self, pipe: MemoryPipe) -> None:
        self._pipe = pipe

    async def receive(self) -> str | bytes | None:
        frame = await self._pipe.receive()
        return None if isinstance(frame, PipeEnd) else frame

    async def send(self, frame: str) -> None:
        try:
            await self._pipe.send(frame)
        except bargein.TransportError:
            return

    async def close(self, code: int, reason: str) -> None:
        await self._pipe.close(code, reason)

    def abort(self) -> None:
        self._pipe.cut()


class Devices:
    """A virtual card that keeps no sound, and a microphone that hears the track."""

    def __init__(self, track: Samples) -> None:
        self.player = VirtualPlayer(CardSettings(), ear=Ear(limit_samples=0))
        self.recorder = VirtualRecorder(RATE, keep_s=0)
        self.recorder.say(track)

    def close(self) -> None:
        """End both."""
        self.recorder.stop()
        self.player.close()


@asynccontextmanager
async def server() -> AsyncIterator[MemoryPipe]:
    """A session of the local server; what is given is the client's end of its pipe."""
    scenario = load_scenario(DEFAULT_SCENARIO)
    limits = Limits(kept_audio_bytes=_SERVER_KEEPS_BYTES)
    host = Host(
        lambda: ScriptEngine(scenario),
        options=Options(limits=limits, session_us=_LONGEST_S * US_PER_S),
    )
    ours, theirs = pair()
    running = asyncio.create_task(host.run(_Connection(theirs), model=MODEL))
    try:
        yield ours
    finally:
        await host.close()
        await running
