"""What is seen of a session from outside, on the card's axis."""

from __future__ import annotations

import asyncio

import numpy as np
from tests.lab.demo_rig import STORY
from tests.virtual_loop import run

from bargein import Passed, events
from bargein.audio.base import Report, Stopped
from bargein.audio.card_settings import CardSettings
from bargein.audio.virtual import VirtualRecorder
from bargein.lab.observed import Observed
from bargein.lab.observer import Observer, WatchedPlayer

CARD = CardSettings(block=240, latency_us=50_000, on_stop="drain", fade_us=0)
SOUND = np.full(24_000, 1_000, np.int16).tobytes()
LINE = np.full(2_400, 2_000, np.int16)


class Bench:
    """A card that has been open for a second when the test begins."""

    def __init__(self) -> None:
        self.progress: list[int] = []
        self.reports: list[Report] = []
        self.player = WatchedPlayer(CARD, lambda _, samples: self.progress.append(samples))
        self.recorder = VirtualRecorder()
        self.observer = Observer(self.player, self.recorder)
        self.player.attach(self.reports.append)
        self.recorder.attach(lambda pcm, rate: None)
        self.recorder.start()

    def observed(self) -> Observed:
        return self.observer.observed(memory=None, mirror_ids=(), known=(), trace=None, unmet=None)


def test_times_count_from_the_opening_of_the_card() -> None:
    async def main() -> Observed:
        bench = Bench()
        await asyncio.sleep(1)
        speech = bench.recorder.say(LINE)
        bench.observer.said("hello", speech.start_us, speech.end_us)
        bench.observer.passed(Passed("sent", events.ResponseCancel()))
        bench.player.play(STORY, SOUND, 24_000)
        await asyncio.sleep(0.5)
        bench.player.stop("cut_1")
        await asyncio.sleep(0.5)
        return bench.observed()

    seen = run(main())
    assert seen.wire[0].at_us == 1_000_000
    assert seen.spoken[0].start_us == 1_000_000
    (span,) = seen.spans
    assert 1_050_000 <= span.start_us <= 1_060_000
    (stop,) = seen.stops
    assert (stop.asked_us, stop.answered_us) == (1_500_000, 1_500_000)
    assert stop.heard_samples == ((STORY, span.samples),)
    peaks = seen.ear.peaks
    assert peaks[104] == 0 < peaks[107]
    assert seen.microphone.peaks[99] == 0 < seen.microphone.peaks[101]


def test_sound_with_an_underrun_in_it_is_two_spans() -> None:
    async def main() -> Observed:
        bench = Bench()
        bench.player.play(STORY, SOUND, 24_000)
        await asyncio.sleep(0.5)
        bench.player.miss(3)
        await asyncio.sleep(2)
        return bench.observed()

    first, second = run(main()).spans
    assert second.first_sample == first.samples
    assert first.samples + second.samples == 24_000
    assert second.start_us - first.end_us == 30_000


def test_the_owner_of_the_player_gets_every_report_and_progress_is_told_beside_it() -> None:
    async def main() -> Bench:
        bench = Bench()
        bench.player.play(STORY, SOUND, 24_000)
        await asyncio.sleep(0.5)
        bench.player.stop("cut_1")
        await asyncio.sleep(0.2)
        return bench

    bench = run(main())
    assert bench.progress == sorted(bench.progress)
    assert bench.progress[-1] > 9_000
    assert [type(report) for report in bench.reports].count(Stopped) == 1
    assert len(bench.reports) == len(bench.progress) + 1
