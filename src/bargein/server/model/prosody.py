"""How a voice sounds at the end of what it has said so far.

A finished sentence lets the voice fall to the bottom of its range. Who breaks off, or is about to
go on, stays at the height at which he spoke. (A question may do either: what was said tells more
than how, where somebody knows it.)
"""

from __future__ import annotations

from collections import deque

import numpy as np

from bargein.server.model.vad import FRAME_SAMPLES, RATE, Floats, Pcm

_KEPT_FRAMES = 94
"""3 s of the turn's latest voice."""
_LAST_FRAMES, _FALLING_FRAMES = 3, 10
"""The last tenth of a second of voice says how high it ends, the last third how it got there."""
_LEAST_FRAMES = 6
_DEEP, _STEEP = 4.0, 5.0
"""In semitones below the turn's middle, and lost on the way: who falls so far, has finished."""
_SHORTEST, _LONGEST = RATE // 400, RATE // 65
"""Periods of a voice, in samples: 400 to 65 Hz."""
_VOICED = 0.5
"""How much of a frame must come back after one period to be a voice."""
_AS_GOOD = 0.88
"""A fraction of the period is the period if it answers nearly as well."""
_WINDOW = 2 * FRAME_SAMPLES
_FAINT_DB = 22.0
"""What is so far below the turn's loudest is no voice."""
_SILENCE_DB = -70.0
"""Nor is what is below this, of full scale."""


class Prosody:
    """Listens to one turn, frame by frame of 512 samples at 16 kHz."""

    def __init__(self) -> None:
        self._window = np.zeros(_WINDOW, np.float32)
        self._pitches: deque[float] = deque(maxlen=_KEPT_FRAMES)
        self._loudest_db = _SILENCE_DB
        self._fall: float | None = None

    @property
    def fall(self) -> float | None:
        """How much the voice let go at its end: 0, not at all, to 1, as at the end of a statement.
        None if there was too little voice to tell."""
        return self._fall

    def hear(self, frame: Pcm) -> None:
        """The next frame."""
        self._window[:FRAME_SAMPLES] = self._window[FRAME_SAMPLES:]
        newest = self._window[FRAME_SAMPLES:]
        np.multiply(frame, np.float32(1 / 32768), out=newest)
        level_db = 10 * float(np.log10(float(newest @ newest) / FRAME_SAMPLES + 1e-12))
        self._loudest_db = max(level_db, self._loudest_db)
        if level_db > max(self._loudest_db - _FAINT_DB, _SILENCE_DB):
            pitch = _pitch(self._window)
            if pitch:
                self._pitches.append(pitch)
                self._fall = _fall(np.array(self._pitches))


def _fall(pitches: Floats) -> float | None:
    if len(pitches) < _LEAST_FRAMES:
        return None
    semitones = 12 * np.log2(pitches / np.median(pitches))
    depth = -float(np.median(semitones[-_LAST_FRAMES:]))
    last = semitones[-_FALLING_FRAMES:]
    steps = np.arange(len(last)) - (len(last) - 1) / 2
    lost = -float(steps @ last / (steps @ steps)) * len(last)
    return (min(max(depth / _DEEP, 0.0), 1.0) + min(max(lost / _STEEP, 0.0), 1.0)) / 2


def _pitch(window: Floats) -> float:
    """In Hz, by autocorrelation; 0 where there is no voice."""
    if np.count_nonzero(window == window[0]) == len(window):
        # A level, which is what a simulated user says, is no voice.
        return 0.0
    swing = window - window.mean()
    spectrum = np.fft.rfft(swing, 2 * _WINDOW)
    echo = np.fft.irfft(np.abs(spectrum) ** 2)[: _LONGEST + 2]
    # The later the echo, the less of the window is left to answer.
    echo = echo / echo[0] / (1 - np.arange(len(echo)) / _WINDOW)
    period = int(np.argmax(echo[_SHORTEST : _LONGEST + 1])) + _SHORTEST
    if echo[period] < _VOICED:
        return 0.0
    for divisor in (4, 3, 2):
        first = period // divisor - 1
        near = echo[first : first + 3]
        if first >= _SHORTEST and near.max() > _AS_GOOD * echo[period]:
            return RATE / (first + int(np.argmax(near)))
    return RATE / period
