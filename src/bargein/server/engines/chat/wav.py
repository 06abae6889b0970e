"""WAV for the wire: sound into a file's bytes, and a stream of a file's bytes into sound. Pure.

1. What leaves is 16-bit mono. What comes may have any rate and several channels, of which the mean
   is taken; only 16-bit PCM is read.
2. A server that streams does not know the length, and writes 0 or 2^32 - 1: the sound goes on to
   the end of the stream.
"""

from __future__ import annotations

import struct

import numpy as np

from bargein.audio.formats import Samples, bytes_of

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
_PCM, _EXTENSIBLE = 1, 0xFFFE
_MOST_HEADER_BYTES = 64 * 1024
_RATES = range(4_000, 192_001)


class BadWavError(Exception):
    """The bytes are no WAV that is read here; the text says why."""


def wav_of(samples: Samples, rate: int) -> bytes:
    """A whole file of mono sound."""
    data = bytes_of(samples)
    size = _HEADER.size - 8 + len(data)
    return (
        _HEADER.pack(
            *(b"RIFF", size, b"WAVE", b"fmt ", 16),
            *(_PCM, 1, rate, 2 * rate, 2, 16),
            *(b"data", len(data)),
        )
        + data
    )


class WavReader:
    """Reads a stream of bytes that begins with a header. `rate` is known once it was read."""

    def __init__(self) -> None:
        self.rate: int | None = None
        self._channels = 1
        self._rest = b""
        self._left: int | None = None
        self._in_data = False

    def push(self, more: bytes) -> Samples:
        """The samples that are whole now. Raises `BadWavError`."""
        self._rest += more
        if not self._in_data and not self._read_header():
            if len(self._rest) > _MOST_HEADER_BYTES:
                raise BadWavError("no sound within the first 64 KiB")
            return np.zeros(0, np.int16)
        usable = self._rest if self._left is None else self._rest[: self._left]
        whole = len(usable) - len(usable) % (2 * self._channels)
        self._rest = self._rest[whole:]
        if self._left is not None:
            self._left -= whole
            if self._left == 0:
                self._rest = b""  # what stands behind the sound: tags
        samples = np.frombuffer(usable[:whole], "<i2")
        if self._channels > 1:
            mono: Samples = samples.reshape(-1, self._channels).mean(axis=1).astype(np.int16)
            return mono
        return samples.astype(np.int16, copy=False)

    def _read_header(self) -> bool:
        """Read the chunks up to the sound; False if more bytes are needed."""
        rest = self._rest
        if len(rest) < 12:
            return False
        if rest[:4] != b"RIFF" or rest[8:12] != b"WAVE":
            raise BadWavError("it does not begin with RIFF and WAVE")
        at = 12
        while len(rest) >= at + _CHUNK.size:
            name, size = _CHUNK.unpack_from(rest, at)
            at += _CHUNK.size
            if name == b"data":
                if self.rate is None:
                    raise BadWavError("the sound comes before its format")
                self._left = None if size in (0, 0xFFFF_FFFF) else size
                self._rest = rest[at:]
                self._in_data = True
                return True
            if len(rest) < at + size:
                return False
            if name == b"fmt ":
                self._read_format(rest[at : at + size])
            at += size + size % 2
        return False

    def _read_format(self, chunk: bytes) -> None:
        if len(chunk) < _FORMAT.size:
            raise BadWavError("its format is cut short")
        kind, channels, rate, _, _, bits = _FORMAT.unpack_from(chunk)
        if kind not in (_PCM, _EXTENSIBLE) or bits != 16:
            raise BadWavError(f"it is not 16-bit PCM (format {kind}, {bits} bits)")
        if not 1 <= channels <= 8 or rate not in _RATES:
            raise BadWavError(f"{channels} channels at {rate} Hz are none that are read")
        self._channels, self.rate = channels, rate
