"""Samples, bytes and milliseconds: each way of rounding is the one that its name says."""

from __future__ import annotations

import pytest

from bargein.units import AudioFormat, ms_ceil, ms_floor, samples_floor, us_of_samples


@pytest.mark.parametrize(
    ("samples", "rate", "floor", "ceil"),
    [
        (0, 24_000, 0, 0),
        (1, 24_000, 0, 1),
        (23, 24_000, 0, 1),
        (24, 24_000, 1, 1),
        (25, 24_000, 1, 2),
        (8, 8_000, 1, 1),
        (15, 8_000, 1, 2),
        (24_000_023, 24_000, 1_000_000, 1_000_001),
        (44_100, 44_100, 1_000, 1_000),
    ],
)
def test_milliseconds_of_samples_are_whole_ones_and_round_as_their_name_says(
    samples: int, rate: int, floor: int, ceil: int
) -> None:
    assert (ms_floor(samples, rate), ms_ceil(samples, rate)) == (floor, ceil)
    assert isinstance(ms_floor(samples, rate), int)
    assert isinstance(ms_ceil(samples, rate), int)


def test_samples_of_milliseconds_are_whole_ones_and_no_more_than_fit() -> None:
    assert samples_floor(1_000, 24_000) == 24_000
    assert samples_floor(1, 44_100) == 44
    assert samples_floor(3, 22_050) == 66
    assert isinstance(samples_floor(3, 22_050), int)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000])
def test_every_millisecond_becomes_samples_and_comes_back_as_it_was(rate: int) -> None:
    for ms in (0, 1, 7, 999, 3_600_000):
        samples = samples_floor(ms, rate)
        assert ms_floor(samples, rate) == ms_ceil(samples, rate) == ms


def test_the_time_that_samples_sound_is_rounded_down() -> None:
    assert us_of_samples(24_000, 24_000) == 1_000_000
    assert us_of_samples(1, 24_000) == 41
    assert isinstance(us_of_samples(1, 24_000), int)


def test_half_a_sample_on_the_wire_is_not_counted() -> None:
    assert [AudioFormat.PCM.samples(n) for n in range(5)] == [0, 0, 1, 1, 2]
    assert [AudioFormat.PCMU.samples(n) for n in range(3)] == [0, 1, 2]
    assert isinstance(AudioFormat.PCM.samples(4), int)


def test_each_format_has_its_rate_and_its_bytes() -> None:
    assert [(each.rate, each.bytes_per_sample) for each in AudioFormat] == [
        (24_000, 2),
        (8_000, 1),
        (8_000, 1),
    ]
