"""Files of sound: read one as a microphone, write what the ear heard.

1. A failure is a `DeviceError` that names the file and the reason.
2. What is written is whole or not there (a temporary file, renamed), and only its owner may read
   it: it is a recording of a person.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bargein.audio.base import Player, Recorder
from bargein.audio.card_settings import CardSettings
from bargein.audio.formats import Samples
from bargein.audio.resample import resample
from bargein.audio.virtual import VirtualPlayer, VirtualRecorder
from bargein.errors import DeviceError, LocalValueError

if TYPE_CHECKING:
    from types import ModuleType

_MAX_S = 3_600
_STREAMED = (0, 0x7FFFFFFF, 0x7FFFFFFE, 0xFFFFFFFF)


def read_sound(path: str | os.PathLike[str]) -> tuple[Samples, int]:
    """Read any file that libsndfile reads: its samples, mixed down to mono, and its own rate.

    Needs the extra `local`. Raises `DeviceError` for a file that is missing, a directory, empty,
    truncated, longer than an hour, or no sound.
    """
    file = Path(path)
    if file.is_dir():
        raise DeviceError(f"{file}: is a directory; give a file of sound")
    soundfile = _soundfile(file)
    try:
        size = file.stat().st_size
        if size == 0:
            raise DeviceError(f"{file}: is empty")
        missing = _missing_from_wav(file, size)
    except OSError as error:
        raise DeviceError(f"{file}: {error.strerror or error}") from error
    if missing:
        raise DeviceError(
            f"{file}: is truncated, the last {missing} bytes of its sound are missing"
        )
    try:
        with soundfile.SoundFile(file) as sound:
            rate, frames = int(sound.samplerate), int(sound.frames)
            if frames > _MAX_S * rate:
                raise DeviceError(f"{file}: lasts {frames // rate} s; at most {_MAX_S} s are read")
            data = sound.read(dtype="float64", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise DeviceError(f"{file}: cannot be read as sound: {error}") from error
    if len(data) < frames:
        raise DeviceError(f"{file}: is truncated, it ends after {len(data)} of {frames} samples")
    if not frames:
        raise DeviceError(f"{file}: holds no sound")
    mono = np.nan_to_num(data.mean(axis=1)) * 32_768.0
    return np.clip(np.rint(mono), -32_768, 32_767).astype(np.int16), rate


def _soundfile(file: Path) -> ModuleType:
    try:
        return importlib.import_module("soundfile")
    except (ImportError, OSError) as error:
        raise DeviceError(
            f"{file}: reading sound needs the package soundfile; "
            'install it with: pip install "bargein[local]"'
        ) from error


def _missing_from_wav(file: Path, size: int) -> int:
    """How many bytes the `data` chunk of a WAV promises beyond the end of the file; 0 for others.

    libsndfile reads such a file without a word. A length of nought or all ones is a stream's: no
    promise.
    """
    with file.open("rb") as raw:
        head = raw.read(12)
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            return 0
        while len(chunk := raw.read(8)) == 8:
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                end = raw.tell() + length
                return 0 if length in _STREAMED else max(0, end - size)
            raw.seek(length + length % 2, os.SEEK_CUR)
    return 0


def write_wav(path: str | os.PathLike[str], samples: Samples, rate: int) -> None:
    """Write 16-bit PCM, shape (n,) for mono or (n, 2) for stereo, mode 0600, whole or not at all.

    Raises `LocalValueError` for another shape or type and `DeviceError` where the file cannot be
    written.
    """
    if samples.dtype != np.int16 or not (samples.ndim == 1 or samples.shape[1:] == (2,)):
        raise LocalValueError(
            f"samples: {samples.dtype} {samples.shape}; give int16 of shape (n,) or (n, 2)"
        )
    file = Path(path)
    temporary: str | None = None
    try:
        # mkstemp makes the file with mode 0600, whatever the umask.
        handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        with os.fdopen(handle, "wb") as raw, wave.open(raw, "wb") as out:
            out.setnchannels(samples.ndim)
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes(samples.astype("<i2", copy=False).tobytes())
        os.replace(temporary, file)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise DeviceError(f"{file}: cannot be written: {error.strerror or error}") from error


def ear_of(player: VirtualPlayer, recorder: VirtualRecorder) -> Samples:
    """Stereo at the card's rate, shape (n, 2): left the user's microphone, right the assistant as
    heard.

    Both lie on the card's time axis; its zero is the opening of the card. What the microphone
    heard before that is left out. With a rate error the axis is the card's clock, not the loop's.
    """
    rate = player.settings.rate
    left = resample(recorder.captured(), recorder.rate, rate)
    at = player.card.frame_at(recorder.start_us)
    left = left[-at:] if at < 0 else np.concatenate((np.zeros(at, dtype=np.int16), left))
    right = player.ear.sound(len(left))
    both = np.zeros((len(right), 2), dtype=np.int16)
    both[: len(left), 0] = left
    both[:, 1] = right
    return both


@dataclass(frozen=True, slots=True)
class Audio:
    """A loudspeaker and a microphone of the application's own, as `connect(audio=…)` takes them.

    Without a recorder nothing is captured: the user types, or the application sends sound itself.
    """

    player: Player
    recorder: Recorder | None = None

    def close(self) -> None:
        """Stop the recorder, close the player."""
        if self.recorder is not None:
            self.recorder.stop()
        self.player.close()


class Wav:
    """A file as the microphone, in real time, and a file of what was heard.

    Behind the file's end the microphone hears silence. `close` writes `out_path`: `ear_of` as a
    WAV.
    """

    def __init__(
        self,
        in_path: str | os.PathLike[str],
        out_path: str | os.PathLike[str] | None = None,
        settings: CardSettings | None = None,
    ) -> None:
        """Reads the one file now, and looks whether the other can be written.

        Raises `DeviceError` as `read_sound`, and where `out_path` cannot be written;
        `LocalValueError` where both are the same file.
        """
        if out_path is not None:
            _check_apart(in_path, out_path)
        sound, rate = read_sound(in_path)
        self.player = VirtualPlayer(settings)
        self.recorder = VirtualRecorder()
        self.recorder.say(sound, rate)
        self._out_path = out_path
        self._closed = False
        if out_path is not None:
            _check_writable(Path(out_path))

    def close(self) -> None:
        """Stop both and write what was heard, once.

        Raises `DeviceError` where it cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        self.recorder.stop()
        self.player.close()
        if self._out_path is not None and self.player.attached:
            write_wav(self._out_path, ear_of(self.player, self.recorder), self.player.settings.rate)


def _check_apart(in_path: str | os.PathLike[str], out_path: str | os.PathLike[str]) -> None:
    if Path(in_path).resolve() == Path(out_path).resolve():
        raise LocalValueError(
            f"out_path: {os.fspath(out_path)}: is the recording itself; give another file"
        )


def _check_writable(path: Path) -> None:
    """A conversation is not to be held for a file that cannot be written after it."""
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise DeviceError(f"{path}: cannot be written; give a file in a folder that can be")
