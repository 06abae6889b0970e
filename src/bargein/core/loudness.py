"""How loud a sound is, coarsely: one of 16 levels for each 20 ms. Pure.

1. A level is a step of 4.5 dB of the mean magnitude; 0 is below 28 of 32 768, 61 dB down.
2. A delta is looked at in pieces of 20 ms from its own beginning, the last one shorter. So the
   levels of a delta are a function of its bytes alone.
3. `sound_of` makes sound of the same levels and length: a trace keeps the levels in place of the
   sound, and a machine that is fed with it finds the same pauses.
4. Sound is not looked into before somebody asks, or more than a few seconds of it wait.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

import numpy as np

from bargein.audio.formats import bytes_of, decode, encode, samples_of
from bargein.units import AudioFormat

FRAME_MS = 20
LEVELS = 16
FRAMES_LIMIT = 90_000
"""Half an hour of one part. What comes behind is not looked into."""
UNREAD_LIMIT_BYTES = 512 * 1024
"""Sound that is kept to be looked into; of most parts it is dropped unseen."""

_STRIDE = 4
"""Of 24 kHz, every fourth sample tells the mean magnitude well enough."""
_BOUNDS = 28.0 * 2.0 ** (0.75 * np.arange(LEVELS - 1))
_BOUNDS_LISTED: list[float] = _BOUNDS.tolist()
_MIDDLES = np.rint(np.minimum(np.append(0, _BOUNDS * 2**0.375), 32_767)).astype(np.int16)


def levels_of(wire: bytes, audio_format: AudioFormat) -> bytes:
    """The levels of a delta, one byte each. Half a sample at its end is not looked at."""
    if audio_format is AudioFormat.PCM:
        samples, stride = samples_of(wire[: len(wire) // 2 * 2]), _STRIDE
    else:
        samples, stride = samples_of(decode(wire, audio_format)), 1
    seen = audio_format.rate * FRAME_MS // 1_000 // stride
    magnitudes = np.abs(samples[::stride].astype(np.int32))
    if 0 < len(magnitudes) <= seen:
        # A frame of a call, of which there are fifty a second.
        return bytes((bisect_right(_BOUNDS_LISTED, int(magnitudes.sum()) / len(magnitudes)),))
    starts = np.arange(0, len(magnitudes), seen)
    if not len(starts):
        return b""
    lengths = np.full(len(starts), seen)
    lengths[-1] = len(magnitudes) - starts[-1]
    means = np.add.reduceat(magnitudes, starts) / lengths
    levels: bytes = _BOUNDS.searchsorted(means, "right").astype(np.uint8).tobytes()
    return levels


def sound_of(levels: bytes, wire_bytes: int, audio_format: AudioFormat) -> bytes:
    """So many wire bytes, whose levels are these."""
    frame_samples = audio_format.rate * FRAME_MS // 1_000
    values = np.repeat(_MIDDLES[np.frombuffer(levels, np.uint8)], frame_samples)
    whole = encode(bytes_of(values[: audio_format.samples(wire_bytes)]), audio_format)
    return whole.ljust(wire_bytes, b"\0")


class Loudness:
    """How loud one part is, as it arrives."""

    __slots__ = ("_ends", "_format", "_levels", "_samples", "_unread", "_unread_bytes")

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._levels = bytearray()
        self._ends = array("q")
        self._samples = 0

    def add(self, wire: bytes) -> None:
        """A delta arrived, of whole samples."""
        self._unread.append(wire)
        self._unread_bytes += len(wire)
        if self._unread_bytes > UNREAD_LIMIT_BYTES:
            self._read()

    def frames(self) -> tuple[bytes, array[int]]:
        """The levels so far, and for each the sample behind its frame."""
        self._read()
        return bytes(self._levels), self._ends

    def _read(self) -> None:
        frame_samples = self._format.rate * FRAME_MS // 1_000
        for wire in self._unread:
            if len(self._ends) >= FRAMES_LIMIT:
                break
            first = self._samples
            self._samples += self._format.samples(len(wire))
            levels = levels_of(wire, self._format)
            self._levels += levels
            self._ends.extend(range(first + frame_samples, self._samples, frame_samples))
            if levels:
                self._ends.append(self._samples)
        self._unread.clear()
        self._unread_bytes = 0
