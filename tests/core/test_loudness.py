"""How loud a sound is: levels, sound of the same levels, and what is kept of a part."""

from __future__ import annotations

import numpy as np
import pytest

from bargein.audio.formats import bytes_of, encode
from bargein.core import loudness
from bargein.core.loudness import LEVELS, Loudness, levels_of, sound_of
from bargein.units import AudioFormat

FORMATS = list(AudioFormat)


def noise(samples: int, magnitude: int, audio_format: AudioFormat) -> bytes:
    drawn = np.random.default_rng(samples).normal(0, magnitude, samples)
    return encode(bytes_of(drawn.clip(-32_768, 32_767).astype(np.int16)), audio_format)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_louder_sound_has_a_higher_level_in_every_format(audio_format: AudioFormat) -> None:
    frame = audio_format.rate // 50
    levels = [
        levels_of(noise(frame, each, audio_format), audio_format)[0] for each in (0, 300, 9_000)
    ]
    assert 0 == levels[0] < levels[1] < levels[2] < LEVELS


@pytest.mark.parametrize("audio_format", FORMATS)
@pytest.mark.parametrize("samples", [1, 3, 160, 481, 5_997])
@pytest.mark.parametrize("magnitude", [0, 20, 100, 1_000, 30_000])
def test_sound_of_the_levels_of_a_sound_has_its_length_and_levels(
    audio_format: AudioFormat, samples: int, magnitude: int
) -> None:
    wire = noise(samples, magnitude, audio_format)
    levels = levels_of(wire, audio_format)
    stands_for_it = sound_of(levels, len(wire), audio_format)
    assert len(stands_for_it) == len(wire)
    assert levels_of(stands_for_it, audio_format) == levels


def test_half_a_sample_keeps_its_byte_and_has_no_level() -> None:
    assert levels_of(b"\x00", AudioFormat.PCM) == b""
    assert sound_of(b"", 1, AudioFormat.PCM) == b"\x00"


def test_frames_end_where_they_end_in_the_part() -> None:
    kept = Loudness(AudioFormat.PCM)
    kept.add(noise(1_000, 0, AudioFormat.PCM))
    kept.add(noise(480, 9_000, AudioFormat.PCM))
    levels, ends = kept.frames()
    assert list(ends) == [480, 960, 1_000, 1_480]
    assert levels[:3] == bytes(3) and levels[3] > 0


def test_what_is_kept_of_a_part_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loudness, "UNREAD_LIMIT_BYTES", 2_000)
    monkeypatch.setattr(loudness, "FRAMES_LIMIT", 10)
    kept = Loudness(AudioFormat.PCM)
    looked_into: list[int] = []

    def look(wire: bytes, _: AudioFormat) -> bytes:
        looked_into.append(len(wire))
        return bytes(1)

    monkeypatch.setattr(loudness, "levels_of", look)
    kept.add(bytes(960))
    kept.add(bytes(960))
    assert looked_into == [], "nobody has asked"
    kept.add(bytes(960))
    assert looked_into == [960] * 3
    for _ in range(20):
        kept.add(bytes(960))
    assert len(kept.frames()[1]) == 10 == len(looked_into)
