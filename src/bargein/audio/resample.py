"""Streaming change of sample rate, exact in its counts. Pure.

1. Output sample m stands at input position m·from/to, always: there is no start-up delay in the
   positions, so "m samples were heard" is a count of input samples by `input_samples`, never a
   guess. What streaming costs is look-ahead: an output sample can be given once `delay` further
   input samples are there.
2. n input samples give ceil(n·to/from) output samples after `flush`.
3. Chunks of any length give the same bits. The coefficients are multiples of 2^-22, so every
   product with a 16-bit sample and every sum of them is exact in a double: the order of adding
   cannot matter, and no BLAS differs from another.
4. The filter is a windowed sinc (Kaiser, beta 8) of 16 zero crossings a side with its edge at
   0.94 of the lower Nyquist frequency: an alias of a tone at 1.1 of it lies 78 dB down or lower.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd

import numpy as np
import numpy.typing as npt

from bargein.audio.formats import Samples, samples_of
from bargein.errors import LocalValueError

_Doubles = npt.NDArray[np.float64]

_CROSSINGS = 16
_BETA = 8.0
_EDGE = 0.94
_SCALE = float(1 << 22)
_MAX_RATE = 768_000
_MAX_COEFFICIENTS = 1 << 23
_FEW_PHASES = 8
_SHORT_SAMPLES = 4_096
_EMPTY: Samples = np.zeros(0, dtype=np.int16)


def checked_rate(rate: int, field: str) -> int:
    """Give the rate back if it is one; raises `LocalValueError` naming the field."""
    if not 1 <= rate <= _MAX_RATE:
        raise LocalValueError(f"{field}: {rate} is not a sample rate; give 1 to {_MAX_RATE} Hz")
    return rate


@lru_cache(maxsize=32)
def _phases(up: int, down: int) -> tuple[int, _Doubles]:
    """The look-ahead in input samples and the taps, shape (up, 2·look-ahead), sum 2^22 in each row.

    Row q weighs the inputs base - ahead + 1 … base + ahead for an output at base + q/up.
    """
    narrow = min(1.0, up / down)
    half_width = _CROSSINGS / narrow
    ahead = ceil(half_width)
    if up * 2 * ahead > _MAX_COEFFICIENTS:
        raise LocalValueError(
            f"rates: the ratio {up}/{down} needs too large a filter; "
            "use rates with a common divisor, such as 8000, 16000, 22050, 24000, 44100 or 48000"
        )
    edge = 0.5 * narrow * _EDGE
    offsets = np.arange(1 - ahead, ahead + 1)[None, :] - np.arange(up)[:, None] / up
    inside = np.maximum(0.0, 1.0 - (offsets / half_width) ** 2)
    window = np.i0(_BETA * np.sqrt(inside)) / np.i0(_BETA) * (np.abs(offsets) <= half_width)
    taps = 2.0 * edge * np.sinc(2.0 * edge * offsets) * window
    whole = np.rint(taps / taps.sum(axis=1, keepdims=True) * _SCALE)
    # The rounding left over goes to the largest tap, so that a level stays a level.
    rows = np.arange(up)
    whole[rows, np.argmax(whole, axis=1)] += _SCALE - whole.sum(axis=1)
    whole.flags.writeable = False
    return ahead, whole


def _levelled(level: int, samples: int) -> Samples:
    """So many samples of one level, to be read only."""
    short = samples <= _SHORT_SAMPLES
    return _short_levelled(level, samples) if short else np.full(samples, level, np.int16)


@lru_cache(maxsize=64)
def _short_levelled(level: int, samples: int) -> Samples:
    """Chunks have few lengths, and silence few levels."""
    sound = np.full(samples, level, np.int16)
    sound.flags.writeable = False
    return sound


class Resampler:
    """One stream of 16-bit mono sound from one rate to another."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        """Raises `LocalValueError` for a rate that is none and for a ratio that needs too large a
        filter.
        """
        checked_rate(from_rate, "from_rate")
        checked_rate(to_rate, "to_rate")
        common = gcd(from_rate, to_rate)
        self._up = to_rate // common
        self._down = from_rate // common
        self._same = from_rate == to_rate
        self._ahead, self._taps = (
            (0, np.ones((1, 1))) if self._same else _phases(self._up, self._down)
        )
        # `_past[0]` is input number `_past_at`; the zeros before the beginning stand for silence.
        self._past: _Doubles = np.zeros(max(0, self._ahead - 1))
        self._past_at = -len(self._past)
        # Where the past is one level it is that number, and `_past` is made when it is needed.
        self._level: int | None = 0
        self._in = 0
        self._out = 0
        self._flushed = False

    @property
    def delay(self) -> int:
        """Input samples that must follow a position before it is given out; constant."""
        return self._ahead

    @property
    def pushed(self) -> int:
        """Input samples so far."""
        return self._in

    @property
    def given(self) -> int:
        """Output samples so far."""
        return self._out

    def push(self, pcm: Samples | bytes) -> Samples:
        """Take a chunk of any length, give what is ready.

        Raises `LocalValueError` after `flush`.
        """
        chunk = samples_of(pcm) if isinstance(pcm, bytes) else pcm
        if self._flushed:
            raise LocalValueError("pcm: this stream was flushed; begin a new Resampler")
        first, self._in = self._in, self._in + len(chunk)
        if self._same:
            self._out += len(chunk)
            return chunk
        if not len(chunk):
            return _EMPTY
        self._remember(chunk, first)
        # Output m needs input floor(m·down/up) + ahead; so many have all they need:
        last = self._in - 1 - self._ahead
        return self._give(((last + 1) * self._up - 1) // self._down + 1 if last >= 0 else 0)

    def _remember(self, chunk: Samples | _Doubles, first: int) -> None:
        """The chunk, which begins with input number `first`, follows the past."""
        level = self._level
        if level is not None:
            if chunk[0] == level and not np.count_nonzero(chunk != level):
                return
            self._level = None
            self._past = np.full(first - self._past_at, float(level))
        self._past = np.concatenate((self._past, chunk))

    def flush(self) -> Samples:
        """End the stream:

        silence follows it, and what was held back comes out. A second call gives nothing.
        """
        if self._flushed or self._same:
            self._flushed = True
            return _EMPTY
        self._flushed = True
        self._remember(np.zeros(self._ahead), self._in)
        return self._give(-(-self._in * self._up // self._down))

    def input_samples(self, out: int) -> int:
        """How many whole input samples the first `out` output samples cover.

        Never falls as `out` grows, never exceeds what was pushed, and is exactly that at the end
        of a flushed stream.
        """
        return min(self._in, out * self._down // self._up)

    def _give(self, upto: int) -> Samples:
        """Outputs `_out` … `upto` - 1; forgets the inputs that no later output needs."""
        if upto <= self._out:
            return _EMPTY
        shift = 1 - self._ahead - self._past_at
        if self._level is None:
            past = self._past
            first = past[0]
            if first == past[-1] and not np.count_nonzero(past != first):
                self._level = int(first)
        if self._level is not None:
            # A level stays a level, as each row of taps sums to 1. So does silence, which is half
            # of what a microphone gives, and not always 0: that of A-law is 8.
            given = _levelled(self._level, upto - self._out)
        else:
            total = self._filtered(shift, upto)
            total /= _SCALE
            np.rint(total, out=total)
            np.maximum(total, -32768, out=total)
            np.minimum(total, 32767, out=total)
            given = total.astype(np.int16)
        self._out = upto
        keep = upto * self._down // self._up + shift
        if keep > 0:
            if self._level is None:
                self._past = self._past[keep:].copy()
            self._past_at += keep
        return given

    def _filtered(self, shift: int, upto: int) -> _Doubles:
        """The sums of products, each of which is exact."""
        if self._up <= _FEW_PHASES:
            return self._by_phase(shift, upto)
        windows = np.lib.stride_tricks.sliding_window_view(self._past, 2 * self._ahead)
        at = np.arange(self._out, upto) * self._down
        total: _Doubles = np.einsum(
            "ij,ij->i", windows[at // self._up + shift], self._taps[at % self._up]
        )
        return total

    def _by_phase(self, shift: int, upto: int) -> _Doubles:
        """The same sums, phase by phase where there are few.

        The windows of a phase lie `down` inputs apart and overlap: they are looked at where they
        are, for taking them out would cost more than the sums.
        """
        total = np.empty(upto - self._out)
        step = self._past.itemsize
        for first in range(self._out, min(upto, self._out + self._up)):
            at = first * self._down
            count = -(-(upto - first) // self._up)
            start = at // self._up + shift
            rows: _Doubles = np.ndarray(
                (count, 2 * self._ahead),
                np.float64,
                self._past,
                offset=start * step,
                strides=(self._down * step, step),
            )
            total[first - self._out :: self._up] = np.einsum(
                "ij,j->i", rows, self._taps[at % self._up]
            )
        return total


def resample(pcm: Samples | bytes, from_rate: int, to_rate: int) -> Samples:
    """Resample a whole sound without delay: n samples become exactly ceil(n·to_rate/from_rate).

    Raises `LocalValueError` as `Resampler` does.
    """
    stream = Resampler(from_rate, to_rate)
    return np.concatenate((stream.push(pcm), stream.flush()))
