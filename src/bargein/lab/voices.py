"""What the user says in the demo: spoken by espeak-ng, or a recording for the opening."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bargein.audio.files import read_sound
from bargein.audio.formats import Samples
from bargein.errors import DeviceError, LocalValueError
from bargein.lab.plan import Plan
from bargein.server.engines.espeak import Speech, speak
from bargein.server.engines.scenario import Scenario

VOICE = "en-gb-x-rp+f2"
WORDS_PER_MINUTE = 170
LONGEST_RECORDING_S = 60
_QUIET = 1 / 50
"""Below this share of a recording's own peak there is no speech yet, or no more."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something to say: without silence before and after it, mono at `rate`."""

    text: str
    pcm: Samples
    rate: int
    words_known: bool = True
    """`text` is what is said, and not the name of a recording."""


def lines_of(plan: Plan, recording: Path | None) -> tuple[Line, ...]:
    """The lines of the plan's turns; the recording, where there is one, is the first of them.

    Raises `DeviceError` where the file or the voice fails, and `LocalValueError` for a recording
    that is too long.
    """
    spoken = []
    for turn in plan.turns:
        speech = speak(turn.line, voice=VOICE, words_per_minute=WORDS_PER_MINUTE)
        spoken.append(Line(turn.line, trimmed(speech.pcm), speech.rate))
    if recording is not None:
        spoken[0] = _recorded(recording)
    return tuple(spoken)


def replies_of(scenario: Scenario) -> tuple[Speech, ...]:
    """The speech of all that a scenario says, as its engine makes it: the places of its words.

    Replies whose voice the scenario leaves to the session are left out.
    """
    speeches = []
    for reply in scenario.replies:
        manner = scenario.manner_of(reply)
        if manner.voice is None or manner.words_per_minute is None:
            continue
        for part in (part for output in reply.outputs for part in output.message_parts):
            if part.say is not None:
                rate = manner.words_per_minute
                speeches.append(speak(part.say, voice=manner.voice, words_per_minute=rate))
    return tuple(speeches)


def trimmed(pcm: Samples) -> Samples:
    """The sound from its first loud sample to its last; silence stays as it is."""
    level = np.abs(pcm.astype(np.int32))
    loud = np.flatnonzero(level > level.max(initial=0) * _QUIET)
    return pcm[loud[0] : loud[-1] + 1] if len(loud) else pcm


def _recorded(file: Path) -> Line:
    pcm, rate = read_sound(file)
    if len(pcm) > LONGEST_RECORDING_S * rate:
        raise LocalValueError(
            f"wav: {file} lasts {len(pcm) / rate:.0f} s; give at most {LONGEST_RECORDING_S} s"
        )
    if not pcm.any():
        raise DeviceError(f"{file}: is silent from beginning to end")
    return Line(file.name, trimmed(pcm), rate, words_known=False)
