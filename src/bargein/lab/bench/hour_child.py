"""A process of its own for an hour of conversation: `python -m bargein.lab.bench.hour_child N`.

It holds a conversation of N minutes on virtual time and writes one line of JSON for each minute.
Client and server are both in the process. The server forgets its sound early (`stage`), and both
remember the texts of the conversation, as they must: that is the little that may grow.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
import tracemalloc
from pathlib import Path

import msgspec
import numpy as np

import bargein
from bargein.audio.formats import Samples
from bargein.lab.bench import virtual_time
from bargein.lab.bench.stage import MODEL, Devices, server
from bargein.lab.bench.user import PAUSES_S, track


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """The process at the end of a virtual minute, after a collection of garbage.

    `traced_bytes` is what Python and numpy have allocated and not freed; `mirror_bytes` of it are
    the texts of the client's conversation. `rss_bytes` is None where the system does not tell.
    """

    minute: int
    traced_bytes: int
    mirror_bytes: int
    rss_bytes: int | None
    cpu_s: float
    items: int
    interruptions: int


def main() -> None:
    """Hold the conversation."""
    virtual_time.run(_hold(int(sys.argv[1])))


async def _hold(minutes: int) -> None:
    cycle = track(sum(PAUSES_S))
    devices = Devices(np.zeros(0, dtype=np.int16))
    cut = _Count()
    tracemalloc.start()
    async with server() as pipe:
        connecting = bargein.connect(
            MODEL, transport=pipe, turns=bargein.ServerVad(), audio=devices
        )
        async with connecting as session:
            reading = asyncio.create_task(_read(session, cut))
            speaking = asyncio.create_task(_speak(devices, cycle))
            for minute in range(minutes + 1):
                _tell(_now(minute, session, cut))
                await asyncio.sleep(60)
            speaking.cancel()
        await reading


class _Count:
    interruptions = 0


async def _speak(devices: Devices, cycle: Samples) -> None:
    """The user says the same again and again; only one cycle of it is ever held."""
    while True:
        speech = devices.recorder.say(cycle)
        await asyncio.sleep(speech.end_us / 1_000_000 - asyncio.get_running_loop().time())


async def _read(session: bargein.Session, cut: _Count) -> None:
    async for notice in session:
        match notice:
            case bargein.InterruptionSettled():
                cut.interruptions += 1
            case bargein.Fault() | bargein.Dropped():
                raise AssertionError(f"the conversation went wrong: {notice}")
            case _:
                pass


def _now(minute: int, session: bargein.Session, cut: _Count) -> Minute:
    gc.collect()
    items = session.conversation
    return Minute(
        minute=minute,
        traced_bytes=tracemalloc.get_traced_memory()[0],
        mirror_bytes=sum(len(msgspec.json.encode(item)) for item in items),
        rss_bytes=_rss_bytes(),
        cpu_s=round(time.process_time(), 3),
        items=len(items),
        interruptions=cut.interruptions,
    )


def _rss_bytes() -> int | None:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _tell(minute: Minute) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(minute) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
