"""The virtual sound card and microphone on the running event loop's clock, real or virtual.

1. The card itself is `card.Card`; here is only a timer. A loop that is late is no underrun: the
   card catches up at its own block times, as a card with a thread of its own would have run.
2. Everything is called from the loop's thread. Reports and sound reach their sinks from the
   timer, never from inside a call, so a sink may call back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

import numpy as np

from bargein.audio.base import Accuracy, Mark, ReportSink, SoundSink
from bargein.audio.card import Card
from bargein.audio.card_settings import CardSettings
from bargein.audio.ear import Ear
from bargein.audio.formats import Samples, bytes_of
from bargein.audio.resample import checked_rate, resample
from bargein.errors import DeviceError, LocalValueError
from bargein.units import US_PER_S, us_of_samples

_MAX_BEHIND_CHUNKS = 250


def _now_us(loop: asyncio.AbstractEventLoop) -> int:
    return round(loop.time() * US_PER_S)


class VirtualPlayer:
    """A `Player` on a virtual card. `ear` holds what was heard."""

    def __init__(self, settings: CardSettings | None = None, *, ear: Ear | None = None) -> None:
        self.settings = settings or CardSettings()
        self.ear = Ear() if ear is None else ear
        self._card: Card | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sink: ReportSink | None = None
        self._timer: asyncio.Handle | None = None
        self._closed = False

    @property
    def accuracy(self) -> Accuracy:
        """How good the counts are."""
        return self.settings.accuracy if self._card is None else self._card.accuracy

    @property
    def attached(self) -> bool:
        """Whether the card was opened."""
        return self._card is not None

    @property
    def card(self) -> Card:
        """The card, once attached. Raises `DeviceError` before."""
        if self._card is None:
            raise DeviceError("virtual player: attach a sink for its reports first")
        return self._card

    def attach(self, report: ReportSink) -> None:
        """Open the card on the running loop; its clock begins now."""
        self._sink = report
        if self._card is None:
            self._loop = asyncio.get_running_loop()
            self._card = Card(self.settings, now_us=_now_us(self._loop), ear=self.ear)

    def play(self, mark: Mark, pcm: bytes, rate: int) -> None:
        """Queue sound; see `Card.play`."""
        self.card.play(mark, pcm, rate, self._now())
        self._arm()

    def finish(self, mark: Mark) -> None:
        """No more sound of this mark; see `Card.finish`."""
        self.card.finish(mark, self._now())
        self._arm()

    def hold(self, cut_id: str) -> None:
        """Fall silent, keep the queue; see `Card.hold`."""
        self.card.hold(cut_id, self._now())
        self._arm()

    def resume(self) -> None:
        """End a hold; see `Card.resume`."""
        self.card.resume(self._now())
        self._arm()

    def stop(self, cut_id: str) -> None:
        """Cut; see `Card.stop`."""
        self.card.stop(cut_id, self._now())
        self._arm()

    def change(self, settings: CardSettings, detail: str = "") -> None:
        """Behave as if the user had changed the device; see `Card.change`.

        `ear` is that of the new device then; whoever kept the old one finds in it what was heard
        before.
        """
        ear = Ear()
        self._card = self.card.change(settings, detail, self._now(), ear=ear)
        self.settings, self.ear = settings, ear
        self._arm()

    def miss(self, blocks: int) -> None:
        """Be late for so many blocks; see `Card.miss`."""
        self.card.miss(blocks, self._now())
        self._arm()

    def close(self) -> None:
        """End the timer.

        What the card holds counts as heard up to now; no report comes any more.
        """
        if self._card is not None and not self._closed:
            self._card.advance(self._now())
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _now(self) -> int:
        if self._closed or self._loop is None:
            raise DeviceError("virtual player: it is closed")
        return _now_us(self._loop)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.card.next_us
        if due is None or self._closed or self._loop is None:
            return
        if due <= _now_us(self._loop):
            self._timer = self._loop.call_soon(self._pump)
        else:
            self._timer = self._loop.call_at(due / US_PER_S, self._pump)

    def _pump(self) -> None:
        self._timer = None
        reports = self.card.advance(self._now())
        try:
            for report in reports:
                # A sink may close the player: then nothing more is told.
                if self._sink is not None and not self._closed:
                    self._sink(report)
        finally:
            self._arm()


@dataclass(frozen=True, slots=True)
class Speech:
    """When something that was said sounds, on the loop's clock:

    from its first sample to behind its last.
    """

    start_us: int
    end_us: int


class VirtualRecorder:
    """A `Recorder` that hears what `say` gives it, and silence otherwise;

    its audio clock never rests.
    """

    def __init__(self, rate: int = 24_000, *, chunk_ms: int = 20, keep_s: int = 3_600) -> None:
        """`keep_s` bounds what `captured` keeps. Raises `LocalValueError` for what cannot be."""
        self.rate = checked_rate(rate, "rate")
        if not 1 <= chunk_ms <= 1_000:
            raise LocalValueError(f"chunk_ms: {chunk_ms}; give 1 to 1000")
        self._chunk = max(1, rate * chunk_ms // 1_000)
        self._keep = keep_s * rate
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sink: SoundSink | None = None
        self._timer: asyncio.Handle | None = None
        self._start = 0
        self._done = 0
        self._speech: deque[tuple[int, Samples]] = deque()
        self._speech_end = 0
        self._before: list[Samples] = []
        self._kept: list[Samples] = []
        self._kept_samples = 0
        self._muted = False
        self._stopped = False
        self.lost_samples = 0
        """Sound that was not delivered because the loop stood still for too long."""

    @property
    def start_us(self) -> int:
        """When the first sample was captured, on the loop's clock."""
        return self._start

    def attach(self, sink: SoundSink) -> None:
        """Give the place for sound:

        each chunk is delivered when its last sample has been captured.
        """
        self._sink = sink

    def start(self) -> None:
        """Begin to capture, on the running loop's clock. What was said before begins with the
        first sample.

        Raises `DeviceError` without a sink and after `stop`.
        """
        if self._sink is None or self._stopped:
            why = "it was stopped" if self._stopped else "attach a sink first"
            raise DeviceError(f"virtual recorder: {why}")
        if self._loop is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._start = _now_us(self._loop)
        for pcm in self._before:
            self._append(pcm, 0)
        self._before.clear()
        self._arm()

    def say(self, pcm: Samples | bytes, rate: int | None = None) -> Speech:
        """Let the microphone hear this now, or behind what it is hearing.

        Samples or 16-bit little-endian bytes, at `rate` or else at the recorder's. Before `start`
        the times count from 0.
        """
        sound = resample(pcm, rate or self.rate, self.rate)
        if self._loop is None:
            begin = sum(len(part) for part in self._before)
            self._before.append(sound)
        else:
            elapsed = (_now_us(self._loop) - self._start) * self.rate
            begin = self._append(sound, max(self._done, -(-elapsed // US_PER_S)))
        return Speech(
            self._start + us_of_samples(begin, self.rate),
            self._start + us_of_samples(begin + len(sound), self.rate),
        )

    def mute(self, muted: bool) -> None:
        """Deliver silence of the same length;

        what is said meanwhile is captured and not delivered.
        """
        self._muted = muted

    def stop(self) -> None:
        """End for good. Nothing reaches the sink after it returned."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def captured(self) -> Samples:
        """All that the microphone heard since `start`, muted or not, up to the last chunk."""
        return np.concatenate([np.zeros(0, dtype=np.int16), *self._kept])

    def _append(self, pcm: Samples, earliest: int) -> int:
        begin = max(self._speech_end, earliest)
        self._speech.append((begin, pcm))
        self._speech_end = begin + len(pcm)
        return begin

    def _due_us(self) -> int:
        return self._start + -(-(self._done + self._chunk) * US_PER_S // self.rate)

    def _arm(self) -> None:
        if self._loop is not None and not self._stopped:
            self._timer = self._loop.call_at(self._due_us() / US_PER_S, self._pump)

    def _pump(self) -> None:
        if self._loop is None or self._sink is None:
            return
        now = _now_us(self._loop)
        while self._due_us() <= now and not self._stopped:
            behind = (now - self._due_us()) * self.rate // (US_PER_S * self._chunk)
            chunk = self._capture()
            if behind > _MAX_BEHIND_CHUNKS:
                self.lost_samples += len(chunk)
            else:
                heard = np.zeros_like(chunk) if self._muted else chunk
                self._sink(bytes_of(heard), self.rate)
        self._arm()

    def _capture(self) -> Samples:
        chunk: Samples = np.zeros(self._chunk, dtype=np.int16)
        end = self._done + self._chunk
        while self._speech and self._speech[0][0] < end:
            begin, pcm = self._speech.popleft()
            n = min(len(pcm), end - begin)
            chunk[begin - self._done : begin - self._done + n] = pcm[:n]
            if n < len(pcm):
                self._speech.appendleft((begin + n, pcm[n:]))
                break
        self._done = end
        if self._kept_samples < self._keep:
            self._kept.append(chunk)
            self._kept_samples += len(chunk)
        return chunk
