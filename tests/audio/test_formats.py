"""G.711 against published vectors and, where Python still has it, `audioop`."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.audio.formats import bytes_of, decode, encode, samples_of
from bargein.errors import LocalValueError
from bargein.units import AudioFormat

ALL_CODES = bytes(range(256))
ALL_SAMPLES = np.arange(-32768, 32768).astype("<i2").tobytes()


def test_published_values_of_g711_hold() -> None:
    # ITU-T G.711 tables 1 and 2: silence, the largest values, both signs (16-bit scale).
    ulaw = {0xFF: 0, 0x7F: 0, 0x80: 32124, 0x00: -32124, 0xFE: 8, 0x7E: -8}
    alaw = {0xD5: 8, 0x55: -8, 0xAA: 32256, 0x2A: -32256}
    for table, audio_format in ((ulaw, AudioFormat.PCMU), (alaw, AudioFormat.PCMA)):
        for code, value in table.items():
            assert int(samples_of(decode(bytes([code]), audio_format))[0]) == value


@pytest.mark.parametrize("audio_format", [AudioFormat.PCMU, AudioFormat.PCMA])
def test_every_code_survives_decoding_and_encoding(audio_format: AudioFormat) -> None:
    again = encode(decode(ALL_CODES, audio_format), audio_format)
    # µ-law has two zeros; both mean silence, and the positive one is written.
    same = ALL_CODES.replace(b"\x7f", b"\xff") if audio_format is AudioFormat.PCMU else ALL_CODES
    assert again == same


@pytest.mark.parametrize("name", ["ulaw", "alaw"])
def test_tables_equal_audioop_for_every_sample_and_every_code(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop", reason="gone since Python 3.13")
        importlib.import_module("audioop")
    audio_format = {"ulaw": AudioFormat.PCMU, "alaw": AudioFormat.PCMA}[name]
    assert encode(ALL_SAMPLES, audio_format) == getattr(audioop, f"lin2{name}")(ALL_SAMPLES, 2)
    assert decode(ALL_CODES, audio_format) == getattr(audioop, f"{name}2lin")(ALL_CODES, 2)


@given(st.binary(max_size=200), st.sampled_from([AudioFormat.PCMU, AudioFormat.PCMA]))
def test_one_wire_byte_is_one_sample(wire: bytes, audio_format: AudioFormat) -> None:
    pcm = decode(wire, audio_format)
    assert len(pcm) == 2 * len(wire)
    assert len(encode(pcm, audio_format)) == len(wire)


def test_pcm_passes_unchanged() -> None:
    assert (
        encode(decode(b"\x01\x02\x03\x04", AudioFormat.PCM), AudioFormat.PCM) == b"\x01\x02\x03\x04"
    )
    assert bytes_of(samples_of(b"\x01\x02")) == b"\x01\x02"


def test_samples_are_a_view_of_the_bytes_and_no_copy() -> None:
    buffer = bytearray(b"\1\0\2\0")
    samples = samples_of(buffer)
    buffer[0] = 7
    assert samples.tolist() == [7, 2]


@pytest.mark.parametrize("audio_format", list(AudioFormat))
def test_half_a_sample_is_refused_with_the_way_out(audio_format: AudioFormat) -> None:
    with pytest.raises(LocalValueError, match=r"pcm: 3 bytes .* odd byte"):
        encode(b"\0\0\0", audio_format)
    with pytest.raises(LocalValueError, match=r"wire: 3 bytes"):
        decode(b"\0\0\0", AudioFormat.PCM)
