"""The page as a loudspeaker that counts, and as a microphone."""

from __future__ import annotations

from typing import Any

import pytest

from bargein.audio.base import Held, Rendered, Report, Stopped, Within
from bargein.errors import LocalValueError
from bargein.web import messages
from bargein.web.distant import MARGIN_SAMPLES, DistantMicrophone, DistantPlayer


class FakeLine:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, message: messages.ToPage) -> None:
        self.told.append(message)

    def sound(self, part: int, pcm: bytes) -> None:
        self.told.append((part, len(pcm) // 2))


class Rig:
    def __init__(self) -> None:
        self.line = FakeLine()
        self.reports: list[Report] = []
        self.player = DistantPlayer(self.line)
        self.player.attach(self.reports.append)


def test_sound_goes_to_the_page_by_the_number_of_its_part_in_short_pieces() -> None:
    rig = Rig()
    rig.player.play("A", bytes(2 * 30_000), 24_000)
    rig.player.play("B", bytes(200), 24_000)
    rig.player.play("A", bytes(200), 24_000)
    assert rig.line.told == [(1, 12_000), (1, 12_000), (1, 6_000), (2, 100), (1, 100)]
    assert rig.player.accuracy == Within(MARGIN_SAMPLES)


def test_what_the_page_counts_is_reported_of_the_parts_it_was_given() -> None:
    rig = Rig()
    rig.player.play("A", bytes(2_000), 24_000)
    rig.player.play("B", bytes(2_000), 24_000)
    rig.player.said(messages.Rendered({1: 480, 7: 10, 2: -3}))
    rig.player.hold("h1")
    rig.player.said(messages.Held("h1", {1: 500, 2: 0}))
    rig.player.resume()
    rig.player.stop("c1")
    rig.player.said(messages.Stopped("c1", {1: 1_000, 2: 20}))
    assert rig.line.told[2:] == [
        messages.HoldPlayback("h1"),
        messages.ResumePlayback(),
        messages.StopPlayback("c1"),
    ]
    assert rig.reports == [
        Rendered({"A": 480, "B": 0}),
        Held("h1", {"A": 500, "B": 0}),
        Stopped("c1", {"A": 1_000, "B": 20}, MARGIN_SAMPLES),
    ]


def test_a_part_that_was_stopped_is_neither_played_nor_counted_again() -> None:
    rig = Rig()
    rig.player.play("A", bytes(2_000), 24_000)
    rig.player.said(messages.Stopped("c1", {1: 300}))
    rig.player.play("A", bytes(400), 24_000)
    assert rig.player.dropped_samples == 200
    rig.player.play("B", bytes(400), 24_000)
    assert rig.line.told == [(1, 1_000), (2, 200)]
    rig.player.said(messages.Rendered({1: 900, 2: 5}))
    assert rig.reports[-1] == Rendered({"B": 5})


def test_another_rate_or_half_a_sample_is_refused_and_a_closed_player_reports_nothing() -> None:
    rig = Rig()
    for pcm, rate in ((b"\0\0", 48_000), (b"\0", 24_000)):
        with pytest.raises(LocalValueError, match="24000"):
            rig.player.play("A", pcm, rate)
    rig.player.play("A", b"\0\0", 24_000)
    rig.player.close()
    rig.player.said(messages.Rendered({1: 1}))
    assert rig.reports == []


def test_the_microphone_hears_between_start_and_stop_and_silence_while_it_is_muted() -> None:
    heard: list[tuple[bytes, int]] = []
    microphone = DistantMicrophone()
    microphone.attach(lambda pcm, rate: heard.append((pcm, rate)))
    microphone.captured(b"\1\1")
    microphone.start()
    microphone.captured(b"\2\2\2")
    microphone.mute(True)
    microphone.captured(b"\3\3")
    microphone.mute(False)
    microphone.captured(b"\4")
    microphone.stop()
    microphone.captured(b"\5\5")
    assert heard == [(b"\2\2", 24_000), (b"\0\0", 24_000)]
