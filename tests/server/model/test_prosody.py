"""What the end of a voice tells: it falls where a statement ends and stays where one breaks off."""

from __future__ import annotations

import numpy as np
import pytest

from bargein.server.model.prosody import Prosody
from bargein.server.model.vad import FRAME_SAMPLES, RATE, Floats, Pcm


def voice(heights_hz: Floats, level: float = 6_000.0) -> Pcm:
    """A voice with harmonics that has these pitches, one for each 10 ms."""
    pitch = np.repeat(heights_hz, RATE // 100)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = sum(np.sin(n * phase) / n for n in range(1, 8))
    return np.asarray(level * sound).astype(np.int16)


def heard(*sounds: Pcm) -> Prosody:
    prosody = Prosody()
    pcm = np.concatenate(sounds)
    for start in range(0, len(pcm) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        prosody.hear(pcm[start : start + FRAME_SAMPLES])
    return prosody


def level(hz: float, ms: int) -> Floats:
    return np.full(ms // 10, hz)


@pytest.mark.parametrize("hz", [90, 120, 210, 300])
def test_a_voice_that_falls_lets_go_and_one_that_stays_does_not(hz: float) -> None:
    stays = heard(voice(level(hz, 1_000)))
    falls = heard(voice(np.concatenate([level(hz, 800), np.linspace(hz, hz * 0.7, 30)])))
    rises = heard(voice(np.concatenate([level(hz, 800), np.linspace(hz, hz * 1.4, 30)])))
    assert stays.fall is not None and stays.fall < 0.1
    assert falls.fall is not None and falls.fall > 0.7
    assert rises.fall is not None and rises.fall < 0.1


def test_what_comes_after_the_voice_changes_nothing() -> None:
    falling = voice(np.concatenate([level(200, 800), np.linspace(200, 140, 30)]))
    noise = np.random.default_rng(1).normal(0, 100, 2 * RATE).astype(np.int16)
    alone = heard(falling, np.zeros(1_000, np.int16)).fall
    assert heard(falling, np.zeros(2 * RATE, np.int16)).fall == alone
    assert heard(falling, noise).fall == pytest.approx(alone, abs=0.1)


@pytest.mark.parametrize("sound", [np.zeros(RATE, np.int16), voice(level(200, 150))])
def test_without_much_voice_there_is_nothing_to_tell(sound: Pcm) -> None:
    assert heard(sound).fall is None


def test_noise_is_no_voice() -> None:
    noise = np.random.default_rng(2).normal(0, 3_000, RATE).astype(np.int16)
    assert heard(noise).fall is None


def test_the_loudness_does_not_matter() -> None:
    pitches = np.concatenate([level(150, 800), np.linspace(150, 110, 30)])
    loud, soft = heard(voice(pitches, 8_000)), heard(voice(pitches, 200))
    assert loud.fall == pytest.approx(soft.fall, abs=0.05)
