"""How many calls over WebRTC one core of the local server bears, and what stands beside that.

1. As in `load`: the server is one process on one core, with the `script` engine and its default
   scenario; the callers are another process on another core (`calls_client`). Each has a live
   microphone, turn detection is on, and replies sound nearly all the time and are interrupted.
2. A core bears so many calls as leave its loop's timers at most `LAG_MS` late in 99 of 100 cases,
   with `FRAMES_PER_S` frames a second for every caller while a reply sounds.
3. Beside it, in the same run: what an endpoint of the stock library costs, and libopus alone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence

import msgspec

from bargein.errors import DeviceError
from bargein.lab.bench import one_way
from bargein.lab.bench.calls_beside import Beside
from bargein.lab.bench.calls_client import CallsDone, CallsTask
from bargein.lab.bench.figures import Effort, Figure, shown
from bargein.lab.bench.load import CLIENT_LATE_MS, LAG_MS
from bargein.lab.bench.load_rig import Running, running
from bargein.lab.bench.load_server import Measured

LEAST_CALLS = 40
"""Issue 5."""
FRAMES_PER_S = 49.0
"""Of fifty. A frame that the machine holds up comes late and is not lost, so that a run's last one
costs its rate up to 1 part in 50 where the run lasts for a second."""
_CLIENT = "bargein.lab.bench.calls_client"
_BESIDE = "bargein.lab.bench.calls_beside"
_WARMING = 3

Told = Callable[[str], None]


def measure(effort: Effort, told: Told) -> list[Figure]:
    """Calls per core, a call against an endpoint of the library, and the delay of a frame."""
    with running() as server:
        # The voice keeps what it has spoken; what is measured is the server and not espeak-ng.
        told("calls: warming up")
        _round(server, _WARMING, effort)
        steps, borne = _steps(server, effort, told)
        left_mib = shown(server.left_mib())
        told("calls: the stock library and libopus beside it")
        beside = _beside(server.core)
    return [
        _capacity(steps, borne, beside, left_mib, shielded=server.where.shielded),
        _against_stock(steps, beside),
        *one_way.measure(effort, told),
    ]


def _steps(
    server: Running, effort: Effort, told: Told
) -> tuple[list[dict[str, float]], list[float]]:
    steps: list[dict[str, float]] = []
    borne: list[float] = []
    for _ in range(effort.load_rounds):
        most = 0
        for calls in effort.calls:
            told(f"calls: {calls} × {effort.load_s} s")
            step = step_of(calls, *_round(server, calls, effort))
            steps.append(step)
            if not is_borne(step):
                break
            most = calls
        borne.append(most)
    return steps, borne


def is_borne(step: dict[str, float]) -> bool:
    """Rule 2."""
    return step["lag_p99_ms"] <= LAG_MS and step["frames_per_s_least"] >= FRAMES_PER_S


def step_of(calls: int, measured: Measured, done: CallsDone) -> dict[str, float]:
    """One round, told. Raises `DeviceError` where the callers' side was what failed."""
    if done.lost:
        raise DeviceError(f"the server dropped {done.lost} calls that did nothing wrong")
    if done.late_p99_ms > CLIENT_LATE_MS:
        raise DeviceError(
            f"the callers were {done.late_p99_ms:.0f} ms late: measure on a quieter machine"
        )
    return {
        "calls": calls,
        "server_cpu": shown(measured.cpu_s / measured.seconds),
        "cpu_ms_per_call_second": shown(1_000 * measured.cpu_s / measured.seconds / calls),
        "rss_mib": shown(measured.rss_kib / 1024),
        "lag_p50_ms": shown(measured.lag_p50_ms),
        "lag_p99_ms": shown(measured.lag_p99_ms),
        "lag_max_ms": shown(measured.lag_max_ms),
        "sounding": shown(done.sounded_s / done.seconds / calls),
        "frames_per_s_least": shown(min(done.frames_per_s, default=0.0)),
        "frames_late_p50_ms": shown(done.frames_late_p50_ms),
        "frames_late_p99_ms": shown(done.frames_late_p99_ms),
        "client_cpu": shown(done.cpu_s / done.seconds),
        "client_late_p99_ms": shown(done.late_p99_ms),
    }


def _round(server: Running, calls: int, effort: Effort) -> tuple[Measured, CallsDone]:
    where = server.where
    task = CallsTask(
        url=where.url,
        api_key=where.api_key,
        core=server.core,
        calls=calls,
        warm_s=effort.load_warm_s,
        seconds=effort.load_s,
    )
    measured, line = server.round(_CLIENT, task)
    return measured, msgspec.json.decode(line, type=CallsDone)


def _beside(core: int | None) -> Beside:
    arguments = () if core is None else (str(core),)
    done = subprocess.run((sys.executable, "-m", _BESIDE, *arguments), capture_output=True)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise DeviceError(f"the stock library's loopback failed: {' '.join(last)}")
    return msgspec.json.decode(done.stdout, type=Beside)


def _capacity(
    steps: Sequence[dict[str, float]],
    borne: Sequence[float],
    beside: Beside,
    left_mib: float,
    *,
    shielded: bool,
) -> Figure:
    return Figure(
        name="calls.capacity",
        says=f"calls that one core bears with its loop's lag p99 at most {LAG_MS:g} ms and "
        "fifty frames a second for each",
        unit="calls",
        target=LEAST_CALLS,
        wanted="at least",
        rounds=tuple(borne),
        raw={
            "steps": [*steps],
            "rss_mib_when_empty": left_mib,
            "shielded": shielded,
            "stock_endpoints_a_core": shown(1 / beside.endpoint_cpu),
            "beside": beside,
        },
    )


def _against_stock(steps: Sequence[dict[str, float]], beside: Beside) -> Figure:
    """Where they are most, each call is cheapest: the comparison takes the first step."""
    fewest = min(step["calls"] for step in steps)
    mine = [step["cpu_ms_per_call_second"] for step in steps if step["calls"] == fewest]
    return Figure(
        name="calls.against-stock",
        says="what a call costs the server (heard for turns, answered, events and all), against a "
        "bare endpoint of the stock library",
        unit="times the CPU",
        target=1.0,
        wanted="at most",
        rounds=tuple(shown(each / 1_000 / beside.endpoint_cpu) for each in mine),
        raw={"calls": fewest, "stock_ms_per_second": shown(1_000 * beside.endpoint_cpu)},
    )
