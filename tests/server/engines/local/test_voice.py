"""The voice: sentence by sentence, every word where it sounds in the whole part."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.virtual_loop import run

from bargein.server.engines.base import EngineError
from bargein.server.engines.local.voice import AHEAD_S, Speaker, spoken, written
from bargein.server.model import score
from bargein.server.model.score import Step
from bargein.units import US_PER_S, AudioFormat

SENTENCES = ("Once upon a time.", "There was a fox.", "It ran.")


def speaker(format: AudioFormat = AudioFormat.PCM, speed: float = 4.0) -> Speaker:
    return Speaker("en-us", 165, format, speed)


def all_steps(sentences: tuple[str, ...], speaker: Speaker) -> list[list[Step]]:
    async def collect() -> list[list[Step]]:
        return [steps async for steps in spoken(sentences, speaker)]

    return asyncio.run(collect())


@pytest.mark.parametrize("format", AudioFormat)
def test_words_stand_behind_the_sound_of_the_sentences_before_them(format: AudioFormat) -> None:
    made = all_steps(SENTENCES, speaker(format))
    assert len(made) == 3
    start = 0
    for steps, sentence in zip(made, SENTENCES, strict=True):
        words = [step.action for step in steps if isinstance(step.action, score.Word)]
        samples = sum(
            format.samples(len(step.action.audio))
            for step in steps
            if isinstance(step.action, score.Sound)
        )
        assert "".join(word.text for word in words).split() == sentence.split()
        assert start <= words[0].start_sample and words[-1].end_sample <= start + samples
        start += samples
    texts = [s.action.delta for each in made for s in each if isinstance(s.action, score.SayText)]
    assert "".join(texts) == " ".join(SENTENCES)


def test_it_stays_a_bounded_time_ahead_of_its_own_pace() -> None:
    asked: list[float] = []

    def endless() -> Iterator[str]:
        while True:
            asked.append(asyncio.get_running_loop().time())
            yield "Once upon a time there was a fox who lived by the sea."

    async def main() -> None:
        begun, made_s = asyncio.get_running_loop().time(), 0.0
        async for steps in spoken(endless(), speaker(speed=1.0)):
            made_s += sum(step.after_us for step in steps) / US_PER_S
            now = asyncio.get_running_loop().time() - begun
            assert made_s - now < AHEAD_S + 5
            if now > 60:
                break
        assert 15 < len(asked) < 40

    run(main())


def test_what_cannot_be_spoken_fails_the_response() -> None:
    with pytest.raises(EngineError, match="cannot speak"):
        all_steps(SENTENCES, Speaker("no-such-voice", 165, AudioFormat.PCM, 4.0))


def test_written_sentences_are_one_text() -> None:
    texts = [s.action.delta for steps in written(SENTENCES) for s in steps
             if isinstance(s.action, score.SayText)]  # fmt: skip
    assert "".join(texts) == " ".join(SENTENCES)
