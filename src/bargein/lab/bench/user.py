"""What the user of every bench says: the same sound at the same times, whoever listens.

It is spoken by espeak-ng, so the server hears speech and finds its turns by itself. The pauses
make each kind of end that a reply can have: cut while the server still makes it, cut when it is
complete and still sounds, and heard to its end.
"""

from __future__ import annotations

from itertools import cycle

import numpy as np

from bargein.audio.formats import Samples
from bargein.server.engines.espeak import speak

RATE = 24_000
FIRST_S = 1.5
"""Silence before the first words: the time to open many sessions."""
PAUSES_S = (7, 18, 6, 58)
"""From the beginning of one utterance to the next. The server's default stories sound for 40 to 50
seconds and are made in a quarter of it."""
_SAYS = (
    "Tell me a story, please.",
    "And what about the clockmaker?",
    "Wait, go on with the other one.",
    "Stop there, I would like another.",
)


def track(seconds: float) -> Samples:
    """The user's microphone: `seconds` of mono int16 at 24 kHz."""
    sound = np.zeros(round(seconds * RATE), dtype=np.int16)
    at_s = FIRST_S
    for text, pause_s in zip(cycle(_SAYS), cycle(PAUSES_S), strict=False):
        begin = round(at_s * RATE)
        if begin >= len(sound):
            return sound
        spoken = speak(text, voice="en-us+m3").pcm[: len(sound) - begin]
        sound[begin : begin + len(spoken)] = spoken
        at_s += pause_s
    raise AssertionError("a cycle does not end")


def utterances(seconds: float) -> int:
    """How often the user of such a track begins to speak."""
    count, at_s = 0, FIRST_S
    for pause_s in cycle(PAUSES_S):
        if at_s >= seconds:
            break
        count, at_s = count + 1, at_s + pause_s
    return count
