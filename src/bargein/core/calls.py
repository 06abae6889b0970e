"""Function calls, surfaced: each call is told once, though the wire shows it three times.

1. A call is keyed by its `call_id`. `output_item.done`, `conversation.item.done` and
   `response.done` all carry it.
2. A call that ended `incomplete` is never told: its arguments are cut off (scenario 27).
"""

from __future__ import annotations

from bargein import events
from bargein.core.notices import ToolCalled

REMEMBERED_LIMIT = 4_096


class Calls:
    """The calls that were told already."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[str, None] = {}

    def seen(self, item: events.Item, response_id: str) -> ToolCalled | None:
        """A function call item that is done: the notice of it, the first time."""
        if not isinstance(item, events.FunctionCallItem) or item.status != "completed":
            return None
        item_id = item.id if isinstance(item.id, str) else ""
        call_id = item.call_id if isinstance(item.call_id, str) else item_id
        if call_id in self._told:
            return None
        if len(self._told) >= REMEMBERED_LIMIT:
            del self._told[next(iter(self._told))]
        self._told[call_id] = None
        return ToolCalled(call_id, item.name, item.arguments, item_id, response_id)
