"""A voice: text into sound with its words, by espeak-ng here or by a server with `/audio/speech`.

1. Sound leaves as it comes, in deltas of at most a quarter of a second; the text of what is spoken
   goes before its first sound.
2. Every word has its place in the part's own samples: espeak-ng says it, for a server it is fitted
   (`pacing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bargein.audio.formats import Samples, bytes_of, encode
from bargein.audio.resample import Resampler
from bargein.errors import BargeinError
from bargein.server.engines.base import EngineError
from bargein.server.engines.chat.faults import fault_of_content
from bargein.server.engines.chat.http import Answer, Service, content_kind
from bargein.server.engines.chat.pacing import Pace, Placing
from bargein.server.engines.chat.wav import BadWavError, WavReader
from bargein.server.engines.espeak import WORDS_PER_MINUTE
from bargein.server.engines.script import VOICES, say
from bargein.server.model import score
from bargein.server.model.score import Step
from bargein.units import AudioFormat

PCM_RATE = 24_000
"""Of `response_format: pcm` (OpenAI API reference, createSpeech)."""
PAUSE_MS = 120
"""Behind a sentence of espeak-ng, which ends with its last sound."""
MOST_BYTES = 64 * 1024 * 1024
_WORDS_PER_MINUTE = 165
_SPEEDS = (0.25, 4.0)
_DELTA_MS, _LEAST_DELTA_MS = 250, 60


@dataclass(frozen=True, slots=True)
class Line:
    """What is to be said next, and where it stands in its part: `start_sample` samples have been
    said before it."""

    text: str
    voice: str
    speed: float
    format: AudioFormat
    start_sample: int

    @property
    def opens_part(self) -> bool:
        return self.start_sample == 0


class Voice(Protocol):
    """What speaks. Anything that does this can be the engine's voice."""

    def speak(self, line: Line) -> AsyncGenerator[tuple[Step, ...], None]:
        """`SayText`, `Word` and `Sound` steps of the line. Raises `EngineError`."""

    async def close(self) -> None:
        """The session is over."""


class EspeakVoice:
    """Speaks by espeak-ng in a thread."""

    async def speak(self, line: Line) -> AsyncGenerator[tuple[Step, ...], None]:
        least, most = WORDS_PER_MINUTE
        pace = min(most, max(least, round(_WORDS_PER_MINUTE * line.speed)))
        voice = VOICES.get(line.voice, line.voice)
        try:
            spoken = await asyncio.to_thread(say, line.text, voice, pace, line.format, PAUSE_MS)
        except BargeinError as error:
            raise EngineError(f"The voice cannot speak: {error}.", code="server_error") from error
        start = line.start_sample
        words = [
            score.Word(
                word.text if line.opens_part or word.text.startswith(" ") else f" {word.text}",
                start + word.start_sample,
                start + word.end_sample,
            )
            for word in spoken.words
        ]
        yield _texts(word.text for word in words)
        width, rate = line.format.bytes_per_sample, line.format.rate
        delta = rate * _DELTA_MS // 1_000
        for at in range(0, spoken.samples, delta):
            sound = score.Sound(spoken.audio[at * width : (at + delta) * width])
            told = [word for word in words if word.end_sample <= start + at + delta]
            del words[: len(told)]
            yield (*map(Step, told), Step(sound))
        yield tuple(map(Step, words))

    async def close(self) -> None:
        return


class UrlVoice:
    """Speaks at one server. `voice` stands above what the session names."""

    def __init__(self, service: Service, *, model: str, voice: str | None) -> None:
        self._service = service
        self._model = model
        self._voice = voice
        self._pace = Pace()

    async def speak(self, line: Line) -> AsyncGenerator[tuple[Step, ...], None]:
        slowest, fastest = _SPEEDS
        body = {
            "model": self._model,
            "input": line.text,
            "voice": self._voice or line.voice,
            "response_format": "pcm",
            "speed": min(fastest, max(slowest, line.speed)),
        }
        placing = Placing(
            line.text,
            start_sample=line.start_sample,
            rate=line.format.rate,
            pace=self._pace,
            opens_part=line.opens_part,
        )
        samples = line.start_sample
        async with self._service.ask("/audio/speech", json=body) as answer:
            async for pcm in _sound(answer, line.format):
                if samples == line.start_sample:
                    yield _texts(placing.texts)
                for sound in _deltas(pcm, line.format):
                    samples += line.format.samples(len(sound.audio))
                    yield (*map(Step, placing.reached(samples)), Step(sound))
        if samples == line.start_sample:
            raise EngineError(f"{answer.where} answered without a sound.", code="server_error")
        yield tuple(map(Step, placing.ended(samples)))

    async def close(self) -> None:
        await self._service.close()


def _texts(words: Iterable[str]) -> tuple[Step, ...]:
    return tuple(Step(score.SayText(word)) for word in words)


def _deltas(pcm: Samples, format: AudioFormat) -> Iterable[score.Sound]:
    size = format.rate * _DELTA_MS // 1_000
    for at in range(0, len(pcm), size):
        yield score.Sound(encode(bytes_of(pcm[at : at + size]), format))


async def _sound(answer: Answer, format: AudioFormat) -> AsyncGenerator[Samples, None]:
    """The sound at the format's rate, in pieces of some length."""
    resampler: Resampler | None = None
    held: list[Samples] = []
    least = format.rate * _LEAST_DELTA_MS // 1_000
    async for samples, rate in _samples(answer):
        if resampler is None:
            resampler = Resampler(rate, format.rate)
        held.append(resampler.push(samples))
        if sum(map(len, held)) >= least:
            yield np.concatenate(held)
            held.clear()
    if resampler is not None:
        held.append(resampler.flush())
    if sum(map(len, held)):
        yield np.concatenate(held)


async def _samples(answer: Answer) -> AsyncGenerator[tuple[Samples, int], None]:
    """Samples and their rate, from WAV or bare PCM; a server may send either."""
    kind = content_kind(answer)
    if not kind.startswith("audio/") and kind not in ("", "application/octet-stream"):
        raise fault_of_content(answer.where, answer.content_type, "audio/pcm or audio/wav")
    if kind in ("audio/mpeg", "audio/mp3", "audio/ogg", "audio/opus", "audio/aac", "audio/flac"):
        raise fault_of_content(answer.where, answer.content_type, "audio/pcm or audio/wav")
    rate = _rate_in(answer.content_type) or PCM_RATE
    held, is_wav, wav = b"", None, WavReader()
    async for piece in answer.pieces(MOST_BYTES):
        held += piece
        if is_wav is None:
            if len(held) < 4:
                continue
            is_wav = held.startswith(b"RIFF")
        if not is_wav:
            whole = len(held) - len(held) % 2
            yield np.frombuffer(held[:whole], "<i2").astype(np.int16, copy=False), rate
            held = held[whole:]
            continue
        try:
            samples, held = wav.push(held), b""
        except BadWavError as error:
            raise EngineError(
                f"{answer.where} sent a WAV that cannot be read: {error}.", code="server_error"
            ) from error
        if wav.rate is not None and len(samples):
            yield samples, wav.rate


def _rate_in(content_type: str) -> int | None:
    """`rate` of a content type such as `audio/pcm;rate=16000`."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "rate" and value.isdecimal() and 4_000 <= int(value) <= 192_000:
            return int(value)
    return None
