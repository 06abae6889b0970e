"""From the user's voice to silence: when was the sound captured that made the service say
`speech_started`?

1. The service counts audio, not time: `audio_start_ms` is a place in all the audio appended since
   the session began, minus the prefix padding (protocol.md §5). So place + padding is the frame
   that decided.
2. The machine knows when the microphone gave each of its chunks; the two together are a moment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

from bargein.units import US_PER_S

CHUNKS_LIMIT = 2_000
"""Chunks remembered: 40 s of 20 ms each, far more than any detector waits."""


class MicrophoneClock:
    """Maps a place in the appended audio to the time at which it was captured."""

    __slots__ = ("_chunks", "_end_samples")

    def __init__(self) -> None:
        self._chunks: deque[tuple[int, int]] = deque(maxlen=CHUNKS_LIMIT)
        self._end_samples = 0

    def appended(self, samples: int, captured_us: int) -> None:
        """So many samples were appended; the last of them was captured at that time."""
        self._end_samples += samples
        self._chunks.append((self._end_samples, captured_us))

    def captured_us(self, audio_ms: int, rate: int) -> int | None:
        """When the sound at that place was captured; None where it is not known any more."""
        place = audio_ms * rate // 1_000
        if not self._chunks or place > self._end_samples:
            return None
        index = bisect_left(self._chunks, (place, -1))
        end_samples, captured_us = self._chunks[index]
        if index == 0 and len(self._chunks) == CHUNKS_LIMIT:
            return None
        return captured_us - (end_samples - place) * US_PER_S // rate
