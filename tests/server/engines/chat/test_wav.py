"""WAV as this engine writes and reads it."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest

from bargein.server.engines.chat.wav import BadWavError, WavReader, wav_of

TONE = np.arange(-500, 500, dtype=np.int16)


def read(data: bytes, size: int) -> tuple[list[int], int | None]:
    reader = WavReader()
    samples = [
        sample
        for start in range(0, len(data), size)
        for sample in reader.push(data[start : start + size]).tolist()
    ]
    return samples, reader.rate


def written(channels: int = 1, width: int = 2, rate: int = 22_050, frames: bytes = b"") -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(frames or TONE.tobytes())
    return file.getvalue()


def test_what_is_written_is_what_pythons_own_reader_reads() -> None:
    with wave.open(io.BytesIO(wav_of(TONE, 8_000))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8_000)
        assert file.readframes(10_000) == TONE.tobytes()


@pytest.mark.parametrize("size", [1, 3, 45, 100_000])
def test_a_stream_in_pieces_of_any_length_gives_its_samples(size: int) -> None:
    assert read(written(), size) == (TONE.tolist(), 22_050)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_other_chunks_are_passed_over_and_what_stands_behind_the_sound_is_no_sound(
    size: int,
) -> None:
    wav = wav_of(TONE, 24_000)
    odd = wav[:12] + struct.pack("<4sI", b"LIST", 3) + b"abc\0" + wav[12:] + b"tail"
    assert read(odd, size) == (TONE.tolist(), 24_000)


@pytest.mark.parametrize("length", [0, 0xFFFF_FFFF])
def test_a_length_that_is_not_known_is_the_rest_of_the_stream(length: int) -> None:
    wav = bytearray(wav_of(TONE, 24_000))
    struct.pack_into("<I", wav, 40, length)
    assert read(bytes(wav), 64) == (TONE.tolist(), 24_000)


def test_of_several_channels_the_mean_is_taken() -> None:
    both = np.column_stack((TONE, -TONE)).astype("<i2").tobytes()
    assert read(written(channels=2, frames=both), 10)[0] == [0] * len(TONE)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"RIFFxxxxAVI LIST", "RIFF and WAVE"),
        (written(width=1), "8 bits"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "before its format"),
        (b"RIFF\0\0\0\0WAVEfmt \4\0\0\0abcd", "cut short"),
        (b"RIFF\0\0\0\0WAVELIST" + struct.pack("<I", 1 << 20) + bytes(70_000), "64 KiB"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, why: str) -> None:
    with pytest.raises(BadWavError, match=why):
        read(data, 100_000)
