"""A process of its own for a day of visits: `python -m bargein.lab.bench.day_child HOURS`.

The server is the one that ships, on a socket; time is virtual. One visitor stays for each whole
hour, until its session expires; beside it the others come one after the other. It writes a line of
JSON for each hour, at a moment when nobody is there.
"""

from __future__ import annotations

import asyncio
import sys
import tracemalloc
from collections.abc import Callable
from itertools import cycle

import msgspec

from bargein.lab.bench import virtual_time
from bargein.lab.bench.left import Left, found
from bargein.lab.bench.visits import MANNERS, Manner, stay
from bargein.server.engines.scenario import Scenario
from bargein.server.serving import Server, serve_local

REPLIES = (
    "Once upon a time there was a fox who lived by the sea. Every evening she counted the boats.",
    "The clockmaker had a daughter, and she could hear what time it was in any town.",
)
SPEED = 10.0
_VISITS_S = 55 * 60
"""When the last short visit of an hour may begin."""


async def hold(hours: int, told: Callable[[Left], None]) -> None:
    """Hold the day; `told` gets what is left after each hour, and before the first."""
    tracemalloc.start()
    try:
        replies = [{"outputs": [{"say": text}]} for text in REPLIES]
        async with serve_local(Scenario.of({"speed": SPEED, "replies": replies})) as server:
            manners = cycle(MANNERS.values())
            for hour in range(hours + 1):
                told(found(hour, sessions=len(server.sessions), opened=server.host.sessions_opened))
                if hour < hours:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(stay(server))
                        group.create_task(_visit(server, manners))
                    # What lingers of a connection after its end has a deadline too.
                    await asyncio.sleep(60)
    finally:
        tracemalloc.stop()


async def _visit(server: Server, manners: cycle[Manner]) -> None:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + _VISITS_S
    while loop.time() < until_s:
        await next(manners)(server)


def _tell(what: Left) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    virtual_time.run(hold(int(sys.argv[1]), _tell))
