"""What a model's name and a voice's name say (protocol.md §2.7)."""

from __future__ import annotations

VOICES = (
    *("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse"),
    *("marin", "cedar"),
)
"""The voices of the service, as its package lists them."""


def has_reasoning(model: str) -> bool:
    """Whether the model has reasoning, parallel calls and phases."""
    return model.startswith("gpt-realtime-2") and not model.startswith("gpt-realtime-2025")
