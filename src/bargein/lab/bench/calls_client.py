"""The callers of the calls bench: `python -m bargein.lab.bench.calls_client`.

It reads a `CallsTask` as JSON from standard input, makes the calls, and writes a line when they
stand, and its `CallsDone` after the time. Each caller has a live microphone, speaks and interrupts
at moments of its own, and asks for a reply at the beginning, so that all of them sound. What a
caller sends was encoded beforehand and what it gets is not decoded: the work that is measured is
the server's.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

import msgspec

from bargein.audio.formats import Samples, bytes_of
from bargein.lab.bench.figures import percentile
from bargein.lab.bench.load_client import track
from bargein.lab.bench.load_server import keep_to
from bargein.rtc.opus import Encoder
from bargein.secret import Secret
from bargein.server.webrtc import TAIL_FRAMES
from bargein.transports.base import PipeEnd
from bargein.transports.signaling import Signaling
from bargein.transports.webrtc import WebRtcPipe

FRAME_S = 0.02
PLACES = 960
"""Of 20 ms on a track: it counts in 1/48,000 s."""
_PCM_FRAME = 480
_TRACK_RATE = 48_000
_AT_ONCE = 8
_OPEN_S = 30.0
_PAUSE_PLACES = 5 * PLACES
"""Where so much is missing between two frames, nothing was sounding: a frame that the server let
fall leaves a gap of one or two."""
_LEAST_RUN_S = 1.0
SESSION = {
    "type": "realtime",
    "model": "gpt-realtime",
    "audio": {"input": {"turn_detection": {"type": "server_vad"}}},
}
"""The wait for an answer, 500 ms of silence, is the service's own (protocol.md section 5)."""


class CallsTask(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. `core` is where to run, None for anywhere."""

    url: str
    api_key: str
    core: int | None
    calls: int
    warm_s: float
    seconds: float


class CallsDone(msgspec.Struct, frozen=True, kw_only=True):
    """`frames_per_s`: of each caller, while something sounded. `frames_late_*`: how much longer a
    frame was on its way than the quickest of its run. `late_*`: of the microphones."""

    seconds: float
    cpu_s: float
    late_p99_ms: float
    sounded_s: float
    frames: int
    frames_per_s: list[float]
    frames_late_p50_ms: float
    frames_late_p99_ms: float
    lost: int


class Came(msgspec.Struct, frozen=True):
    """A packet: when, and its timestamp."""

    at_s: float
    timestamp: int


class Runs(msgspec.Struct, frozen=True):
    """What came of one caller's replies: frames and seconds of those that sounded for a second or
    more, and how late each frame was."""

    frames: int
    seconds: float
    late_ms: list[float]


def runs_of(came: Sequence[Came]) -> Runs:
    """Cut at the pauses. A run of n frames has n - 1 steps, from its first to its last arrival: a
    server that keeps its pace makes fifty a second."""
    frames, seconds, late_ms = 0, 0.0, list[float]()
    start = 0
    for end in range(1, len(came) + 1):
        if end < len(came) and _follows(came[end - 1], came[end]):
            continue
        # What ended has a tail of silence, which leaves later than sound would.
        run = came[start : end - TAIL_FRAMES] if end < len(came) else came[start:end]
        start = end
        if len(run) < 2:
            continue
        lasted_s = run[-1].at_s - run[0].at_s
        if lasted_s < _LEAST_RUN_S:
            continue
        frames += len(run) - 1
        seconds += lasted_s
        ways_s = [each.at_s - _behind(run[0], each) / _TRACK_RATE for each in run]
        late_ms += [1_000 * (way_s - min(ways_s)) for way_s in ways_s]
    return Runs(frames, seconds, late_ms)


def _behind(first: Came, then: Came) -> int:
    """Timestamps have 32 bits."""
    return (then.timestamp - first.timestamp + (1 << 31)) % (1 << 32) - (1 << 31)


def _follows(before: Came, then: Came) -> bool:
    return _behind(before, then) < _PAUSE_PLACES


def packets(sound: Samples) -> list[bytes]:
    """The microphone's sound, encoded."""
    encoder = Encoder()
    pcm = bytes_of(sound)
    size = 2 * _PCM_FRAME
    whole = len(pcm) // size * size
    return [encoder.encode(pcm[at : at + size]) for at in range(0, whole, size)]


class Caller:
    """One call."""

    def __init__(self, task: CallsTask) -> None:
        signaling = Signaling(task.url, Secret(task.api_key), timeout_s=_OPEN_S)
        self.pipe = WebRtcPipe(signaling, SESSION, open_timeout_s=_OPEN_S)
        self.pipe.attach_media(self._take)
        self.came: list[Came] = []
        self.lost = False

    async def open(self, at_once: asyncio.Semaphore) -> None:
        """Make the call and ask for a reply."""
        async with at_once:
            await self.pipe.open()
        await self.pipe.send('{"type":"response.create"}')

    async def read(self) -> None:
        """Events are let go."""
        while not isinstance(await self.pipe.receive(), PipeEnd):
            pass
        self.lost = True

    def _take(self, sequence: int, timestamp: int, payload: bytes) -> None:
        self.came.append(Came(time.perf_counter(), timestamp))


async def _speak(callers: Sequence[Caller], sound: list[bytes], late_ms: list[float]) -> None:
    """All microphones on one timer, spread over the track and within a frame's time."""
    loop = asyncio.get_running_loop()
    count, began_s, tick = len(sound), loop.time(), 0
    phases = [index * count // len(callers) for index in range(len(callers))]
    while True:
        for index, caller in enumerate(callers):
            due_s = began_s + (tick + index / len(callers)) * FRAME_S
            if (wait_s := due_s - loop.time()) > 0.001:
                await asyncio.sleep(wait_s)
            late_ms.append((loop.time() - due_s) * 1_000)
            caller.pipe.send_media(sound[(tick + phases[index]) % count], tick * PLACES)
        tick += 1
        await asyncio.sleep(0)


async def _run(task: CallsTask) -> CallsDone:
    sound = packets(track())
    callers = [Caller(task) for _ in range(task.calls)]
    at_once = asyncio.Semaphore(_AT_ONCE)
    late_ms: list[float] = []
    async with asyncio.TaskGroup() as opening:
        for caller in callers:
            opening.create_task(caller.open(at_once))
    running = [asyncio.create_task(caller.read()) for caller in callers]
    running.append(asyncio.create_task(_speak(callers, sound, late_ms)))
    await asyncio.sleep(task.warm_s)
    for caller in callers:
        caller.came.clear()
    late_ms.clear()
    sys.stdout.write("began\n")
    sys.stdout.flush()
    began_s, cpu_s = time.perf_counter(), time.process_time()
    await asyncio.sleep(task.seconds)
    seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    found = [runs_of(caller.came) for caller in callers]
    frames_late_ms = [late for each in found for late in each.late_ms] or [0.0]
    done = CallsDone(
        seconds=seconds,
        cpu_s=cpu_s,
        late_p99_ms=percentile(late_ms or [0.0], 99),
        sounded_s=sum(each.seconds for each in found),
        frames=sum(each.frames for each in found),
        frames_per_s=[each.frames / each.seconds for each in found if each.frames],
        frames_late_p50_ms=percentile(frames_late_ms, 50),
        frames_late_p99_ms=percentile(frames_late_ms, 99),
        lost=sum(caller.lost for caller in callers),
    )
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await asyncio.gather(*(caller.pipe.close() for caller in callers))
    return done


def main() -> None:
    """Do the task on standard input."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=CallsTask)
    keep_to(task.core)
    sys.stdout.write(msgspec.json.encode(asyncio.run(_run(task))).decode() + "\n")


if __name__ == "__main__":
    main()
