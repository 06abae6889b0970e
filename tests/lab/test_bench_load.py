"""The arithmetic of the load bench, and a client that is no slower than it must be: no test here
asserts a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from tests.server.serving_rig import KEY, a_server, says
from websockets.frames import Frame, Opcode

from bargein.lab.bench import load
from bargein.lab.bench.figures import Effort
from bargein.lab.bench.load_client import HOSTILE, Done, Task, _Asking
from bargein.lab.bench.load_client import _attack as attack
from bargein.lab.bench.load_server import Measured, keep_behind, keep_to
from bargein.lab.bench.load_wire import Wire, event, frame, microphone

EFFORT = Effort(load_rounds=1, hostile_rounds=2, load_sessions=(5, 10, 20, 40))


class Never:
    """A wire that brings no answer."""

    is_lost = True
    asked = 0

    def write(self, data: bytes) -> None:
        self.asked += 1


class Rig:
    """Answers as a server would that bears `bears` sessions."""

    shielded = True

    def __init__(self, bears: int, worse: float = 1.0) -> None:
        self._bears, self._worse = bears, worse
        self._kind: str | None = None
        self.asked: list[int] = []

    def left_mib(self) -> float:
        return 80.0

    @contextlib.contextmanager
    def hostile(self, kind: str | None) -> Iterator[None]:
        self._kind = kind
        yield
        self._kind = None

    def round(self, *, sessions: int, **task: Any) -> tuple[Measured, Done]:
        self.asked.append(sessions)
        lag_ms = 5.0 if sessions <= self._bears else 50.0
        measured = Measured(
            seconds=10, cpu_s=4, rss_kib=102_400, lag_p50_ms=1, lag_p99_ms=lag_ms,
            lag_max_ms=60, sessions=sessions, cut_off=0,
        )  # fmt: skip
        answer_ms = 10.0 * (self._worse if self._kind else 1)
        done = Done(
            seconds=10, cpu_s=1, late_p99_ms=1, late_max_ms=2, audio_s=300,
            answers_ms=[answer_ms] * 100, lost=0,
        )  # fmt: skip
        return measured, done


def test_a_core_bears_the_most_sessions_whose_lag_is_within_the_limit() -> None:
    rig: Any = Rig(bears=15)
    figure = load._capacity(rig, EFFORT, lambda words: None)
    assert figure.measured == 10 and figure.met
    assert rig.asked == [5, 10, 20]
    assert figure.raw["steps"][1]["cpu_ms_per_session_second"] == 40
    assert [step["lag_p99_ms"] for step in figure.raw["steps"]] == [5, 5, 50]


@pytest.mark.parametrize(("worse", "met"), [(1.1, True), (1.3, False)])
def test_hostility_is_told_as_a_ratio_of_p99(worse: float, met: bool) -> None:
    rig: Any = Rig(bears=100, worse=worse)
    figure = load._hostile(rig, "garbage at full speed", EFFORT, lambda words: None)
    assert figure.measured == pytest.approx(worse) and figure.met is met
    assert figure.name == "load.hostile.garbage-at-full-speed"
    assert figure.raw["interval_95"] == [pytest.approx(worse)] * 2
    assert figure.raw["answers_a_round"] == [100]


def test_the_interval_knows_how_much_rounds_differ() -> None:
    calm, mixed = [[1.0] * 100] * 4, [[1.0] * 100, [2.0] * 100] * 2
    assert load.interval(calm, calm) == (1.0, 1.0)
    assert load.interval(calm, mixed) == (1.0, 2.0)


async def test_who_asks_asks_at_its_times_whether_it_is_answered_or_not() -> None:
    asking = _Asking()
    wire: Any = Never()
    asking.wire = wire
    answers_ms = await asking.ask(time.perf_counter(), 0.2)
    assert len(answers_ms) == wire.asked == 5
    assert min(answers_ms) >= 1_000


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_is_one_that_a_server_reads(size: int) -> None:
    from websockets.protocol import Side
    from websockets.server import ServerProtocol

    server = ServerProtocol()
    assert server.side is Side.SERVER
    server.state = server.state.OPEN
    server.parser = server.parse()
    next(server.parser)
    text = b"x" * size
    server.receive_data(frame(text))
    (read,) = server.events_received()
    assert isinstance(read, Frame) and (read.opcode, bytes(read.data)) == (Opcode.TEXT, text)


def test_the_microphone_is_the_track_in_whole_chunks() -> None:
    assert len(microphone(np.zeros(2_400, np.int16))) == 5


@pytest.mark.parametrize("piece", [1, 7, 100, 10_000])
async def test_the_wire_reads_the_heads_of_frames_in_pieces_of_any_length(piece: int) -> None:
    delta = json.dumps({"type": "response.output_audio.delta", "x": "y" * 5_000})
    texts = [b'{"type":"a"}', delta.replace(": ", ":").encode(), b"z" * 70_000, b"end"]
    data = b"".join(Frame(Opcode.TEXT, text).serialize(mask=False) for text in texts)
    told: list[tuple[bytes, int]] = []
    wire = Wire(lambda head, size: told.append((head, size)))
    for start in range(0, len(data), piece):
        wire._read(data[start : start + piece])
    assert told == [(text[:48], len(text)) for text in texts]
    assert wire.audio_bytes == len(texts[1])


async def test_the_wire_holds_a_session_with_the_server() -> None:
    done = asyncio.Event()

    def hear(head: bytes, size: int) -> None:
        if head.startswith(b'{"type":"response.done"'):
            done.set()

    async with a_server(says("Hello there.")) as server, asyncio.timeout(20):
        wire = Wire(hear)
        await wire.open(server.ws_url, KEY)
        wire.write(event("response.create"))
        await done.wait()
        assert wire.audio_bytes > 10_000
        wire.close()
        with pytest.raises(OSError):
            await Wire(hear).open(server.ws_url.replace("realtime", "nowhere"), KEY)


def test_threads_run_behind_the_loop_that_they_work_for_and_before_other_work() -> None:
    """A thread of the usual class would wait for others with the interpreter in its hands."""
    found: list[tuple[int, int]] = []

    def note(shield: Callable[[], object]) -> None:
        shield()
        found.append((os.sched_getscheduler(0), os.sched_getparam(0).sched_priority))

    for shield in (partial(keep_to, None), keep_behind):
        thread = threading.Thread(target=note, args=(shield,))
        thread.start()
        thread.join()
    (policy, loops), (policy_of_threads, threads) = found
    if not loops:
        pytest.skip("this user may not run before others")
    assert policy == policy_of_threads == os.SCHED_RR | os.SCHED_RESET_ON_FORK
    assert loops > threads > 0


@pytest.mark.parametrize("kind", HOSTILE)
async def test_beside_every_kind_of_hostility_another_session_is_answered(kind: str) -> None:
    answered = asyncio.Event()

    def hear(head: bytes, size: int) -> None:
        if head.startswith(b'{"type":"input_audio_buffer.cleared"'):
            answered.set()

    async with a_server() as server, asyncio.timeout(50):
        task = Task(
            ws_url=server.ws_url, api_key=KEY, core=None, sessions=0, warm_s=0, seconds=0,
            hostile=kind,
        )  # fmt: skip
        wire = Wire(hear)
        await wire.open(server.ws_url, KEY)
        attacking = asyncio.create_task(attack(task, kind))
        asked = 0
        while asked < 20 or server.host.sessions_opened < 2:
            answered.clear()
            wire.write(event("input_audio_buffer.clear"))
            await answered.wait()
            asked += 1
        assert not attacking.done()
        assert len(server.sessions) == 2 or kind == "connections at full speed"
        attacking.cancel()
        for session in list(server.sessions.values()):
            session.end(1001, "")
        wire.close()
