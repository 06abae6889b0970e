"""What a process holds: what must not grow however many sessions come and go."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import tracemalloc
from pathlib import Path

import msgspec

_POOL = "asyncio_"
"""Threads of the loop's own pool: it grows when it is first needed, to its bound, and stays."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """The process after a collection of garbage; `at` is an hour, or a number of sessions.

    `traced_bytes` is what Python and numpy have allocated and not freed. `rss_bytes` and `files`
    (open file descriptors, sockets among them) are None where the system does not tell.
    """

    at: int
    traced_bytes: int
    rss_bytes: int | None
    tasks: int
    files: int | None
    threads: int
    sessions: int
    opened: int
    """Sessions so far."""


def found(at: int, *, sessions: int, opened: int) -> Left:
    """What is held now. `tracemalloc` must have been started; the asking task is not counted."""
    gc.collect()
    return Left(
        at=at,
        traced_bytes=tracemalloc.get_traced_memory()[0],
        rss_bytes=rss_bytes(),
        tasks=len(asyncio.all_tasks()) - 1,
        files=open_files(),
        threads=sum(not one.name.startswith(_POOL) for one in threading.enumerate()),
        sessions=sessions,
        opened=opened,
    )


def rss_bytes() -> int | None:
    """What the process holds of the system's memory."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int | None:
    """Open file descriptors."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None
