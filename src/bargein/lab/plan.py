"""What a demo does, drawn from its seed: the card, and when the user talks over the assistant.

1. One seed, one plan, in any process and on any machine.
2. The card runs at the rate of the service's sound, so that a sample heard is a sample received,
   and counts can be compared without a resampler in between.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from bargein.audio.card_settings import CardSettings
from bargein.errors import LocalValueError
from bargein.lab.caller import Turn
from bargein.units import US_PER_MS, AudioFormat

CARD_RATE = AudioFormat.PCM.rate
LINES = (
    "Could you tell me a story about the sea?",
    "Sorry to stop you, what about the clockmaker?",
    "Never mind, just say goodbye in one sentence.",
)
INSTRUCTIONS = (
    "You are a storyteller. When asked for a story, begin it at once, without a preamble, and tell "
    "it at length. When asked to say goodbye, answer with one short sentence."
)
BLOCKS = (240, 256, 441, 480, 512, 720, 960, 1_024, 2_048)


@dataclass(frozen=True, slots=True)
class Plan:
    """The turns of the user, and the card between the assistant and the ear."""

    seed: int
    turns: tuple[Turn, ...]
    card: CardSettings

    @property
    def interruptions(self) -> int:
        """How many are meant to happen."""
        return len(self.turns) - 1


def plan_of(seed: int) -> Plan:
    """Draw everything from the seed, in a fixed order. Raises `LocalValueError` for a negative."""
    if seed < 0:
        raise LocalValueError(f"seed: {seed}; give 0 or more")
    draw = random.Random(seed)
    block = BLOCKS[int(draw.random() * len(BLOCKS))]
    latency_us = int(draw.random() * 251) * US_PER_MS
    on_stop: Literal["drain", "discard"] = "drain" if draw.random() < 0.5 else "discard"
    story_ms = 4_000 + int(draw.random() * 3_000)
    second_ms = 500 + int(draw.random() * 500)
    card = CardSettings(rate=CARD_RATE, block=block, latency_us=latency_us, on_stop=on_stop)
    turns = (Turn(LINES[0], story_ms), Turn(LINES[1], second_ms), Turn(LINES[2]))
    return Plan(seed, turns, card)
