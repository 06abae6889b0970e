"""What a served server keeps of those who are gone: after a day of visits on virtual time, and
after a thousand connections dropped at any byte. Each in a process of its own.

1. The slope of a day is that of a straight line through its hours (least squares), behind a
   beginning in which caches fill: all that Python and numpy hold, of the server and of the
   visitors.
2. A figure fails altogether if a task, a file descriptor, a thread or a session is left.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

import msgspec

from bargein.errors import DeviceError
from bargein.lab.bench.figures import Effort, Figure, shown
from bargein.lab.bench.hour import slope
from bargein.lab.bench.left import Left

BEGINNING_HOURS = 6
"""In the first recorded day 1.9 MB came at once in the fifth hour, and nothing like it after that:
not every cache is filled in the first round of visits."""
DAY_TARGET_KIB = 8.0
"""KiB an hour. An hour has about fifty sessions: 1 KiB kept of each would be 50."""
DROPS_TARGET_BYTES = 200.0
"""Bytes for each dropped connection: less than the smallest task or socket."""


def measure_day(effort: Effort, told: Callable[[str], None]) -> list[Figure]:
    """The growth in a day."""
    hours = []
    for hour in _left("day_child", effort.day_hours):
        hours.append(hour)
        told(f"hour {hour.at} of {effort.day_hours} simulated")
    return [day_figure(hours)]


def day_figure(hours: Sequence[Left]) -> Figure:
    """Of the hours, the first of them before anybody came."""
    steady = hours[min(BEGINNING_HOURS, len(hours) - 2) :]
    held = [hour.traced_bytes / 1024 for hour in steady]
    rss = [hour.rss_bytes / 1024 for hour in steady if hour.rss_bytes is not None]
    at = [hour.at for hour in steady]
    return Figure(
        name="day.slope",
        says="growth of memory in a simulated day of visits, after which nothing is left of them",
        unit="KiB an hour",
        target=DAY_TARGET_KIB,
        wanted="at most",
        rounds=(float("inf"),) if kept(hours) else (shown(slope(at, held)),),
        raw={
            "hours": hours[-1].at,
            "sessions": hours[-1].opened,
            "left": kept(hours),
            "rss_kib_an_hour": shown(slope(at, rss)) if len(rss) == len(at) else None,
            "samples": hours,
        },
    )


def measure_drops(effort: Effort, told: Callable[[str], None]) -> list[Figure]:
    """What a dropped connection leaves."""
    told(f"dropping {effort.drops} connections")
    return [drops_figure(list(_left("drops_child", effort.drops)))]


def drops_figure(after: Sequence[Left]) -> Figure:
    """Of what was left after the first ones and after all."""
    first, last = after
    grown = (last.traced_bytes - first.traced_bytes) / (last.at - first.at)
    return Figure(
        name="drops.bytes",
        says="memory left by a connection that was dropped at a drawn byte, and nothing else left",
        unit="bytes each",
        target=DROPS_TARGET_BYTES,
        wanted="at most",
        rounds=(float("inf"),) if kept(after) else (shown(grown),),
        raw={
            "dropped": last.at,
            "sessions": last.opened,
            "left": kept(after),
            "samples": after,
        },
    )


def kept(after: Sequence[Left]) -> list[str]:
    """What is left that should not be, in words; the first is what the others are held against."""
    first = after[0]
    found = []
    for one in after:
        if one.sessions:
            found.append(f"{one.sessions} sessions at {one.at}")
        for name in ("tasks", "files", "threads"):
            before, now = getattr(first, name), getattr(one, name)
            if before is not None and now > before:
                found.append(f"{now - before} {name} at {one.at}")
    return found


def _left(module: str, count: int) -> Iterator[Left]:
    command = (sys.executable, "-m", f"bargein.lab.bench.{module}", str(count))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            yield msgspec.json.decode(line, type=Left)
        words = process.stderr.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise DeviceError(f"{module} failed: {words[-1] if words else 'no words'}")
