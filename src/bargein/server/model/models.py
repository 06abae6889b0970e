"""What a model's name and a voice's name say (protocol.md §2.7)."""

from __future__ import annotations

VOICES = (
    *("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse"),
    *("marin", "cedar"),
)
"""The voices of the service, as its package lists them."""


TRANSCRIPTION_MODELS = (
    *("whisper-1", "gpt-transcribe", "gpt-live-transcribe"),
    *("gpt-4o-mini-transcribe", "gpt-4o-mini-transcribe-2025-12-15"),
    *("gpt-4o-transcribe", "gpt-4o-transcribe-diarize", "gpt-realtime-whisper"),
)
"""What may write down what the user says. None of them can be a session's model (§1.1.1)."""

LIVE_MODELS = ("gpt-realtime-whisper", "gpt-live-transcribe")
"""Transcription models that write while the user speaks (protocol.md §4.12)."""


def has_reasoning(model: str) -> bool:
    """Whether the model has reasoning, parallel calls and phases."""
    return model.startswith("gpt-realtime-2") and not model.startswith("gpt-realtime-2025")
