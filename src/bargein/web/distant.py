"""The page as a loudspeaker and a microphone, where the sound goes by its line.

1. The page plays and counts, and this passes on its counts: nothing is computed from a clock. What
   the browser's device still holds at a stop will drain, and is in the counts already.
2. A browser does not say when its device misses a block: so the counts are good to
   `MARGIN_SAMPLES`.
3. Parts have numbers on the line. A number is the page's for as long as the part may be named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bargein.audio.base import (
    Accuracy,
    Held,
    Mark,
    Rendered,
    ReportSink,
    SoundSink,
    Stopped,
    Within,
)
from bargein.errors import LocalValueError
from bargein.web import messages

RATE = 24_000
MARGIN_SAMPLES = RATE // 50
PIECE_BYTES = RATE
"""Half a second: longer sound goes in several frames."""


class Teller(Protocol):
    """The page's line."""

    def tell(self, message: messages.ToPage) -> None: ...
    def sound(self, part: int, pcm: bytes) -> None: ...


class DistantPlayer:
    """A `Player` whose loudspeaker is the page's."""

    def __init__(self, line: Teller) -> None:
        self._line = line
        self._numbers: dict[Mark, int] = {}
        self._marks: dict[int, Mark] = {}
        self._stopped: set[Mark] = set()
        self.dropped_samples = 0
        """Of parts that were stopped already."""
        self._last = 0
        self._sink: ReportSink | None = None
        self._closed = False

    @property
    def accuracy(self) -> Accuracy:
        """How good the page's counts are."""
        return Within(MARGIN_SAMPLES)

    def attach(self, report: ReportSink) -> None:
        """Give the place for reports."""
        self._sink = report

    def play(self, mark: Mark, pcm: bytes, rate: int) -> None:
        """Send sound to be played behind all that was sent."""
        if rate != RATE or len(pcm) % 2:
            raise LocalValueError(f"rate: {rate}; the page plays 16-bit samples at {RATE} Hz")
        if mark in self._stopped:
            self.dropped_samples += len(pcm) // 2
            return
        if mark not in self._numbers:
            self._last += 1
            self._numbers[mark] = self._last
            self._marks[self._last] = mark
        for start in range(0, len(pcm), PIECE_BYTES):
            self._line.sound(self._numbers[mark], pcm[start : start + PIECE_BYTES])

    def finish(self, mark: Mark) -> None:
        """Nothing is held back for more: there is nothing to do."""

    def hold(self, cut_id: str) -> None:
        """Answered by the page's `held`."""
        self._line.tell(messages.HoldPlayback(cut_id))

    def resume(self) -> None:
        """Go on where it was held."""
        self._line.tell(messages.ResumePlayback())

    def stop(self, cut_id: str) -> None:
        """Answered by the page's `stopped`."""
        self._line.tell(messages.StopPlayback(cut_id))

    def close(self) -> None:
        """No report comes any more."""
        self._closed = True

    def said(self, said: messages.Rendered | messages.Held | messages.Stopped) -> None:
        """The page has counted."""
        heard = self._heard(said.heard)
        if self._sink is None or self._closed:
            return
        match said:
            case messages.Rendered():
                self._sink(Rendered(heard))
            case messages.Held():
                self._sink(Held(said.cut_id, heard))
            case messages.Stopped():
                for mark in heard:
                    self._marks.pop(self._numbers.pop(mark))
                self._stopped |= heard.keys()
                self._sink(Stopped(said.cut_id, heard, MARGIN_SAMPLES))

    def _heard(self, counts: Mapping[int, int]) -> dict[Mark, int]:
        known = {
            self._marks[number]: count for number, count in counts.items() if number in self._marks
        }
        return {mark: max(0, count) for mark, count in known.items()}


class DistantMicrophone:
    """A `Recorder` whose microphone is the page's."""

    def __init__(self) -> None:
        self._sink: SoundSink | None = None
        self._listening = False
        self._muted = False

    def attach(self, sink: SoundSink) -> None:
        """Give the place for sound."""
        self._sink = sink

    def start(self) -> None:
        """What comes from here on is captured."""
        self._listening = True

    def mute(self, muted: bool) -> None:
        """Silence of the same length stands in place of sound."""
        self._muted = muted

    def stop(self) -> None:
        """Nothing is captured any more."""
        self._listening = False

    def captured(self, pcm: bytes) -> None:
        """The page has heard this: 16-bit PCM at 24 kHz; half a sample is left out."""
        whole = pcm[: len(pcm) // 2 * 2]
        if self._sink is not None and self._listening and whole:
            self._sink(bytes(len(whole)) if self._muted else whole, RATE)
