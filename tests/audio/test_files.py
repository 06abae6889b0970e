"""Files of sound: what is read, what is refused and why, what is written."""

from __future__ import annotations

import asyncio
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from tests.virtual_loop import run

from bargein.audio.base import Report
from bargein.audio.card_settings import CardSettings
from bargein.audio.files import Audio, Wav, read_sound, write_wav
from bargein.audio.formats import Samples, bytes_of
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.errors import DeviceError, LocalValueError

soundfile = pytest.importorskip("soundfile", reason="comes with the extra local")


def sound(samples: int) -> Samples:
    return np.random.default_rng(5).integers(-9_000, 9_000, samples).astype(np.int16)


def test_what_is_written_is_read_back_bit_by_bit(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", sound(5_000), 22_050)
    samples, rate = read_sound(tmp_path / "a.wav")
    assert rate == 22_050
    assert np.array_equal(samples, sound(5_000))


def test_what_is_written_belongs_to_its_owner_alone_and_leaves_no_other_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_wav(path, np.stack([sound(10), sound(10)], axis=1), 24_000)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]
    with wave.open(str(path)) as read:
        assert (read.getnchannels(), read.getnframes(), read.getframerate()) == (2, 10, 24_000)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"nowhere/a\.wav: cannot be written: No such file"):
        write_wav(tmp_path / "nowhere" / "a.wav", sound(10), 24_000)
    (tmp_path / "d").mkdir()
    with pytest.raises(DeviceError, match="d: cannot be written"):
        write_wav(tmp_path / "d", sound(10), 24_000)
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_samples_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalValueError, match=r"samples: int16 \(2, 3\)"):
        write_wav(tmp_path / "a.wav", np.zeros((2, 3), dtype=np.int16), 24_000)


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".wav", ".aiff"])
def test_any_format_of_libsndfile_is_read_and_stereo_is_mixed_down(
    tmp_path: Path, suffix: str
) -> None:
    t = np.arange(44_100) / 44_100
    left = 0.5 * np.sin(2 * np.pi * 440 * t)
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, np.stack([left, np.zeros_like(left)], axis=1), 44_100)
    samples, rate = read_sound(path)
    assert (rate, len(samples)) == (44_100, 44_100)
    assert np.max(np.abs(samples / 32_768 - left / 2)) < 0.02


def test_a_float_file_beyond_full_scale_is_clipped(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.array([0.5, 2.0, -2.0, np.nan]), 8_000, subtype="FLOAT")
    assert list(read_sound(path)[0]) == [16_384, 32_767, -32_768, 0]


def test_a_wav_that_was_streamed_has_no_promised_length_and_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, sound(800), 8_000)
    raw = bytearray(path.read_bytes())
    raw[4:8] = raw[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(raw)
    assert len(read_sound(path)[0]) == 800


def test_files_that_are_no_whole_sound_are_named_with_the_reason(tmp_path: Path) -> None:
    whole = tmp_path / "whole.wav"
    write_wav(whole, sound(5_000), 24_000)
    flac = tmp_path / "whole.flac"
    soundfile.write(flac, sound(50_000), 24_000)
    cases = {
        "missing.wav": None,
        "empty.wav": b"",
        "text.wav": b"this is no sound at all, only words" * 9,
        "cut.wav": whole.read_bytes()[:4_000],
        "head.wav": whole.read_bytes()[:20],
        "cut.flac": flac.read_bytes()[:20_000],
    }
    reasons = {
        "missing.wav": "No such file",
        "empty.wav": "is empty",
        "text.wav": "cannot be read as sound",
        "cut.wav": "truncated",
        "head.wav": "cannot be read as sound",
        "cut.flac": "truncated|cannot be read as sound",
    }
    for name, content in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(DeviceError, match=f"{name}: .*({reasons[name]})"):
            read_sound(tmp_path / name)
    with pytest.raises(DeviceError, match="is a directory"):
        read_sound(tmp_path)
    write_wav(tmp_path / "none.wav", sound(0), 24_000)
    with pytest.raises(DeviceError, match=r"none\.wav: holds no sound"):
        read_sound(tmp_path / "none.wav")


def test_without_soundfile_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(DeviceError, match=r"bargein\[local\]"):
        read_sound(tmp_path / "a.wav")


def test_a_wav_is_the_microphone_and_the_ear_is_written_on_one_time_axis(tmp_path: Path) -> None:
    write_wav(tmp_path / "in.wav", sound(12_000), 24_000)

    async def main() -> tuple[int, bytes]:
        pair = Wav(tmp_path / "in.wav", tmp_path / "ear.wav", CardSettings(latency_us=100_000))
        reports: list[Report] = []
        captured = bytearray()
        pair.player.attach(reports.append)
        await asyncio.sleep(0.25)
        pair.recorder.attach(lambda pcm, rate: captured.extend(pcm))
        pair.recorder.start()
        await asyncio.sleep(0.75)
        pair.player.play("a", bytes_of(np.full(2_400, 7_000, dtype=np.int16)), 24_000)
        pair.player.finish("a")
        await asyncio.sleep(1)
        pair.close()
        pair.close()
        return pair.player.card.heard("a"), bytes(captured)

    heard, captured = run(main())
    ear, rate = soundfile.read(tmp_path / "ear.wav", dtype="int16")
    assert rate == 24_000
    assert heard == 2_400
    assert captured[:24_000] == bytes_of(sound(12_000))
    # The microphone began 250 ms after the card; its sound lies there, then silence.
    assert np.array_equal(ear[6_000:18_000, 0], sound(12_000))
    assert not ear[:6_000, 0].any()
    assert not ear[18_000:, 0].any()
    # Played at 1 s: the next block of 20 ms, 100 ms of latency.
    where = np.flatnonzero(ear[:, 1])
    assert (where[0], len(where)) == (24_000 + 480 + 2_400, 2_400)
    assert (tmp_path / "ear.wav").stat().st_mode & 0o777 == 0o600


def test_an_audio_pair_closes_both(tmp_path: Path) -> None:
    async def main() -> None:
        recorder = VirtualRecorder()
        pair = Audio(VirtualPlayer(), recorder)
        pair.player.attach(lambda report: None)
        recorder.attach(lambda pcm, rate: None)
        recorder.start()
        pair.close()
        with pytest.raises(DeviceError, match="closed"):
            pair.player.stop("late")

    run(main())


def test_a_player_without_a_recorder_is_closed_too() -> None:
    async def main() -> None:
        alone = Audio(VirtualPlayer())
        assert alone.recorder is None
        alone.player.attach(lambda report: None)
        alone.close()
        with pytest.raises(DeviceError, match="closed"):
            alone.player.stop("late")

    run(main())


def test_a_wav_that_was_never_used_closes_without_a_file(tmp_path: Path) -> None:
    write_wav(tmp_path / "in.wav", sound(10), 24_000)
    Wav(tmp_path / "in.wav", tmp_path / "ear.wav").close()
    assert not (tmp_path / "ear.wav").exists()


def test_a_wav_does_not_write_what_was_heard_over_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    write_wav(path, sound(2_400), 24_000)
    with pytest.raises(LocalValueError, match="is the recording itself"):
        Wav(path, tmp_path / "." / "in.wav")


def test_a_wav_that_could_not_be_written_in_the_end_is_refused_at_the_beginning(
    tmp_path: Path,
) -> None:
    path = tmp_path / "in.wav"
    write_wav(path, sound(2_400), 24_000)
    for out in (tmp_path, tmp_path / "nowhere" / "ear.wav"):
        with pytest.raises(DeviceError, match="cannot be written"):
            Wav(path, out)
