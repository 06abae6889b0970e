"""What a card knows of one mark. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bargein.audio.voice import Voice


@dataclass(slots=True)
class Part:
    """`heard` counts at the card's rate, `rendered` is what was reported, at the sound's rate.
    `cut_id` names the stop that cut it. `told`: it is settled, and nothing more is said of it.
    """

    voice: Voice
    heard: int = 0
    rendered: int = 0
    finished: bool = False
    cut_id: str | None = None
    told: bool = False
    full: bool = False

    @property
    def stopped(self) -> bool:
        """Whether a stop has cut it."""
        return self.cut_id is not None

    @property
    def closed(self) -> bool:
        """Whether no more sound of it is taken."""
        return self.finished or self.full or self.cut_id is not None

    @property
    def heard_samples(self) -> int:
        """Whole samples at the sound's rate that were heard."""
        return self.voice.own_samples(self.heard)

    def bent(self, samples: int, error: int) -> int:
        """What a card that is off by `error` says instead: no less than none, no more than came."""
        return max(0, min(self.voice.received, samples + error)) if error else samples
