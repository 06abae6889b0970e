"""Memory over an hour of conversation with interruptions, on virtual time in a process of its own.

1. The slope is that of a straight line through the minutes (least squares), behind a beginning in
   which caches fill. It is of all that Python and numpy hold, of the client, the driver and the
   server together, less the texts of the client's conversation, which the application can read
   for as long as the session lasts.
2. What the process holds of the system (RSS) and its CPU for each minute are in the raw figures.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import msgspec

from bargein.errors import DeviceError
from bargein.lab.bench.figures import Effort, Figure, shown, spread
from bargein.lab.bench.hour_child import Minute

TARGET_KIB = 32.0
"""KiB a minute, for what is remembered of each item beside its text, twice: by client and server.

One small object kept for each of the 3 000 microphone chunks of a minute would be 150 KiB, and
the sound of a minute is 2 800 KiB each way.
"""
BEGINNING_MINUTES = 5


def measure(effort: Effort, told: Callable[[str], None]) -> list[Figure]:
    """The slope."""
    minutes = []
    for minute in _minutes(effort.hour_minutes):
        minutes.append(minute)
        told(f"minute {minute.minute} of {effort.hour_minutes} simulated")
    return [_figure(minutes)]


def _figure(minutes: Sequence[Minute]) -> Figure:
    steady = [each for each in minutes if each.minute >= BEGINNING_MINUTES]
    at = [each.minute for each in steady]
    held = [(each.traced_bytes - each.mirror_bytes) / 1024 for each in steady]
    mirror = [each.mirror_bytes / 1024 for each in steady]
    rss = [each.rss_bytes / 1024 for each in steady if each.rss_bytes is not None]
    cpu = [after.cpu_s - before.cpu_s for before, after in pairwise(steady)]
    return Figure(
        name="memory.slope",
        says="growth of memory in a simulated hour of conversation with interruptions",
        unit="KiB a minute",
        target=TARGET_KIB,
        wanted="at most",
        rounds=(shown(slope(at, held)),),
        raw={
            "minutes": minutes[-1].minute,
            "beginning_minutes": BEGINNING_MINUTES,
            "interruptions": minutes[-1].interruptions,
            "items": minutes[-1].items,
            "held_kib": spread(held),
            "mirror_kib_a_minute": shown(slope(at, mirror)),
            "rss_kib_a_minute": shown(slope(at, rss)) if len(rss) == len(at) else None,
            "cpu_s_a_minute": spread(cpu),
            "samples": [
                [each.minute, each.traced_bytes, each.mirror_bytes, each.rss_bytes]
                for each in minutes
            ],
        },
    )


def slope(at: Sequence[float], values: Sequence[float]) -> float:
    """Of the straight line with the least squares; `at` has two values or more."""
    middle_at, middle = sum(at) / len(at), sum(values) / len(values)
    rise = sum((x - middle_at) * (y - middle) for x, y in zip(at, values, strict=True))
    return rise / sum((x - middle_at) ** 2 for x in at)


def _minutes(count: int) -> Iterator[Minute]:
    command = (sys.executable, "-m", "bargein.lab.bench.hour_child", str(count))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            yield msgspec.json.decode(line, type=Minute)
        words = process.stderr.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise DeviceError(f"the simulated hour failed: {words[-1] if words else 'no words'}")
