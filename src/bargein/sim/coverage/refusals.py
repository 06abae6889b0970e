"""The refusals that the world knows: what was refused, why, and by whose doing.

A name is the error's code, the event that it refuses, and the blame (`invariants/blame.py`), as in
"response_cancel_not_active of response.cancel: crossing". Blame *ours* has no name here: it breaks
I2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from bargein import events
from bargein.sim.invariants.facts import Refused

REFUSALS: Mapping[str, str] = {
    "response_cancel_not_active of response.cancel: crossing": "The end was under way.",
    "conversation_already_has_active_response of response.create: crossing": (
        "A response of the server's own was under way."
    ),
    "conversation_already_has_active_response of nothing: automatic": (
        "The server could not answer a turn, because a response of ours was active."
    ),
    "invalid_approval_request_id of conversation.item.create: crossing": (
        "The call that was consented to had ended with its response."
    ),
    "invalid_value of conversation.item.truncate: theirs": (
        "The server counts lengths on a coarser grid than it had said."
    ),
    "unsupported_event of conversation.item.truncate: theirs": "The server knows no truncation.",
    "unsupported_event of conversation.item.delete: theirs": "The server knows no deletion.",
    "unsupported_event of response.cancel: theirs": "The server knows no cancel.",
    "session_expired of nothing: theirs": "The session's time was up.",
    "item_create_invalid_previous_item_id of conversation.item.create: application": (
        "It was to stand behind an item of the model's that a cut had deleted."
    ),
}


def refusals_met(refused: Iterable[Refused]) -> Mapping[str, int]:
    """How often each refusal was met, by its name."""
    return Counter(name_of(one) for one in refused)


def name_of(refused: Refused) -> str:
    """The name of a refusal."""
    code = refused.event.error.code
    about = "nothing" if refused.sent is None else events.type_of(refused.sent.event)
    return f"{code if isinstance(code, str) else 'no code'} of {about}: {refused.blame}"
