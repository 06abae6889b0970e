"""What one episode's world is like, drawn once at its start.

1. Whole features are off in most episodes, so that each is met alone as well as with others (a
   swarm). The defaults are the plainest world.
2. An episode prints its options, so a seed that fails is a readable report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bargein.audio.base import Accuracy, Exact, Unknown, Within
from bargein.audio.card_settings import CardSettings
from bargein.core.settings import BargeIn
from bargein.sim.choices import Choices
from bargein.sim.network import LinkOptions
from bargein.units import US_PER_MS, AudioFormat

TurnKind: TypeAlias = Literal["server_vad", "semantic_vad", "manual"]

WORD_US = 200 * US_PER_MS
"""Within this a player answers a stop; one that does not is no longer believed (DESIGN §2)."""

_STREAM = "options"


@dataclass(frozen=True, slots=True)
class Options:
    """The world of one episode.

    `declared` says whether the client was told of what its server does differently (`obeys`,
    `acknowledges`, `lengths_grid_ms`) or has to find out.
    """

    turns: TurnKind = "server_vad"
    interrupt_response: bool = True
    create_response: bool = True
    silence_ms: int = 200
    barge_in: BargeIn = "cut"
    format: AudioFormat = AudioFormat.PCM
    lengths_grid_ms: int = 1
    obeys_truncate: bool = True
    acknowledges: bool = True
    declared: bool = False
    down: LinkOptions = field(default_factory=LinkOptions)
    up: LinkOptions = field(default_factory=LinkOptions)
    blocks: bool = False
    dies: bool = False
    card: CardSettings = field(default_factory=CardSettings)
    chunk_ms: int = 100
    tools: bool = False
    acts: int = 2

    @property
    def exact(self) -> bool:
        """Whether the player's first word is the truth, given in time."""
        card = self.card
        delay_us = card.answer_delay_us
        return (
            isinstance(card.accuracy, Exact)
            and not card.first_error_samples
            and delay_us is not None
            and delay_us < WORD_US
        )

    @property
    def margin_samples(self) -> int | None:
        """How far the player may be off, at the sound's rate; None where it cannot be told."""
        card = self.card
        if card.answer_delay_us is None or card.answer_delay_us >= WORD_US:
            return None
        match card.accuracy:
            case Exact():
                return abs(card.first_error_samples)
            case Within(samples=samples):
                return samples + abs(card.first_error_samples)
            case Unknown():
                return None


def draw_options(choices: Choices) -> Options:
    """The world of this episode."""
    turns: TurnKind = choices.pick(
        _STREAM, ("server_vad", "server_vad", "server_vad", "manual", "semantic_vad")
    )
    interrupts = not choices.rarely(_STREAM, 3)
    creates = not choices.rarely(_STREAM, 3)
    client_may_decide = turns == "manual" or not interrupts
    keeps_talking = client_may_decide and choices.rarely(_STREAM, 4)
    plain = AudioFormat.PCM
    sound_format = choices.pick(_STREAM, (plain, plain, plain, AudioFormat.PCMU, AudioFormat.PCMA))
    return Options(
        turns=turns,
        interrupt_response=interrupts,
        create_response=creates,
        silence_ms=choices.pick(_STREAM, (200, 320, 500)),
        barge_in="keep_talking" if keeps_talking else "cut",
        format=sound_format,
        lengths_grid_ms=50 if choices.rarely(_STREAM, 6) else 1,
        obeys_truncate=not choices.rarely(_STREAM, 40),
        acknowledges=not choices.rarely(_STREAM, 40),
        declared=choices.rarely(_STREAM, 2),
        down=_draw_link(choices),
        up=_draw_link(choices),
        blocks=choices.rarely(_STREAM, 5),
        dies=choices.rarely(_STREAM, 50),
        card=_draw_card(choices, sound_format),
        chunk_ms=choices.pick(_STREAM, (100, 60, 40, 20)),
        tools=choices.rarely(_STREAM, 4),
        acts=choices.draw(_STREAM, 2, 5),
    )


def _draw_link(choices: Choices) -> LinkOptions:
    base_us = choices.draw(_STREAM, 1, choices.pick(_STREAM, (30, 120, 300))) * US_PER_MS
    jitter_us = choices.pick(_STREAM, (0, 5, 50, 200)) * US_PER_MS
    stall_one_in = choices.pick(_STREAM, (0, 0, 100, 30))
    return LinkOptions(base_us, jitter_us, stall_one_in, stall_us=2_000 * US_PER_MS)


def _draw_card(choices: Choices, sound_format: AudioFormat) -> CardSettings:
    rate = sound_format.rate
    if choices.rarely(_STREAM, 12):
        rate = 24_000 if rate == 8_000 else 48_000
    on_stop: Literal["drain", "discard"] = "discard" if choices.rarely(_STREAM, 2) else "drain"
    delay_ms: int | None = 0
    if choices.rarely(_STREAM, 4):
        delay_ms = choices.draw(_STREAM, 1, 150)
    if choices.rarely(_STREAM, 50):
        delay_ms = choices.pick(_STREAM, (400, 1_000, None))
    accuracy: Accuracy = Exact()
    error = 0
    if choices.rarely(_STREAM, 15):
        accuracy = Within(choices.draw(_STREAM, 1, 480))
        error = choices.draw(_STREAM, -accuracy.samples, accuracy.samples)
    elif choices.rarely(_STREAM, 30):
        accuracy = Unknown()
    correction_us: int | None = None
    first_error = 0
    if choices.rarely(_STREAM, 20):
        correction_us = choices.draw(_STREAM, 1, 500) * US_PER_MS
        first_error = choices.draw(_STREAM, -960, 960)
    return CardSettings(
        rate=rate,
        block=choices.pick(_STREAM, (480, 240, 441, 960, 1_024, 2_048)),
        latency_us=choices.draw(_STREAM, 0, 250) * US_PER_MS,
        on_stop=on_stop,
        fade_us=choices.pick(_STREAM, (5_000, 0)),
        accuracy=accuracy,
        error_samples=error,
        answer_delay_us=None if delay_ms is None else delay_ms * US_PER_MS,
        correction_delay_us=correction_us,
        first_error_samples=first_error,
        rate_error_ppm=choices.pick(_STREAM, (0, 0, 0, 250, -250)),
        miss_every=choices.pick(_STREAM, (0, 0, 0, 0, 0, 37)),
    )
