"""What goes out on a line of each codec, and comes in on one of G.711."""

from __future__ import annotations

import numpy as np
import pytest

from bargein.audio.formats import decode, encode
from bargein.rtc.opus import Decoder
from bargein.server.sounds import G711Decoder, Sounds
from bargein.units import AudioFormat

FRAMES = 25


def tone(rate: int, hz: float = 400.0) -> bytes:
    wave = 8_000 * np.sin(2 * np.pi * hz * np.arange(FRAMES * rate // 50) / rate)
    return bytes(wave.astype("<i2").tobytes())


def pitch(pcm: bytes, rate: int) -> float:
    heard = np.frombuffer(pcm, "<i2")[rate // 10 :]
    return float(np.argmax(np.abs(np.fft.rfft(heard))) * rate / len(heard))


@pytest.mark.parametrize("format", list(AudioFormat))
@pytest.mark.parametrize("codec", ["opus", "pcmu", "pcma"])
def test_a_tone_in_any_format_is_the_same_tone_on_any_line(codec: str, format: AudioFormat) -> None:
    sounds = Sounds(codec)
    wire = encode(tone(format.rate), format)
    size = format.rate // 50 * format.bytes_per_sample
    packets = [sounds.encoded(wire[at : at + size], format) for at in range(0, len(wire), size)]
    assert len(packets) == FRAMES
    if codec == "opus":
        assert sounds.clock_rate == 48_000
        decoder = Decoder()
        heard = b"".join(decoder.decode(each) for each in packets)
    else:
        assert sounds.clock_rate == 8_000 and {len(each) for each in packets} == {160}
        line = G711Decoder(codec)
        heard = b"".join(line.decode(each) for each in packets)
    assert pitch(heard, 24_000) == pytest.approx(400, abs=5)
    assert abs(len(heard) - 960 * FRAMES) < 100
    assert np.abs(np.frombuffer(heard, "<i2")).max() > 6_000


def test_g711_on_its_own_line_goes_as_it_is() -> None:
    ulaw = encode(tone(8_000), AudioFormat.PCMU)[:160]
    assert Sounds("pcmu").encoded(ulaw, AudioFormat.PCMU) == ulaw
    crossed = Sounds("pcma").encoded(ulaw, AudioFormat.PCMU)
    assert crossed == encode(decode(ulaw, AudioFormat.PCMU), AudioFormat.PCMA)


def test_silence_is_silent_on_every_line() -> None:
    for codec, quiet in (("pcmu", b"\xff" * 160), ("pcma", b"\xd5" * 160)):
        sounds = Sounds(codec)
        sounds.silence()
        assert sounds.silence() == quiet
    assert len(Sounds("opus").silence()) < 100


def test_a_lost_frame_of_g711_is_20_ms_of_silence() -> None:
    line = G711Decoder("pcmu")
    assert line.conceal() == line.recover(b"x" * 160) == bytes(960)
