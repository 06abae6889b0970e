"""A sound card as a machine: no clock, no thread, the whole behaviour of a `Player`. Pure.

1. Time comes in with every call, in integer microseconds, and never goes back. Blocks that are
   due at or before a call are taken before the call has its effect.
2. Block k is taken at `start + k·block` of the card's clock and sounds `latency_us` later. A
   sample is *heard* when it has sounded to its end. `heard` is this truth, per mark, in samples
   of the mark's own rate.
3. A stop takes effect at once: of what is queued only the fade (≤ 5 ms, within the next block) is
   still taken. A `drain` card plays out what it holds, so the answer is what was handed, fade
   included. A `discard` card drops what it holds without a fade, so the answer is what has left
   it.
4. A hold is the same, but what a discarding card drops goes back to the front of the queue.
5. `error_samples`, late, missing and corrected answers bend what is *reported*, never the truth.
6. A mark is closed by its `finish`, by a `Stopped` and by a full queue: later sound of it is
   dropped and counted.
7. A device that is lost takes with it what it held. The card that follows it goes on with the
   first sample of each mark that was not heard.
"""

from __future__ import annotations

from dataclasses import replace

from bargein.audio.answers import Answers
from bargein.audio.base import Accuracy, Changed, Mark, Rendered, Report, Starved, Stopped
from bargein.audio.block_clock import BlockClock
from bargein.audio.card_settings import CardSettings
from bargein.audio.ear import Ear
from bargein.audio.flight import Flight
from bargein.audio.formats import Samples, samples_of
from bargein.audio.gap import Gap
from bargein.audio.part import Part
from bargein.audio.resample import checked_rate
from bargein.audio.ring import Ring
from bargein.audio.unheard import Unheard
from bargein.audio.voice import Voice
from bargein.errors import LocalValueError
from bargein.units import US_PER_S

_REMEMBERED_MARKS = 4_096


class Card:
    """One voice on one card. Drive it with `advance(next_us)`; it answers with reports, in
    order."""

    def __init__(self, settings: CardSettings, *, now_us: int = 0, ear: Ear | None = None) -> None:
        self.settings = settings
        self.accuracy: Accuracy = settings.accuracy
        self.late_samples = 0
        """Sound of closed marks that came later, in samples as they came."""
        self._ring = Ring(settings.limit_s * settings.rate)
        self._ear = ear
        self._now = now_us
        self._clock = BlockClock(settings, now_us)
        self._fade = min(settings.block, settings.fade_us * settings.rate // US_PER_S)
        self._reported = now_us - settings.report_every_us
        self._flight = Flight(settings.latency_us * settings.rate // US_PER_S)
        self._parts: dict[Mark, Part] = {}
        self._live: dict[Mark, Part] = {}
        self._last: Mark | None = None
        self._gap = Gap()
        self._fresh: dict[Mark, None] = {}
        self._out: list[Report] = []
        self._answers = Answers(settings)
        self._unheard = Unheard()

    # -- what the session asks ---------------------------------------------------------------

    def play(self, mark: Mark, pcm: bytes, rate: int, now_us: int) -> None:
        """Queue 16-bit little-endian mono sound. Raises `LocalValueError` for half a sample or a
        changed rate."""
        samples = samples_of(pcm)
        checked_rate(rate, "rate")
        part = self._parts.get(mark)
        if part is not None and part.voice.rate != rate:
            raise LocalValueError(
                f"rate: {rate} for {mark!r}, which began at {part.voice.rate}; "
                "all the sound of one mark has one rate"
            )
        self._run(now_us)
        self._unheard.let_go(self.heard)
        if part is None:
            part = self._parts[mark] = self._live[mark] = Part(Voice(rate, self.settings.rate))
            self._forget_oldest()
        if part.closed:
            self.late_samples += len(samples)
            return
        self._feed(mark, part, samples)

    def finish(self, mark: Mark, now_us: int) -> None:
        """The mark is whole: let out what the resampler holds back. Unknown and closed marks are
        left alone."""
        self._run(now_us)
        part = self._live.get(mark)
        if part is not None and not part.finished and not part.stopped:
            self._end(mark, part)

    def stop(self, cut_id: str, now_us: int) -> None:
        """Cut. The second stop with one `cut_id` changes nothing and is not answered again."""
        self._run(now_us)
        if not self._answers.is_new_stop(cut_id):
            return
        handed = self._ring.cut(self._fade if self.settings.on_stop == "drain" else 0)
        if self.settings.on_stop == "discard":
            self._flight.drop()
        self._unheard.clear()
        self._last = None
        self._gap.none()
        final: dict[Mark, int] = {}
        for mark, part in self._live.items():
            part.cut_id = cut_id
            card = handed.get(mark, 0) if self.settings.on_stop == "drain" else part.heard
            final[mark] = self._bent(part, part.voice.own_samples(card))
        self._answers.stop(cut_id, final, self._parts, now_us)

    def hold(self, cut_id: str, now_us: int) -> None:
        """Fall silent and keep the queue; answered by `Held`, once per `cut_id`."""
        self._run(now_us)
        if not self._answers.is_new_hold(cut_id):
            return
        drains = self.settings.on_stop == "drain"
        handed = self._ring.hold(self._fade if drains else 0)
        if not drains:
            self._ring.give_back(self._flight.drop())
        self._gap.none()
        counts: dict[Mark, int] = {}
        for mark, part in self._live.items():
            card = handed.get(mark, 0) if drains else part.heard
            counts[mark] = self._bent(part, part.voice.own_samples(card))
        self._answers.hold(cut_id, counts, now_us)

    def resume(self, now_us: int) -> None:
        """End a hold: the queue goes on at the sample after the last that was handed."""
        self._run(now_us)
        self._ring.resume()

    def change(
        self, settings: CardSettings, detail: str, now_us: int, *, ear: Ear | None = None
    ) -> Card:
        """The device is lost, and another one is opened: gives the card that goes on with it.

        Reported by `Changed`. What is not answered yet is answered with what was heard until now;
        a stop whose answer had counted on what the device held is corrected. The new card's frames
        count from now, so its ear is another one.
        """
        self._run(now_us)
        told = {mark: self._bent(part, part.heard_samples) for mark, part in self._parts.items()}
        card = Card(settings, now_us=now_us, ear=ear)
        changed = Changed(settings.accuracy, detail)
        swallowed: dict[str, set[Mark]] = {}
        for mark, part in self._parts.items():
            if part.cut_id is not None and self.committed(mark) > part.heard_samples:
                swallowed.setdefault(part.cut_id, set()).add(mark)
        card._out = [*self._out, changed, *self._answers.lose(told, swallowed)]
        card._answers.follow(self._answers)
        card._fresh = self._fresh
        card.late_samples = self.late_samples
        for mark, part in self._parts.items():
            voice = Voice(part.voice.rate, settings.rate, begin=part.heard_samples)
            whole = part.finished and mark not in self._live
            card._parts[mark] = replace(part, voice=voice, heard=0, finished=whole)
        card._live = {mark: card._parts[mark] for mark in self._live}
        for mark, pcm in self._unheard.rest(self.heard):
            card._feed(mark, card._parts[mark], pcm)
        for mark, part in self._live.items():
            if part.finished:
                card._end(mark, card._parts[mark])
        card._ring.follow(self._ring)
        return card

    def miss(self, blocks: int, now_us: int) -> None:
        """The next so many blocks find the computer late: silence is heard, the queue waits."""
        self._run(now_us)
        self._clock.late += blocks

    # -- time --------------------------------------------------------------------------------

    @property
    def next_us(self) -> int | None:
        """When `advance` has something to do; None while the card is silent and owes no answer."""
        if self._out:
            return self._now
        answer = self._answers.next_us
        if self._idle:
            return answer
        # Progress is reported when a block is taken, so before the next one there is nothing to do.
        block = self._clock.due_from(self._progress_due)
        return block if answer is None else min(answer, block)

    def advance(self, now_us: int) -> list[Report]:
        """Let time pass until `now_us`; gives what is to be reported, oldest first."""
        self._run(now_us)
        reports, self._out = self._out, []
        return reports

    def heard(self, mark: Mark) -> int:
        """The truth: whole samples of the mark, at its own rate, heard up to the last call."""
        part = self._parts.get(mark)
        return 0 if part is None else part.heard_samples

    def committed(self, mark: Mark) -> int:
        """What was heard and what will be: in the card, or the rest of a fade."""
        part = self._parts.get(mark)
        if part is None:
            return 0
        coming = self._flight.holds(mark) + self._ring.fading(mark)
        return part.voice.own_samples(part.heard + coming)

    @property
    def dropped_samples(self) -> int:
        """Sound at the card's rate that did not fit into the queue."""
        return self._ring.refused_samples

    @property
    def underrun_samples(self) -> int:
        """Silence at the card's rate that was heard where the sound of a mark was not there yet."""
        return self._ring.underrun_samples

    @property
    def waiting_samples(self) -> int:
        """Sound at the card's rate that is queued and not taken."""
        return self._ring.waiting_samples

    def frame_at(self, now_us: int) -> int:
        """Which frame of the ear's axis is heard at that time, by the card's own clock."""
        return self._clock.frame_at(now_us)

    @property
    def _idle(self) -> bool:
        """Nothing to play, nothing in the card, and nothing that the next block would report."""
        return not self._fresh and self._flight.empty and self._ring.silent

    @property
    def _progress_due(self) -> int:
        """In its turn, or when a whole mark may have been heard to its end."""
        every = self.settings.report_every_us
        if not every:
            return self._reported
        ending = self._ending
        if ending is None:
            return self._reported + every
        left = self._ring.queued(ending) - self._live[ending].heard
        return min(self._now + self._clock.lasts_us(left), self._reported + every)

    @property
    def _ending(self) -> Mark | None:
        """The mark that is whole and the next to be heard to its end."""
        for mark, part in self._live.items():
            if part.finished and not part.stopped:
                return mark
        return None

    def _feed(self, mark: Mark, part: Part, samples: Samples) -> None:
        if self._last is not None and self._last != mark and self._last in self._live:
            before = self._live[self._last]
            if not before.closed:
                self._queue(self._last, before, before.voice.pause())
        self._last = mark
        first = part.voice.received
        self._queue(mark, part, part.voice.push(samples))
        if part.full:
            fits = part.voice.own_samples(self._ring.queued(mark)) - first
            samples = samples[: max(0, fits)]
        self._unheard.keep(mark, first, samples)

    def _end(self, mark: Mark, part: Part) -> None:
        part.finished = True
        if not part.full:
            self._queue(mark, part, part.voice.pause())
        self._ring.end(mark)
        if self._gap.mark == mark:
            self._gap.none()
        self._fresh[mark] = None

    def _queue(self, mark: Mark, part: Part, pcm: Samples) -> None:
        if len(pcm) and self._ring.queue(mark, pcm) < len(pcm):
            part.full = True
            detail = f"{mark!r}: its sound beyond {self.settings.limit_s} s of queue is dropped"
            self._out.append(Changed(self.accuracy, detail))

    def _run(self, now_us: int) -> None:
        """Take every block that is due, each at its own time; then see what has been heard."""
        if now_us < self._now:
            raise LocalValueError(f"now_us: {now_us} is before {self._now}; time never goes back")
        if self._clock.due_us <= now_us:
            self._take_due(now_us)
        self._settle(now_us)
        self._release(now_us)

    def _take_due(self, now_us: int) -> None:
        clock = self._clock
        while (due := clock.due_us) <= now_us:
            if self._idle:
                blocks = clock.due_by(now_us)
                clock.take(blocks)
                self._ring.skip(blocks * self.settings.block)
                return
            blocks = self._even_blocks(now_us)
            if blocks:
                self._take(blocks)
                continue
            self._settle(due)
            if self._fresh and due >= self._progress_due:
                self._render()
            if clock.punctual:
                self._take(1)
            else:
                clock.miss()
                self._ring.skip(self.settings.block)
            self._release(due)

    def _even_blocks(self, now_us: int) -> int:
        """How many blocks can be taken at one go: they are due, sound is there for all of them,
        and until the last one is taken there is nothing to be missed or reported."""
        every_us, block, clock = self.settings.report_every_us, self.settings.block, self._clock
        # Most calls come for a report: before it no block is left to be taken.
        until_us = min(now_us, self._reported + every_us - 1)
        if not every_us or until_us < clock.due_us:
            return 0
        blocks = min(clock.due_by(until_us), clock.punctual, self._ring.ready_samples // block)
        ending = self._ending
        if ending is not None:
            # What is not all taken is not all heard: no end of a mark is to be reported.
            left = self._ring.queued(ending) - self._ring.handed(ending)
            blocks = min(blocks, (left - 1) // block)
        return max(0, blocks)

    def _take(self, blocks: int) -> None:
        frame = self._clock.next_frame
        self._clock.take(blocks)
        pcm, spans = self._ring.read(blocks * self.settings.block)
        for span in spans:
            silence = self._gap.before(span, frame)
            if silence:
                rate = self._parts[span.mark].voice.rate
                self._out.append(Starved(silence * rate // self.settings.rate))
        hungry = self._gap.mark
        if hungry is not None and (self._parts[hungry].closed or self._ring.held):
            self._gap.none()
        if spans:
            self._flight.take(frame, pcm, spans)

    def _settle(self, now_us: int) -> None:
        """Count what has left the card since the last time."""
        since_us, self._now = self._now, now_us
        if since_us == now_us or self._flight.empty:
            return
        left = self._clock.frame_at(now_us - self.settings.latency_us)
        ear = self._ear
        for piece in self._flight.leave(left):
            mark = piece.mark
            self._parts[mark].heard += len(piece.pcm)
            self._fresh[mark] = None
            if ear is not None:
                ear.hear(piece)

    def _render(self) -> None:
        """Report what has changed, and let go of the marks that were wholly heard."""
        self._reported = self._now
        counts: dict[Mark, int] = {}
        for mark in self._fresh:
            part = self._parts.get(mark)
            if part is None or part.told:
                continue
            count = self._bent(part, part.heard_samples)
            if count > part.rendered:
                counts[mark] = part.rendered = count
            if part.finished and not part.stopped and part.heard == self._ring.queued(mark):
                part.told = True
                self._live.pop(mark, None)
        self._fresh.clear()
        if counts:
            self._out.append(Rendered(counts))

    def _bent(self, part: Part, samples: int) -> int:
        return part.bent(samples, self.settings.error_samples)

    def _release(self, now_us: int) -> None:
        if not self._answers.is_due(now_us):
            return
        for report in self._answers.due(now_us):
            if isinstance(report, Stopped):
                for mark in report.heard_samples:
                    self._live.pop(mark, None)
                    if mark in self._parts:
                        self._parts[mark].told = True
            self._out.append(report)

    def _forget_oldest(self) -> None:
        """Keep the memory of closed marks bounded; those that still count are kept."""
        if len(self._parts) <= _REMEMBERED_MARKS:
            return
        for mark, part in self._parts.items():
            if part.told and not self._flight.holds(mark) and not self._ring.fading(mark):
                del self._parts[mark]
                self._ring.forget(mark)
                self._fresh.pop(mark, None)
                return
