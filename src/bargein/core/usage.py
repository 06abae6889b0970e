"""What the session cost so far, as the service counts."""

from __future__ import annotations

from dataclasses import dataclass

from bargein import events


@dataclass(slots=True)
class UsageTotal:
    """Sums over all responses that reported a usage, cancelled ones included."""

    responses: int = 0
    total_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, usage: events.Usage) -> None:
        """One more response. Fields that the service left out count as 0."""
        self.responses += 1
        self.total_tokens += _number(usage.total_tokens)
        self.input_tokens += _number(usage.input_tokens)
        self.output_tokens += _number(usage.output_tokens)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
