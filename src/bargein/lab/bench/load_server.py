"""The server of the load benches: `python -m bargein.lab.bench.load_server`.

It serves the built-in scenario on a core of its own and measures itself. Each line on its standard
input ends a measurement and begins the next; the measurement is one line of JSON on standard
output. When its standard input ends, so does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from bargein.lab.bench.figures import percentile
from bargein.server.giving_back import give_back_memory, keep_one_heap
from bargein.server.limits import HostLimits
from bargein.server.serving import (
    hand_over_quickly,
    look_no_more_at_the_start,
    serve_local,
)

LAG_EVERY_S = 0.005
_PRIORITY, _PRIORITY_OF_THREADS = 2, 1


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What the server did since the line before. `lag`: how late its loop's timers were."""

    seconds: float
    cpu_s: float
    rss_kib: int
    lag_p50_ms: float
    lag_p99_ms: float
    lag_max_ms: float
    sessions: int
    cut_off: int


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is. `shielded`: it runs before the machine's other work."""

    url: str
    ws_url: str
    api_key: str
    shielded: bool


def keep_to(core: int | None, *, shielded: bool = True) -> bool:
    """Run on this core only, and before the machine's other work (in the scheduler's real-time
    class) if this user may; returns whether. A plain priority is not enough: it counts only among
    the processes of one terminal.

    Threads that this one starts are outside of that class until `keep_behind` is called in them: at
    the same priority they would keep the core from this one for whole slices of 100 ms, which no
    server in the usual class ever meets."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    return shielded and _shield(_PRIORITY)


def keep_behind() -> None:
    """Run this thread before the machine's other work as well, and behind the one that started it.
    Outside of the class it would wait for others with the interpreter in its hands, and the loop
    with it."""
    _shield(_PRIORITY_OF_THREADS)


def _shield(priority: int) -> bool:
    if not hasattr(os, "sched_setscheduler"):
        return False
    try:
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(priority))
    except OSError:
        return False
    return True


def rss_kib() -> int:
    """Resident memory of this process; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


async def _watch(lags_ms: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        lags_ms.append((loop.time() - due_s) * 1_000)


async def _serve(shielded: bool) -> None:
    loop = asyncio.get_running_loop()
    if shielded:
        loop.set_default_executor(ThreadPoolExecutor(initializer=keep_behind))
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    limits = HostLimits(sessions=100_000)
    async with serve_local(
        limits=limits, when_empty=give_back_memory, media_hosts=("127.0.0.1",)
    ) as server:
        look_no_more_at_the_start()  # As `bargein serve` does, too.
        told = Serving(
            url=server.url, ws_url=server.ws_url, api_key=server.api_key, shielded=shielded
        )
        _write(told)
        lags_ms: list[float] = []
        watching = asyncio.create_task(_watch(lags_ms))
        began_s, cpu_s = time.perf_counter(), time.process_time()
        while await lines.readline():
            now_s, cpu_now_s = time.perf_counter(), time.process_time()
            lags_ms = lags_ms or [0.0]
            _write(
                Measured(
                    seconds=now_s - began_s,
                    cpu_s=cpu_now_s - cpu_s,
                    rss_kib=rss_kib(),
                    lag_p50_ms=percentile(lags_ms, 50),
                    lag_p99_ms=percentile(lags_ms, 99),
                    lag_max_ms=max(lags_ms),
                    sessions=len(server.sessions),
                    cut_off=server.host.cut_off,
                )
            )
            lags_ms.clear()
            began_s, cpu_s = time.perf_counter(), time.process_time()
        watching.cancel()


def _write(told: msgspec.Struct) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Serve until standard input ends; the argument is the core, none for any."""
    hand_over_quickly()  # As `bargein serve` does.
    keep_one_heap()
    shielded = keep_to(int(sys.argv[1]) if len(sys.argv) > 1 else None)
    asyncio.run(_serve(shielded))


if __name__ == "__main__":
    main()
