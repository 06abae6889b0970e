"""What is done when nobody is there any more, on a clock that jumps."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.server.host_rig import Peer, begin, host, played

from bargein.server.giving_back import AFTER_S, give_back_memory


def test_it_is_done_once_a_while_after_the_last_has_gone() -> None:
    done: list[float] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        server, _ = host(when_empty=lambda: done.append(loop.time()))
        peers = [Peer(), Peer()]
        tasks = [begin(server, peer) for peer in peers]
        await asyncio.sleep(60)
        peers[0].leave()
        await asyncio.sleep(60)
        assert done == []
        peers[1].leave()
        await asyncio.gather(*tasks)
        gone = loop.time()
        await asyncio.sleep(60)
        assert done == [pytest.approx(gone + AFTER_S, abs=0.01)]

    played(scenario)


def test_it_is_not_done_where_somebody_comes_back_or_all_is_over() -> None:
    done: list[str] = []

    async def scenario() -> None:
        server, _ = host(when_empty=lambda: done.append("done"))
        for _ in range(3):
            peer = Peer()
            task = begin(server, peer)
            await peer.until("session.created")
            peer.leave()
            await task
            await asyncio.sleep(AFTER_S / 2)
        await server.close()
        await asyncio.sleep(60)

    played(scenario)
    assert done == []


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096


@pytest.mark.skipif(sys.platform != "linux", reason="only there it can be seen")
def test_what_the_c_library_keeps_is_given_back() -> None:
    """A comb: every second piece of 32 KiB is freed, and no page of the heap is the last."""
    pieces = [np.ones(32 * 1024, np.uint8) for _ in range(3_000)]
    teeth = pieces[::2]
    del pieces
    gc.collect()
    before = resident_bytes()
    give_back_memory()
    given = before - resident_bytes()
    assert len(teeth) == 1_500
    assert given > 20 * 1024 * 1024, given


HEAPS = """
import ctypes, re, sys, tempfile, threading
from bargein.server.giving_back import keep_one_heap

if sys.argv[1:]:
    keep_one_heap()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.malloc.restype = ctypes.c_void_p
meet = threading.Barrier(4)

def take():
    meet.wait()
    libc.malloc(70_000)
    meet.wait()

threads = [threading.Thread(target=take) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
with tempfile.NamedTemporaryFile() as told:
    file = ctypes.c_void_p(libc.fopen(told.name.encode(), b"w"))
    libc.malloc_info(0, file)
    libc.fclose(file)
    print(len(re.findall("<heap nr=", open(told.name).read())))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_threads_take_their_memory_from_one_heap() -> None:
    def heaps(*arguments: str) -> int:
        ran = subprocess.run(
            (sys.executable, "-c", HEAPS, *arguments), capture_output=True, text=True, check=True
        )
        return int(ran.stdout)

    assert heaps() > heaps("one") == 1
