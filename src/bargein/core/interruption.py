"""Policy: what the user's speech does to a reply. Pure functions, and nothing else lives here.

1. A policy sees the stimulus and a view, and answers *cut* or *ignore*. It never acts.
2. What the application asks for (the stop button, a typed message, push-to-talk) is not a matter of
   policy.
3. Where the service cancels or clears by itself at `speech_started`, only *cut* can be true: any
   other word would leave the reply cut off in the service's memory and playing in the ear.
   `refusal` says so at connect.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bargein.core.settings import BargeIn


class Decision(Enum):
    """What happens to the reply."""

    CUT = "cut"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class View:
    """What a policy may look at."""

    service_cuts: bool
    """The service is cutting the reply as we speak: `interrupt_response` is in effect, or its
    output buffer is its own and it clears it, whatever that says."""


def decide(barge_in: BargeIn, view: View) -> Decision:
    """What `input_audio_buffer.speech_started` does to the reply."""
    if barge_in == "keep_talking" and not view.service_cuts:
        return Decision.IGNORE
    return Decision.CUT


def refusal(
    barge_in: BargeIn, *, service_cancels: bool, service_clears: bool = False
) -> str | None:
    """Why this policy cannot be had with this turn detection, and the way out; None if it can."""
    if barge_in == "keep_talking" and service_clears:
        return (
            'barge_in="keep_talking": over WebRTC the service itself clears the reply when the '
            "user speaks, also with interrupt_response false; give turns=PushToTalk(), or "
            'transport="websocket", or barge_in="cut"'
        )
    if barge_in == "keep_talking" and service_cancels:
        return (
            'barge_in="keep_talking": with interrupt_response true the service itself cancels the '
            "reply when the user speaks; give turns=ServerVad(interrupt_response=False), "
            "SemanticVad(interrupt_response=False) or PushToTalk(), or give "
            'barge_in="cut"'
        )
    return None
