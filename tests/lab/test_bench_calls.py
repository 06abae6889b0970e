"""The arithmetic of the calls bench, and that its callers, its line and its neighbours do what they
say they do: no test here asserts a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bargein.audio.formats import samples_of
from bargein.errors import DeviceError
from bargein.lab.bench import calls, calls_beside, one_way
from bargein.lab.bench.calls_beside import Beside
from bargein.lab.bench.calls_client import PLACES, Caller, CallsDone, CallsTask, Came, packets
from bargein.lab.bench.calls_client import runs_of as runs
from bargein.lab.bench.figures import Effort
from bargein.lab.bench.load_server import Measured, Serving
from bargein.rtc.opus import Decoder
from bargein.server.serving import serve_local
from bargein.server.webrtc import TAIL_FRAMES

EFFORT = Effort(load_rounds=2, calls=(10, 20, 40, 60))
BESIDE = Beside(endpoints=10, endpoint_cpu=0.05, frames_per_s=50, lag_p99_ms=5, opus_us={})
FRAME_S = 0.02


async def until(ready: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if ready():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it does not come")


def burst(frames: int, *, at_s: float = 0.0, timestamp: int = 0, every_s: float = FRAME_S) -> Any:
    return [
        Came(at_s + index * every_s, (timestamp + index * PLACES) % (1 << 32))
        for index in range(frames)
    ]


def test_a_run_is_as_fast_as_its_frames_came() -> None:
    found = runs(burst(101))
    assert found.frames == 100 and found.seconds == pytest.approx(2.0)
    assert max(found.late_ms) == pytest.approx(0.0, abs=1e-6)


def test_a_server_that_is_too_slow_makes_fewer_frames_a_second_and_later_ones() -> None:
    found = runs(burst(101, every_s=0.025))
    assert found.frames / found.seconds == pytest.approx(40)
    assert max(found.late_ms) == pytest.approx(500)


def test_a_pause_counts_neither_as_time_nor_as_lateness_and_the_tail_before_it_is_left_out() -> (
    None
):
    first = burst(100 + TAIL_FRAMES)
    found = runs([*first, *burst(100, at_s=9.0, timestamp=9 * 48_000)])
    assert found.frames == 2 * 99 and found.seconds == pytest.approx(2 * 99 * FRAME_S)


def test_what_sounds_for_less_than_a_second_is_no_run() -> None:
    assert runs(burst(40)).frames == runs([]).frames == 0


def test_timestamps_may_begin_anew_within_a_run() -> None:
    assert runs(burst(101, timestamp=(1 << 32) - 50 * PLACES)).frames == 100


def test_a_microphone_is_the_sound_in_packets_of_twenty_milliseconds() -> None:
    tone = (8_000 * np.sin(np.arange(2_450) / 10)).astype(np.int16)
    made = packets(tone)
    decoder = Decoder()
    heard = [samples_of(decoder.decode(each)) for each in made]
    assert [len(each) for each in heard] == [480] * 5
    assert np.abs(heard[2]).max() > 4_000


class Server:
    """Answers as one would that bears `bears` calls, or lets frames fall."""

    core = None
    where = Serving(url="", ws_url="", api_key="", shielded=False)

    def __init__(self, bears: int, frames_per_s: float = 50.0) -> None:
        self._bears, self._frames_per_s = bears, frames_per_s
        self.asked: list[int] = []

    def round(self, client: str, task: CallsTask) -> tuple[Measured, bytes]:
        import msgspec

        self.asked.append(task.calls)
        lag_ms = 5.0 if task.calls <= self._bears else 50.0
        measured = Measured(
            seconds=10, cpu_s=4, rss_kib=102_400, lag_p50_ms=1, lag_p99_ms=lag_ms,
            lag_max_ms=60, sessions=task.calls, cut_off=0,
        )  # fmt: skip
        return measured, msgspec.json.encode(done(frames_per_s=[50.0, self._frames_per_s]))


def done(**changed: Any) -> CallsDone:
    fields: dict[str, Any] = {
        "seconds": 10, "cpu_s": 1, "late_p99_ms": 1, "sounded_s": 80, "frames": 4_000,
        "frames_per_s": [50.0], "frames_late_p50_ms": 1, "frames_late_p99_ms": 5, "lost": 0,
    }  # fmt: skip
    return CallsDone(**{**fields, **changed})


def test_a_core_bears_the_most_calls_within_both_limits() -> None:
    server: Any = Server(bears=45)
    steps, borne = calls._steps(server, EFFORT, lambda words: None)
    figure = calls._capacity(steps, borne, BESIDE, 80.0, shielded=False)
    assert figure.measured == 40 and figure.met
    assert server.asked == [10, 20, 40, 60] * 2
    assert figure.raw["stock_endpoints_a_core"] == 20


def test_frames_that_fall_are_too_many_calls() -> None:
    server: Any = Server(bears=100, frames_per_s=45.0)
    assert calls._steps(server, EFFORT, lambda words: None)[1] == [0, 0]


def test_a_call_is_compared_with_an_endpoint_of_the_library() -> None:
    server: Any = Server(bears=100)
    steps, _ = calls._steps(server, EFFORT, lambda words: None)
    figure = calls._against_stock(steps, BESIDE)
    assert figure.rounds == (0.8, 0.8) and figure.met


@pytest.mark.parametrize(
    ("wrong", "why"), [({"lost": 2}, "dropped 2 calls"), ({"late_p99_ms": 30.0}, "30 ms late")]
)
def test_a_round_in_which_the_callers_failed_is_no_measurement(
    wrong: dict[str, Any], why: str
) -> None:
    measured = Server(bears=9).round("", CallsTask(
        url="", api_key="", core=None, calls=9, warm_s=0, seconds=0,
    ))[0]  # fmt: skip
    with pytest.raises(DeviceError, match=why):
        calls.step_of(9, measured, done(**wrong))


@pytest.mark.real_time
async def test_a_caller_asks_for_a_reply_and_notes_every_frame_of_it() -> None:
    async with serve_local(media_hosts=("127.0.0.1",)) as server, asyncio.timeout(20):
        caller = Caller(
            CallsTask(
                url=server.url, api_key=server.api_key, core=None, calls=1, warm_s=0, seconds=0
            )
        )
        await caller.open(asyncio.Semaphore(1))
        reading = asyncio.create_task(caller.read())
        await until(lambda: len(caller.came) >= 20)
        steps = {
            then.timestamp - before.timestamp
            for before, then in zip(caller.came, caller.came[1:], strict=False)
        }
        assert steps == {PLACES}
        await caller.pipe.close()
        await reading


@pytest.mark.real_time
async def test_frames_of_the_line_are_timed_and_lost_ones_are_made_up() -> None:
    line = one_way.Line()
    await line.open()
    speaking = asyncio.create_task(line.speak())
    await until(lambda: len(line.delays_ms) >= 20)
    line.ear.lose = 1
    await until(lambda: len(line.delays_ms) >= 40)
    speaking.cancel()
    await line.close()
    assert line.ear.lose == 0 and len(line.delays_ms) >= 40
    assert all(delay > 0 for _, delay in line.delays_ms)
    assert line.between_ms(0.0, line.delays_ms[0][0]) == []


@pytest.mark.real_time
async def test_the_stock_library_hears_itself_beside_us() -> None:
    cpu, frames_per_s, _ = await calls_beside.endpoints(1, 0.5, 0.5)
    assert cpu > 0 and frames_per_s > 10


def test_libopus_alone_is_measured_for_both_efforts_and_the_way_back() -> None:
    assert len(calls_beside.opus_us(20)) == 3
    assert min(calls_beside.opus_us(20).values()) > 0
