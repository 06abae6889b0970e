"""The time axis and the shape of sound."""

from __future__ import annotations

import re

import pytest

from bargein.lab.drawing import Axis, gain_of, waveform
from bargein.lab.observed import Envelope

AXIS = Axis(0, 10_000_000, 100, 1_100)


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path)]


def test_time_is_place() -> None:
    assert AXIS.x(0) == 100
    assert AXIS.x(5_000_000) == 600
    assert AXIS.x(10_000_000) == 1_100
    assert AXIS.x(-1_000_000) == 0


@pytest.mark.parametrize(
    ("least_px", "step_us"), [(38, 500_000), (100, 1_000_000), (5_000, 60_000_000)]
)
def test_the_grid_is_round_and_not_too_fine(least_px: float, step_us: int) -> None:
    assert AXIS.step_us(least_px) == step_us


def test_an_axis_longer_than_any_step_has_the_longest() -> None:
    assert Axis(0, 10**12, 0, 100).step_us(1_000) == 300_000_000


def test_the_loudest_peak_has_the_full_height_about_the_middle() -> None:
    sound = Envelope(1_000_000, (0.0, 0.1, 0.2, 0.0))
    ys = [y for _, y in points(waveform(sound, AXIS, 50, 20, "#000"))]
    assert (min(ys), max(ys)) == (30, 70)


def test_silence_parts_the_shape() -> None:
    sound = Envelope(1_000_000, (0.1, 0.0, 0.1))
    assert waveform(sound, AXIS, 50, 20, "#000").count("M") == 2


def test_pure_silence_draws_nothing_visible() -> None:
    assert 'd="M0 0"' in waveform(Envelope(1_000_000, (0.0,) * 5), AXIS, 50, 20, "#000")
    assert 'd="M0 0"' in waveform(Envelope(1_000_000, ()), AXIS, 50, 20, "#000")


def test_what_lies_outside_the_axis_is_left_out() -> None:
    axis = Axis(2_000_000, 4_000_000, 100, 300)
    sound = Envelope(500_000, (0.5,) * 40)
    xs = [x for x, _ in points(waveform(sound, axis, 0, 1, "#000"))]
    assert (min(xs), max(xs)) == (100, 300)


def test_the_gain_is_that_of_the_whole_sound_not_of_the_window() -> None:
    sound = Envelope(1_000_000, (1.0, 0.1, 0.1))
    axis = Axis(1_200_000, 2_800_000, 0, 100)
    ys = [y for _, y in points(waveform(sound, axis, 0, 100, "#000", gain=gain_of(sound)))]
    assert max(ys) == pytest.approx(10)
