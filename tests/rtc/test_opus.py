"""libopus by ctypes: there and back, what is lost, and what is no Opus."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from bargein.errors import LocalValueError, TransportError
from bargein.rtc import opus
from bargein.rtc.opus import Decoder, Encoder

RATE = 24_000
FRAME = RATE // 50


def tone(frames: int, hz: float = 440.0) -> bytes:
    at = np.arange(frames * FRAME) / RATE
    wave: bytes = (8_000 * np.sin(2 * np.pi * hz * at)).astype("<i2").tobytes()
    return wave


def packets(pcm: bytes) -> list[bytes]:
    encoder = Encoder()
    return [encoder.encode(pcm[at : at + 2 * FRAME]) for at in range(0, len(pcm), 2 * FRAME)]


def loudness(pcm: bytes) -> float:
    return float(np.sqrt(np.mean(np.frombuffer(pcm, "<i2").astype(float) ** 2)))


def test_a_tone_comes_back_as_loud_and_as_long_in_a_twelfth_of_the_bytes() -> None:
    coded = packets(tone(50))
    decoder = Decoder()
    heard = b"".join(decoder.decode(each) for each in coded)
    assert len(heard) == len(tone(50))
    assert loudness(heard[20 * FRAME :]) == pytest.approx(8_000 / 2**0.5, rel=0.1)
    assert sum(map(len, coded)) * 10 < len(heard)
    assert {opus.duration_samples(each) for each in coded} == {960}
    # The tone, and not some noise that is as loud.
    spectrum = np.abs(np.fft.rfft(np.frombuffer(heard[-40 * FRAME :], "<i2")))
    assert np.argmax(spectrum) * RATE / (20 * FRAME) == pytest.approx(440, abs=RATE / 20 / FRAME)


def test_silence_takes_few_bytes_and_is_silent_again() -> None:
    coded = packets(bytes(2 * FRAME * 20))
    decoder = Decoder()
    heard = b"".join(decoder.decode(each) for each in coded)
    assert loudness(heard) < 1 and max(map(len, coded[5:])) < 40


def test_a_lost_frame_is_recovered_from_the_copy_in_the_next_one_better_than_concealed() -> None:
    rng = np.random.default_rng(1)
    # Speech-like: a pulse train whose pitch wanders, so that a frame cannot be guessed.
    pitch = 90 + 60 * np.repeat(rng.random(100), FRAME)
    voice = np.sin(np.cumsum(2 * np.pi * pitch / RATE)) ** 15 * 9_000
    voice *= np.repeat(0.2 + rng.random(100), FRAME)
    coded = packets(voice.astype("<i2").tobytes())
    whole = Decoder()
    true = [whole.decode(each) for each in coded]

    def error_of(recovers: bool) -> float:
        decoder, total = Decoder(), 0.0
        for index, payload in enumerate(coded[:-1]):
            if index % 10 == 5:
                made = decoder.recover(coded[index + 1]) if recovers else decoder.conceal()
                assert len(made) == 2 * FRAME
                apart = np.frombuffer(made, "<i2").astype(float) - np.frombuffer(true[index], "<i2")
                total += float(np.sum(apart**2))
            else:
                decoder.decode(payload)
        return total

    assert error_of(recovers=True) < 0.7 * error_of(recovers=False)


def test_concealment_fades_to_silence() -> None:
    decoder = Decoder()
    for each in packets(tone(20)):
        decoder.decode(each)
    made = [loudness(decoder.conceal()) for _ in range(50)]
    assert made[0] > 1_000 and made[-1] < 20


def test_what_is_no_opus_is_concealed_and_counted() -> None:
    decoder = Decoder()
    rubbish = b"\xff" * 3
    assert opus.duration_samples(rubbish) == 0
    for wrong in (decoder.decode(rubbish), decoder.recover(rubbish), decoder.decode(b"")):
        assert len(wrong) == 2 * FRAME
    assert decoder.broken == 2 and len(decoder.recover(b"")) == 2 * FRAME


def test_a_packet_may_be_longer_than_a_frame() -> None:
    lib = opus.library()
    error = ctypes.c_int()
    state = lib.opus_encoder_create(48_000, 2, 2048, ctypes.byref(error))
    packet = ctypes.create_string_buffer(1_275)
    stereo = bytes(4 * 48_000 * 60 // 1_000)
    size = lib.opus_encode(state, stereo, 48_000 * 60 // 1_000, packet, 1_275)
    lib.opus_encoder_destroy(state)
    payload = packet.raw[:size]
    assert opus.duration_samples(payload) == 2_880
    assert len(Decoder().decode(payload)) == 3 * 2 * FRAME
    assert len(Decoder(frame_ms=60).conceal()) == 3 * 2 * FRAME


def test_a_frame_of_another_length_or_rate_is_refused() -> None:
    with pytest.raises(LocalValueError, match="give 960"):
        Encoder().encode(bytes(958))
    with pytest.raises(LocalValueError, match="Opus has 8000"):
        Encoder(44_100)
    with pytest.raises(LocalValueError, match="Opus has 8000"):
        Decoder(22_050)


def test_where_there_is_no_library_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    opus.library.cache_clear()
    monkeypatch.setattr(opus, "_places", lambda: iter(["/nowhere/libopus.so"]))
    with pytest.raises(TransportError, match=r"bargein\[webrtc\]"):
        opus.library()
    monkeypatch.undo()
    opus.library.cache_clear()
    assert Encoder() and Decoder()
