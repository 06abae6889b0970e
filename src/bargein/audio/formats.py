"""PCM and G.711 to and from 16-bit linear sound, by lookup table. Pure.

1. One sample in, one sample out: no state, no header, no resampling. Counts of samples are the
   same on both sides.
2. Inside the library sound is 16-bit little-endian mono at the format's own rate (24 kHz for PCM,
   8 kHz for G.711).
3. The tables follow ITU-T G.711 with the usual placing of 14-bit µ-law and 13-bit A-law in the
   upper bits of 16, the one that the C libraries and Python's former `audioop` share.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bargein.errors import LocalValueError
from bargein.units import AudioFormat

Samples = npt.NDArray[np.int16]
_Codes = npt.NDArray[np.uint8]
_Wide = npt.NDArray[np.int64]

_LITTLE_ENDIAN, _NATIVE = np.dtype("<i2"), np.dtype(np.int16)
_ULAW_BIAS = 33
_ULAW_CLIP = 8191 - _ULAW_BIAS


def samples_of(pcm: bytes | bytearray | memoryview, field: str = "pcm") -> Samples:
    """View 16-bit little-endian bytes as samples, without a copy where the machine allows.

    Raises `LocalValueError` for half a sample: a cut in the middle of a sample turns all that
    follows into noise.
    """
    if len(pcm) % 2:
        raise LocalValueError(
            f"{field}: {len(pcm)} bytes is not whole 16-bit samples; "
            "keep the odd byte and put it before the next chunk"
        )
    samples: Samples = np.frombuffer(pcm, dtype=_LITTLE_ENDIAN)
    return samples if _LITTLE_ENDIAN == _NATIVE else samples.astype(_NATIVE)


def bytes_of(samples: Samples) -> bytes:
    """16-bit little-endian bytes of the samples."""
    return samples.astype("<i2", copy=False).tobytes()


def _segment(magnitude: _Wide, first_end: int) -> _Wide:
    """Which of the eight doubling chords a magnitude falls into; the first ends at `first_end`."""
    ends = (first_end + 1) * 2 ** np.arange(8, dtype=np.int64) - 1
    return np.searchsorted(ends, magnitude).astype(np.int64)


def _ulaw_encoder() -> _Codes:
    linear = np.arange(-32768, 32768, dtype=np.int64) >> 2
    mask = np.where(linear < 0, 0x7F, 0xFF)
    magnitude = np.minimum(np.abs(linear), _ULAW_CLIP) + _ULAW_BIAS
    segment = _segment(magnitude, 0x3F)
    code = (segment << 4) | ((magnitude >> (segment + 1)) & 0xF)
    return _by_unsigned(code ^ mask)


def _alaw_encoder() -> _Codes:
    linear = np.arange(-32768, 32768, dtype=np.int64) >> 3
    mask = np.where(linear < 0, 0x55, 0xD5)
    magnitude = np.where(linear < 0, -linear - 1, linear)
    segment = _segment(magnitude, 0x1F)
    code = (segment << 4) | ((magnitude >> np.maximum(segment, 1)) & 0xF)
    return _by_unsigned(code ^ mask)


def _by_unsigned(codes: npt.NDArray[np.int64]) -> _Codes:
    """Order a table over -32768..32767 by the sample's 16 bits read as unsigned:

    an index as it is.
    """
    return np.roll(codes, 32768).astype(np.uint8)


def _ulaw_decoder() -> Samples:
    code = ~np.arange(256, dtype=np.int64) & 0xFF
    bias = _ULAW_BIAS << 2
    magnitude = ((((code & 0xF) << 3) + bias) << ((code >> 4) & 7)) - bias
    linear: _Wide = np.where(code & 0x80, -magnitude, magnitude)
    return linear.astype(np.int16)


def _alaw_decoder() -> Samples:
    code = np.arange(256, dtype=np.int64) ^ 0x55
    segment = (code >> 4) & 7
    step = ((code & 0xF) << 4) + np.where(segment > 0, 0x108, 8)
    magnitude = step << np.maximum(segment - 1, 0)
    linear: _Wide = np.where(code & 0x80, magnitude, -magnitude)
    return linear.astype(np.int16)


_ENCODERS = {AudioFormat.PCMU: _ulaw_encoder(), AudioFormat.PCMA: _alaw_encoder()}
_DECODERS = {
    AudioFormat.PCMU: _ulaw_decoder().astype("<i2"),
    AudioFormat.PCMA: _alaw_decoder().astype("<i2"),
}


def decode(wire: bytes, audio_format: AudioFormat) -> bytes:
    """Turn wire bytes into 16-bit little-endian linear sound at the format's rate.

    Raises `LocalValueError` where PCM ends in half a sample.
    """
    if audio_format is AudioFormat.PCM:
        samples_of(wire, "wire")
        return bytes(wire)
    return _DECODERS[audio_format].take(np.frombuffer(wire, dtype=np.uint8)).tobytes()


def encode(pcm: bytes, audio_format: AudioFormat) -> bytes:
    """Turn 16-bit little-endian linear sound at the format's rate into wire bytes.

    Raises `LocalValueError` where `pcm` ends in half a sample.
    """
    samples = samples_of(pcm)
    if audio_format is AudioFormat.PCM:
        return bytes(pcm)
    return _ENCODERS[audio_format][samples.view(np.uint16)].tobytes()
