"""What the model says: scores drawn by chance (the plainest: one item of 0.2 s in two deltas).

1. The sound of a part counts its samples, so that whoever hears a piece knows where it belongs.
2. Deltas are not aligned to milliseconds, come at 1 to 20 times real time, and pause.
3. With tools there are calls before, between and after the messages, several at a time; the message
   before them may stay open, as the service does it (protocol.md §4.5). A call that is cut by the
   limit of tokens has half its arguments.
4. With an MCP server there are calls that the service makes, before or behind everything else.
5. With mixed parts a message has text and sound in any order, and sound more than once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np

from bargein import events
from bargein.audio.formats import decode, samples_of
from bargein.server.model import score
from bargein.server.model.score import Step
from bargein.sim.choices import Choices
from bargein.units import US_PER_MS, US_PER_S, AudioFormat

_PERIOD = 251
"""Of the pattern in every part; it fits the codes of G.711."""
_LONGEST_S = 1

_Kind: TypeAlias = Literal["audio", "text"]
_MIXED: tuple[tuple[_Kind, ...], ...] = (
    ("audio",),
    ("audio", "text"),
    ("text", "audio"),
    ("audio", "audio"),
    ("audio", "text", "audio"),
    ("text", "text"),
)
_ENDS: dict[str, score.Action] = {
    "failed": score.EndFailed("server_error", None, "The engine broke."),
    "incomplete": score.EndIncomplete("max_output_tokens"),
    "filtered": score.EndIncomplete("content_filter"),
}


@lru_cache(maxsize=3)
def _wire_pattern(sound_format: AudioFormat) -> bytes:
    """The pattern from sample 0 on, a little longer than the longest delta."""
    length = sound_format.rate * _LONGEST_S + _PERIOD
    count = np.arange(length) % _PERIOD
    if sound_format is AudioFormat.PCM:
        return (count * 64 + 64).astype("<i2").tobytes()
    return count.astype(np.uint8).tobytes()


def wire_sound(sound_format: AudioFormat, first: int, samples: int) -> bytes:
    """Wire bytes of a part from its sample number `first` on; at most a second."""
    width = sound_format.bytes_per_sample
    start = first % _PERIOD * width
    return _wire_pattern(sound_format)[start : start + samples * width]


@lru_cache(maxsize=3)
def heard_pattern(sound_format: AudioFormat) -> tuple[int, ...]:
    """What a part sounds like from its sample 0 on, 16 bits linear; it repeats."""
    return tuple(samples_of(decode(wire_sound(sound_format, 0, _PERIOD), sound_format)).tolist())


def heard_sample(sound_format: AudioFormat, number: int) -> int:
    """What sample `number` of a part sounds like, 16 bits linear."""
    return heard_pattern(sound_format)[number % _PERIOD]


class Engine:
    """Draws one score a response, each from a stream of its own."""

    def __init__(
        self, choices: Choices, *, sound_format: AudioFormat, tools: bool, mixed_parts: bool = False
    ) -> None:
        self._choices = choices
        self._format = sound_format
        self._tools = tools
        self._mixed_parts = mixed_parts
        self._responses = 0
        self._stream = ""

    def score(self, params: events.ResponseParams, *, remote: bool = False) -> tuple[Step, ...]:
        """The next response, as its parameters demand. `remote`: it may call an MCP server."""
        self._responses += 1
        self._stream = f"engine/{self._responses}"
        choices, stream = self._choices, self._stream
        think_us = choices.draw(stream, 0, 600) * US_PER_MS
        kinds = ("whole",) * 8 + ("empty", "failed", "incomplete", "text", "filtered", "cut_call")
        kind = choices.pick(stream, kinds)
        # A call out of band belongs to no conversation that its output could be added to.
        may_call = self._tools and params.conversation != "none"
        places = (None, "before", "after", "between", None, None)
        tool_at = choices.pick(stream, places) if may_call else None
        speaks = params.output_modalities == ("audio",) and kind != "text"
        messages: list[list[Step]] = []
        if kind != "empty":
            count = choices.pick(stream, (1, 1, 1, 2, 3))
            if tool_at == "between":
                count = max(2, count)
            messages = [self._message(speaks) for _ in range(count)]
        steps = self._with_calls(messages, tool_at)
        if remote:
            steps = self._with_remote_calls(steps)
        if kind in _ENDS:
            del steps[choices.draw(stream, 0, len(steps)) :]
            steps.append(Step(_ENDS[kind], 5 * US_PER_MS))
        elif kind == "cut_call" and may_call:
            steps += self._call()[:2]
            steps.append(Step(_ENDS["incomplete"], 5 * US_PER_MS))
        if steps:
            first = steps[0]
            steps[0] = Step(first.action, first.after_us + think_us)
        return tuple(steps)

    def _with_calls(self, messages: list[list[Step]], tool_at: str | None) -> list[Step]:
        calls: list[Step] = []
        if tool_at is not None:
            stream = f"{self._stream}.calls"
            for _ in range(self._choices.pick(stream, (1, 1, 2, 3))):
                calls += self._call()
            place = {"before": 0, "between": 1, "after": len(messages)}[tool_at]
            if place and messages and self._choices.rarely(stream, 3):
                # It stays open behind the calls.
                messages[place - 1].pop()
            messages.insert(place, calls)
        return [step for steps in messages for step in steps]

    def _with_remote_calls(self, steps: list[Step]) -> list[Step]:
        """The service calls its own tools before it speaks, behind it, or not at all."""
        stream = f"{self._stream}.hosted"
        place = self._choices.pick(stream, (None, "before", "after", "after", None))
        if place is None:
            return steps
        calls: list[Step] = []
        for _ in range(self._choices.pick(stream, (1, 1, 2))):
            calls += _REMOTE_CALL
        return [*calls, *steps] if place == "before" else [*steps, *calls]

    def _message(self, speaks: bool) -> list[Step]:
        choices, stream = self._choices, self._stream
        steps = [Step(score.OpenMessage(), choices.draw(stream, 0, 50) * US_PER_MS)]
        text_first = speaks and choices.rarely(stream, 10)
        kinds: tuple[_Kind, ...] = ("text", "audio") if text_first else ("audio",)
        if not speaks:
            kinds = ("text",)
        elif self._mixed_parts:
            kinds = choices.pick(f"{stream}.parts", _MIXED)
        for kind in kinds:
            steps += self._speech() if kind == "audio" else _WRITING
        steps.append(Step(score.CloseMessage()))
        return steps

    def _speech(self) -> list[Step]:
        choices, stream = self._choices, self._stream
        sound_format = self._format
        rate = sound_format.rate
        left = choices.draw(stream, rate // 5, choices.pick(stream, (2, 2, 8)) * rate)
        speed = choices.draw(stream, 1, 20)
        steps = [
            Step(score.OpenPart("audio")),
            Step(score.SayText("Once upon "), choices.draw(stream, 0, 40) * US_PER_MS),
        ]
        # The service's own are about 250 ms (protocol.md §5); these are 200 ms on average.
        half = rate // 2
        largest = choices.pick(stream, (rate // 5, rate // 4, rate * 2 // 5, half, half))
        first = 0
        while left:
            samples = min(left, largest - choices.draw(stream, 0, largest - rate // 50))
            pause_us = samples * US_PER_S // (rate * speed)
            if choices.rarely(stream, 20):
                pause_us += choices.draw(stream, 0, 1_500) * US_PER_MS
            steps.append(Step(score.Sound(wire_sound(sound_format, first, samples)), pause_us))
            first += samples
            left -= samples
        steps += [Step(score.SayText("a time.")), Step(score.ClosePart())]
        return steps

    def _call(self) -> list[Step]:
        return [
            Step(score.OpenCall("weather"), 10 * US_PER_MS),
            Step(score.Arguments('{"city": "Bonn"}'), 10 * US_PER_MS),
            Step(score.CloseCall(), 5 * US_PER_MS),
        ]


_REMOTE_CALL = [
    Step(score.OpenCall("search", "files"), 10 * US_PER_MS),
    Step(score.Arguments('{"name": "plans"}'), 10 * US_PER_MS),
    Step(score.CloseCall(), 5 * US_PER_MS),
]
_WRITING = [
    Step(score.OpenPart("text")),
    Step(score.SayText("Written."), 20 * US_PER_MS),
    Step(score.ClosePart()),
]
