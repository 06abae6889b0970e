"""One response's sound in the service's output buffer, and whose its samples are.

RTP tells no parts apart, so a response's sound is counted for its first spoken part, its *voice*. A
truncation of a later part says how much of that one had left, and so where it began: there the
counts are divided.
"""

from __future__ import annotations

from dataclasses import dataclass

from bargein.core.utterances import SpokenItem, Utterance


@dataclass(slots=True, eq=False)
class Sound:
    """One response's sound in the service's output buffer."""

    response_id: str
    started: bool = False
    over: str = ""
    """`stopped`, `cleared`, or `given up` where neither was said in time."""
    clear_asked: bool = False
    """It is on its way to be cleared, by our word or by the service's own."""
    voice: Utterance | None = None
    """The part that its sound is counted for."""


def divide(voice: Utterance, part: Utterance, kept_samples: int) -> None:
    """The end of what was counted for the first part is the later one's, which keeps so much."""
    if part is voice or voice.answer == "truncated" or not kept_samples:
        # It all was the first part's.
        return
    began = max(0, voice.received_samples - kept_samples)
    part.received_samples = voice.received_samples - began
    part.given_samples = max(0, voice.given_samples - began)
    part.heard_samples = max(0, voice.heard_samples - began)
    voice.received_samples = began
    voice.given_samples = min(voice.given_samples, began)
    voice.heard_samples = min(voice.heard_samples, began)
    voice.kept_ms = voice.received_ms


def is_kept(item: SpokenItem) -> bool:
    """The service has said what it keeps of it."""
    return any(part.kept_ms is not None for part in item.parts.values())
