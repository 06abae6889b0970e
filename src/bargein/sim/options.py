"""What one episode's world is like, drawn once at its start.

1. Whole features are off in most episodes, so that each is met alone as well as with others (a
   swarm). The defaults are the plainest world.
2. An episode prints its options, so a seed that fails is a readable report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

from bargein.audio.base import Accuracy, Exact, Unknown, Within
from bargein.audio.card_settings import CardSettings
from bargein.core.settings import BargeIn
from bargein.sim.actors.network import LinkOptions
from bargein.sim.choices import Choices
from bargein.units import US_PER_MS, AudioFormat

T = TypeVar("T")

TurnKind: TypeAlias = Literal["server_vad", "semantic_vad", "manual"]

WORD_US = 200 * US_PER_MS
"""Within this a player answers a stop; one that does not is no longer believed
(docs/interruption.md)."""


@dataclass(frozen=True, slots=True)
class CardChange:
    """At that time the device is gone, and another one is opened in its place."""

    at_us: int
    settings: CardSettings


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
    obeys_delete: bool = True
    obeys_cancel: bool = True
    acknowledges: bool = True
    declared: bool = False
    down: LinkOptions = field(default_factory=LinkOptions)
    up: LinkOptions = field(default_factory=LinkOptions)
    blocks: bool = False
    dies: bool = False
    card: CardSettings = field(default_factory=lambda: CardSettings(latency_us=0))
    card_changes: CardChange | None = None
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
        """How far the player's last word may be off, at the sound's rate; None where it cannot be
        told."""
        card = self.card
        if card.answer_delay_us is None or card.answer_delay_us >= WORD_US:
            return None
        match card.accuracy:
            case Exact():
                return 0
            case Within(samples=samples):
                return samples
            case Unknown():
                return None


class _Draw:
    """Each option has a stream of its own: a new one does not move the others."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices

    def pick(self, name: str, *values: T) -> T:
        """The first is the plainest."""
        return self._choices.pick(f"options.{name}", values)

    def rarely(self, name: str, one_in: int) -> bool:
        return self._choices.rarely(f"options.{name}", one_in)

    def number(self, name: str, low: int, high: int) -> int:
        """The low end is the plainest."""
        return self._choices.draw(f"options.{name}", low, high)


def draw_options(choices: Choices) -> Options:
    """The world of this episode."""
    draw = _Draw(choices)
    vad: TurnKind = "server_vad"
    turns = draw.pick("turns", vad, vad, vad, "manual", "semantic_vad")
    interrupts = not draw.rarely("lets_interrupt", 3)
    client_may_decide = turns == "manual" or not interrupts
    keeps_talking = draw.rarely("keeps_talking", 4) and client_may_decide
    pcm = AudioFormat.PCM
    sound_format = draw.pick("format", pcm, pcm, pcm, AudioFormat.PCMU, AudioFormat.PCMA)
    return Options(
        turns=turns,
        interrupt_response=interrupts,
        create_response=not draw.rarely("lets_reply", 3),
        silence_ms=draw.pick("silence_ms", 200, 320, 500),
        barge_in="keep_talking" if keeps_talking else "cut",
        format=sound_format,
        lengths_grid_ms=50 if draw.rarely("coarse_lengths", 6) else 1,
        obeys_truncate=not draw.rarely("refuses_truncate", 40),
        acknowledges=not draw.rarely("silent", 40),
        declared=draw.rarely("declared", 2),
        down=_draw_link(draw, "down"),
        up=_draw_link(draw, "up"),
        blocks=draw.rarely("blocks", 5),
        dies=draw.rarely("dies", 50),
        card=_draw_card(draw, sound_format),
        chunk_ms=draw.pick("chunk_ms", 100, 60, 40, 20),
        tools=draw.rarely("tools", 4),
        acts=draw.number("acts", 2, 5),
    )


def _draw_link(draw: _Draw, name: str) -> LinkOptions:
    most_ms = draw.pick(f"{name}.most_ms", 30, 120, 300)
    return LinkOptions(
        base_us=draw.number(f"{name}.base_ms", 1, most_ms) * US_PER_MS,
        jitter_us=draw.pick(f"{name}.jitter_ms", 0, 5, 50, 200) * US_PER_MS,
        stall_one_in=draw.pick(f"{name}.stall_one_in", 0, 0, 100, 30),
    )


def _draw_card(draw: _Draw, sound_format: AudioFormat) -> CardSettings:
    rate = sound_format.rate
    if draw.rarely("card.other_rate", 12):
        rate = 24_000 if rate == 8_000 else 48_000
    delay_ms: int | None = 0
    if draw.rarely("card.late", 4):
        delay_ms = draw.number("card.delay_ms", 1, 150)
    if draw.rarely("card.breaks_its_word", 50):
        delay_ms = draw.pick("card.broken_ms", 400, 1_000, None)
    accuracy: Accuracy = Exact()
    error = 0
    if draw.rarely("card.within", 15):
        accuracy = Within(draw.number("card.margin", 1, 480))
        error = draw.number("card.error", 0, 2 * accuracy.samples) - accuracy.samples
    elif draw.rarely("card.unknown", 30):
        accuracy = Unknown()
    correction_us: int | None = None
    first_error = 0
    if draw.rarely("card.corrects", 20):
        correction_us = draw.number("card.correction_ms", 1, 500) * US_PER_MS
        first_error = draw.number("card.first_error", 0, 1_920) - 960
    return CardSettings(
        rate=rate,
        block=draw.pick("card.block", 480, 240, 441, 960, 1_024, 2_048),
        latency_us=draw.number("card.latency_ms", 0, 250) * US_PER_MS,
        on_stop="discard" if draw.rarely("card.discards", 2) else "drain",
        fade_us=draw.pick("card.fade_us", 5_000, 0),
        accuracy=accuracy,
        error_samples=error,
        answer_delay_us=None if delay_ms is None else delay_ms * US_PER_MS,
        correction_delay_us=correction_us,
        first_error_samples=first_error,
        rate_error_ppm=draw.pick("card.rate_error_ppm", 0, 0, 0, 250, -250),
        miss_every=draw.pick("card.miss_every", 0, 0, 0, 0, 0, 37),
    )
