"""How late a frame of a call is heard: from the sender's encoder to the receiver's machine.

1. Both ends are in one process on loopback, so that one clock times both. The sender's way is the
   server's (a frame is encoded and leaves at once), the receiver's is the client's: its pipe's tap,
   its jitter buffer, its decoder. What a card adds is not in it.
2. A frame is lost between the socket and the jitter buffer, so its number is missing as on a
   network: once one frame, once five in a row.
3. The delay without loss is the p99 of its frames. The delay after a loss is the median from one
   second behind it to two.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable

from aiortc import RTCConfiguration, RTCPeerConnection

from bargein.audio.formats import bytes_of
from bargein.core.inputs import Input, MediaArrived
from bargein.driver.media import Media
from bargein.lab.bench.calls_beside import noise
from bargein.lab.bench.figures import Effort, Figure, percentile, shown
from bargein.rtc.opus import Encoder
from bargein.rtc.tracks import PacketTrack, gather_at, tap
from bargein.server.sounds import COMPLEXITY
from bargein.transports.base import MediaSink
from bargein.units import US_PER_S

MOST_MS = 45.0
"""Issue 5."""
BURSTS = (1, 5)
_FRAME_S = 0.02
_PLACES = 960
_CALM_S, _AFTER_S, _WATCHED_S = 3.0, 1.0, 1.0
_CONNECT_S = 10.0

Told = Callable[[str], None]


class Ear:
    """The receiver's end of the track, as a `MediaPipe`. `lose` drops what comes next."""

    def __init__(self) -> None:
        self.lose = 0
        self._sink: MediaSink | None = None

    def attach_media(self, sink: MediaSink) -> None:
        """See `MediaPipe`."""
        self._sink = sink

    def send_media(self, payload: bytes, position: int) -> None:
        """Nothing is said back."""

    def arrived(self, codec: str, rate: int, sequence: int, timestamp: int, payload: bytes) -> None:
        """A packet came from the network, or is lost."""
        if self.lose:
            self.lose -= 1
        elif self._sink is not None:
            self._sink(sequence, timestamp, payload)


class Line:
    """A sender that speaks and a receiver that hears; `delays_ms` has an entry for each frame that
    was heard, with the time at which it was."""

    def __init__(self) -> None:
        nowhere = RTCConfiguration(iceServers=[])
        self.here, self.there = RTCPeerConnection(nowhere), RTCPeerConnection(nowhere)
        self.track, self.ear = PacketTrack(48_000), Ear()
        self.delays_ms: list[tuple[float, float]] = []
        self._loop = asyncio.get_running_loop()
        self._sent_s: list[float] = []
        self._first: int | None = None
        self._media = Media(self.ear, self._heard, lambda: round(self._loop.time() * US_PER_S))

    async def open(self) -> None:
        """Connect the two."""
        up = asyncio.Event()

        def changed() -> None:
            if self.here.connectionState == self.there.connectionState == "connected":
                up.set()

        self.here.on("connectionstatechange", changed)
        self.there.on("connectionstatechange", changed)
        self.here.addTrack(self.track)
        offer = await self.here.createOffer()
        gather_at(self.here, ("127.0.0.1",))
        await self.here.setLocalDescription(offer)
        await self.there.setRemoteDescription(self.here.localDescription)
        tap(self.there.getReceivers()[0], self.ear.arrived)
        answer = await self.there.createAnswer()
        gather_at(self.there, ("127.0.0.1",))
        await self.there.setLocalDescription(answer)
        await self.here.setRemoteDescription(self.there.localDescription)
        changed()
        async with asyncio.timeout(_CONNECT_S):
            await up.wait()

    async def speak(self) -> None:
        """A frame every 20 ms, until cancelled."""
        encoder, pcm = Encoder(complexity=COMPLEXITY), bytes_of(noise(480))
        began_s, index = self._loop.time(), 0
        while True:
            await asyncio.sleep(max(0.0, began_s + index * _FRAME_S - self._loop.time()))
            self._sent_s.append(self._loop.time())
            self.track.send(encoder.encode(pcm), index * _PLACES)
            index += 1

    async def close(self) -> None:
        """End both."""
        self._media.close()
        await self.here.close()
        await self.there.close()

    def _heard(self, came: Input) -> None:
        assert isinstance(came, MediaArrived), "nothing else is fed here"
        if self._first is None:
            self._first = came.place
        now_s = self._loop.time()
        index = (came.place - self._first) * 2 // _PLACES
        if index < len(self._sent_s):
            # Behind the last frame some are made up, which nobody sent.
            self.delays_ms.append((now_s, (now_s - self._sent_s[index]) * 1_000))

    def between_ms(self, start_s: float, end_s: float) -> list[float]:
        """The delays of the frames that were heard in that time."""
        return [delay for at_s, delay in self.delays_ms if start_s <= at_s < end_s]


async def round_ms(calm_s: float = _CALM_S) -> tuple[list[float], list[float]]:
    """The delays without a loss, and the median delay after each of the bursts."""
    line = Line()
    loop = asyncio.get_running_loop()
    await line.open()
    speaking = asyncio.create_task(line.speak())
    try:
        await asyncio.sleep(1.0)
        start_s = loop.time()
        await asyncio.sleep(calm_s)
        calm_ms = line.between_ms(start_s, loop.time())
        after_ms = []
        for burst in BURSTS:
            line.ear.lose = burst
            lost_s = loop.time()
            await asyncio.sleep(_AFTER_S + _WATCHED_S)
            after_ms.append(statistics.median(line.between_ms(lost_s + _AFTER_S, loop.time())))
    finally:
        speaking.cancel()
        await line.close()
    return calm_ms, after_ms


def measure(effort: Effort, told: Told) -> list[Figure]:
    """Both delays."""
    calm: list[list[float]] = []
    after: list[list[float]] = []
    for _ in range(effort.one_way_rounds):
        told("one-way: without a loss, and after one and five")
        calm_ms, after_ms = asyncio.run(round_ms())
        calm.append(calm_ms)
        after.append(after_ms)
    raw = {"lost_in_a_row": BURSTS, "median_after_ms": [[*map(shown, each)] for each in after]}
    return [
        Figure(
            name="calls.one-way",
            says="how long a frame of a call takes from encoder to machine over loopback, p99",
            unit="ms",
            target=MOST_MS,
            wanted="at most",
            rounds=tuple(shown(percentile(each, 99)) for each in calm),
            raw={"median_ms": [shown(percentile(each, 50)) for each in calm]},
        ),
        Figure(
            name="calls.one-way-after-loss",
            says="the same from one to two seconds after a loss, median of the worse loss",
            unit="ms",
            target=MOST_MS,
            wanted="at most",
            rounds=tuple(shown(max(each)) for each in after),
            raw=raw,
        ),
    ]
