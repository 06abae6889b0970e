"""Samples and milliseconds: the only place where one becomes the other.

1. A position is a count of samples in the audio format of its own content part. It is never
   derived from a clock.
2. Milliseconds exist at the wire only (`audio_end_ms`, `audio_start_ms`), and the rounding is in
   the function's name: down where the service refuses too much, up where it refuses too little.
3. Time (`now_us`, deadlines, latencies) is integer microseconds of a monotonic clock that the
   caller owns.
"""

from __future__ import annotations

import enum

US_PER_MS = 1_000
US_PER_S = 1_000_000


class AudioFormat(enum.Enum):
    """A wire format of the Realtime API, mono (API reference, `RealtimeAudioFormats`).

    The value is the wire's `type`; PCM is 16-bit little-endian at 24 kHz only.
    """

    PCM = "audio/pcm"
    PCMU = "audio/pcmu"
    PCMA = "audio/pcma"

    rate: int
    """Samples per second."""
    bytes_per_sample: int
    """Bytes that one sample takes on the wire: G.711 is one byte a sample."""

    def __init__(self, kind: object) -> None:
        is_pcm = kind == "audio/pcm"
        # Looked up for every piece of sound, so they are attributes and no properties.
        self.rate = 24_000 if is_pcm else 8_000
        self.bytes_per_sample = 2 if is_pcm else 1

    # A member is one object, so its identity will do; the hash of `Enum` is a call in Python.
    __hash__ = object.__hash__

    def samples(self, wire_bytes: int) -> int:
        """Whole samples in that many wire bytes; half a sample is not audio."""
        return wire_bytes // self.bytes_per_sample


def ms_floor(samples: int, rate: int) -> int:
    """Whole milliseconds that fit into the samples: what `audio_end_ms` may say."""
    return samples * 1_000 // rate


def ms_ceil(samples: int, rate: int) -> int:
    """The least number of milliseconds that covers all the samples."""
    return -(-samples * 1_000 // rate)


def samples_floor(ms: int, rate: int) -> int:
    """Whole samples in that many milliseconds."""
    return ms * rate // 1_000


def us_of_samples(samples: int, rate: int) -> int:
    """How long the samples sound, in microseconds, rounded down."""
    return samples * US_PER_S // rate
