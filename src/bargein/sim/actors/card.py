"""The shipping card in the simulated world, and the truth about what was heard.

The sound of every part counts its samples (`engine.py`), so a piece that is played twice, left
out or out of its place is noticed by what it sounds like, wherever the card's rate is the sound's.
The device may be lost in the middle; the one that follows counts from 0 again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bargein.audio import base
from bargein.audio.card import Card
from bargein.audio.card_settings import margin_of
from bargein.audio.ear import Ear, Heard
from bargein.audio.formats import decode
from bargein.core import commands, inputs
from bargein.core.inputs import Part
from bargein.sim.actors.engine import heard_pattern
from bargein.sim.history import Truth
from bargein.sim.log import Log
from bargein.sim.moments import Moments
from bargein.sim.options import CardChange, Options
from bargein.sim.world import Alarm, World
from bargein.units import US_PER_S, AudioFormat


class _Witness(Ear):
    """Checks every piece as it is heard and keeps none of the sound."""

    def __init__(
        self, tell: Callable[[str], None], *, by_content: Mapping[Part, tuple[int, ...]]
    ) -> None:
        super().__init__(limit_samples=0)
        self._tell = tell
        self._patterns = by_content
        self._next: dict[Part, int] = {}
        self._before: Mapping[Part, int] = {}
        self.stopped: set[Part] = set()

    @property
    def order(self) -> tuple[Part, ...]:
        return tuple(self._next)

    def hear(self, piece: Heard) -> None:
        part, first = piece.mark, piece.first
        assert isinstance(part, Part), "the client's marks are its parts"
        expected = self._next.get(part, 0)
        if first != expected:
            self._tell(f"heard sample {first} of {part.item_id}, not {expected}")
        self._next[part] = first + len(piece.pcm)
        pattern = self._patterns.get(part)
        if pattern is None or part in self.stopped:
            return
        number = self._before.get(part, 0) + first
        if piece.pcm.item(0) != pattern[number % len(pattern)]:
            self._tell(f"sample {number} of {part.item_id} is not the one that was sent")

    def use(self, before: Mapping[Part, int]) -> None:
        """Hear another device, which counts from 0 what comes behind the samples heard before."""
        self._before = before
        self._next = dict.fromkeys(self._next, 0)


class SimCard:
    """Obeys the client's commands; its reports go to `report` as inputs."""

    def __init__(
        self,
        options: Options,
        *,
        world: World,
        log: Log,
        moments: Moments,
        report: Callable[[inputs.Input], None],
    ) -> None:
        self._settings = options.card
        self._is_call = options.webrtc
        self._world = world
        self._moments = moments
        self._report = report
        self._formats: dict[Part, AudioFormat] = {}
        self._same_rate: dict[Part, tuple[int, ...]] = {}
        self._witness = _Witness(
            lambda fault: log.write("broken", fault), by_content=self._same_rate
        )
        self._card = Card(options.card, now_us=world.now_us, ear=self._witness)
        self._opened_us = world.now_us
        self._alarm = Alarm(world, self._advance)
        change = options.card_changes
        if change is not None:
            world.at(change.at_us, lambda: self._change(change))
        self._committed: dict[str, Mapping[Part, int]] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing sounds and no answer is owed."""
        return self._card.next_us is None

    def play(self, command: commands.Play) -> None:
        """Queue the sound."""
        part, sound_format = command.part, command.format
        self._formats.setdefault(part, sound_format)
        # The sound of a call says of each frame what it is, and not of each sample.
        if sound_format.rate == self._settings.rate and not self._is_call:
            self._same_rate[part] = heard_pattern(sound_format)
        pcm = command.audio
        if sound_format is not AudioFormat.PCM:
            pcm = decode(pcm, sound_format)
        self._card.play(part, pcm, sound_format.rate, self._world.now_us)
        self._alarm.set(self._card.next_us)

    def finish(self, part: Part) -> None:
        """The part is whole: now it is known when its last sample will be taken and heard."""
        self._card.finish(part, self._world.now_us)
        rate, block = self._settings.rate, self._settings.block
        opened_us = self._opened_us
        first = ((self._world.now_us - opened_us) * rate // US_PER_S // block + 1) * block
        end = first + self._card.waiting_samples
        last_block = (end - 1) // block * block
        self._moments.announce("last_taken", opened_us - (-last_block * US_PER_S // rate))
        heard_us = opened_us - (-end * US_PER_S // rate) + self._settings.latency_us
        self._moments.announce("last_heard", heard_us)
        self._alarm.set(self._card.next_us)

    def stop(self, cut_id: str) -> None:
        """Cut."""
        now_us = self._world.now_us
        self._card.stop(cut_id, now_us)
        self._witness.stopped.update(self._formats)
        delay_us = self._settings.answer_delay_us
        if delay_us is not None:
            self._moments.announce("stopped", now_us + delay_us)
        self._alarm.set(self._card.next_us)

    def hold(self, cut_id: str) -> None:
        """Fall silent, keep the queue."""
        self._card.hold(cut_id, self._world.now_us)
        self._witness.stopped.update(self._formats)
        self._alarm.set(self._card.next_us)

    def resume(self) -> None:
        """Go on."""
        self._card.resume(self._world.now_us)
        self._alarm.set(self._card.next_us)

    def committed(self, part: Part) -> int:
        """What was heard of the part, and what still will be if nothing more is given."""
        return self._card.committed(part)

    def truth(self) -> Truth:
        """What was heard by now."""
        self._card.advance(self._world.now_us)
        return Truth(
            heard={part: self._card.heard(part) for part in self._formats},
            committed_at_stop=self._committed,
            formats=self._formats,
            order=self._witness.order,
            late_samples=self._card.late_samples,
        )

    def _change(self, change: CardChange) -> None:
        """The device is gone with what it held, and another one is opened."""
        self._opened_us = now_us = self._world.now_us
        self._settings = settings = change.settings
        self._card = self._card.change(settings, "another device", now_us, ear=self._witness)
        self._witness.use({part: self._card.heard(part) for part in self._formats})
        self._same_rate.clear()
        self._same_rate.update(
            (part, heard_pattern(each))
            for part, each in self._formats.items()
            if each.rate == settings.rate and not self._is_call
        )
        self._alarm.set(self._card.next_us)

    def _advance(self) -> None:
        for report in self._card.advance(self._world.now_us):
            if isinstance(report, base.Stopped):
                self._committed[report.cut_id] = {
                    part: self._card.committed(part) for part in self._formats
                }
            self._report(_as_input(report))
        self._alarm.set(self._card.next_us)


def _counts(heard: Mapping[base.Mark, int]) -> tuple[inputs.Heard, ...]:
    return tuple(
        [inputs.Heard(mark, samples) for mark, samples in heard.items() if isinstance(mark, Part)]
    )


def _as_input(report: base.Report) -> inputs.Input:
    match report:
        case base.Rendered(heard_samples=heard):
            return inputs.Rendered(_counts(heard))
        case base.Held(cut_id=cut_id, heard_samples=heard):
            return inputs.PlaybackHeld(cut_id, _counts(heard))
        case base.Stopped(cut_id=cut_id, heard_samples=heard, margin_samples=margin):
            return inputs.PlaybackStopped(cut_id, _counts(heard), margin)
        case base.Changed(accuracy=accuracy, detail=detail):
            return inputs.DeviceChanged(margin_of(accuracy), detail)
        case base.Starved(samples=samples):
            return inputs.Starved(samples)
