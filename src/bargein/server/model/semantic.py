"""Turns that end when the user has finished (`semantic_vad`, protocol.md §3.2).

1. A turn begins as under `server_vad`. It ends with a silence whose length is judged anew in every
   frame of it: short where the user seems to have finished, up to the longest wait of the
   eagerness (8, 4 and 2 s for low, medium and high) where he seems to be about to go on.
2. What was said counts most, where an engine that overhears knows it: who ends in "and", "the" or
   "um" has not finished; who ends with a full stop has. The words are English; words of another
   language are neither.
3. How it was said counts next (`prosody`).
4. Nothing is learned, and the same samples and words give the same turns.

The service judges with a model of its own, of which nothing is public but the longest waits. The
shares below are this server's choice; what they do on synthetic speech is measured in
docs/turns.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

from bargein.server.model.prosody import Prosody
from bargein.server.model.vad import (
    FRAME_MS,
    FRAME_SAMPLES,
    Pcm,
    SpeechStarted,
    SpeechStopped,
    TurnDetector,
    TurnSettings,
)

LONGEST_MS: Mapping[str, int] = {"low": 8_000, "medium": 4_000, "auto": 4_000, "high": 2_000}
"""By eagerness (protocol.md §3.2)."""
SHORTEST_MS: Mapping[str, int] = {"low": 800, "medium": 500, "auto": 500, "high": 300}
"""What is waited at least, for who has surely finished. The service's are not known."""

GOES_ON = frozenset(
    "a about although an and are as at because before but by can could each every for from "
    "has have he her his how i i'd i'll i'm if in into is it's its like may maybe might my "
    "not of on or our should since so some than that the their then these they this those to "
    "very was we well were what when where whether which while who whose why will with would "
    "your".split()
)
"""English words after which something is missing more often than not."""
FILLERS = frozenset("ah eh ehm em er erm hm hmm mm mmm uh uhh uhm um umm".split())
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_STOPS = (".", "?", "!", "\u3002", "\uff1f", "\uff01")
_HANGS = (",", "-", "\u2026", "...", "\u2013", "\u2014", ":", ";")

_KNOWS_NOTHING = 0.5


def finished(words: str, fall: float | None) -> float:
    """How likely the user has finished, 0 to 1. `words`: what was probably said so far, or empty;
    `fall`: `Prosody.fall`."""
    said = words.rstrip()
    known = _WORD.findall(said.lower().replace("\u2019", "'"))
    if known:
        last = known[-1]
        if last in FILLERS or said.endswith(_HANGS):
            return 0.05
        if said.endswith(_STOPS):
            return 0.95
        if last in GOES_ON:
            return 0.1
        return 0.7 if fall is None else 0.6 + 0.3 * fall
    return _KNOWS_NOTHING if fall is None else 0.35 + 0.5 * fall


def silence_ms(eagerness: str, likelihood: float) -> int:
    """How long the user must be silent, in whole frames of the detector."""
    least, longest = SHORTEST_MS[eagerness], LONGEST_MS[eagerness]
    wanted = least + (longest - least) * (1 - likelihood) ** 2
    return min(longest, int(-(-wanted // FRAME_MS) * FRAME_MS))


class SemanticTurns:
    """Feeds a `TurnDetector` and sets how long it waits. `words` gives what was probably said in
    the turn in progress."""

    def __init__(self, turns: TurnDetector, eagerness: str, words: Callable[[], str]) -> None:
        self._turns = turns
        self._eagerness = eagerness
        self._words = words
        self._prosody = Prosody()
        self._frame = np.zeros(FRAME_SAMPLES, np.int16)

    def feed(self, pcm: Pcm) -> list[SpeechStarted | SpeechStopped]:
        """As `TurnDetector.feed`."""
        decided: list[SpeechStarted | SpeechStopped] = []
        taken = 0
        while taken < len(pcm):
            filled = self._turns.clock_samples % FRAME_SAMPLES
            piece = pcm[taken : taken + FRAME_SAMPLES - filled]
            self._frame[filled : filled + len(piece)] = piece
            taken += len(piece)
            was_speaking = self._turns.speaking
            if filled + len(piece) == FRAME_SAMPLES and was_speaking:
                self._judge()
            decided += self._turns.feed(piece)
            if self._turns.speaking and not was_speaking:
                self._prosody = Prosody()
        return decided

    def _judge(self) -> None:
        """Set the wait for the frame that is whole now."""
        self._prosody.hear(self._frame)
        likelihood = finished(self._words(), self._prosody.fall)
        wait_ms = silence_ms(self._eagerness, likelihood)
        settings = self._turns.settings
        if settings is None or settings.silence_duration_ms != wait_ms:
            self._turns.settings = TurnSettings(silence_duration_ms=wait_ms)
