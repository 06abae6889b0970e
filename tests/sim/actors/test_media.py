"""The media of a simulated call: whose each frame is, and what the network does to it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bargein.core.inputs import MediaArrived
from bargein.server.model.commands import SendMedia
from bargein.sim.actors.media import (
    FRAME_SAMPLES,
    FRAME_US,
    SILENCE,
    MediaChannel,
    MediaOptions,
    frame_of,
    whose,
)
from bargein.sim.choices import Choices, SeedSource
from bargein.sim.world import World
from bargein.units import AudioFormat


class _Call:
    def __init__(self, options: MediaOptions, base_us: int = 10_000) -> None:
        self.world = World()
        self.got: list[tuple[int, MediaArrived]] = []
        self.channel = MediaChannel(
            options,
            base_us=base_us,
            world=self.world,
            choices=Choices(SeedSource(1)),
            give=lambda came: self.got.append((self.world.now_us, came)),
        )

    def speak(self, frames: int, response_id: str = "r1") -> None:
        """So many frames leave, each in its time, and all that comes of them comes."""
        first_us = self.world.now_us // FRAME_US * FRAME_US + FRAME_US
        for number in range(frames):
            at_us = first_us + number * FRAME_US
            more = number < frames - 1
            frame = SendMedia(response_id, SILENCE, AudioFormat.PCM, at_us, more)
            # mypy infers no type for a lambda that binds the loop's variable by a default.
            self.world.at(at_us, lambda frame=frame: self.channel.send(frame))  # type: ignore[misc]
        self.world.run(first_us + frames * FRAME_US + 2_000_000, at_most=10_000)

    @property
    def heard(self) -> list[tuple[int, int]]:
        """The response and number of each frame that was not silent."""
        return [found for _, came in self.got if (found := whose(came.audio)) is not None]


@pytest.mark.parametrize(("response", "frame"), [(0, 0), (3, 17), (20, 1_000)])
def test_a_frame_says_whose_it_is(response: int, frame: int) -> None:
    assert whose(frame_of(response, frame)) == (response, frame)
    assert whose(SILENCE) is None


def test_frames_come_in_order_at_places_that_count_samples_and_silence_follows() -> None:
    call = _Call(MediaOptions())
    call.speak(10)
    assert call.heard == [(0, number) for number in range(10)]
    places = [came.place for _, came in call.got]
    assert [b - a for a, b in pairwise(places)][:15] == [FRAME_SAMPLES] * 15
    # 200 ms of silence, and what the jitter buffer makes up behind the last packet.
    assert 10 <= sum(came.audio == SILENCE for _, came in call.got) <= 13


def test_the_skew_is_between_the_two_channels_and_never_less_than_no_time() -> None:
    late, early = _Call(MediaOptions(skew_ms=200)), _Call(MediaOptions(skew_ms=-300))
    late.speak(3)
    early.speak(3)
    assert late.got[0][0] - early.got[0][0] == 209_000


def test_a_lost_frame_is_recovered_from_the_one_behind_it_or_made_up() -> None:
    call = _Call(MediaOptions(burst_one_in=20))
    call.speak(300)
    numbers = [number for _, number in call.heard]
    lost = [number for number in range(300) if number not in numbers]
    assert lost and -1 in numbers
    assert sorted(number for number in numbers if number >= 0) == [
        number for number in numbers if number >= 0
    ]


def test_when_it_is_calm_nothing_is_lost_any_more() -> None:
    call = _Call(MediaOptions(jitter_ms=60, burst_one_in=2, reorder_one_in=2))
    call.channel.calm()
    call.speak(50)
    assert call.heard == [(0, number) for number in range(50)]


def test_what_is_under_way_when_it_is_closed_does_not_come() -> None:
    call = _Call(MediaOptions())
    call.world.at(FRAME_US, call.channel.close)
    call.speak(5)
    assert call.got == []
    assert call.channel.under_way == 0
