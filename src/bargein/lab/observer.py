"""Watches a session from outside: the player's reports, the wire, the notices, the ear."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from bargein import events
from bargein.audio.base import Rendered, Report, ReportSink, Stopped
from bargein.audio.card_settings import CardSettings
from bargein.audio.files import ear_of
from bargein.audio.formats import Samples
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.core.inputs import Part
from bargein.core.notices import Notice
from bargein.driver.ports import Passed
from bargein.lab.observed import (
    Envelope,
    Memory,
    Observed,
    OnWire,
    PartWords,
    RememberedPart,
    Span,
    Spoken,
    Stop,
    Told,
    TraceCheck,
)
from bargein.lab.words import TimedWord, timed_words
from bargein.server.engines.espeak import Speech
from bargein.server.model.memory import RememberedItem
from bargein.units import US_PER_S, AudioFormat

_STEP_US = 10_000
_FULL_SCALE = 32_768

Progress = Callable[[Part, int], None]


class WatchedPlayer(VirtualPlayer):
    """A virtual player that notes each stop and its answer, and tells of progress."""

    def __init__(self, settings: CardSettings, progress: Progress) -> None:
        super().__init__(settings)
        self.stops: list[Stop] = []
        self._progress = progress

    def attach(self, report: ReportSink) -> None:
        def pass_on(what: Report) -> None:
            self._note(what)
            report(what)
            if isinstance(what, Rendered):
                for mark, samples in what.heard_samples.items():
                    if isinstance(mark, Part):
                        self._progress(mark, samples)

        super().attach(pass_on)

    def stop(self, cut_id: str) -> None:
        self.stops.append(Stop(cut_id, loop_us()))
        super().stop(cut_id)

    def _note(self, what: Report) -> None:
        if not isinstance(what, Stopped):
            return
        counts = tuple((m, n) for m, n in what.heard_samples.items() if isinstance(m, Part))
        self.stops = [
            replace(stop, answered_us=stop.answered_us or loop_us(), heard_samples=counts)
            if stop.cut_id == what.cut_id
            else stop
            for stop in self.stops
        ]


class Observer:
    """Collects what happens to one session; `observed` gives it on the card's time axis."""

    def __init__(self, player: WatchedPlayer, recorder: VirtualRecorder) -> None:
        self.player, self.recorder = player, recorder
        self.received_samples: dict[Part, int] = {}
        self.transcripts: dict[Part, str] = {}
        self._wire: list[OnWire] = []
        self._told: list[Told] = []
        self._spoken: list[Spoken] = []
        self._ended: set[Part] = set()

    def passed(self, seen: Passed) -> None:
        """An event went over the wire."""
        self._wire.append(OnWire(loop_us(), seen.direction, seen.event))
        match seen.event:
            case events.ResponseOutputAudioDelta() as event:
                part = Part(event.response_id, event.item_id, event.content_index)
                samples = AudioFormat.PCM.samples(len(event.delta))
                self.received_samples[part] = self.received_samples.get(part, 0) + samples
            case events.ResponseOutputAudioTranscriptDelta() as event:
                part = Part(event.response_id, event.item_id, event.content_index)
                self.transcripts[part] = self.transcripts.get(part, "") + event.delta
            case events.ResponseOutputAudioTranscriptDone() as event:
                part = Part(event.response_id, event.item_id, event.content_index)
                self.transcripts[part] = event.transcript
                self._ended.add(part)
            case _:
                pass

    def told(self, notice: Notice) -> None:
        """The application was told something."""
        self._told.append(Told(loop_us(), notice))

    def said(self, text: str, start_us: int, end_us: int) -> None:
        """The user's line sounds then, on the loop's clock."""
        self._spoken.append(Spoken(text, start_us, end_us))

    def words_of(self, part: Part, known: Sequence[Speech]) -> tuple[tuple[TimedWord, ...], bool]:
        """The words of a part as far as they are known now, and whether their places are exact."""
        return timed_words(
            self.transcripts.get(part, ""),
            AudioFormat.PCM.rate,
            self.received_samples.get(part, 0),
            whole=part in self._ended,
            known=known,
        )

    def sound(self) -> Samples:
        """Shape (n, 2) at the card's rate, on the card's axis: left the user, right the ear."""
        return ear_of(self.player, self.recorder)

    def observed(
        self,
        *,
        memory: Memory | None,
        mirror_ids: tuple[str, ...],
        known: Sequence[Speech],
        trace: TraceCheck | None,
        unmet: str | None,
    ) -> Observed:
        """All of it. The card must have been opened."""
        settings = self.player.settings
        card = self.player.card
        # Frame 0 is the card's opening; asked for time 0, the card says how long ago that was.
        start_us = -card.frame_at(0) * US_PER_S // settings.rate
        both = self.sound()
        return Observed(
            card=settings,
            end_us=len(both) * US_PER_S // settings.rate,
            spoken=tuple(
                replace(line, start_us=line.start_us - start_us, end_us=line.end_us - start_us)
                for line in self._spoken
            ),
            wire=tuple(replace(seen, at_us=seen.at_us - start_us) for seen in self._wire),
            told=tuple(replace(told, at_us=told.at_us - start_us) for told in self._told),
            stops=tuple(
                replace(
                    stop,
                    asked_us=stop.asked_us - start_us,
                    answered_us=stop.answered_us and stop.answered_us - start_us,
                )
                for stop in self.player.stops
            ),
            spans=_spans(self.player),
            memory=memory,
            mirror_ids=mirror_ids,
            words=tuple(
                PartWords(part, *self.words_of(part, known)) for part in self.received_samples
            ),
            microphone=_envelope(both[:, 0], settings.rate),
            ear=_envelope(both[:, 1], settings.rate),
            trace=trace,
            unmet=unmet,
        )


def memory_of(items: Iterable[RememberedItem]) -> Memory:
    """The server's memory, as far as it is compared."""
    items = tuple(items)
    return Memory(
        tuple(item.id for item in items),
        tuple(
            RememberedPart(item.id, index, part.format.rate, part.kept_samples)
            for item in items
            for index, part in enumerate(item.parts)
            if part.kind == "output_audio"
        ),
    )


def loop_us() -> int:
    """Now, on the running loop's clock."""
    return round(asyncio.get_running_loop().time() * US_PER_S)


def _spans(player: WatchedPlayer) -> tuple[Span, ...]:
    """The ear's pieces, joined where one goes on where the last one ended."""
    rate = player.settings.rate
    joined: list[tuple[Part, int, int, int]] = []
    for piece in player.ear.heard:
        assert isinstance(piece.mark, Part), "only the session plays on this card"
        if joined:
            part, frame, first, count = joined[-1]
            if (part, frame + count, first + count) == (piece.mark, piece.frame, piece.first):
                joined[-1] = part, frame, first, count + len(piece.pcm)
                continue
        joined.append((piece.mark, piece.frame, piece.first, len(piece.pcm)))
    return tuple(
        Span(
            part,
            frame * US_PER_S // rate,
            (frame + count) * US_PER_S // rate,
            first,
            count,
        )
        for part, frame, first, count in joined
    )


def _envelope(sound: Samples, rate: int) -> Envelope:
    size = rate * _STEP_US // US_PER_S
    steps = -(-len(sound) // size)
    padded = np.zeros(steps * size, dtype=np.int64)
    padded[: len(sound)] = sound
    peaks = np.abs(padded).reshape(steps, size).max(axis=1, initial=0) / _FULL_SCALE
    return Envelope(_STEP_US, tuple(float(peak) for peak in np.round(peaks, 4)))
