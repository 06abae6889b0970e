"""The user's voice in chunks."""

from __future__ import annotations

import numpy as np

from bargein.audio.formats import decode, samples_of
from bargein.core import inputs
from bargein.sim.actors.microphone import Microphone
from bargein.sim.world import World
from bargein.units import AudioFormat


def _hear(sound_format: AudioFormat, *, muted: bool = False) -> tuple[World, list[np.ndarray]]:
    world = World()
    chunks: list[np.ndarray] = []

    def give(happened: inputs.Input) -> None:
        assert isinstance(happened, inputs.Captured)
        chunks.append(samples_of(decode(happened.audio, sound_format)))

    microphone = Microphone(40, world=world, give=give)
    microphone.format, microphone.muted = sound_format, muted
    microphone.speak(100_000, 90_000)
    world.run(1_000_000, at_most=100)
    assert microphone.resting
    return world, chunks


def test_speech_is_loud_for_so_long_and_silence_follows() -> None:
    for sound_format in AudioFormat:
        _, chunks = _hear(sound_format)
        sound = np.concatenate(chunks)
        per_ms = sound_format.rate // 1_000

        assert [len(chunk) for chunk in chunks] == [40 * per_ms] * 5
        assert (np.abs(sound[: 100 * per_ms].astype(int)) > 4_000).all()
        assert (np.abs(sound[100 * per_ms :].astype(int)) < 20).all()


def test_a_muted_microphone_gives_silence_of_the_same_length() -> None:
    _, chunks = _hear(AudioFormat.PCM, muted=True)

    assert sum(len(chunk) for chunk in chunks) == 200 * 24
    assert not np.concatenate(chunks).any()
