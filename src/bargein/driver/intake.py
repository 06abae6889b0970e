"""What other threads bring to the driver: reports of the player and sound of the microphone.

1. Anything may be put from any thread at any time; it is taken on the loop, in the order it came.
2. Both queues are bounded. Progress is merged into the progress that still waits, because counts
   only grow; of the sound the oldest goes first, and it is counted.
3. After `close` everything that still comes is ignored: a device may be late.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import assert_never

from bargein.audio.base import Changed, Held, Mark, Rendered, Report, Starved, Stopped
from bargein.audio.card_settings import margin_of
from bargein.audio.formats import bytes_of, decode, encode
from bargein.audio.resample import Resampler
from bargein.core import inputs as inp
from bargein.errors import DeviceError
from bargein.units import AudioFormat

_MAX_REPORTS = 1_024


class Intake:
    """The queues between the threads of the devices and the loop.

    Make it on the loop; `wake` is called there when something was put: at once where it was put on
    the loop, soon after where it came from another thread.
    """

    def __init__(self, wake: Callable[[], None], *, sound_limit_ms: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._wake = wake
        self._sound_limit_ms = sound_limit_ms
        self._lock = threading.Lock()
        self._reports: deque[Report] = deque()
        self._sound: deque[tuple[bytes, int]] = deque()
        self._sound_samples: Counter[int] = Counter()
        self._dropped: Counter[int] = Counter()
        self._woken = False
        self._overrun = False
        self._closed = False

    def report(self, report: Report) -> None:
        """Take a report of the player. Never raises, and never blocks for long."""
        with self._lock:
            if self._closed or self._merged(report):
                return
            if len(self._reports) < _MAX_REPORTS:
                self._reports.append(report)
            else:
                self._overrun = True
        self._call()

    def sound(self, pcm: bytes, rate: int) -> None:
        """Take sound of the microphone: 16-bit little-endian mono."""
        with self._lock:
            if self._closed:
                return
            self._sound.append((pcm, rate))
            self._sound_samples[rate] += len(pcm) // 2
            while len(self._sound) > 1 and self._sound_ms() > self._sound_limit_ms:
                old, old_rate = self._sound.popleft()
                self._sound_samples[old_rate] -= len(old) // 2
                self._dropped[old_rate] += len(old) // 2
        self._call()

    @property
    def has_sound(self) -> bool:
        """Whether sound waits."""
        return bool(self._sound)

    @property
    def has_reports(self) -> bool:
        """Whether reports wait, or some had to be lost."""
        return bool(self._reports) or self._overrun

    def take_reports(self) -> list[Report]:
        """All reports that wait, oldest first.

        Raises `DeviceError` where the player broke its word so often that some had to be lost:
        after that no count can be trusted.
        """
        with self._lock:
            if self._overrun:
                raise DeviceError(
                    f"player: more than {_MAX_REPORTS} reports that cannot be merged came at once"
                )
            reports = list(self._reports)
            self._reports.clear()
            return reports

    def take_sound(self) -> tuple[list[tuple[bytes, int]], dict[int, int]]:
        """All sound that waits, with its rates; and what was dropped before it, samples by rate."""
        with self._lock:
            sound, dropped = list(self._sound), dict(self._dropped)
            self._sound.clear()
            self._sound_samples.clear()
            self._dropped.clear()
            return sound, dropped

    def close(self) -> None:
        """Forget what waits, and take no more."""
        with self._lock:
            self._closed = True
            self._reports.clear()
            self._sound.clear()

    def _sound_ms(self) -> int:
        return sum(n * 1_000 // rate for rate, n in self._sound_samples.items())

    def _merged(self, report: Report) -> bool:
        """Merge progress into waiting progress of its kind, unless something else lies between."""
        for at in range(len(self._reports) - 1, -1, -1):
            waiting = self._reports[at]
            match waiting, report:
                case Rendered(), Rendered():
                    both = {**waiting.heard_samples, **report.heard_samples}
                    self._reports[at] = Rendered(both)
                    return True
                case Starved(), Starved():
                    self._reports[at] = Starved(waiting.samples + report.samples)
                    return True
                case (Rendered() | Starved(), Rendered() | Starved()):
                    continue
                case _:
                    return False
        return False

    def _call(self) -> None:
        if threading.get_ident() == self._thread:
            # On the loop already: another turn of it for every report and every chunk of sound
            # would be a fifth of the client's work.
            self._wake()
            return
        with self._lock:
            if self._woken:
                return
            self._woken = True
        # A loop that is closed has nobody left who could hear of it.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._woken_up)

    def _woken_up(self) -> None:
        # First of all: what is put from here on asks for a wake of its own.
        with self._lock:
            self._woken = False
        self._wake()


def sound_of(wire: bytes, audio_format: AudioFormat) -> bytes:
    """Wire bytes of the service as 16-bit little-endian sound at the format's rate.

    The machine counts whole samples; one that a service cut in half is none here either.
    """
    half = len(wire) % audio_format.bytes_per_sample
    return decode(wire[:-half] if half else wire, audio_format)


class WireSound:
    """Turns the microphone's sound into the session's input format, as one stream for each rate."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self.audio_format = audio_format
        self._stream: Resampler | None = None
        self._rate = 0

    def push(self, pcm: bytes, rate: int) -> bytes:
        """Wire bytes that are ready; a filter holds back a few milliseconds.

        Raises `LocalValueError` for half a sample or a rate that is none.
        """
        if rate == self.audio_format.rate:
            self._stream = None
            return encode(pcm, self.audio_format)
        if self._stream is None or rate != self._rate:
            self._stream, self._rate = Resampler(rate, self.audio_format.rate), rate
        return encode(bytes_of(self._stream.push(pcm)), self.audio_format)


def _heard(counts: Mapping[Mark, int]) -> tuple[inp.Heard, ...]:
    """The counts of our parts; a player may be playing other sounds of the application too."""
    return tuple(inp.Heard(mark, n) for mark, n in counts.items() if isinstance(mark, inp.Part))


def as_input(report: Report) -> inp.Input:
    """The report in the words of the machine."""
    match report:
        case Rendered(heard_samples=counts):
            return inp.Rendered(_heard(counts))
        case Held(cut_id=cut_id, heard_samples=counts):
            return inp.PlaybackHeld(cut_id, _heard(counts))
        case Stopped(cut_id=cut_id, heard_samples=counts, margin_samples=margin):
            return inp.PlaybackStopped(cut_id, _heard(counts), margin)
        case Changed(accuracy=accuracy, detail=detail):
            return inp.DeviceChanged(margin_of(accuracy), detail)
        case Starved(samples=samples):
            return inp.Starved(samples)
        case _:
            assert_never(report)
