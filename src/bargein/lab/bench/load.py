"""How many sessions one core of the local server bears, and what a hostile one does to the others.

1. The server is one process on one core, with the `script` engine and its default scenario; the
   users are another process on another core (`load_server`, `load_client`). Each user has a live
   microphone at real time, turn detection is on, and replies have sound and are interrupted.
2. The client must not be what is slow: how late it wrote and how much of its core it took stand
   beside every figure, and a round in which it was late by more than `CLIENT_LATE_MS` is an error.
3. A core bears so many sessions as leave its loop's timers at most `LAG_MS` late in 99 of 100
   cases. It is tried with more and more of them, and what was measured at each step is told.
4. What a hostile session does is the p99 of the time in which other sessions are answered, with it
   and without it, in alternating rounds, each with the same number of answers asked for at the same
   times. A round is compared with the median round without it; the interval beside it is where the
   ratio of all answers lies if the rounds are drawn again (19 of 20 times).
5. What is left of memory when all have gone is told behind each series.
6. Both run before the machine's other work where the user may ask for that (Linux's real-time
   class); whether they did is told. Who leaves a core no rest in that class is taken off it for
   50 ms of each second: beyond 90 % of a core the figures are worse than they would be.
"""

from __future__ import annotations

import contextlib
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from bargein.errors import DeviceError
from bargein.lab.bench.figures import Effort, Figure, percentile, shown
from bargein.lab.bench.load_client import HOSTILE, Done, Task
from bargein.lab.bench.load_rig import Running, begun, running
from bargein.lab.bench.load_server import Measured

LAG_MS = 20.0
CLIENT_LATE_MS = 25.0
LEAST_SESSIONS = 10
"""Our own limit: fewer on a core would be no server to test a program with."""
MOST_WORSE = 1.2
"""Issue 3."""
_BYSTANDERS, _ASKING = 5, 8
_DRAWS = 300
_CLIENT = "bargein.lab.bench.load_client"

Told = Callable[[str], None]


class Rig:
    """A server that runs, and users for it."""

    def __init__(self, server: Running) -> None:
        self._server = server

    @property
    def shielded(self) -> bool:
        return self._server.where.shielded

    def round(
        self, *, sessions: int, warm_s: float, seconds: float, asking: int = 0
    ) -> tuple[Measured, Done]:
        """What the server and the users measured in one round. Raises `DeviceError`."""
        todo = self._task(sessions=sessions, warm_s=warm_s, seconds=seconds, asking=asking)
        measured, line = self._server.round(_CLIENT, todo)
        done = msgspec.json.decode(line, type=Done)
        if done.lost:
            raise DeviceError(f"the server dropped {done.lost} sessions that did nothing wrong")
        if done.late_p99_ms > CLIENT_LATE_MS:
            raise DeviceError(
                f"the client was {done.late_p99_ms:.0f} ms late: measure on a quieter machine"
            )
        return measured, done

    def left_mib(self) -> float:
        """The server's memory when all have gone for a while."""
        return self._server.left_mib()

    @contextlib.contextmanager
    def hostile(self, kind: str | None) -> Iterator[None]:
        """Such a client while the block runs; none if `kind` is None."""
        if kind is None:
            yield
            return
        with begun(_CLIENT, self._task(sessions=0, warm_s=0, seconds=0, hostile=kind)) as client:
            try:
                yield
                if client.poll() is not None:
                    raise DeviceError(f"the hostile client ({kind}) ended by itself")
            finally:
                client.kill()

    def _task(self, **fields: Any) -> Task:
        where = self._server.where
        return Task(ws_url=where.ws_url, api_key=where.api_key, core=self._server.core, **fields)


def measure(effort: Effort, told: Told) -> list[Figure]:
    """Sessions per core, then each kind of hostility."""
    with running() as server:
        rig = Rig(server)
        # The voice keeps what it has spoken; what is measured is the server and not espeak-ng.
        told("load: warming up")
        rig.round(sessions=_BYSTANDERS, warm_s=0, seconds=effort.load_s)
        capacity = _capacity(rig, effort, told)
        return [capacity, *_hostility(rig, effort, told)]


def _capacity(running: Rig, effort: Effort, told: Told) -> Figure:
    steps: list[dict[str, float]] = []
    borne: list[float] = []
    left_mib = [shown(running.left_mib())]
    for _ in range(effort.load_rounds):
        most = 0
        for sessions in effort.load_sessions:
            told(f"load: {sessions} sessions × {effort.load_s} s")
            measured, done = running.round(
                sessions=sessions, warm_s=effort.load_warm_s, seconds=effort.load_s
            )
            steps.append(_step(sessions, measured, done))
            if measured.lag_p99_ms > LAG_MS:
                break
            most = sessions
        borne.append(most)
        left_mib.append(shown(running.left_mib()))
    return Figure(
        name="load.sessions",
        says=f"sessions that one core bears with its loop's lag p99 at most {LAG_MS:g} ms",
        unit="sessions",
        target=LEAST_SESSIONS,
        wanted="at least",
        rounds=tuple(borne),
        raw={"steps": steps, "rss_mib_when_empty": left_mib, "shielded": running.shielded},
    )


def _step(sessions: int, measured: Measured, done: Done) -> dict[str, float]:
    return {
        "sessions": sessions,
        "server_cpu": shown(measured.cpu_s / measured.seconds),
        "cpu_ms_per_session_second": shown(1_000 * measured.cpu_s / measured.seconds / sessions),
        "rss_mib": shown(measured.rss_kib / 1024),
        "lag_p50_ms": shown(measured.lag_p50_ms),
        "lag_p99_ms": shown(measured.lag_p99_ms),
        "lag_max_ms": shown(measured.lag_max_ms),
        "reply_s_per_session_second": shown(done.audio_s / done.seconds / sessions),
        "client_cpu": shown(done.cpu_s / done.seconds),
        "client_late_p99_ms": shown(done.late_p99_ms),
    }


def _hostility(running: Rig, effort: Effort, told: Told) -> list[Figure]:
    return [_hostile(running, kind, effort, told) for kind in HOSTILE]


def _hostile(running: Rig, kind: str, effort: Effort, told: Told) -> Figure:
    def answers_ms(hostile: str | None) -> tuple[list[float], float]:
        told(f"load: {hostile or 'nobody hostile'}")
        with running.hostile(hostile):
            measured, done = running.round(
                sessions=_BYSTANDERS,
                asking=_ASKING,
                warm_s=effort.load_warm_s,
                seconds=effort.load_s,
            )
        if not done.answers_ms:
            raise DeviceError(f"nobody was answered beside a session that {kind}")
        return done.answers_ms, measured.cpu_s / measured.seconds

    without: list[list[float]] = []
    beside: list[list[float]] = []
    cpu: list[float] = []
    for number in range(effort.hostile_rounds):
        order = (None, kind) if number % 2 == 0 else (kind, None)
        for hostile in order:
            answered_ms, server_cpu = answers_ms(hostile)
            (without if hostile is None else beside).append(answered_ms)
            if hostile is not None:
                cpu.append(server_cpu)
    p99_without, p99_beside = (
        [percentile(each, 99) for each in some] for some in (without, beside)
    )
    usual = statistics.median(p99_without)
    low, high = interval(without, beside)
    return Figure(
        name=f"load.hostile.{kind.replace(' ', '-')}",
        says=f"p99 of other sessions' answers beside one hostile one ({kind}), against without it",
        unit="times the p99",
        target=MOST_WORSE,
        wanted="at most",
        rounds=tuple(shown(each / usual) for each in p99_beside),
        raw={
            "p99_ms_without": [shown(each) for each in p99_without],
            "p99_ms_beside": [shown(each) for each in p99_beside],
            "of_all_answers": shown(_ratio(without, beside)),
            "interval_95": [shown(low), shown(high)],
            "p50_ms": [shown(percentile(_all(some), 50)) for some in (without, beside)],
            "max_ms": [shown(max(_all(some))) for some in (without, beside)],
            "answers_a_round": sorted({len(each) for each in (*without, *beside)}),
            "server_cpu_beside": [shown(each) for each in cpu],
            "answering_sessions": _ASKING,
            "speaking_sessions": _BYSTANDERS,
            "shielded": running.shielded,
        },
    )


Rounds = Sequence[Sequence[float]]


def _all(rounds: Rounds) -> list[float]:
    return [answer for each in rounds for answer in each]


def _ratio(without: Rounds, beside: Rounds) -> float:
    """Of the p99 of all answers."""
    return percentile(_all(beside), 99) / percentile(_all(without), 99)


def interval(without: Rounds, beside: Rounds) -> tuple[float, float]:
    """Where that ratio lies in 95 of 100 cases if whole rounds are drawn again: the answers of one
    round are not independent of each other."""
    chance = random.Random(1)
    ratios = [
        _ratio(chance.choices(without, k=len(without)), chance.choices(beside, k=len(beside)))
        for _ in range(_DRAWS)
    ]
    return percentile(ratios, 2.5), percentile(ratios, 97.5)
