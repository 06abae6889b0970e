"""A client, an engine and a host for tests of the host's loop, on a clock that jumps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from tests.virtual_loop import run

from bargein.server.engines.base import Batch, Engine
from bargein.server.host import Host
from bargein.server.model import score
from bargein.server.model.commands import StartEngine
from bargein.server.model.score import Step
from bargein.server.model.vad import EnergyVad

MODEL = "gpt-realtime"
S = 1_000_000


class Peer:
    """The client's end and the host's `Connection` in one."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self.got: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()
        self.closed: tuple[int, str] | None = None
        self.aborted = False

    async def receive(self) -> str | bytes | None:
        return await self.frames.get()

    async def send(self, frame: str) -> None:
        await self.reads.wait()
        self.got.append(json.loads(frame))
        self.arrived.set()

    async def close(self, code: int, reason: str) -> None:
        await self.reads.wait()
        self.closed = code, reason

    def abort(self) -> None:
        self.aborted = True
        self.frames.put_nowait(None)

    def say(self, type: str, **fields: Any) -> None:
        self.frames.put_nowait(json.dumps({"type": type, **fields}))

    def leave(self) -> None:
        self.frames.put_nowait(None)

    async def until(self, type: str) -> dict[str, Any]:
        while not any(event["type"] == type for event in self.got):
            self.arrived.clear()
            await self.arrived.wait()
        return next(event for event in self.got if event["type"] == type)

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.got]


class Scripted(Engine):
    """An engine whose responses are one function's. `closed` counts those that were stopped."""

    def __init__(self, respond: Callable[[], AsyncGenerator[Batch, None]]) -> None:
        self._respond = respond
        self.closed = 0

    async def respond(self, request: StartEngine) -> AsyncGenerator[Batch, None]:
        try:
            async for batch in self._respond():
                yield batch
        except (GeneratorExit, asyncio.CancelledError):
            self.closed += 1
            raise


def writes(*words: str, every_us: int = 0) -> tuple[Step, ...]:
    return (
        Step(score.OpenMessage()),
        Step(score.OpenPart("text")),
        *(Step(score.SayText(word), every_us) for word in words),
    )


async def hello() -> AsyncGenerator[Batch, None]:
    yield Batch(writes("Hello"))


async def without_end() -> AsyncGenerator[Batch, None]:
    yield Batch(writes("Hello"))
    await asyncio.Event().wait()


def host(
    respond: Callable[[], AsyncGenerator[Batch, None]] = hello, **options: Any
) -> tuple[Host, list[Scripted]]:
    engines: list[Scripted] = []

    def new_engine() -> Scripted:
        engines.append(Scripted(respond))
        return engines[-1]

    return Host(new_engine, **{"new_detector": EnergyVad, **options}), engines


def begin(server: Host, peer: Peer) -> asyncio.Task[None]:
    return asyncio.create_task(server.run(peer, model=MODEL))


def played(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run it, and see that it leaves no task behind."""

    async def main() -> None:
        await scenario()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    run(main())
