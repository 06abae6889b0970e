"""What of the conversation the model is told when not all of it fits (protocol.md §3.3).

1. The window is the model's: what it may be told at once, in the tokens that `usage` counts.
   Instructions and tools are always told; the rest is for the items, or `post_instructions` of it
   if that is less.
2. `auto` leaves out the oldest items until the rest fits, without a word to the client;
   `retention_ratio` leaves out more at once, until the rest is that part of the room, so that it
   happens seldom. The output of a call that was left out is left out with it.
3. `disabled` leaves out nothing: what does not fit is refused. So it is where the newest item alone
   does not fit, for then there is nothing left to say something to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bargein.server.model import usage
from bargein.server.model.entries import Entry
from bargein.server.model.models import has_reasoning
from bargein.server.model.rules import refuse

_WINDOW_TOKENS = 28_224
"""A model with a context of 32k and 4 096 tokens of output (API reference, `truncation`)."""
_WIDE_WINDOW_TOKENS = 128_000 - 4_096
"""The 2.x line has a context of 128k; what of it is left for the input is computed likewise."""


def window_tokens(model: str) -> int:
    """How much this model may be told at once."""
    return _WIDE_WINDOW_TOKENS if has_reasoning(model) else _WINDOW_TOKENS


def fitting(
    entries: Sequence[Entry], values: Mapping[str, Any], truncation: Any, window: int
) -> tuple[Entry, ...]:
    """The items that are told, in order: all, or the newest.

    `values` are the response's parameters, `truncation` is the session's. Raises `RefusedError`.
    """
    costs = [usage.known_tokens(entry).total for entry in entries]
    room = window - usage.instruction_tokens(values)
    aim = 1.0
    if isinstance(truncation, Mapping):
        aim = truncation["retention_ratio"]
        limits = truncation.get("token_limits") or {}
        room = min(room, limits.get("post_instructions", room))
    left = sum(costs)
    if not costs or left <= room:
        return tuple(entries)
    if truncation == "disabled" or costs[-1] > room:
        raise refuse("too_long")
    first = 0
    while left > room * aim and first < len(costs) - 1:
        left -= costs[first]
        first += 1
    gone = {entry.call_id for entry in entries[:first] if entry.kind == "function_call"}
    return tuple(
        entry
        for entry in entries[first:]
        if entry.kind != "function_call_output" or entry.call_id not in gone
    )
