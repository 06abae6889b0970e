"""What stands beside the calls bench: `python -m bargein.lab.bench.calls_beside [core]`.

It runs pairs of plain aiortc peers over loopback, in one process on one core, with the library's
own encoder, decoder and jitter buffer and tracks that carry a hum both ways, and says what an
endpoint of them costs; then what libopus alone costs, at the efforts of the library and of our
server. Output is one `Beside` as JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from fractions import Fraction

import msgspec
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from bargein.audio.formats import Samples, bytes_of
from bargein.lab.bench.figures import percentile
from bargein.lab.bench.load_server import LAG_EVERY_S, keep_to
from bargein.rtc.opus import COMPLEXITY, Decoder, Encoder
from bargein.rtc.tracks import gather_at
from bargein.server.sounds import COMPLEXITY as OUR_COMPLEXITY

PAIRS = 5
_WARM_S, _SECONDS = 2.0, 5.0
_RATE = 48_000
_FRAME = _RATE // 50
_OPUS_FRAMES = 1_000
_OPUS_RATE = 24_000


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """`endpoint_cpu`: of a core, of one endpoint of the library. `opus_us`: of 20 ms of speech-like
    sound, mono at 24 kHz, by what is done."""

    endpoints: int
    endpoint_cpu: float
    frames_per_s: float
    lag_p99_ms: float
    opus_us: dict[str, float]


class _Hum(MediaStreamTrack):
    """20 ms every 20 ms."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._sent = 0
        self._began_s: float | None = None
        self._pcm = bytes_of(noise(_FRAME))

    async def recv(self) -> AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._began_s is None:
            self._began_s = loop.time()
        await asyncio.sleep(max(0.0, self._began_s + self._sent * 0.02 - loop.time()))
        frame = AudioFrame(format="s16", layout="mono", samples=_FRAME)
        frame.planes[0].update(self._pcm)
        frame.sample_rate, frame.time_base = _RATE, Fraction(1, _RATE)
        frame.pts = self._sent * _FRAME
        self._sent += 1
        return frame


def noise(samples: int) -> Samples:
    """The same each time."""
    sound: Samples = (2_000 * np.random.default_rng(1).standard_normal(samples)).astype(np.int16)
    return sound


async def _pair(heard: list[int], hearing: list[asyncio.Task[None]]) -> list[RTCPeerConnection]:
    nowhere = RTCConfiguration(iceServers=[])
    here, there = RTCPeerConnection(nowhere), RTCPeerConnection(nowhere)

    async def hear(track: MediaStreamTrack) -> None:
        while True:
            try:
                await track.recv()
            except MediaStreamError:
                return
            heard[0] += 1

    for peer in (here, there):
        peer.addTrack(_Hum())
        peer.on("track", lambda track: hearing.append(asyncio.create_task(hear(track))))
    offer = await here.createOffer()
    gather_at(here, ("127.0.0.1",))
    await here.setLocalDescription(offer)
    await there.setRemoteDescription(here.localDescription)
    answer = await there.createAnswer()
    gather_at(there, ("127.0.0.1",))
    await there.setLocalDescription(answer)
    await here.setRemoteDescription(there.localDescription)
    return [here, there]


async def endpoints(pairs: int, warm_s: float, seconds: float) -> tuple[float, float, float]:
    """CPU of one endpoint as a share of a core, its frames a second, and the loop's lag."""
    heard, hearing = [0], list[asyncio.Task[None]]()
    peers = [peer for _ in range(pairs) for peer in await _pair(heard, hearing)]
    await asyncio.sleep(warm_s)
    loop = asyncio.get_running_loop()
    lags_ms: list[float] = []
    began_s, cpu_s, before = time.perf_counter(), time.process_time(), heard[0]
    while time.perf_counter() < began_s + seconds:
        due_s = loop.time() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        lags_ms.append((loop.time() - due_s) * 1_000)
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    frames = heard[0] - before
    for peer in peers:
        await peer.close()
    await asyncio.gather(*hearing)
    count = len(peers)
    return cpu_s / took_s / count, frames / took_s / count, percentile(lags_ms, 99)


def opus_us(frames: int) -> dict[str, float]:
    """What a frame costs in libopus."""
    pcm = bytes_of(noise(_OPUS_RATE // 50))
    usual, ours, decoder = Encoder(), Encoder(complexity=OUR_COMPLEXITY), Decoder()
    packet = usual.encode(pcm)
    return {
        f"encode, effort {COMPLEXITY}": _each_us(lambda: usual.encode(pcm), frames),
        f"encode, effort {OUR_COMPLEXITY}": _each_us(lambda: ours.encode(pcm), frames),
        "decode": _each_us(lambda: decoder.decode(packet), frames),
    }


def _each_us(work: Callable[[], object], times: int) -> float:
    began_s = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began_s) / times * 1e6


def measure(pairs: int = PAIRS, warm_s: float = _WARM_S, seconds: float = _SECONDS) -> Beside:
    """Both."""
    cpu, frames_per_s, lag_ms = asyncio.run(endpoints(pairs, warm_s, seconds))
    return Beside(
        endpoints=2 * pairs,
        endpoint_cpu=cpu,
        frames_per_s=frames_per_s,
        lag_p99_ms=lag_ms,
        opus_us=opus_us(_OPUS_FRAMES),
    )


def main() -> None:
    """Measure on the core that the argument names; none is any."""
    keep_to(int(sys.argv[1]) if len(sys.argv) > 1 else None, shielded=False)
    sys.stdout.write(msgspec.json.encode(measure()).decode() + "\n")


if __name__ == "__main__":
    main()
