"""What the session cost so far, as the service counts.

1. Every response that reports a usage counts, once: those in the conversation and out of band,
   completed, cancelled and failed, and those whose end came when nobody waited for it any more.
2. The kinds are the service's: text, sound and images of the input, text and sound of the output;
   what was cached is part of the input. A field that it leaves out counts as nought.
3. A transcription is another model's work and is counted apart: in tokens, or in seconds.
4. Sound is counted as it passes, in samples: what came to be heard, and what was sent of the
   microphone.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from bargein import events
from bargein.errors import LocalValueError
from bargein.events.lenient import WrongValue
from bargein.units import AudioFormat, ms_floor

REMEMBERED_LIMIT = 1_024
"""Responses and transcriptions that were counted; one that is told again counts once."""
_TICKS = AudioFormat.PCM.rate
"""Sound is added up in samples of the finest format: the rate of the others divides its rate."""

PER_TOKENS = 1_000_000
"""Prices are for so many tokens."""


class UsageTotal(msgspec.Struct, frozen=True):
    """Sums. `spoken_ms` is the replies' sound that came, `listened_ms` what was sent."""

    responses: int = 0
    total_tokens: int = 0
    input_tokens: int = 0
    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    cached_tokens: int = 0
    """Of the input, with its kinds below."""
    cached_text_tokens: int = 0
    cached_audio_tokens: int = 0
    cached_image_tokens: int = 0
    output_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0
    transcriptions: int = 0
    transcription_input_tokens: int = 0
    transcription_output_tokens: int = 0
    transcribed_s: float = 0.0
    """Of the transcriptions that are counted by their length."""
    spoken_ms: int = 0
    listened_ms: int = 0

    def __add__(self, other: UsageTotal) -> UsageTotal:
        sums = {name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__}
        return UsageTotal(**sums)

    @classmethod
    def of_response(cls, usage: events.Usage) -> UsageTotal:
        """Of one response."""
        given, made = usage.input_token_details, usage.output_token_details
        cached = getattr(given, "cached_tokens_details", None)
        return cls(
            responses=1,
            total_tokens=_number(usage, "total_tokens"),
            input_tokens=_number(usage, "input_tokens"),
            input_text_tokens=_number(given, "text_tokens"),
            input_audio_tokens=_number(given, "audio_tokens"),
            input_image_tokens=_number(given, "image_tokens"),
            cached_tokens=_number(given, "cached_tokens"),
            cached_text_tokens=_number(cached, "text_tokens"),
            cached_audio_tokens=_number(cached, "audio_tokens"),
            cached_image_tokens=_number(cached, "image_tokens"),
            output_tokens=_number(usage, "output_tokens"),
            output_text_tokens=_number(made, "text_tokens"),
            output_audio_tokens=_number(made, "audio_tokens"),
        )

    @classmethod
    def of_transcription(cls, usage: object) -> UsageTotal:
        """Of one transcription; of one that is counted in another way, that it was."""
        match usage:
            case events.TokensUsage():
                return cls(
                    transcriptions=1,
                    transcription_input_tokens=_number(usage, "input_tokens"),
                    transcription_output_tokens=_number(usage, "output_tokens"),
                )
            case events.DurationUsage(seconds=seconds):
                return cls(transcriptions=1, transcribed_s=max(0.0, float(seconds)))
            case _:
                return cls(transcriptions=1)

    def as_dict(self) -> dict[str, int | float]:
        """Plain values by name, for JSON."""
        return {name: getattr(self, name) for name in self.__struct_fields__}

    def to_json(self) -> str:
        """An object of these sums."""
        return msgspec.json.encode(self).decode()

    def cost(self, prices: Mapping[str, float]) -> float:
        """The price of it all, for prices of a million tokens by kind, and of a minute.

        The kinds are `input_text`, `input_audio`, `input_image`, `cached_text`, `cached_audio`,
        `cached_image`, `output_text`, `output_audio`, `transcription_input`,
        `transcription_output`; `transcription_minute` is the price of a minute. A kind that was
        not used needs no price. Raises `LocalValueError` for one that was used and has none, and
        for tokens of which the service did not say of what kind they are.
        """
        amounts = {kind: tokens / PER_TOKENS for kind, tokens in self._kinds().items()}
        amounts["transcription_minute"] = self.transcribed_s / 60
        unknown = prices.keys() - amounts.keys()
        if unknown:
            raise LocalValueError(
                f"prices: {sorted(unknown)[0]!r} is no kind; give some of {', '.join(amounts)}"
            )
        untold = self.input_tokens + self.output_tokens - self._told()
        if untold > 0:
            raise LocalValueError(f"prices: of {untold} tokens the service did not tell the kind")
        total = 0.0
        for kind, amount in amounts.items():
            if amount and kind not in prices:
                raise LocalValueError(f"prices: {kind!r} was used and has no price; give it")
            total += amount * prices.get(kind, 0.0)
        return total

    def _told(self) -> int:
        given = self.input_text_tokens + self.input_audio_tokens + self.input_image_tokens
        return given + self.output_text_tokens + self.output_audio_tokens

    def _kinds(self) -> dict[str, int]:
        """Every token once, by its kind: what is cached is not in the input's kinds."""
        return {
            "input_text": max(0, self.input_text_tokens - self.cached_text_tokens),
            "input_audio": max(0, self.input_audio_tokens - self.cached_audio_tokens),
            "input_image": max(0, self.input_image_tokens - self.cached_image_tokens),
            "cached_text": self.cached_text_tokens,
            "cached_audio": self.cached_audio_tokens,
            "cached_image": self.cached_image_tokens,
            "output_text": self.output_text_tokens,
            "output_audio": self.output_audio_tokens,
            "transcription_input": self.transcription_input_tokens,
            "transcription_output": self.transcription_output_tokens,
        }


class Meter:
    """The machine's: adds up what passes."""

    __slots__ = ("_counted", "_listened_ticks", "_spoken_ticks", "_total", "changes")

    def __init__(self) -> None:
        self.changes = 0
        """How often something was added."""
        self._total = UsageTotal()
        self._counted: dict[tuple[str, int], None] = {}
        self._spoken_ticks = 0
        self._listened_ticks = 0

    @property
    def total(self) -> UsageTotal:
        """All so far."""
        return replace(
            self._total,
            spoken_ms=ms_floor(self._spoken_ticks, _TICKS),
            listened_ms=ms_floor(self._listened_ticks, _TICKS),
        )

    def responded(self, response_id: str, usage: events.Usage) -> bool:
        """A response has told what it cost. False where it was counted before."""
        if not self._is_new(response_id, -1):
            return False
        self._total += UsageTotal.of_response(usage)
        return True

    def transcribed(self, item_id: str, content_index: int, usage: object) -> None:
        """A part was transcribed."""
        if self._is_new(item_id, content_index):
            self._total += UsageTotal.of_transcription(usage)

    def _is_new(self, key: str, index: int) -> bool:
        if (key, index) in self._counted:
            return False
        while len(self._counted) >= REMEMBERED_LIMIT:
            del self._counted[next(iter(self._counted))]
        self._counted[key, index] = None
        self.changes += 1
        return True

    def spoke(self, wire_bytes: int, audio_format: AudioFormat) -> None:
        """Sound of a reply came."""
        self.changes += 1
        samples = audio_format.samples(wire_bytes)
        self._spoken_ticks += samples * (_TICKS // audio_format.rate)

    def listened(self, samples: int, audio_format: AudioFormat) -> None:
        """Sound of the microphone was sent."""
        self.changes += 1
        self._listened_ticks += samples * (_TICKS // audio_format.rate)


def usage_of(event: events.ResponseDone) -> events.Usage | None:
    """What the service says that the response cost; None where it says nothing.

    One service tells it beside the response, whose own usage it leaves empty (protocol.md §8).
    """
    usage = event.response.usage
    if isinstance(usage, events.Usage) and usage != events.Usage():
        return usage
    beside = event.extra.get("usage") if isinstance(event.extra, Mapping) else None
    try:
        return events.build(events.Usage, beside) if isinstance(beside, dict) else None
    except WrongValue:
        return None


def _number(holder: object, name: str) -> int:
    value = getattr(holder, name, 0)
    return value if isinstance(value, int) and value > 0 else 0
