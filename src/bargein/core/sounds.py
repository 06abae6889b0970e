"""One response's sound in the service's output buffer, and whose its samples are.

RTP tells no parts apart, so a response's sound is counted for its first spoken part, its *voice*. A
truncation of a later part says how much of that one had left, and so where it began: there the
counts are divided.
"""

from __future__ import annotations

from dataclasses import dataclass

from bargein.core.responses import Reply
from bargein.core.utterances import SpokenItem, Utterance
from bargein.units import US_PER_MS

SLACK_US = 250 * US_PER_MS
"""What a jitter buffer may hold more than before."""
_LAG_US = 400 * US_PER_MS
"""How late the media may be where that is not known yet."""


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


def on_its_way_us(lag_us: int | None) -> int:
    """How long the last that has left is waited for, where media is so late, or nobody knows."""
    return SLACK_US + (_LAG_US if lag_us is None else max(0, min(lag_us, _LAG_US)))


def is_kept(item: SpokenItem) -> bool:
    """The service has said what it keeps of it."""
    return any(part.kept_ms is not None for part in item.parts.values())


def is_gone(sound: Sound | None, items: list[SpokenItem], reply: Reply | None) -> bool:
    """Nothing more of a response that was cut is waited for: neither its sound nor the word of
    what is kept of its items."""
    if sound is None or sound.over in ("stopped", "given up"):
        return True
    spoken = [item for item in items if item.in_conversation and item.parts]
    known = not spoken or any(item.going or is_kept(item) for item in spoken)
    if sound.over == "cleared":
        return known
    if sound.started or reply is None:
        return reply is None
    return reply.done and (known or reply.status != "completed")
