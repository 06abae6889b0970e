"""Opus by libopus: the one that comes with PyAV, else the system's.

1. Sound is 16-bit little-endian PCM, mono, at the rate that the coder was made for; a packet that
   we make is 20 ms. One that we are given may be up to 120 ms long, and stereo: it is mixed down.
2. FFmpeg's wrapper knows neither concealment nor the copy of the frame before (in-band FEC), so
   the library is called by ctypes. Its calls take well under a tenth of a millisecond and are made
   in the loop.
3. What is no Opus is concealed and counted: a peer's packet is never an exception.
"""

from __future__ import annotations

import ctypes as c
import ctypes.util
import importlib.util
import weakref
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bargein.errors import LocalValueError, TransportError

FRAME_MS = 20
RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
BITRATE = 32_000
_VOIP = 2048
_SET_BITRATE, _SET_COMPLEXITY, _SET_FEC, _SET_EXPECTED_LOSS = 4002, 4010, 4012, 4014
COMPLEXITY = 5
"""Of 10. Speech at 24 kHz takes 0.19 ms a frame here, at 1 a third of that, and sounds a little
rougher (log spectral distance 7.6 dB for 6.0); more is not heard."""
_EXPECTED_LOSS_PERCENT = 10
"""Told to the encoder, which spends bits on copies only where losses are expected."""
_LARGEST_PACKET_BYTES = 1_275
_LONGEST_MS = 120


class Encoder:
    """One stream outwards."""

    def __init__(
        self, rate: int = 24_000, *, bitrate: int = BITRATE, complexity: int = COMPLEXITY
    ) -> None:
        self._frame_samples = _frame_samples(rate)
        lib, error = library(), c.c_int()
        self._lib = lib
        self._state = lib.opus_encoder_create(rate, 1, _VOIP, c.byref(error))
        _check(error.value, "an encoder")
        weakref.finalize(self, lib.opus_encoder_destroy, self._state)
        for request, value in (
            (_SET_BITRATE, bitrate),
            (_SET_COMPLEXITY, complexity),
            (_SET_FEC, 1),
            (_SET_EXPECTED_LOSS, _EXPECTED_LOSS_PERCENT),
        ):
            _check(lib.opus_encoder_ctl(self._state, request, c.c_int(value)), f"ctl {request}")
        self._packet = c.create_string_buffer(_LARGEST_PACKET_BYTES)

    def encode(self, pcm: bytes) -> bytes:
        """The packet of exactly 20 ms of sound. Raises `LocalValueError` for any other length."""
        if len(pcm) != 2 * self._frame_samples:
            raise LocalValueError(f"pcm: {len(pcm)} bytes; give {2 * self._frame_samples}")
        size = self._lib.opus_encode(
            self._state, pcm, self._frame_samples, self._packet, _LARGEST_PACKET_BYTES
        )
        _check(size, "encoding")
        return self._packet.raw[:size]


class Decoder:
    """One stream inwards: each call gives the next piece of sound. `frame_ms` is how long a frame
    is that was lost."""

    def __init__(self, rate: int = 24_000, *, frame_ms: int = FRAME_MS) -> None:
        _frame_samples(rate)
        self.broken = 0
        """Packets that were no Opus."""
        self._lost_samples = rate * frame_ms // 1_000
        lib, error = library(), c.c_int()
        self._lib = lib
        self._state = lib.opus_decoder_create(rate, 1, c.byref(error))
        _check(error.value, "a decoder")
        weakref.finalize(self, lib.opus_decoder_destroy, self._state)
        self._most_samples = rate * _LONGEST_MS // 1_000
        self._pcm = c.create_string_buffer(2 * self._most_samples)

    def decode(self, payload: bytes) -> bytes:
        """The sound of a packet."""
        return self._decode(payload, self._most_samples, fec=0) if payload else self.conceal()

    def recover(self, next_payload: bytes) -> bytes:
        """The frame before this packet, from the copy in it; concealed where it has none."""
        if not next_payload:
            return self.conceal()
        return self._decode(next_payload, self._lost_samples, fec=1)

    def conceal(self) -> bytes:
        """A frame that nobody has."""
        return self._decode(None, self._lost_samples, fec=0)

    def _decode(self, payload: bytes | None, samples: int, *, fec: int) -> bytes:
        size = 0 if payload is None else len(payload)
        made = self._lib.opus_decode(self._state, payload, size, self._pcm, samples, fec)
        if made < 0 and payload is not None:
            self.broken += 1
            return self.conceal()
        _check(made, "concealing")
        return self._pcm.raw[: 2 * made]


def duration_samples(payload: bytes, rate: int = 48_000) -> int:
    """How long the packet sounds, in samples of that rate; 0 for what is no Opus."""
    samples: int = library().opus_packet_get_nb_samples(payload, len(payload), rate)
    return max(0, samples)


@cache
def library() -> c.CDLL:
    """libopus. Raises `TransportError` where there is none."""
    faults: list[str] = []
    for path in _places():
        try:
            lib = c.CDLL(path)
        except OSError as error:
            faults.append(str(error))
            continue
        _declare(lib)
        return lib
    raise TransportError(
        'libopus was not found: it comes with pip install "bargein[webrtc]", or as the system\'s '
        f"package libopus0 or opus ({'; '.join(faults) or 'nothing to try'})"
    )


def _places() -> Iterator[str]:
    """PyAV's own copy has a name with a hash, in a folder that depends on the platform."""
    found = importlib.util.find_spec("av")
    if found is not None and found.origin is not None:
        package = Path(found.origin).parent
        for folder in (package.with_name("av.libs"), package / ".dylibs"):
            yield from map(str, sorted(folder.glob("*opus*")))
    system = ctypes.util.find_library("opus")
    if system is not None:
        yield system


def _declare(lib: c.CDLL) -> None:
    lib.opus_encoder_create.restype = lib.opus_decoder_create.restype = c.c_void_p
    lib.opus_encoder_create.argtypes = [c.c_int32, c.c_int, c.c_int, c.POINTER(c.c_int)]
    lib.opus_decoder_create.argtypes = [c.c_int32, c.c_int, c.POINTER(c.c_int)]
    lib.opus_encoder_destroy.argtypes = lib.opus_decoder_destroy.argtypes = [c.c_void_p]
    lib.opus_encoder_destroy.restype = lib.opus_decoder_destroy.restype = None
    # The value is variadic: it must stand outside of `argtypes`, or Apple's processors find it not.
    lib.opus_encoder_ctl.argtypes = [c.c_void_p, c.c_int]
    lib.opus_encode.argtypes = [c.c_void_p, c.c_char_p, c.c_int, c.c_char_p, c.c_int32]
    lib.opus_decode.argtypes = [
        *(c.c_void_p, c.c_char_p, c.c_int32),
        *(c.c_char_p, c.c_int, c.c_int),
    ]
    lib.opus_packet_get_nb_samples.argtypes = [c.c_char_p, c.c_int32, c.c_int32]


def _frame_samples(rate: int) -> int:
    if rate not in RATES:
        raise LocalValueError(f"rate: {rate}; Opus has {', '.join(map(str, RATES))}")
    return rate * FRAME_MS // 1_000


def _check(answer: int, what: str) -> None:
    if answer < 0:
        raise TransportError(f"libopus refused {what}: error {answer}")
