"""Where a recording's sound was blanked: the same words, said so that the same turns are heard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from tests.golden.recording import Frame, Turn

from bargein.audio.resample import resample
from bargein.server.engines.espeak import RATE, WORDS_PER_MINUTE, speak
from bargein.server.engines.weights import silero_weights
from bargein.server.model.vad import (
    FRAME_MS,
    Pcm,
    SileroVad,
    SpeechStarted,
    SpeechStopped,
    TurnDetector,
    TurnSettings,
)
from bargein.server.model.vad import RATE as EARS_RATE

NEUTRAL = "Could you say that once more, please?"
LEAD_MS = 1_600
TAIL_MS = 1_000
"""Silence behind the last turn: a detector that is slow to stop still does."""


def sound(turns: Sequence[Turn], detection: Frame) -> bytes:
    """PCM of 24 kHz in which the detector hears these turns, each to a few of its frames."""
    settings = TurnSettings(
        threshold=detection["threshold"],
        prefix_padding_ms=detection["prefix_padding_ms"],
        silence_duration_ms=detection["silence_duration_ms"],
    )
    whole = np.zeros(RATE * (turns[-1].end_ms + TAIL_MS) // 1_000, np.int16)
    for turn in turns:
        spoken, lead_ms = _spoken(turn, settings)
        start = RATE * (turn.start_ms - lead_ms) // 1_000
        whole[start : start + len(spoken)] = spoken
    return whole.astype("<i2").tobytes()


def _spoken(turn: Turn, settings: TurnSettings) -> tuple[Pcm, int]:
    """The words at the pace at which their turn is as long as the recorded one, and where in this
    sound the turn begins."""
    wanted_ms = turn.end_ms - turn.start_ms
    # Where there is a comma, a slow voice pauses for longer than the detector waits.
    words = re.sub(r"[^\w\s']", "", turn.text or NEUTRAL)
    slowest, fastest = WORDS_PER_MINUTE
    best: tuple[int, Pcm, int] | None = None
    while slowest <= fastest:
        pace = (slowest + fastest) // 2
        spoken = speak(words, words_per_minute=pace).pcm
        heard = list(_turns(spoken, settings))
        length_ms = heard[-1][1] - heard[0][0]
        off_ms = abs(length_ms - wanted_ms)
        if len(heard) == 1 and (best is None or off_ms < best[0]):
            best = off_ms, spoken, heard[0][0]
        if length_ms > wanted_ms:
            slowest = pace + 1
        else:
            fastest = pace - 1
    assert best is not None, f"nothing is heard as one turn in {turn.text!r}"
    off_ms, spoken, start_ms = best
    assert off_ms <= 4 * FRAME_MS, f"{turn.text!r} cannot be said in {wanted_ms} ms"
    return spoken, start_ms - LEAD_MS


def _turns(spoken: Pcm, settings: TurnSettings) -> Iterator[tuple[int, int]]:
    """Where the detector hears turns if so much silence comes before."""
    detector = TurnDetector(SileroVad(silero_weights()))
    detector.settings = settings
    silence = np.zeros(RATE * LEAD_MS // 1_000, np.int16)
    behind = np.zeros(RATE * TAIL_MS // 1_000, np.int16)
    start_ms = 0
    for event in detector.feed(
        resample(np.concatenate((silence, spoken, behind)), RATE, EARS_RATE)
    ):
        match event:
            case SpeechStarted(audio_start_ms=start_ms):
                pass
            case SpeechStopped(audio_end_ms=end_ms):
                yield start_ms, end_ms
