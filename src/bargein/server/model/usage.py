"""What a response costs (protocol.md §2.4): audio is counted, text is estimated.

100 ms of audio heard and 50 ms of audio spoken are one token each (costs guide; S1: 237 tokens for
11.85 s). Text has no public count, so four characters are taken for one token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from bargein import events
from bargein.server.model import score
from bargein.server.model.entries import Entry, Part
from bargein.units import AudioFormat, ms_ceil, ms_floor

HEARD_TOKEN_MS, SPOKEN_TOKEN_MS = 100, 50
CHARACTERS_PER_TOKEN = 4


class Input(msgspec.Struct, frozen=True, gc=False):
    """Tokens that the model was given."""

    text_tokens: int
    audio_tokens: int
    image_tokens: int

    @property
    def total(self) -> int:
        return self.text_tokens + self.audio_tokens + self.image_tokens


def text_tokens(text: str | None) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN) if text else 0


def measure_input(entries: Iterable[Entry], values: Mapping[str, Any]) -> Input:
    """The cost of what the engine is told; `values` are the response's parameters."""
    told = [Input(instruction_tokens(values), 0, 0), *map(known_tokens, entries)]
    return Input(
        sum(each.text_tokens for each in told),
        sum(each.audio_tokens for each in told),
        sum(each.image_tokens for each in told),
    )


def instruction_tokens(values: Mapping[str, Any]) -> int:
    """The cost of a response's instructions and tools."""
    tools = sum(text_tokens(str(tool)) for tool in values["tools"])
    return text_tokens(values["instructions"]) + tools


def known_tokens(entry: Entry) -> Input:
    """The cost of one item of the context."""
    text = text_tokens(entry.arguments) + text_tokens(entry.output)
    audio = images = 0
    for part in entry.parts:
        match part.kind:
            case "input_audio":
                audio += _heard_tokens(part.kept_samples, part.format)
            case "input_image":
                images += part.image_tokens
            case _:
                text += text_tokens(part.heard_text())
    return Input(text, audio, images)


def transcription_usage(
    settings: events.Transcription, part: Part, transcript: str
) -> events.TranscriptionUsage:
    """The cost of a transcription: whole seconds of audio, rounded up (protocol.md §4.3), but for
    the gpt-4o models tokens of audio, of the prompt and of the transcript."""
    if not (isinstance(settings.model, str) and settings.model.startswith("gpt-4o")):
        return events.DurationUsage(seconds=-(-part.made_samples // part.format.rate))
    audio = _heard_tokens(part.made_samples, part.format)
    prompt = text_tokens(settings.prompt if isinstance(settings.prompt, str) else "")
    written = text_tokens(transcript)
    return events.TokensUsage(
        total_tokens=audio + prompt + written,
        input_tokens=audio + prompt,
        input_token_details=events.InputTokenDetails(text_tokens=prompt, audio_tokens=audio),
        output_tokens=written,
    )


def _heard_tokens(samples: int, format: AudioFormat) -> int:
    """Whole tokens: 2796 ms were billed as 27 (recorded in audio_in_server_vad_turn)."""
    return ms_floor(samples, format.rate) // HEARD_TOKEN_MS


def spoken_tokens(samples: int, format: AudioFormat) -> int:
    """A token that is begun counts; the service's rounding is not known."""
    return -(-ms_ceil(samples, format.rate) // SPOKEN_TOKEN_MS)


def made_tokens(made: Iterable[Entry]) -> tuple[int, int]:
    """What the output of a response costs so far: tokens of text, and of audio."""
    text = audio = 0
    for entry in made:
        text += text_tokens(entry.arguments)
        for part in entry.parts:
            text += text_tokens(part.text)
            audio += spoken_tokens(part.made_samples, part.format)
    return text, audio


def measure(
    given: Input, made: tuple[Entry, ...], *, status: str, cost: score.Cost | None = None
) -> events.Usage:
    """The cost of a response; all zero if it ended before anything was made (protocol.md §4.15).

    `cost` is what the engine's own model counted: it takes the place of the estimates of text and
    images, which it includes.
    """
    if not made and status != "completed":
        given = Input(0, 0, 0)
    text, audio = made_tokens(made)
    cached = 0
    if cost is not None:
        given = Input(cost.input_tokens, given.audio_tokens, 0)
        text, cached = cost.output_tokens, cost.cached_tokens
    inputs = given.total
    return events.Usage(
        total_tokens=inputs + text + audio,
        input_tokens=inputs,
        output_tokens=text + audio,
        input_token_details=events.InputTokenDetails(
            text_tokens=given.text_tokens,
            audio_tokens=given.audio_tokens,
            image_tokens=given.image_tokens,
            cached_tokens=cached,
            cached_tokens_details=events.CachedTokensDetails(
                text_tokens=cached, audio_tokens=0, image_tokens=0
            ),
        ),
        output_token_details=events.OutputTokenDetails(text_tokens=text, audio_tokens=audio),
    )
