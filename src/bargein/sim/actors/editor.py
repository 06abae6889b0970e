"""Edits of the conversation by the application: what it wishes, and when.

1. It wishes by what the session shows it, at once: what is coming and what is going is in its lists
   too, as in those of any application.
2. Most edits come at a moment of a cut, from the first word of the user to the last answer of the
   service; some come twice, at once or right after one another.
3. What it writes is new each time, so that no new item says what another one says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from bargein import events
from bargein.core import asks
from bargein.core.items import ItemView
from bargein.sim.choices import Choices
from bargein.sim.moments import Anchor
from bargein.units import US_PER_MS

Change: TypeAlias = Literal[
    "summarise",
    "drop the oldest",
    "drop the newest",
    "append",
    "replace",
    "exchange",
    "turn round",
    "shorten",
    "clear",
    "leave",
]
CHANGES: tuple[Change, ...] = (
    "drop the oldest",
    "drop the newest",
    "summarise",
    "append",
    "replace",
    "exchange",
    "shorten",
    "clear",
    "turn round",
    "leave",
)
MOMENTS: tuple[Anchor, ...] = (
    "told_cut",
    "speech_started",
    "stopped",
    "truncate_arrives",
    "acknowledged",
    "done",
    "told_settled",
    "told_turn_ended",
    "created",
    "first_delta",
    "told_words",
    "told_call",
)
_KEPT = 2
_BY_CLIENT = ("input_text", "output_text")


class Editor:
    """`items` is what the session shows, `ask` puts the question, `soon` does something later and
    `at` does it near a moment."""

    def __init__(
        self,
        choices: Choices,
        *,
        items: Callable[[], tuple[ItemView, ...]],
        ask: Callable[[asks.Ask], int],
        soon: Callable[[Callable[[], object], int], None],
        at: Callable[[str, Callable[[], object], Sequence[Anchor]], None],
    ) -> None:
        self._choices = choices
        self._items = items
        self._ask = ask
        self._soon = soon
        self._at = at
        self._written = 0

    def perhaps(self, act: str) -> None:
        """Plan an edit beside that act of the user's, or two of them, or none."""
        choices, stream = self._choices, f"{act}.edit"
        if not choices.rarely(stream, 2):
            return
        if choices.rarely(f"{stream}.any_time", 4):
            self._soon(lambda: self._edit(stream), choices.draw(stream, 0, 3_000) * US_PER_MS)
        else:
            self._at(stream, lambda: self._edit(stream), MOMENTS)

    def _edit(self, stream: str) -> None:
        choices = self._choices
        self._ask(self.wish(choices.pick(f"{stream}.change", CHANGES)))
        if choices.rarely(f"{stream}.again", 3):
            change = choices.pick(f"{stream}.again", CHANGES)
            delay_ms = choices.pick(f"{stream}.again", (0, 0, 1, 20, 200))
            self._soon(lambda: self._ask(self.wish(change)), delay_ms * US_PER_MS)

    def wish(self, change: Change) -> asks.Edit:
        """What is asked of the session, by what it shows now."""
        items = self._items()
        self._written += 1
        return wish(change, items, f"Note {self._written}.")


def wish(change: Change, items: Sequence[ItemView], text: str) -> asks.Edit:
    """The conversation with that change; what is new in it says `text`."""
    refs: list[events.Item] = [events.ItemReference(id=item.id) for item in items]
    note = events.MessageItem(role="system", content=(events.InputText(text=text),))
    delete: tuple[str, ...] = ()
    match change:
        case "drop the oldest":
            del refs[:1]
        case "drop the newest":
            del refs[-1:]
        case "summarise":
            refs[:-_KEPT] = [note]
        case "append":
            refs.append(note)
        case "replace":
            middle = len(refs) // 2
            refs[middle : middle + 1] = [note]
        case "exchange":
            written = [place for place, item in enumerate(items) if _is_written(item)][-2:]
            if len(written) > 1:
                first, second = written
                refs[first], refs[second] = refs[second], refs[first]
        case "shorten":
            delete = tuple(item.id for item in items[:-_KEPT])
            refs[:-_KEPT] = [note]
        case "clear":
            refs = []
        case "turn round":
            refs.reverse()
        case "leave":
            pass
    return asks.Edit(tuple(refs), delete, tuple(item.id for item in items))


def _is_written(item: ItemView) -> bool:
    return item.type == "message" and all(part.kind in _BY_CLIENT for part in item.content)
