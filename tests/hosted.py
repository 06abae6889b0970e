"""The client and the local server in one loop with a memory pipe between: no kernel, no clock.

Over loopback sockets, virtual time may jump while the kernel still carries a frame; here it cannot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.driver_rig import others
from tests.virtual_loop import run

import bargein
from bargein.client.connecting import Connecting
from bargein.errors import TransportError
from bargein.server.engines.scenario import DEFAULT_SCENARIO, Scenario, load_scenario
from bargein.server.engines.script import ScriptEngine
from bargein.server.host import Host
from bargein.transports.base import PipeEnd
from bargein.transports.memory import MemoryPipe, pair

MODEL = "gpt-realtime-2.1"


class ServerEnd:
    """The far end of a memory pipe as the host's connection."""

    def __init__(self, pipe: MemoryPipe) -> None:
        self._pipe = pipe

    async def receive(self) -> str | bytes | None:
        frame = await self._pipe.receive()
        return None if isinstance(frame, PipeEnd) else frame

    async def send(self, frame: str) -> None:
        try:
            await self._pipe.send(frame)
        except TransportError:
            return

    async def close(self, code: int, reason: str) -> None:
        await self._pipe.close(code, reason)

    def abort(self) -> None:
        self._pipe.cut()


class Hosted:
    """A server in memory; every `connect` is a session of its own."""

    def __init__(self, scenario: Scenario | None = None) -> None:
        scenario = scenario or load_scenario(DEFAULT_SCENARIO)
        self.host = Host(lambda: ScriptEngine(scenario))
        self.tasks: list[asyncio.Task[None]] = []

    def connect(self, **options: Any) -> Connecting:
        near, far = pair()
        session = self.host.run(ServerEnd(far), model=MODEL)
        self.tasks.append(asyncio.create_task(session))
        return bargein.connect(MODEL, transport=near, **options)


def hosted(body: Callable[[Hosted], Awaitable[None]], *, scenario: Scenario | None = None) -> None:
    """Run the body beside the server; when both are over, no task may be left."""

    async def main() -> None:
        server = Hosted(scenario)
        await body(server)
        await asyncio.gather(*server.tasks)
        assert not others()

    run(main())
