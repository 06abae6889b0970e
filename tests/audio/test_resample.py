"""The resampler: exact counts, the same bits however it is cut, and its figures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bargein.audio.formats import Samples, bytes_of
from bargein.audio.resample import Resampler, checked_rate, resample
from bargein.errors import LocalValueError

RATIOS = [
    (24_000, 48_000),
    (48_000, 24_000),
    (24_000, 8_000),
    (8_000, 24_000),
    (16_000, 24_000),
    (22_050, 24_000),
    (44_100, 24_000),
    (24_000, 44_100),
    (24_000, 24_000),
]


def tone(hertz: float, rate: int, seconds: float = 0.5) -> Samples:
    t = np.arange(int(rate * seconds)) / rate
    wave: npt.NDArray[np.float64] = 10_000 * np.sin(2 * np.pi * hertz * t)
    return wave.round().astype(np.int16)


def noise(samples: int, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).integers(-32_768, 32_768, samples).astype(np.int16)


def fitted(pcm: Samples, hertz: float, rate: int) -> tuple[float, float]:
    """Amplitude of the tone and its ratio to everything else in dB, edges left out."""
    y: npt.NDArray[np.float64] = pcm[rate // 20 : -rate // 20].astype(np.float64)
    t = np.arange(len(y)) / rate
    basis = np.stack([np.sin(2 * np.pi * hertz * t), np.cos(2 * np.pi * hertz * t)], 1)
    weights = np.linalg.lstsq(basis, y, rcond=None)[0]
    rest = float(np.sqrt(np.mean((y - basis @ weights) ** 2)))
    amplitude = float(np.hypot(*weights))
    return amplitude, 20 * np.log10(amplitude / np.sqrt(2) / rest)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(RATIOS),
    st.integers(0, 700),
    st.lists(st.integers(0, 90), min_size=1, max_size=12),
)
def test_chunks_of_any_length_give_the_same_bits_and_the_exact_length(
    ratio: tuple[int, int], samples: int, chunks: list[int]
) -> None:
    sound = noise(samples)
    stream = Resampler(*ratio)
    pieces, at, turn = [], 0, 0
    while at < samples:
        n = chunks[turn % len(chunks)] or (1 if turn % len(chunks) == 0 else 0)
        pieces.append(stream.push(sound[at : at + n]))
        at, turn = at + n, turn + 1
    pieces.append(stream.flush())
    whole = np.concatenate(pieces)
    assert np.array_equal(whole, resample(sound, *ratio))
    assert len(whole) == -(-samples * ratio[1] // ratio[0]) == stream.given


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(RATIOS),
    st.lists(st.tuples(st.sampled_from([None, 0, 8, -9_000]), st.integers(1, 300)), max_size=6),
    st.integers(1, 200),
)
def test_a_level_in_chunks_of_its_own_is_what_it_is_in_the_middle_of_sound(
    ratio: tuple[int, int], stretches: list[tuple[int | None, int]], chunk: int
) -> None:
    levels = [
        noise(samples) if level is None else np.full(samples, level, np.int16)
        for level, samples in stretches
    ]
    sound = np.concatenate([noise(50), *levels])
    stream = Resampler(*ratio)
    pieces = [stream.push(sound[:50])]
    pieces += [stream.push(each[at : at + chunk]) for each in levels for at in range(0, 300, chunk)]
    pieces.append(stream.flush())

    assert np.array_equal(np.concatenate(pieces), resample(sound, *ratio))


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_input_count_never_falls_and_meets_the_end_exactly(ratio: tuple[int, int]) -> None:
    stream = Resampler(*ratio)
    total = len(stream.push(noise(1_001))) + len(stream.flush())
    counts = [stream.input_samples(out) for out in range(total + 1)]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == 1_001
    assert counts[-2] < 1_001


@pytest.mark.parametrize("ratio", RATIOS)
def test_an_output_comes_as_soon_as_delay_further_inputs_are_there(ratio: tuple[int, int]) -> None:
    stream = Resampler(*ratio)
    for pushed in range(1, 400):
        stream.push(np.ones(1, dtype=np.int16))
        # The next output stands at input given·from/to and waits for what lies `delay` behind it.
        assert (pushed - 1 - stream.delay) < stream.given * ratio[0] / ratio[1]
        assert stream.given == 0 or stream.input_samples(stream.given - 1) + stream.delay <= pushed


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_tone_of_1_khz_keeps_85_db_to_noise_and_its_level(ratio: tuple[int, int]) -> None:
    amplitude, distance = fitted(resample(tone(1_000, ratio[0]), *ratio), 1_000, ratio[1])
    assert distance >= 85
    assert abs(20 * np.log10(amplitude / 10_000)) < 0.01


@pytest.mark.parametrize("ratio", [r for r in RATIOS if r[1] < r[0]])
def test_an_alias_at_1_1_nyquist_lies_78_db_down(ratio: tuple[int, int]) -> None:
    out = resample(tone(1.1 * ratio[1] / 2, ratio[0]), *ratio)[ratio[1] // 20 : -ratio[1] // 20]
    level = 20 * np.log10(np.sqrt(np.mean(out.astype(np.float64) ** 2)) / 7_071 + 1e-12)
    assert level <= -78


@pytest.mark.parametrize("ratio", RATIOS)
def test_positions_do_not_shift(ratio: tuple[int, int]) -> None:
    pulse = np.zeros(2_000, dtype=np.int16)
    pulse[900:1_100] = (12_000 * np.hanning(200)).astype(np.int16)
    out = resample(pulse, *ratio).astype(np.float64)
    centre = float(np.sum(out * np.arange(len(out))) / np.sum(out)) * ratio[0] / ratio[1]
    before = float(np.sum(pulse * np.arange(2_000.0)) / np.sum(pulse))
    assert abs(centre - before) < 0.05


def test_full_scale_is_clipped_and_does_not_wrap() -> None:
    square = np.where(np.arange(960) // 48 % 2, 32_767, -32_768).astype(np.int16)
    out = resample(square, 24_000, 48_000)
    assert not np.any(np.abs(np.diff(out.astype(np.int64))) > 65_000)
    assert out.max() == 32_767


@pytest.mark.parametrize("ratio", RATIOS)
def test_silence_is_as_long_as_sound_and_what_comes_out_are_16_bit_samples(
    ratio: tuple[int, int],
) -> None:
    stream = Resampler(*ratio)
    pieces = [stream.push(np.zeros(n, dtype=np.int16)) for n in (100, 1, 700, 199)]
    pieces += [stream.flush(), stream.flush()]
    assert sum(map(len, pieces)) == -(-1_000 * ratio[1] // ratio[0]) == stream.given
    assert not np.concatenate(pieces).any()
    assert {piece.dtype for piece in (*pieces, resample(noise(100), *ratio))} == {np.dtype("int16")}


def test_one_rate_needs_no_look_ahead() -> None:
    assert Resampler(24_000, 24_000).delay == 0
    assert Resampler(48_000, 24_000).delay > Resampler(24_000, 48_000).delay > 0


def test_the_least_and_the_highest_rate_are_rates() -> None:
    assert [checked_rate(rate, "rate") for rate in (1, 768_000)] == [1, 768_000]
    for rate in (0, 768_001):
        with pytest.raises(LocalValueError, match=rf"rate: {rate} is not"):
            checked_rate(rate, "rate")


def test_bytes_and_samples_are_the_same_to_it() -> None:
    sound = noise(100)
    assert np.array_equal(resample(bytes_of(sound), 24_000, 8_000), resample(sound, 24_000, 8_000))


@pytest.mark.parametrize("rates", [(0, 24_000), (24_000, -1), (24_000, 10_000_000)])
def test_a_rate_that_is_none_is_refused_by_name(rates: tuple[int, int]) -> None:
    with pytest.raises(LocalValueError, match=r"_rate: .* is not a sample rate"):
        Resampler(*rates)


def test_a_ratio_of_too_many_phases_is_refused() -> None:
    with pytest.raises(LocalValueError, match="ratio"):
        Resampler(767_999, 767_998)


def test_a_flushed_stream_takes_nothing_more() -> None:
    stream = Resampler(24_000, 48_000)
    stream.push(noise(10))
    stream.flush()
    assert len(stream.flush()) == 0
    with pytest.raises(LocalValueError, match="flushed"):
        stream.push(noise(1))
