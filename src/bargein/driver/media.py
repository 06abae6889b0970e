"""The sound of a call on its way in and out: packets and what they hold, each in its time.

1. What arrives goes through the jitter buffer, which says when a frame is due, and becomes an input
   of the machine. One timer is armed for it.
2. What is captured is packed in frames of 20 ms and sent at once. Its place on the track runs with
   the time: behind a pause it goes on where it would be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bargein.audio.jitter import JitterBuffer, Playout
from bargein.core import inputs as inp
from bargein.rtc.opus import Decoder, Encoder
from bargein.transports.base import MediaPipe
from bargein.units import US_PER_S, AudioFormat

FRAME_BYTES = AudioFormat.PCM.rate // 50 * AudioFormat.PCM.bytes_per_sample
_FRAME_PLACES = 960
_PAUSE_PLACES = 3 * _FRAME_PLACES
_TRACK_RATE = 48_000


class Media:
    """Between a pipe with tracks and the machine, which `feed` reaches."""

    def __init__(
        self, pipe: MediaPipe, feed: Callable[[inp.Input], None], clock_us: Callable[[], int]
    ) -> None:
        self._pipe, self._feed, self._clock_us = pipe, feed, clock_us
        self._loop = asyncio.get_running_loop()
        self._playout = Playout(JitterBuffer(), Decoder())
        self._encoder = Encoder()
        self._timer: asyncio.TimerHandle | None = None
        self._captured = b""
        self._place = 0
        self._open = True
        pipe.attach_media(self._arrived)

    def speak(self, pcm: bytes) -> None:
        """Send what was captured: 16-bit PCM at 24 kHz."""
        self._captured += pcm
        now = self._clock_us() * _TRACK_RATE // US_PER_S
        if now - self._place > _PAUSE_PLACES:
            self._place = now
        while len(self._captured) >= FRAME_BYTES:
            frame, self._captured = self._captured[:FRAME_BYTES], self._captured[FRAME_BYTES:]
            self._pipe.send_media(self._encoder.encode(frame), self._place)
            self._place += _FRAME_PLACES

    def close(self) -> None:
        """Take no more."""
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arrived(self, sequence: int, timestamp: int, payload: bytes) -> None:
        if self._open:
            self._playout.buffer.push(sequence, timestamp, payload, self._clock_us())
            self._take()

    def _take(self) -> None:
        for frame in self._playout.take(self._clock_us()):
            self._feed(inp.MediaArrived(frame.position // 2, frame.pcm, frame.made_up))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_us = self._playout.buffer.deadline_us
        if due_us is not None and self._open:
            wait_s = max(0, due_us - self._clock_us()) / US_PER_S
            self._timer = self._loop.call_later(wait_s, self._take)
