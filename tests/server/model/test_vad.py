"""The detectors and the turns they make, on the clock of the audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bargein.errors import LocalValueError
from bargein.server.engines.weights import silero_weights
from bargein.server.model.vad import (
    FRAME_MS,
    FRAME_SAMPLES,
    WEIGHT_SHAPES,
    EnergyVad,
    Pcm,
    SileroVad,
    SpeechStarted,
    SpeechStopped,
    TurnDetector,
    TurnSettings,
)

GOLDEN = Path(__file__).parents[2] / "data" / "silero_golden.npz"
LOUD = np.full(FRAME_SAMPLES, 5_000, np.int16)
QUIET = np.zeros(FRAME_SAMPLES, np.int16)


class Scripted:
    """A detector whose probabilities are given; counts how often it is reset."""

    def __init__(self, probabilities: list[float]) -> None:
        self.left = list(probabilities)
        self.resets = 0

    def probability(self, frame: Pcm) -> float:
        assert frame.shape == (FRAME_SAMPLES,)
        return self.left.pop(0)

    def reset(self) -> None:
        self.resets += 1


def frames(count: int, frame: Pcm = QUIET) -> Pcm:
    return np.tile(frame, count)


def decided(
    probabilities: list[float], turn_settings: TurnSettings
) -> list[SpeechStarted | SpeechStopped]:
    return TurnDetector(Scripted(probabilities), turn_settings).feed(frames(len(probabilities)))


def peak(pcm: Pcm) -> float:
    detector = SileroVad(silero_weights())
    return max(detector.probability(frame) for frame in pcm.reshape(-1, FRAME_SAMPLES))


# Silero


def test_silero_equals_onnxruntime_frame_by_frame() -> None:
    with np.load(GOLDEN) as golden:
        pcm, expected = golden["pcm"], golden["probabilities"]
    detector = SileroVad(silero_weights())
    ours = [detector.probability(frame) for frame in pcm.reshape(-1, FRAME_SAMPLES)]
    assert expected.min() < 0.02 and expected.max() > 0.98  # the clip holds silence and speech
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)


def test_silero_after_reset_has_forgotten_what_it_heard() -> None:
    with np.load(GOLDEN) as golden:
        clip = golden["pcm"].reshape(-1, FRAME_SAMPLES)
    detector = SileroVad(silero_weights())
    first = [detector.probability(frame) for frame in clip[:12]]
    assert [detector.probability(frame) for frame in clip[:12]] != first
    detector.reset()
    assert [detector.probability(frame) for frame in clip[:12]] == first


def test_two_silero_detectors_share_weights_and_no_memory() -> None:
    with np.load(GOLDEN) as golden:
        clip = golden["pcm"].reshape(-1, FRAME_SAMPLES)
    alone = SileroVad(silero_weights())
    expected = [alone.probability(frame) for frame in clip[:12]]
    one, other = SileroVad(silero_weights()), SileroVad(silero_weights())
    interleaved = []
    for i, frame in enumerate(clip[:12]):
        interleaved.append(one.probability(frame))
        other.probability(clip[-1 - i])
    assert interleaved == expected


SECONDS_OF_FRAMES = 5 * 32


def noise(rms: float) -> Pcm:
    samples = np.random.default_rng(5).normal(size=SECONDS_OF_FRAMES * FRAME_SAMPLES) * rms
    return samples.astype(np.int16)


def tone(hertz: int) -> Pcm:
    at = np.arange(SECONDS_OF_FRAMES * FRAME_SAMPLES) / 16_000
    return (8_000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


def clicks(click_samples: int) -> Pcm:
    """Decaying bursts of noise, 0.3 s apart, at every place in the frame."""
    dice = np.random.default_rng(6)
    pcm = np.zeros(SECONDS_OF_FRAMES * FRAME_SAMPLES)
    decay = np.exp(-3 * np.arange(click_samples) / click_samples)
    for at in range(1_000, len(pcm) - click_samples, 5_003):
        pcm[at : at + click_samples] = dice.normal(size=click_samples) * 9_000 * decay
    return np.clip(pcm, -32_768, 32_767).astype(np.int16)


@pytest.mark.parametrize(
    "pcm",
    [
        pytest.param(frames(SECONDS_OF_FRAMES), id="silence"),
        pytest.param(noise(30), id="low noise"),
        pytest.param(noise(1_000), id="noise"),
        pytest.param(tone(440), id="440 Hz"),
        pytest.param(tone(1_000), id="1 kHz"),
        pytest.param(clicks(1), id="ticks"),
        pytest.param(clicks(80), id="clicks of 5 ms"),
        pytest.param(clicks(800), id="knocks of 50 ms"),
    ],
)
def test_silero_takes_for_silence_what_is_no_speech(pcm: Pcm) -> None:
    assert peak(pcm) < 0.35
    assert TurnDetector(SileroVad(silero_weights()), TurnSettings()).feed(pcm) == []


@pytest.mark.parametrize("level", [-32_768, 32_767])
def test_silero_stays_a_probability_at_full_scale(level: int) -> None:
    assert 0 <= peak(np.full(50 * FRAME_SAMPLES, level, np.int16)) <= 1


def test_silero_refuses_weights_that_are_not_its_own() -> None:
    weights = dict(silero_weights())
    assert set(weights) == set(WEIGHT_SHAPES)
    del weights["lstm.hidden_bias"]
    with pytest.raises(LocalValueError, match=r"lstm\.hidden_bias"):
        SileroVad(weights)
    weights["lstm.hidden_bias"] = np.zeros(511, np.float32)
    with pytest.raises(LocalValueError, match=r"lstm\.hidden_bias.*\(511,\).*\(512,\)"):
        SileroVad(weights)


@pytest.mark.parametrize(
    "frame",
    [np.zeros(511, np.int16), np.zeros(512, np.float32), np.zeros((1, 512), np.int16)],
)
def test_a_frame_of_another_form_is_refused(frame: Pcm) -> None:
    for detector in (EnergyVad(), SileroVad(silero_weights())):
        with pytest.raises(LocalValueError, match="512 int16 samples at 16000 Hz"):
            detector.probability(frame)


# Energy


def test_energy_is_speech_from_its_level_on() -> None:
    detector = EnergyVad(threshold_rms=500)
    assert detector.probability(np.full(FRAME_SAMPLES, 499, np.int16)) == 0.0
    assert detector.probability(np.full(FRAME_SAMPLES, -500, np.int16)) == 1.0
    assert detector.probability(np.full(FRAME_SAMPLES, -32_768, np.int16)) == 1.0


@pytest.mark.parametrize("level", [0.0, -1.0, float("nan")])
def test_energy_needs_a_level_above_nothing(level: float) -> None:
    with pytest.raises(LocalValueError, match="threshold_rms"):
        EnergyVad(threshold_rms=level)


# Turns: the grid of protocol.md §5


def test_a_turn_starts_at_the_boundary_of_detection_less_the_prefix() -> None:
    events = decided([0.1] * 54 + [0.5], TurnSettings(prefix_padding_ms=300))
    assert events == [SpeechStarted(audio_start_ms=1_460)]  # the service's own: 55 * 32 - 300


def test_a_turn_that_starts_early_starts_at_zero() -> None:
    assert decided([0.9], TurnSettings(prefix_padding_ms=300)) == [SpeechStarted(0)]


@pytest.mark.parametrize(
    ("silence_duration_ms", "silent_frames"), [(500, 16), (200, 7), (32, 1), (33, 2), (0, 1)]
)
def test_a_turn_stops_with_the_frame_that_completes_the_silence(
    silence_duration_ms: int, silent_frames: int
) -> None:
    turn_settings = TurnSettings(silence_duration_ms=silence_duration_ms)
    probabilities = [0.9] * 10 + [0.0] * silent_frames
    assert decided(probabilities[:-1], turn_settings) == [SpeechStarted(0)]
    assert decided(probabilities, turn_settings)[1:] == [
        SpeechStopped(audio_end_ms=(10 + silent_frames) * FRAME_MS)
    ]


def test_the_next_turn_may_start_before_the_last_one_ended() -> None:
    turn_settings = TurnSettings(prefix_padding_ms=300, silence_duration_ms=200)
    events = decided([0.9] * 20 + [0.0] * 7 + [0.0, 0.0, 0.9], turn_settings)
    assert events[1:] == [SpeechStopped(27 * FRAME_MS), SpeechStarted(30 * FRAME_MS - 300)]
    assert 30 * FRAME_MS - 300 < 27 * FRAME_MS


def test_speech_within_the_silence_begins_it_anew() -> None:
    turn_settings = TurnSettings(silence_duration_ms=96)
    events = decided([0.9, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0], turn_settings)
    assert events == [SpeechStarted(0), SpeechStopped(7 * FRAME_MS)]


def test_the_silence_of_one_turn_is_not_counted_in_the_next() -> None:
    turn_settings = TurnSettings(prefix_padding_ms=0, silence_duration_ms=96)
    events = decided([0.9, 0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0], turn_settings)
    assert events == [
        *(SpeechStarted(1 * FRAME_MS), SpeechStopped(4 * FRAME_MS)),
        *(SpeechStarted(5 * FRAME_MS), SpeechStopped(8 * FRAME_MS)),
    ]


def test_a_frame_between_the_thresholds_neither_begins_nor_undoes_silence() -> None:
    turn_settings = TurnSettings(silence_duration_ms=96)
    assert decided([0.9] + [0.4] * 9, turn_settings) == [SpeechStarted(0)]
    events = decided([0.9, 0.4, 0.3, 0.4, 0.4, 0.3], turn_settings)
    assert events == [SpeechStarted(0), SpeechStopped(6 * FRAME_MS)]


def test_a_turn_can_stop_under_a_threshold_too_low_for_the_margin() -> None:
    turn_settings = TurnSettings(threshold=0.1, silence_duration_ms=32)
    assert decided([0.2, 0.02, 0.005], turn_settings)[1:] == [SpeechStopped(3 * FRAME_MS)]


def test_the_clock_runs_through_turns_and_clears() -> None:
    """Three equal clips give equal steps, as in the service's log (7488 ms each)."""
    turns = TurnDetector(EnergyVad(), TurnSettings(silence_duration_ms=200))
    starts = []
    for _ in range(3):
        events = turns.feed(np.concatenate([frames(60), frames(40, LOUD), frames(134)]))
        starts += [event.audio_start_ms for event in events if isinstance(event, SpeechStarted)]
        turns.reset()
    assert starts == [1_652, 1_652 + 7_488, 1_652 + 2 * 7_488]
    assert turns.clock_samples == 3 * 7_488 * 16


@settings(max_examples=50, deadline=None)
@given(cuts=st.lists(st.integers(0, 40 * FRAME_SAMPLES), max_size=30))
def test_the_size_of_the_chunks_changes_nothing(cuts: list[int]) -> None:
    pcm = np.concatenate([QUIET, frames(5, LOUD), frames(9), frames(5, LOUD), frames(20)])
    pcm = np.roll(pcm, 100)
    turn_settings = TurnSettings(silence_duration_ms=200)
    whole = TurnDetector(EnergyVad(), turn_settings).feed(pcm)
    assert [type(event) for event in whole] == [SpeechStarted, SpeechStopped] * 2
    turns = TurnDetector(EnergyVad(), turn_settings)
    in_pieces = [event for piece in np.split(pcm, sorted(cuts)) for event in turns.feed(piece)]
    assert in_pieces == whole
    assert turns.clock_samples == len(pcm)


def test_a_frame_is_judged_when_its_last_sample_is_there() -> None:
    turns = TurnDetector(EnergyVad(), TurnSettings())
    assert turns.feed(LOUD[:511]) == []
    assert turns.feed(LOUD[511:]) == [SpeechStarted(0)]


def test_a_reset_forgets_the_turn_and_keeps_the_time() -> None:
    detector = Scripted([0.9, 0.9, 0.0, 0.9])
    turns = TurnDetector(detector, TurnSettings(prefix_padding_ms=0, silence_duration_ms=32))
    turns.feed(frames(2))
    was_speaking = turns.speaking
    turns.reset()
    assert (was_speaking, turns.speaking, detector.resets) == (True, False, 1)
    assert turns.feed(frames(1)) == []  # a silence that ends no turn
    assert turns.feed(frames(1)) == [SpeechStarted(4 * FRAME_MS)]


def test_what_was_cleared_is_not_heard_within_the_next_frame() -> None:
    turns = TurnDetector(EnergyVad(), TurnSettings())
    turns.feed(LOUD[:500])
    turns.reset()
    assert turns.feed(QUIET[:12]) == []
    assert turns.clock_samples == FRAME_SAMPLES


def test_new_settings_hold_from_the_next_frame_within_a_turn() -> None:
    turns = TurnDetector(Scripted([0.9, 0.0, 0.0, 0.0]), TurnSettings(silence_duration_ms=500))
    turns.feed(frames(3))
    turns.settings = TurnSettings(silence_duration_ms=96)
    assert turns.feed(frames(1)) == [SpeechStopped(4 * FRAME_MS)]


def test_without_settings_audio_moves_the_clock_and_nothing_else() -> None:
    detector = Scripted([0.9, 0.9])
    turns = TurnDetector(detector, TurnSettings(prefix_padding_ms=0))
    turns.feed(frames(1))
    turns.settings = None
    assert turns.feed(frames(3)[:-12]) == []
    assert not turns.speaking
    turns.settings = TurnSettings(prefix_padding_ms=0)
    assert turns.feed(frames(1)[:12]) == [SpeechStarted(4 * FRAME_MS)]


def test_the_detector_can_be_exchanged_within_a_turn() -> None:
    turns = TurnDetector(EnergyVad(), TurnSettings(silence_duration_ms=64))
    assert turns.feed(frames(2, LOUD)) == [SpeechStarted(0)]
    turns.detector = Scripted([0.0, 0.0])
    assert turns.feed(frames(2, LOUD)) == [SpeechStopped(4 * FRAME_MS)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", 1.1),
        ("threshold", float("nan")),
        ("prefix_padding_ms", -1),
        ("silence_duration_ms", -1),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(LocalValueError, match=name):
        TurnSettings(**{name: value})  # type: ignore[arg-type]  # the wrong value is the point


def test_audio_of_another_form_is_refused() -> None:
    turns = TurnDetector(EnergyVad(), TurnSettings())
    with pytest.raises(LocalValueError, match="int16 mono"):
        turns.feed(np.zeros((2, 512), np.int16))
    assert turns.clock_samples == 0
