"""Where a recording's sound was blanked: the same words, said so that the same turns are heard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

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
    """PCM of 24 kHz in which the detector hears these turns, each to one of its frames."""
    fields = ("threshold", "prefix_padding_ms", "silence_duration_ms")
    return _sound(tuple(turns), TurnSettings(**{field: detection[field] for field in fields}))


@cache
def _sound(turns: tuple[Turn, ...], settings: TurnSettings) -> bytes:
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
    best: tuple[int, Pcm, int] | None = None
    for spoken in _attempts(turn.text or NEUTRAL, wanted_ms, settings):
        for start_ms, end_ms in _only(_turns(spoken, settings)):
            off_ms = abs(end_ms - start_ms - wanted_ms)
            if best is None or off_ms < best[0]:
                best = off_ms, spoken, start_ms - LEAD_MS
        if best is not None and not best[0]:
            break
    assert best is not None and best[0] <= FRAME_MS, f"{turn.text!r} is not said in {wanted_ms} ms"
    return best[1:]


def _attempts(text: str, wanted_ms: int, settings: TurnSettings) -> Iterator[Pcm]:
    """Near to the wanted length: by the pace of the voice, then by stretching its sound a little,
    for the pace is coarse."""
    # Where there is a comma, a slow voice pauses for longer than the detector waits.
    words = re.sub(r"[^\w\s']", "", text)
    slowest, fastest = WORDS_PER_MINUTE
    while slowest < fastest:
        pace = (slowest + fastest) // 2
        heard = list(_turns(speak(words, words_per_minute=pace).pcm, settings))
        if heard[-1][1] - heard[0][0] > wanted_ms:
            slowest = pace + 1
        else:
            fastest = pace
    spoken = speak(words, words_per_minute=slowest).pcm
    for percent in (100, 99, 101, 98, 102):
        yield resample(spoken, RATE, RATE * percent // 100)


def _only(turns: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    """The turn, if there is just one."""
    heard = list(turns)
    return heard if len(heard) == 1 else []


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
