"""The local engine's voice: sentence by sentence, so that the first sounds while the next is made.

1. All sentences of a reply are one part: the words of each stand behind the samples of those before
   it, so a truncation finds the word it cuts at anywhere in a reply.
2. What is made stays `AHEAD_S` of its own pace ahead and no more: of a story that is cut, little
   was made for nobody, and one of an hour is never held as a whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from bargein.errors import BargeinError
from bargein.server.engines.base import EngineError
from bargein.server.engines.espeak import speak
from bargein.server.engines.scenario import USUAL, Manner
from bargein.server.engines.scoring import Sounding, sounding, spoken_steps
from bargein.server.model import score
from bargein.server.model.score import Step
from bargein.units import US_PER_S, AudioFormat

AHEAD_S = 5.0
_PAUSE_MS = 200
"""Behind a sentence."""
_CACHED = 64


@dataclass(frozen=True, slots=True)
class Speaker:
    """How a reply sounds: an espeak-ng voice, its pace, the wire's format and how fast it is sent.

    `speed` is how many seconds of sound are sent in one second.
    """

    voice: str
    words_per_minute: int
    format: AudioFormat
    speed: float

    @property
    def manner(self) -> Manner:
        prompt = Manner(first_event_after_ms=0, first_audio_after_ms=0, speed=self.speed)
        return prompt.over(USUAL)


async def spoken(sentences: Iterable[str], speaker: Speaker) -> AsyncGenerator[list[Step], None]:
    """The steps of an open audio part, a sentence at a time. Raises `EngineError`."""
    clock = asyncio.get_running_loop().time
    begun_s, made_s, start_sample = clock(), 0.0, 0
    for text in sentences:
        try:
            sound = await asyncio.to_thread(_say, text, speaker)
        except BargeinError as error:
            raise EngineError(f"The voice cannot speak: {error}.") from error
        steps = spoken_steps(_placed(sound, start_sample), speaker.manner)
        start_sample += sound.samples
        made_s += sum(step.after_us for step in steps) / US_PER_S
        yield steps
        ahead_s = begun_s + made_s - clock()
        if ahead_s > AHEAD_S:
            await asyncio.sleep(ahead_s - AHEAD_S)


def written(sentences: Iterable[str]) -> Iterator[list[Step]]:
    """The steps of an open text part, a sentence at a time."""
    every_us = round((USUAL.text_delta_every_ms or 0) * 1_000)
    before = ""
    for sentence in sentences:
        steps: list[Step] = []
        for word in sentence.split():
            steps.append(Step(score.SayText(before + word), every_us))
            before = " "
        yield steps


@lru_cache(_CACHED)
def _say(text: str, speaker: Speaker) -> Sounding:
    speech = speak(text, voice=speaker.voice, words_per_minute=speaker.words_per_minute)
    return sounding(speech, speaker.format, trailing_silence_ms=_PAUSE_MS)


def _placed(sound: Sounding, start_sample: int) -> Sounding:
    """The sentence, with its words where they stand in the part."""
    if not start_sample:
        return sound
    words = tuple(
        score.Word(
            word.text if word.text.startswith(" ") else f" {word.text}",
            word.start_sample + start_sample,
            word.end_sample + start_sample,
        )
        for word in sound.words
    )
    return Sounding(sound.audio, sound.format, words)
