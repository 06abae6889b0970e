"""The card in the simulated world: it obeys, reports, and tells the truth."""

from __future__ import annotations

from bargein.audio.base import Within
from bargein.audio.card_settings import CardSettings
from bargein.core import commands, inputs
from bargein.core.inputs import Part
from bargein.sim.actors.card import SimCard
from bargein.sim.actors.engine import wire_sound
from bargein.sim.history import Entry
from bargein.sim.log import Log
from bargein.sim.moments import Anchor, Moments
from bargein.sim.options import CardChange, Options
from bargein.sim.world import World
from bargein.units import AudioFormat

PART = Part("r", "i", 0)


class _Stage:
    def __init__(
        self,
        settings: CardSettings,
        sound_format: AudioFormat = AudioFormat.PCM,
        changes: CardChange | None = None,
    ) -> None:
        self.world = World()
        self.log = Log(self.world)
        self.moments = Moments(self.world)
        self.reports: list[tuple[int, inputs.Input]] = []
        self.format = sound_format
        self.card = SimCard(
            Options(card=settings, format=sound_format, card_changes=changes),
            world=self.world,
            log=self.log,
            moments=self.moments,
            report=lambda report: self.reports.append((self.world.now_us, report)),
        )

    def play(self, first: int, samples: int, part: Part = PART) -> None:
        sound = wire_sound(self.format, first, samples)
        self.card.play(commands.Play(part, sound, self.format))

    @property
    def broken(self) -> list[Entry]:
        return [entry for entry in self.log.entries if entry.kind == "broken"]


def test_a_stop_is_answered_with_what_was_heard_and_nothing_is_heard_after_it() -> None:
    stage = _Stage(CardSettings(block=480, latency_us=20_000, on_stop="discard"))
    stage.play(0, 12_000)
    stage.world.run(200_000, at_most=1_000)
    stage.card.stop("cut")
    stage.world.run(2_000_000, at_most=1_000)

    stops = [(at, r) for at, r in stage.reports if isinstance(r, inputs.PlaybackStopped)]
    truth = stage.card.truth()

    assert len(stops) == 1 and stops[0][0] == 200_000
    assert stops[0][1].heard == (inputs.Heard(PART, truth.heard[PART]),)
    assert 0 < truth.heard[PART] <= 180 * 24
    assert truth.committed_at_stop == {"cut": {PART: truth.heard[PART]}}
    assert stage.card.idle


def test_the_last_samples_are_announced_when_they_will_be_taken_and_heard() -> None:
    stage = _Stage(CardSettings(block=480, latency_us=50_000))
    moments: dict[str, int] = {}

    def note(anchor: Anchor) -> None:
        now = stage.world
        stage.moments.when(anchor, 0, 9_000_000, lambda: moments.update({anchor: now.now_us}))

    note("last_taken")
    note("last_heard")
    stage.play(0, 2_400)
    stage.card.finish(PART)
    stage.world.run(1_000_000, at_most=1_000)

    # Taken from the block at 20 ms on, five blocks of 20 ms; the last one at 100 ms.
    assert moments == {"last_taken": 100_000, "last_heard": 20_000 + 100_000 + 50_000}
    assert stage.card.truth().heard == {PART: 2_400}


def test_sound_that_is_played_twice_is_noticed_by_what_it_says() -> None:
    for sound_format in AudioFormat:
        stage = _Stage(CardSettings(rate=sound_format.rate, block=240), sound_format)
        stage.play(0, 1_000)
        stage.play(0, 1_000)
        stage.world.run(1_000_000, at_most=10_000)

        assert stage.broken, sound_format
        assert "is not the one that was sent" in str(stage.broken[0].what)


def test_sound_in_its_order_is_in_order_in_every_format() -> None:
    for sound_format in AudioFormat:
        stage = _Stage(CardSettings(rate=sound_format.rate, block=441), sound_format)
        for first in range(0, 5_000, 1_000):
            stage.play(first, 1_000)
        stage.world.run(2_000_000, at_most=10_000)

        assert not stage.broken
        assert stage.card.truth().order == (PART,)


def test_sound_for_a_stopped_part_is_counted() -> None:
    stage = _Stage(CardSettings())
    stage.play(0, 4_800)
    stage.world.run(50_000, at_most=100)
    stage.card.stop("cut")
    stage.play(4_800, 100)

    assert stage.card.truth().late_samples == 100


def test_another_device_goes_on_where_the_lost_one_was_and_tells_what_it_is_worth() -> None:
    for rate in (24_000, 48_000):
        other = CardSettings(rate=rate, block=960, accuracy=Within(300), latency_us=10_000)
        stage = _Stage(CardSettings(latency_us=150_000), changes=CardChange(400_000, other))
        stage.play(0, 24_000)
        stage.card.finish(PART)
        stage.world.run(399_999, at_most=1_000)
        heard = stage.card.truth().heard[PART]
        stage.world.run(400_000, at_most=1_000)
        assert stage.reports[-1] == (400_000, inputs.DeviceChanged(300, "another device"))
        stage.world.run(3_000_000, at_most=1_000)

        assert 0 < heard < 24_000
        assert stage.card.truth().heard == {PART: 24_000}
        assert stage.card.truth().order == (PART,)
        assert not stage.broken
        assert stage.card.idle


def test_a_stop_under_way_is_answered_by_what_the_lost_device_had_played() -> None:
    settings = CardSettings(latency_us=150_000, answer_delay_us=100_000)
    stage = _Stage(settings, changes=CardChange(350_000, CardSettings()))
    stage.play(0, 24_000)
    stage.world.run(300_000, at_most=1_000)
    stage.card.stop("cut")
    stage.world.run(3_000_000, at_most=1_000)

    [stop] = [r for _, r in stage.reports if isinstance(r, inputs.PlaybackStopped)]
    truth = stage.card.truth()
    assert stop.heard == (inputs.Heard(PART, truth.heard[PART]),)
    assert truth.committed_at_stop == {"cut": {PART: truth.heard[PART]}}


def test_a_lost_device_that_plays_on_by_itself_is_noticed_by_what_it_says() -> None:
    stage = _Stage(CardSettings(), changes=CardChange(300_000, CardSettings()))
    stage.play(0, 4_800)
    stage.world.run(300_000, at_most=1_000)
    stage.play(4_801, 2_000)
    stage.world.run(1_000_000, at_most=1_000)

    assert "is not the one that was sent" in str(stage.broken[0].what)
