"""The media of a call: frames that overtake each other, are lost in bursts and keep the time of a
clock of their own; and the shipping jitter buffer at their end.

1. Each frame says whose it is: its samples are those of the response's number, but for the first,
   which is the frame's own. So whoever hears a frame knows where it belongs, and a lost one that
   is made up is known as well.
2. The way is `skew_ms` longer or shorter than that of the events, never shorter than nothing.
3. Behind the last frame of a burst, 200 ms of silence are sent, and then nothing, as the server's
   edge does; the timestamps go on.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass

from bargein.audio.jitter import JitterBuffer, Playout
from bargein.core.inputs import MediaArrived
from bargein.server.model.commands import SendMedia
from bargein.sim.choices import Choices
from bargein.sim.world import Alarm, World
from bargein.units import US_PER_MS, US_PER_S

FRAME_US = 20 * US_PER_MS
FRAME_SAMPLES = 480
_TRACK_RATE = 48_000
_TAIL_FRAMES = 10
_LOUDEST = 24_000
_STEP = 97
_FIRST = 2_000
SILENCE = bytes(2 * FRAME_SAMPLES)
MADE_UP = -1
"""The number of a frame that the jitter buffer made up for a lost one."""


@dataclass(frozen=True, slots=True)
class MediaOptions:
    """How the media goes: so much later than the events (or earlier), with jitter, bursts of loss
    once in so many frames, frames that come up to 60 ms late, and the drift of the clocks."""

    skew_ms: int = 0
    jitter_ms: int = 0
    burst_one_in: int = 0
    reorder_one_in: int = 0
    drift_ppm: int = 0


def frame_of(response: int, frame: int) -> bytes:
    """The sound of this frame of the response with this number, from 0 on."""
    samples = array("h", [_FIRST + response * _STEP % (_LOUDEST - _FIRST)]) * FRAME_SAMPLES
    samples[0] = frame % 30_000 + 1
    return samples.tobytes()


def whose(audio: bytes) -> tuple[int, int] | None:
    """The numbers of its response and of itself, or `MADE_UP`; None of silence."""
    samples = array("h", audio)
    if not samples[1]:
        return None
    return (samples[1] - _FIRST) // _STEP, samples[0] - 1


class _Decoder:
    """Each payload is the frame before and the frame itself: the copy tells the lost one."""

    def __init__(self) -> None:
        self._last = SILENCE

    def decode(self, payload: bytes) -> bytes:
        self._last = payload[len(SILENCE) :]
        return self._last

    def recover(self, next_payload: bytes) -> bytes:
        return next_payload[: len(SILENCE)]

    def conceal(self) -> bytes:
        if not any(self._last):
            return SILENCE
        samples = array("h", self._last)
        samples[0] = 0
        return samples.tobytes()


class MediaChannel:
    """From the server's track to `give`, through the network and the client's jitter buffer."""

    def __init__(
        self,
        options: MediaOptions,
        *,
        base_us: int,
        world: World,
        choices: Choices,
        give: Callable[[MediaArrived], None],
    ) -> None:
        self._options = options
        self._base_us = max(US_PER_MS, base_us + options.skew_ms * US_PER_MS)
        self._world = world
        self._choices = choices
        self._give = give
        self._buffer = JitterBuffer()
        self._playout = Playout(self._buffer, _Decoder())
        self._alarm = Alarm(world, self._take)
        self._sequence = 0
        self._numbers: dict[str, int] = {}
        self._frames: dict[str, int] = {}
        self._before = SILENCE
        self._tail = 0
        self._burst = 0
        self._calm = False
        self._open = True
        self.under_way = 0

    def send(self, frame: SendMedia) -> None:
        """20 ms of a response leave the server."""
        number = self._numbers.setdefault(frame.response_id, len(self._numbers))
        place = self._frames.get(frame.response_id, 0)
        self._frames[frame.response_id] = place + 1
        self._tail += 1
        self._packet(frame.at_us, frame_of(number, place))
        if not frame.more:
            self._fall_silent(frame.at_us)

    def stop(self) -> None:
        """Nothing more of it leaves."""
        self._fall_silent(self._world.now_us // FRAME_US * FRAME_US)

    def calm(self) -> None:
        """End the faults."""
        self._calm = True

    def close(self) -> None:
        """Lose what is under way and all that comes."""
        self._open = False
        self.under_way = 0
        self._alarm.set(None)

    def _fall_silent(self, at_us: int) -> None:
        self._tail += 1
        tail = self._tail

        def silence(left: int, place_us: int) -> None:
            if self._tail == tail and self._open:
                self._packet(place_us, SILENCE)
                if left > 1:
                    self._world.after(FRAME_US, lambda: silence(left - 1, place_us + FRAME_US))

        self._world.after(FRAME_US, lambda: silence(_TAIL_FRAMES, at_us + FRAME_US))

    def _packet(self, at_us: int, audio: bytes) -> None:
        self._sequence += 1
        sequence, before, self._before = self._sequence, self._before, audio
        drift_us = at_us * self._options.drift_ppm // 1_000_000
        timestamp = (at_us + drift_us) * _TRACK_RATE // US_PER_S
        # A frame is 960 of the clock's samples long, whatever the clock is worth.
        timestamp -= timestamp % 960
        delay_us = self._delay_us()
        if delay_us is None or not self._open:
            return
        self.under_way += 1
        self._world.after(delay_us, lambda: self._arrive(sequence, timestamp, before + audio))

    def _delay_us(self) -> int | None:
        """How long the packet takes; None: it is lost."""
        options, choices = self._options, self._choices
        delay_us = self._base_us
        if self._calm:
            return delay_us
        if self._burst:
            self._burst -= 1
            return None
        if options.burst_one_in and choices.rarely("media.loss", options.burst_one_in):
            self._burst = choices.draw("media.loss", 0, 4)
            return None
        if options.jitter_ms:
            delay_us += choices.draw("media.jitter", 0, options.jitter_ms) * US_PER_MS
        if options.reorder_one_in and choices.rarely("media.order", options.reorder_one_in):
            delay_us += choices.draw("media.order", 0, 60) * US_PER_MS
        return delay_us

    def _arrive(self, sequence: int, timestamp: int, payload: bytes) -> None:
        if not self._open:
            return
        self.under_way -= 1
        self._buffer.push(sequence & 0xFFFF, timestamp & 0xFFFFFFFF, payload, self._world.now_us)
        self._take()

    def _take(self) -> None:
        for frame in self._playout.take(self._world.now_us):
            self._give(MediaArrived(frame.position // 2, frame.pcm, frame.made_up))
        self._alarm.set(self._buffer.deadline_us)
