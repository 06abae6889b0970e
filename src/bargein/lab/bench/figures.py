"""What a bench gives: figures, each with its target, its rounds and what it was computed from.

1. A figure compares with a named peer in the same run, or with a limit that is stated in it.
2. It is measured in rounds, and its value is their median; all rounds are kept.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Literal

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One claim and its measurement. `says` is the whole claim, in a sentence."""

    name: str
    says: str
    unit: str
    target: float
    wanted: Literal["at least", "at most"]
    rounds: tuple[float, ...]
    raw: dict[str, Any]

    @property
    def measured(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rounds)

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        if self.wanted == "at least":
            return self.measured >= self.target
        return self.measured <= self.target


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How long is measured. The defaults are what the evidence is made with."""

    decode_rounds: int = 15
    decode_calls: int = 1_000
    conversation_s: int = 180
    replays: int = 15
    live_rounds: int = 4
    live_s: int = 30
    crowd_rounds: int = 3
    crowd_s: int = 20
    crowd_sessions: int = 50
    hour_minutes: int = 60
    day_hours: int = 24
    drops: int = 1_000
    load_rounds: int = 3
    load_warm_s: float = 4
    load_s: float = 10
    load_sessions: tuple[int, ...] = (5, 10, 15, 20, 25, 30, 40, 50, 75, 100)
    hostile_rounds: int = 4
    calls: tuple[int, ...] = (10, 20, 30, 40, 50, 60)
    one_way_rounds: int = 3
    simulation_rounds: int = 5
    simulation_seeds: int = 300


QUICK = Effort(
    decode_rounds=3,
    decode_calls=200,
    conversation_s=40,
    replays=3,
    live_rounds=1,
    live_s=10,
    crowd_rounds=1,
    crowd_s=6,
    crowd_sessions=10,
    hour_minutes=12,
    day_hours=2,
    drops=200,
    load_rounds=1,
    load_warm_s=2,
    load_s=4,
    load_sessions=(5, 10),
    hostile_rounds=1,
    calls=(5, 10),
    one_way_rounds=1,
    simulation_rounds=3,
    simulation_seeds=60,
)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Least, median and greatest, to four digits."""
    return {
        "min": shown(min(values)),
        "median": shown(statistics.median(values)),
        "max": shown(max(values)),
    }


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def shown(value: float) -> float:
    """Four significant digits: no measurement here is better than that."""
    return float(f"{value:.4g}")
