"""Voice activity and turns, on the clock of the audio (protocol.md §5, "VAD clock").

1. Time here is audio: samples appended since the session began, at 16 kHz. It runs through
   commits, clears and changes of settings, and never looks at any other clock.
2. Decisions fall on a grid of 32 ms frames, counted from the first sample of the session.
3. A turn starts at the end of the frame that shows it; `audio_start_ms` is that boundary less
   `prefix_padding_ms`, never below 0. So it may lie before the end of the turn that went before.
4. A turn stops at the end of the frame that completes `silence_duration_ms`; `audio_end_ms` is that
   boundary, so it includes the silence, rounded up to whole frames.
5. The same samples give the same events, however they are cut into chunks.

The network is Silero VAD v6.2 for 16 kHz (MIT), evaluated with numpy; its weights are given, not
loaded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bargein.errors import LocalValueError

Pcm: TypeAlias = NDArray[np.int16]
Floats: TypeAlias = NDArray[np.float32]

_SAMPLE = np.dtype(np.int16)
RATE = 16_000
FRAME_SAMPLES = 512
FRAME_MS = 32

HYSTERESIS = 0.15
"""Silence begins this far below the threshold: the margin of Silero's own `VADIterator`."""
LEAST_STOP_THRESHOLD = 0.01
"""… but not below this, or nothing undercuts a low threshold (Silero's `get_speech_timestamps`)."""


class Detector(Protocol):
    """Judges one frame after the other; may remember the frames before."""

    def probability(self, frame: Pcm) -> float:
        """How likely the frame of 512 samples at 16 kHz holds speech, 0 to 1.

        The array is the caller's and will be overwritten: it must not be kept.
        """
        ...

    def reset(self) -> None:
        """Forget the frames before."""
        ...


class EnergyVad:
    """Speech is what is loud: 1.0 at or above a fixed RMS level, else 0.0. For scripts and tests.

    The level is in steps of 16-bit PCM; the default is 36 dB below full scale. It has no memory, so
    a loud click is speech to it; its sums are exact in float64, so all machines agree.
    """

    def __init__(self, threshold_rms: float = 500.0) -> None:
        if not threshold_rms > 0:
            raise LocalValueError(f"threshold_rms is {threshold_rms}: give a level above 0")
        self._least_energy = threshold_rms * threshold_rms * FRAME_SAMPLES

    def probability(self, frame: Pcm) -> float:
        _check_frame(frame)
        samples = frame.astype(np.float64)
        return 1.0 if samples.dot(samples) >= self._least_energy else 0.0

    def reset(self) -> None:
        """Nothing is remembered."""


class SileroVad:
    """Silero VAD v6.2 for 16 kHz: one frame of 512 samples in, one probability out.

    The weights are the arrays of `data/silero_vad_16k.npz`, under the names of `WEIGHT_SHAPES`;
    they are never written, so sessions may share them. Raises `LocalValueError` when one is missing
    or has another shape. The result is the published ONNX model's, to 1e-4.
    """

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        _check_weights(weights)
        # The basis is a Fourier transform behind a window, which is its row of frequency 0.
        self._shape = weights["stft.basis"][0]
        steps, self._convolutions = _STEPS, list[_Convolution]()
        for i, stride in enumerate(_STRIDES):
            kernel, bias = weights[f"encoder.{i}.weight"], weights[f"encoder.{i}.bias"]
            self._convolutions.append(_Convolution(kernel, bias, steps, stride))
            steps = -(-steps // stride)
        self._gates = np.hstack([weights["lstm.input_weight"], weights["lstm.hidden_weight"]])
        self._gates_bias = weights["lstm.input_bias"] + weights["lstm.hidden_bias"]
        self._output = weights["output.weight"]
        self._output_bias = weights["output.bias"][0]
        self._window = np.zeros(_CONTEXT + FRAME_SAMPLES + _CONTEXT, np.float32)
        # A view of the window, which is only ever written in place.
        self._steps = np.lib.stride_tricks.sliding_window_view(self._window, _BASIS)[::_HOP]
        self._input_and_hidden = np.zeros(2 * _WIDTH, np.float32)
        self._cell = np.zeros(_WIDTH, np.float32)

    def reset(self) -> None:
        self._window[:] = 0
        self._input_and_hidden[:] = 0
        self._cell[:] = 0

    def probability(self, frame: Pcm) -> float:
        _check_frame(frame)
        features = self._spectrum(frame)
        for convolve in self._convolutions:
            features = convolve(features)
        # One step of an LSTM cell; the gates are input, forget, candidate, output, as in PyTorch.
        self._input_and_hidden[:_WIDTH] = features[:, 0]
        gates = self._gates @ self._input_and_hidden + self._gates_bias
        admit, forget, _, emit = _sigmoid(gates).reshape(4, _WIDTH)
        candidate = np.tanh(gates[2 * _WIDTH : 3 * _WIDTH])
        self._cell = forget * self._cell + admit * candidate
        hidden = emit * np.tanh(self._cell)
        self._input_and_hidden[_WIDTH:] = hidden
        logit = self._output @ np.maximum(hidden, 0) + self._output_bias
        return float(_sigmoid(logit))

    def _spectrum(self, frame: Pcm) -> Floats:
        """Magnitudes, 129 bins by 4 steps, of the frame and the 64 samples before it.

        By a fast transform: the published network multiplies with a basis of 260 KiB, which costs
        three times as much, and most where many sessions share a cache.
        """
        window = self._window
        window[:_CONTEXT] = window[FRAME_SAMPLES : FRAME_SAMPLES + _CONTEXT]
        np.multiply(frame, np.float32(1 / 32768), out=window[_CONTEXT:-_CONTEXT])
        # The right edge is mirrored about its last sample, which itself is not repeated.
        window[-_CONTEXT:] = window[-2 * _CONTEXT - 1 : -_CONTEXT - 1][::-1]
        found: Floats = np.abs(np.fft.rfft(self._steps * self._shape)).T
        return found


_CONTEXT = 64
_BASIS, _HOP, _BINS = 256, 128, 129
_WIDTH = 128
_TAPS = 3
_STEPS = 4
_STRIDES = (1, 2, 2, 1)

WEIGHT_SHAPES: Mapping[str, tuple[int, ...]] = {
    "stft.basis": (2 * _BINS, _BASIS),
    "encoder.0.weight": (128, _BINS, _TAPS),
    "encoder.0.bias": (128,),
    "encoder.1.weight": (64, 128, _TAPS),
    "encoder.1.bias": (64,),
    "encoder.2.weight": (64, 64, _TAPS),
    "encoder.2.bias": (64,),
    "encoder.3.weight": (_WIDTH, 64, _TAPS),
    "encoder.3.bias": (_WIDTH,),
    "lstm.input_weight": (4 * _WIDTH, _WIDTH),
    "lstm.hidden_weight": (4 * _WIDTH, _WIDTH),
    "lstm.input_bias": (4 * _WIDTH,),
    "lstm.hidden_bias": (4 * _WIDTH,),
    "output.weight": (_WIDTH,),
    "output.bias": (1,),
}
"""Name and shape of every array that `SileroVad` needs, all float32."""


def _check_weights(weights: Mapping[str, Floats]) -> None:
    for name, shape in WEIGHT_SHAPES.items():
        if name not in weights:
            raise LocalValueError(f"weights lack {name!r}: use those of `engines.weights`")
        if weights[name].shape != shape or weights[name].dtype != np.float32:
            raise LocalValueError(
                f"weights[{name!r}] is {weights[name].dtype} {weights[name].shape}, "
                f"not float32 {shape}: use those of `engines.weights`"
            )


def _check_frame(frame: Pcm) -> None:
    if frame.shape != (FRAME_SAMPLES,) or frame.dtype != _SAMPLE:
        raise LocalValueError(
            f"frame is {frame.dtype} {frame.shape}: give {FRAME_SAMPLES} int16 samples at {RATE} Hz"
        )


class _Convolution:
    """A convolution over time with three taps and one step of zeros on each side, then ReLU.

    Its arrays are made once, and its taps that only ever meet the zeros are left out. What it gives
    is overwritten by the next call.
    """

    def __init__(self, kernel: Floats, bias: Floats, steps: int, stride: int) -> None:
        outputs, channels, _ = kernel.shape
        ends = -(-steps // stride)
        self._taps = [
            (tap, slice(first * channels, (first + 1) * channels))
            for first, tap in enumerate(_met(steps, stride))
        ]
        met = kernel[:, :, [tap for tap, _ in self._taps]]
        # (out, tap and in): it meets the columns, in which the taps stand one below the other.
        self._matrix = np.ascontiguousarray(met.transpose(0, 2, 1).reshape(outputs, -1))
        self._bias = bias[:, None]
        self._padded = np.zeros((channels, steps + 2), np.float32)
        self._columns = np.zeros((channels * len(self._taps), ends), np.float32)
        self._given = np.zeros((outputs, ends), np.float32)
        self._steps, self._stride = steps, stride

    def __call__(self, features: Floats) -> Floats:
        padded, columns, given = self._padded, self._columns, self._given
        padded[:, 1:-1] = features
        for tap, rows in self._taps:
            columns[rows] = padded[:, tap : tap + self._steps : self._stride]
        np.matmul(self._matrix, columns, out=given)
        given += self._bias
        np.maximum(given, 0, out=given)
        return given


def _met(steps: int, stride: int) -> list[int]:
    """The taps that meet a step of what comes in, anywhere."""
    return [
        tap for tap in range(_TAPS) if any(1 <= tap + at <= steps for at in range(0, steps, stride))
    ]


def _sigmoid(x: Floats) -> Floats:
    """The logistic function by way of tanh, which does not overflow."""
    half = np.float32(0.5)
    logistic: Floats = half + half * np.tanh(half * x)
    return logistic


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """The numbers of `server_vad` (API reference, `RealtimeAudioInputTurnDetection`)."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise LocalValueError(f"threshold is {self.threshold}: give a number from 0 to 1")
        for name in ("prefix_padding_ms", "silence_duration_ms"):
            if getattr(self, name) < 0:
                raise LocalValueError(f"{name} is {getattr(self, name)}: give 0 or more")


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user began to speak; the turn's audio begins at `audio_start_ms` of the session's."""

    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The user was silent long enough; the turn's audio ends at `audio_end_ms` of the session's."""

    audio_end_ms: int


class TurnDetector:
    """Turns from audio: feed it all that is appended to the input buffer, from the first sample.

    A turn starts with one frame at or above the threshold, as in Silero's own iterator. To ask for
    more frames would delay every interruption by 32 ms each and gain nothing: the network hears
    over several frames by itself, and lets clicks, knocks, tones and noise pass below 0.5.

    In a turn, silence begins with a frame below the stop threshold (`HYSTERESIS`), which counts,
    and is undone by a frame at or above the threshold; frames between the two change nothing.

    `settings` and `detector` may be replaced between two feeds and hold from the next frame.
    Settings of None mean that turn detection is off: audio only moves the clock, and a turn in
    progress is forgotten.
    """

    def __init__(self, detector: Detector, settings: TurnSettings | None = None) -> None:
        self.detector = detector
        self.settings = settings
        self._clock_samples = 0
        self._frame = np.zeros(FRAME_SAMPLES, np.int16)
        self._speaking = False
        self._silence_frames = 0

    @property
    def clock_samples(self) -> int:
        """Samples fed since the session began, at 16 kHz: the time of rule 1."""
        return self._clock_samples

    @property
    def speaking(self) -> bool:
        """Whether a turn has started and not stopped."""
        return self._speaking

    def reset(self) -> None:
        """Forget a turn in progress and all audio so far, but not the time.

        For `input_audio_buffer.clear`.
        """
        self.detector.reset()
        self._frame[:] = 0
        self._speaking = False
        self._silence_frames = 0

    def feed(self, pcm: Pcm) -> list[SpeechStarted | SpeechStopped]:
        """Take the next samples (16 kHz, mono, any number); return what they decided, in order."""
        if pcm.ndim != 1 or pcm.dtype != _SAMPLE:
            raise LocalValueError(f"pcm is {pcm.dtype} {pcm.shape}: give int16 mono at {RATE} Hz")
        if self.settings is None:
            self.reset()
            self._clock_samples += len(pcm)
            return []
        decided: list[SpeechStarted | SpeechStopped] = []
        taken = 0
        while taken < len(pcm):
            filled = self._clock_samples % FRAME_SAMPLES
            piece = pcm[taken : taken + FRAME_SAMPLES - filled]
            self._frame[filled : filled + len(piece)] = piece
            taken += len(piece)
            self._clock_samples += len(piece)
            if filled + len(piece) == FRAME_SAMPLES:
                probability = self.detector.probability(self._frame)
                event = self._judge(probability, self.settings)
                if event is not None:
                    decided.append(event)
        return decided

    def _judge(
        self, probability: float, settings: TurnSettings
    ) -> SpeechStarted | SpeechStopped | None:
        """What the frame that ends now decides."""
        boundary_ms = self._clock_samples // FRAME_SAMPLES * FRAME_MS
        if not self._speaking:
            if probability < settings.threshold:
                return None
            self._speaking = True
            self._silence_frames = 0
            return SpeechStarted(max(0, boundary_ms - settings.prefix_padding_ms))
        if probability >= settings.threshold:
            self._silence_frames = 0
            return None
        is_silence = probability < max(settings.threshold - HYSTERESIS, LEAST_STOP_THRESHOLD)
        if is_silence or self._silence_frames:
            self._silence_frames += 1
        if not is_silence or self._silence_frames * FRAME_MS < settings.silence_duration_ms:
            return None
        self._speaking = False
        return SpeechStopped(boundary_ms)
