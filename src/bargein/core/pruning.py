"""What the service leaves out of a long conversation, as far as it lets on (protocol.md §3.3).

1. What it deletes though nobody asked leaves the mirror, and is told. So is what it refuses to know
   when it is named: that was deleted without a word.
2. What it keeps and does not tell the model any more, it says nowhere. But it says how much the
   model was told: where the input of a reply is smaller than that of the reply before it, and
   nothing was taken away between them, so many tokens at least were left out, the oldest first.
3. Of the items, those are shown as left out of which that is certain: all that was there when the
   model was told no more than so much. There may be others.
4. Nothing is concluded across what makes the input smaller by itself: an item that was deleted or
   truncated, other settings of the session, a reply with parameters of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bargein.core.items import ItemView

MARKS_LIMIT = 1_024
"""Replies whose input is remembered; of what is older, nothing can be told apart."""


@dataclass(frozen=True, slots=True)
class Told:
    """A reply was begun, and the model told of the items up to this one."""

    last_id: str | None
    changes: int


@dataclass(slots=True)
class _Mark:
    last_id: str
    left: int
    """Tokens that the items up to it may still be of what the model is told, at most."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The model was told so much less than before; of these items it is certain."""

    item_ids: tuple[str, ...]
    tokens: int


class Pruning:
    """What the model was told, reply by reply."""

    __slots__ = ("_base", "_changes", "_marks", "_told")

    def __init__(self) -> None:
        self._base: tuple[int, int] | None = None
        self._changes = 0
        self._marks: list[_Mark] = []
        self._told: frozenset[str] = frozenset()

    def changed(self, item_id: str | None = None) -> None:
        """Something made what the model is told smaller by itself: that item, or the session.

        What the model was not told yet makes nothing smaller.
        """
        if item_id is None or item_id in self._told:
            self._changes += 1

    def placed_before_the_end(self) -> None:
        """An item was put among the others: what is oldest is not what was told first."""
        self._changes += 1
        self._marks.clear()

    def begun(self, item_ids: Sequence[str]) -> Told:
        """A reply of the conversation was begun; these items are there, in order."""
        self._told = frozenset(item_ids)
        return Told(item_ids[-1] if item_ids else None, self._changes)

    def shrinks(self, input_tokens: int) -> bool:
        """The input is smaller than the last one: `measured` needs the items."""
        return self._base is not None and input_tokens < self._base[0]

    def measured(
        self, told: Told, input_tokens: int, items: tuple[ItemView, ...]
    ) -> LeftOut | None:
        """The reply has told its input. What was left out since the one before; None: nothing."""
        if input_tokens <= 0:
            # It ended before anything was made.
            return None
        before, self._base = self._base, (input_tokens, told.changes)
        found = None
        if before is not None and before[1] == told.changes and input_tokens < before[0]:
            fewer = before[0] - input_tokens
            for mark in self._marks:
                mark.left -= fewer
            found = LeftOut(self._certain(items), fewer)
        if told.last_id is not None:
            self._marks.append(_Mark(told.last_id, input_tokens))
            del self._marks[:-MARKS_LIMIT]
        return found

    def _certain(self, items: tuple[ItemView, ...]) -> tuple[str, ...]:
        """The most that is certain. Where a call leaves, its output may have left with it, wherever
        it stands; then what is behind the call is not certain."""
        outputs = {item.call_id: item.id for item in items if item.type == "function_call_output"}
        places = {item.id: place for place, item in enumerate(items)}
        for mark in reversed(self._marks):
            # Only at the end was something added, so all before it was there then.
            last = places.get(mark.last_id)
            if mark.left > 0 or last is None:
                continue
            inside = items[: last + 1]
            calls = (item.call_id for item in inside if item.type == "function_call")
            if all(places.get(outputs.get(call_id, ""), 0) <= last for call_id in calls):
                return tuple(item.id for item in inside if not item.left_out)
        return ()
