"""Speech by espeak-ng, with the time of every word counted in samples.

1. The engine is a GPL-3 library that is never shipped with this one: `espeakng-loader`, of the
   extra `local`, brings it, and it is loaded when `speak` is called.
2. Its state belongs to the process: one synthesis at a time.
3. The same text, voice, rate and pitch give the same samples, in any process and whatever was
   said before. The engine's voice flutters on from one synthesis to the next, and nothing resets
   that but loading the library anew; so each synthesis does, with one seed, in half a millisecond.
4. It speaks at 22 050 Hz; what leaves here is at 24 000 Hz, made by a linear filter without delay:
   sample n of the one is sample n * 160 / 147 of the other, and the times of words stay true.
"""

from __future__ import annotations

import _ctypes
import contextlib
import ctypes
import functools
import importlib
import itertools
import os
import sys
import threading
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bargein.errors import DeviceError, LocalValueError

RATE = 24_000
ENGINE_RATE = 22_050
WORDS_PER_MINUTE = (80, 450)
"""The least and the greatest rate that the engine obeys (espeak-ng, `speak_lib.h`)."""
PITCH = (0, 99)


@dataclass(frozen=True, slots=True)
class Word:
    """A word as written, with the punctuation that touches it, and where it sounds in `Speech.pcm`.

    It sounds from `start_sample` up to but not at `end_sample`; a pause behind it is not in it.
    """

    text: str
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class Speech:
    """Spoken text: mono int16 at `rate`, and its words in order.

    The words are exactly `text.split()`, so they join to the text again. They do not overlap. What
    has no sound, such as a lone dash, has no length.
    """

    pcm: NDArray[np.int16]
    rate: int
    words: tuple[Word, ...]


def speak(
    text: str, *, voice: str = "en-us", words_per_minute: int = 175, pitch: int = 50
) -> Speech:
    """Speak the text; safe from any thread, and other threads run while the engine works.

    `voice` is an espeak-ng voice, with a variant if wanted: "en-us", "en-us+f3", "de". Rates go
    from 80 to 450, pitches from 0 to 99. Raises `LocalValueError` for a value out of range or a
    voice that is not there, and `DeviceError` when the engine is not installed or fails.
    """
    for name, value, (least, greatest) in (
        ("words_per_minute", words_per_minute, WORDS_PER_MINUTE),
        ("pitch", pitch, PITCH),
    ):
        if not least <= value <= greatest:
            raise LocalValueError(f"{name} is {value}: give {least} to {greatest}")
    with _lock, contextlib.closing(_open_engine()) as engine:
        pcm, marks = engine.synthesize(text, voice, words_per_minute, pitch)
    return Speech(_to_24k(pcm), RATE, _words(text, marks, len(pcm)))


@dataclass(frozen=True, slots=True)
class _Mark:
    """What the engine began at `sample` of 22 050 Hz: a word, a sound or a pause.

    `character`, of a word, says where in the text it begins, counted from 0.
    """

    kind: int
    character: int
    sample: int


_WORD, _SOUND, _PAUSE = range(3)


@dataclass(slots=True)
class _Group:
    """Words of the text that the engine says as one: from this token to the next group's first."""

    first_token: int
    start: int
    end: int


def _words(text: str, marks: list[_Mark], end_sample: int) -> tuple[Word, ...]:
    """Give each word of the text its time, in samples of 24 kHz.

    The engine's own words are others. It says "42" and "$3.50" in several: the first counts. It
    says "of the" as one, marked at "of": such words share its time by their letters and digits.
    """
    tokens = text.split()
    groups = _groups(_token_starts(text, tokens), marks, end_sample)
    silent_head = groups[0].first_token if groups else len(tokens)
    head_sample = groups[0].start if groups else 0
    bounds = [(head_sample, head_sample)] * silent_head
    for group, after in itertools.zip_longest(groups, groups[1:]):
        last_token = after.first_token if after else len(tokens)
        letters = [_letters(token) for token in tokens[group.first_token : last_token]]
        if not any(letters):
            letters[0] = 1  # a lone symbol that the engine names: it has all the time
        sound, said = group.end - group.start, 0
        for count in letters:
            start = group.start + sound * said // sum(letters)
            said += count
            bounds.append((start, group.start + sound * said // sum(letters)))
    return tuple(
        Word(token, _at_24k(start), _at_24k(end))
        for token, (start, end) in zip(tokens, bounds, strict=True)
    )


def _token_starts(text: str, tokens: list[str]) -> list[int]:
    starts: list[int] = []
    character = 0
    for token in tokens:
        character = text.index(token, character)
        starts.append(character)
        character += len(token)
    return starts


def _groups(token_starts: list[int], marks: list[_Mark], end_sample: int) -> list[_Group]:
    """The tokens that have a word mark of their own, each with its sound up to the pause behind."""
    groups: list[_Group] = []
    pause_sample: int | None = None
    for mark in marks:
        if mark.kind == _PAUSE:
            if pause_sample is None:
                pause_sample = mark.sample
            continue
        if mark.kind == _WORD:
            token = max(0, bisect_right(token_starts, mark.character) - 1)
            if not groups or token > groups[-1].first_token:
                if groups:
                    groups[-1].end = mark.sample if pause_sample is None else pause_sample
                groups.append(_Group(token, mark.sample, mark.sample))
        pause_sample = None
    if groups:
        groups[-1].end = end_sample if pause_sample is None else pause_sample
    return groups


def _letters(token: str) -> int:
    return sum(character.isalnum() for character in token)


_UP, _DOWN = 160, 147
"""24 000 / 22 050 in lowest terms."""
_HALF_WIDTH = 24
_CUTOFF = 0.95
_KAISER_BETA = 9.0


def _at_24k(sample: int) -> int:
    """The sample of 24 kHz nearest in time to one of 22 050 Hz."""
    return (2 * sample * _UP + _DOWN) // (2 * _DOWN)


@functools.cache
def _filter_matrix() -> NDArray[np.float64]:
    """Row q makes output 160 p + q from inputs 147 p - 24 to 147 p + 171: a Kaiser-windowed sinc.

    Rows sum to 1. The cut-off is 0.95 of half the engine's rate, so that its image above 11 025 Hz
    is 90 dB down from 11.6 kHz on.
    """
    at = np.arange(_UP)[:, None] * _DOWN / _UP
    away = np.arange(_DOWN + 2 * _HALF_WIDTH) - _HALF_WIDTH - at
    within = np.maximum(0.0, 1.0 - (away / _HALF_WIDTH) ** 2)
    taps = np.sinc(_CUTOFF * away) * np.i0(_KAISER_BETA * np.sqrt(within)) * (within > 0)
    matrix: NDArray[np.float64] = taps / taps.sum(axis=1, keepdims=True)
    return matrix


def _to_24k(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """Resample from 22 050 Hz: output k is the input's band-limited value at k * 147 / 160.

    Computed in float64, so that the rounding to 16 bits does not depend on the order of the sums.
    """
    blocks = -(-len(pcm) // _DOWN)
    padded = np.zeros(blocks * _DOWN + 2 * _HALF_WIDTH, np.float64)
    padded[_HALF_WIDTH : _HALF_WIDTH + len(pcm)] = pcm
    windows = np.lib.stride_tricks.sliding_window_view(padded, _DOWN + 2 * _HALF_WIDTH)[::_DOWN]
    samples = (windows @ _filter_matrix().T).ravel()[: -(-len(pcm) * _UP // _DOWN)]
    np.rint(samples, out=samples)
    np.clip(samples, -32768, 32767, out=samples)
    return samples.astype(np.int16)


class _EventId(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    """`espeak_EVENT` of `speak_lib.h`."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # characters, from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


if TYPE_CHECKING:
    _ShortPointer: TypeAlias = ctypes._Pointer[ctypes.c_short]
    _EventPointer: TypeAlias = ctypes._Pointer[_Event]

_SynthCallback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)
_EVENT_LIST_TERMINATED, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_PHONEME_EVENTS, _INITIALIZE_DONT_EXIT = 0x0001, 0x8000
_CHARS_UTF8 = 1
_POS_CHARACTER = 1
_PARAMETER_RATE, _PARAMETER_PITCH = 1, 3
_CHUNK_MS = 60


class _Engine:
    """The library, loaded for one synthesis. One may be open at a time: `speak` has the lock."""

    def __init__(self, library_path: str, data_path: str) -> None:
        self._data_path = data_path
        self._pcm: list[bytes] = []
        self._marks: list[_Mark] = []
        # The library keeps the pointer, so the callback object must live as long as this one.
        self._callback = _SynthCallback(self._receive)
        try:
            self._library = ctypes.CDLL(library_path)
        except OSError as error:
            raise DeviceError(f"espeak-ng at {library_path} does not load: {error}") from error

    def synthesize(
        self, text: str, voice: str, words_per_minute: int, pitch: int
    ) -> tuple[NDArray[np.int16], list[_Mark]]:
        """Samples at 22 050 Hz and the marks of all that begins in them, in order."""
        self._initialize()
        self._choose(voice)
        self._library.espeak_SetParameter(_PARAMETER_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(_PARAMETER_PITCH, pitch, 0)
        # A NUL would end the text for the engine, and half a surrogate pair has no UTF-8.
        utf8 = text.replace("\0", " ").encode("utf-8", "replace") + b"\0"
        status = self._library.espeak_Synth(
            utf8, len(utf8), 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        if status != 0:
            raise DeviceError(f"espeak-ng failed on {len(text)} characters: status {status}")
        return np.frombuffer(b"".join(self._pcm), np.int16), self._marks

    def close(self) -> None:
        """Free what the library holds and unload it; the object is of no use afterwards."""
        self._library.espeak_Terminate()
        if sys.platform == "win32":
            _ctypes.FreeLibrary(self._library._handle)
        else:
            _ctypes.dlclose(self._library._handle)

    def _initialize(self) -> None:
        self._library.espeak_Synth.argtypes = (
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
            *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
        )
        rate = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS,
            _CHUNK_MS,
            os.fsencode(self._data_path),
            _INITIALIZE_PHONEME_EVENTS | _INITIALIZE_DONT_EXIT,
        )
        if rate != ENGINE_RATE:
            raise DeviceError(
                f"espeak-ng did not start with its data at {self._data_path} (answer {rate}): "
                f"reinstall espeakng-loader, or move the environment to a shorter path"
            )
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))

    def _choose(self, voice: str) -> None:
        """Set the voice. An unknown variant must be found here: the engine would ignore it."""
        _, plus, variant = voice.partition("+")
        variant_path = os.path.join(self._data_path, "voices", "!v", variant)
        known = not plus or (variant.isalnum() and os.path.isfile(variant_path))
        if not known or self._library.espeak_SetVoiceByName(voice.encode("utf-8", "replace")) != 0:
            raise LocalValueError(
                f"voice is {voice!r}, which espeak-ng does not know: "
                f"give a language with or without a variant, such as 'en-us' or 'en-us+f3'"
            )

    def _receive(self, samples: _ShortPointer, sample_count: int, events: _EventPointer) -> int:
        """Called by the engine within `espeak_Synth`, with a chunk and what begins in it."""
        if samples and sample_count > 0:
            self._pcm.append(ctypes.string_at(samples, sample_count * 2))
        for event in itertools.takewhile(_is_event, map(events.__getitem__, itertools.count())):
            if event.type == _EVENT_WORD:
                self._marks.append(_Mark(_WORD, event.text_position - 1, event.sample))
            elif event.type == _EVENT_PHONEME:
                kind = _PAUSE if event.id.string.startswith(b"_") else _SOUND
                self._marks.append(_Mark(kind, 0, event.sample))
        return 0


def _is_event(event: _Event) -> bool:
    """The engine ends its list with a null event."""
    return bool(event.type != _EVENT_LIST_TERMINATED)


_lock = threading.Lock()


def _open_engine() -> _Engine:
    try:
        loader = importlib.import_module("espeakng_loader")
    except ImportError as error:
        raise DeviceError(
            "espeak-ng is not installed: pip install 'bargein[local]' "
            "(the engine is under the GPL, version 3 or later)"
        ) from error
    return _Engine(loader.get_library_path(), loader.get_data_path())
