"""A process of its own for the clients of one round: `python -m bargein.lab.bench.live_child`.

It reads a `Round` as JSON from stdin and the key from `OPENAI_API_KEY`, holds the sessions, and
writes what they cost as JSON to stdout. CPU time is the process's own (user and system, all
threads), from the moment when the last session stands to the end of the time, so that neither
imports nor connecting nor closing is in it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from typing import Literal, Protocol

import msgspec
import numpy as np

import bargein
from bargein.audio.formats import Samples
from bargein.lab.bench.bare import BareClient
from bargein.lab.bench.stage import MODEL, Devices

_LAG_EVERY_S = 0.01


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. `track` is a file of 16-bit mono at 24 kHz: every session's microphone."""

    who: Literal["bargein", "bare"]
    base_url: str
    ws_url: str
    sessions: int
    seconds: float
    track: str
    lag: bool


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What it took, and what was done for it, in all sessions together."""

    cpu_s: float
    seconds: float
    played_samples: int
    lags_ms: list[float]


class _Client(Protocol):
    async def begin(self) -> None: ...
    async def end(self) -> None: ...


class _OurClient:
    """`bargein.connect` and an application that reads all its notices."""

    def __init__(self, url: str, api_key: str, devices: Devices) -> None:
        self._connecting = bargein.connect(
            MODEL,
            url=url,
            api_key=api_key,
            turns=bargein.ServerVad(),
            audio=devices,
            proxy=None,
        )
        self._session: bargein.Session | None = None
        self._reading: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        self._session = session = await self._connecting.__aenter__()
        self._reading = asyncio.create_task(self._read(session))

    async def end(self) -> None:
        await self._connecting.__aexit__(None, None, None)
        if self._reading is not None:
            await self._reading

    async def _read(self, session: bargein.Session) -> None:
        async for notice in session:
            if isinstance(notice, bargein.Fault | bargein.Dropped):
                raise AssertionError(f"the conversation went wrong: {notice}")


def main() -> None:
    """Do the round on stdin."""
    todo = msgspec.json.decode(sys.stdin.buffer.read(), type=Round)
    track = np.fromfile(todo.track, dtype="<i2").astype(np.int16)
    cost = asyncio.run(_run(todo, track, os.environ["OPENAI_API_KEY"]))
    sys.stdout.buffer.write(msgspec.json.encode(cost))


async def _run(todo: Round, track: Samples, api_key: str) -> Cost:
    devices = [Devices(track) for _ in range(todo.sessions)]
    clients = [_client(todo, api_key, each) for each in devices]
    # All at once, so that their conversations begin together and are in the time alike.
    await asyncio.gather(*(client.begin() for client in clients))
    gc.collect()
    lags_ms: list[float] = []
    watching = asyncio.create_task(_watch(lags_ms)) if todo.lag else None
    began_s, cpu_began_s = time.perf_counter(), time.process_time()
    await asyncio.sleep(todo.seconds)
    cpu_s, seconds = time.process_time() - cpu_began_s, time.perf_counter() - began_s
    if watching is not None:
        watching.cancel()
    played = sum(each.player.ear.lost_samples for each in devices)
    # Each may wait for answers that a replayed server never gives.
    await asyncio.gather(*(client.end() for client in clients))
    return Cost(
        cpu_s=cpu_s,
        seconds=seconds,
        played_samples=played,
        lags_ms=lags_ms,
    )


def _client(todo: Round, api_key: str, devices: Devices) -> _Client:
    if todo.who == "bargein":
        return _OurClient(todo.base_url, api_key, devices)
    return BareClient(f"{todo.ws_url}?model={MODEL}", api_key, devices)


async def _watch(lags_ms: list[float]) -> None:
    """How late a timer of this loop is."""
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + _LAG_EVERY_S
        await asyncio.sleep(_LAG_EVERY_S)
        lags_ms.append((loop.time() - due_s) * 1_000)


if __name__ == "__main__":
    main()
