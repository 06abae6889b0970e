"""From a reply of a scenario to the score that the machine plays. Pure: what is spoken is handed
in, already synthesized.

1. The score is a function of the reply, its manner, the speech and the response's format: the same
   ones give the same steps, byte for byte.
2. A spoken part: its first words, a pause, then audio deltas, each after the time that its audio
   takes to make; the rest of the transcript runs ahead of the audio (protocol.md §5).
3. Every word travels with its place in the part's own samples, so a truncation knows what was
   heard. A word's end is rounded up: it was heard only if all of it was.
4. Where the response may only write, what would be said is written.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bargein.audio.formats import Samples, bytes_of, encode
from bargein.audio.resample import resample
from bargein.server.engines.espeak import RATE, Speech
from bargein.server.engines.scenario import Ending, Gap, Manner, Output, Reply
from bargein.server.model import score
from bargein.server.model.score import Step
from bargein.units import US_PER_MS, AudioFormat, us_of_samples

_ARGUMENTS_CHARACTERS = 6
"""How much of a call's arguments one delta carries: about what the recordings show."""


@dataclass(frozen=True, slots=True)
class Sounding:
    """One spoken part, ready to be sent: the wire's bytes and its words, in its own samples."""

    audio: bytes
    format: AudioFormat
    words: tuple[score.Word, ...]

    @property
    def samples(self) -> int:
        return self.format.samples(len(self.audio))


def sounding(speech: Speech, format: AudioFormat, *, trailing_silence_ms: int = 0) -> Sounding:
    """Put speech at 24 kHz into the wire's format, with silence behind it."""
    silence = np.zeros(RATE * trailing_silence_ms // 1_000, np.int16)
    pcm: Samples = np.concatenate((speech.pcm, silence))
    if format.rate != RATE:
        pcm = resample(pcm, RATE, format.rate)
    words = tuple(
        score.Word(
            word.text if index == 0 else f" {word.text}",
            word.start_sample * format.rate // RATE,
            -(-word.end_sample * format.rate // RATE),
        )
        for index, word in enumerate(speech.words)
    )
    return Sounding(encode(bytes_of(pcm), format), format, words)


def build(reply: Reply, manner: Manner, soundings: Mapping[str, Sounding]) -> tuple[Step, ...]:
    """The whole score of a reply.

    `manner` leaves nothing open (`Scenario.manner_of`). `soundings` has every text that is to be
    spoken; a text that is not there is written.
    """
    steps: list[Step] = []
    after_us = _us(manner.first_event_after_ms)
    for output, following in itertools.zip_longest(reply.outputs, reply.outputs[1:]):
        after_us += _us(output.after_ms)
        if output.call is not None:
            made = _call(output, manner)
        else:
            # A message before a call stays open: the service closes both at the end (§4.5).
            closes = following is None or following.call is None
            made = _message(output, manner, soundings, closes=closes)
        first, *rest = made
        steps += (Step(first.action, first.after_us + after_us), *rest)
        after_us = 0
    format = next((each.format for each in soundings.values()), AudioFormat.PCM)
    if reply.ending is not None:
        steps = _ended(steps, reply.ending, format, after_us)
    return tuple(steps)


def spoken_texts(reply: Reply) -> tuple[str, ...]:
    """Every text that the reply says, in order."""
    return tuple(
        part.say
        for output in reply.outputs
        for part in output.message_parts
        if part.say is not None
    )


def _us(ms: float | None) -> int:
    assert ms is not None, "a manner that is used leaves no time open"
    return round(ms * US_PER_MS)


def _message(
    output: Output, manner: Manner, soundings: Mapping[str, Sounding], *, closes: bool
) -> list[Step]:
    # What is said before a call is commentary, as recorded of the 2.x line.
    phase = output.phase or (None if closes else "commentary")
    steps = [Step(score.OpenMessage(phase))]
    parts = output.message_parts
    for part in parts:
        spoken = None if part.say is None else soundings.get(part.say)
        if spoken is None:
            steps += _written(part.say or part.write or "", manner)
        else:
            steps.append(Step(score.OpenPart("audio")))
            steps += spoken_steps(spoken, manner, part.gaps)
        if part is not parts[-1]:
            steps.append(Step(score.ClosePart()))
    if closes:
        steps.append(Step(score.CloseMessage()))
    return steps


def _written(text: str, manner: Manner) -> list[Step]:
    every_us = _us(manner.text_delta_every_ms)
    deltas = re.findall(r"\s*\S+(?:\s+$)?", text) or [text] * bool(text)
    return [
        Step(score.OpenPart("text")),
        *(Step(score.SayText(delta), every_us) for delta in deltas),
    ]


def _call(output: Output, manner: Manner) -> list[Step]:
    assert output.call is not None, "the caller has seen a call"
    given = {} if output.arguments is None else output.arguments
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    every_us = _us(manner.text_delta_every_ms)
    return [
        Step(score.OpenCall(output.call, output.server)),
        *(
            Step(score.Arguments(text[start : start + _ARGUMENTS_CHARACTERS]), every_us)
            for start in range(0, len(text), _ARGUMENTS_CHARACTERS)
        ),
        Step(score.CloseCall()),
    ]


def spoken_steps(spoken: Sounding, manner: Manner, gaps: Sequence[Gap] = ()) -> list[Step]:
    """What stands in a part of audio, or in a piece of one: some words, a pause, then the deltas
    with the rest of the words ahead."""
    assert manner.speed is not None and manner.transcript_pace is not None, "the manner is whole"
    assert manner.words_before_audio is not None, "the manner is whole"
    rate, width = spoken.format.rate, spoken.format.bytes_per_sample
    words = list(spoken.words)
    steps: list[Step] = []
    told = manner.words_before_audio
    wait_us = _us(manner.first_audio_after_ms)
    start = 0
    for end in _delta_ends(spoken, manner):
        while told < len(words) and words[told].start_sample < end * manner.transcript_pace:
            told += 1
        said, words, told = words[:told], words[told:], 0
        wait_us += int(us_of_samples(end - start, rate) / manner.speed)
        wait_us += sum(
            _us(gap.for_ms) for gap in gaps if start < max(1, gap.at_ms * rate // 1_000) <= end
        )
        share_us = wait_us // (len(said) + 1)
        for word in said:
            steps += _told(word, share_us)
        sound = score.Sound(spoken.audio[start * width : end * width])
        steps.append(Step(sound, wait_us - share_us * len(said)))
        start, wait_us = end, 0
    for word in words:
        steps += _told(word, wait_us)
    return steps


def _told(word: score.Word, after_us: int) -> tuple[Step, Step]:
    return Step(word, after_us), Step(score.SayText(word.text))


def _delta_ends(spoken: Sounding, manner: Manner) -> list[int]:
    """Where the audio deltas end: a smaller first one, whole ones, and what is left."""
    assert manner.first_delta_samples is not None and manner.delta_samples is not None
    first, usual = (
        max(1, samples * spoken.format.rate // RATE)
        for samples in (manner.first_delta_samples, manner.delta_samples)
    )
    ends = list(range(first, spoken.samples, usual))
    return [*ends, spoken.samples] if spoken.samples else []


def _ended(steps: list[Step], ending: Ending, format: AudioFormat, after_us: int) -> list[Step]:
    """The score with another end than completion, cut where the ending says."""
    action: score.Action
    if ending.reason is not None:
        action = score.EndIncomplete(ending.reason)
    else:
        action = score.EndFailed(*ending.failure)
    if ending.at_ms is None:
        return [*steps, Step(action, after_us)]
    left = ending.at_ms * format.rate // 1_000
    kept: list[Step] = []
    for step in steps:
        if isinstance(step.action, score.Sound):
            samples = format.samples(len(step.action.audio))
            if samples >= left:
                return [*kept, *_first_of(step, left, format), Step(action)]
            left -= samples
        kept.append(step)
    return [*kept, Step(action)]


def _first_of(step: Step, samples: int, format: AudioFormat) -> list[Step]:
    """The first samples of an audio delta, as a delta; none if there are none."""
    assert isinstance(step.action, score.Sound), "the caller has seen sound"
    audio = step.action.audio[: samples * format.bytes_per_sample]
    return [Step(score.Sound(audio), step.after_us)] if audio else []
