"""The mirror: the conversation as the service has it, as far as we were told.

1. Order follows `previous_item_id` of `conversation.item.added`. That of `.done` is not trusted:
   the service sends null there for an item behind the very first one (protocol.md §4.2).
2. An item is *coming* (we asked for it), *there*, *cut* (its sound was cut; what is kept is known
   when the service has said so) or *going* (its deletion is under way). It leaves when `deleted`
   arrives.
3. Of a cut part, the text is the words that were heard, as far as can be told (`words.py`), with a
   mark. Nothing that arrives later lengthens it (rule 11).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from bargein import events

State = Literal["coming", "there", "cut", "going"]
ITEMS_LIMIT = 20_000
EARLY_LIMIT = 20_000
"""Characters kept of what is said before its item is there."""


class ContentView(msgspec.Struct, frozen=True):
    """One content part: its wire kind, its text or transcript, and what is kept of its sound."""

    kind: str
    text: str
    heard_ms: int | None = None
    kept_ms: int | None = None
    cut: bool = False
    """Its sound was cut, and the text are the words heard of it. Nothing lengthens it again."""


class ItemView(msgspec.Struct, frozen=True):
    """One item of the conversation, as it stands now."""

    id: str
    type: str
    role: str | None
    state: State
    status: str | None
    content: tuple[ContentView, ...] = ()
    call_id: str | None = None
    name: str | None = None
    payload: str | None = None
    """A function call's arguments, or the output given for it."""

    @property
    def text(self) -> str:
        """All text of the item."""
        return "".join(part.text for part in self.content)


@dataclass(slots=True)
class _Content:
    kind: str
    text: str = ""
    frozen: bool = False
    heard_ms: int | None = None
    kept_ms: int | None = None


@dataclass(slots=True)
class _Entry:
    item_id: str
    type: str
    role: str | None = None
    state: State = "there"
    status: str | None = None
    content: dict[int, _Content] = field(default_factory=dict)
    call_id: str | None = None
    name: str | None = None
    payload: str | None = None


class Conversation:
    """Read `items`; everything else is the machine's."""

    __slots__ = ("_coming", "_early", "_entries", "_order", "announced")

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._order: list[str] = []
        self._coming: dict[str, _Entry] = {}
        self._early: tuple[str, int, str] | None = None
        self.announced = False
        """The service says `added` for its items; one that never does holds what it speaks."""

    @property
    def items(self) -> tuple[ItemView, ...]:
        """The items in the service's order, then those that are still coming."""
        ordered = [self._entries[item_id] for item_id in self._order]
        return tuple(_view(entry) for entry in (*ordered, *self._coming.values()))

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._entries

    def text_of(self, item_id: str) -> str:
        """All text of the item; "" of one that is not there."""
        entry = self._entries.get(item_id)
        return "" if entry is None else _view(entry).text

    @property
    def coming_ids(self) -> tuple[str, ...]:
        """What we asked for and the service has not added yet."""
        return tuple(self._coming)

    def coming(self, item_id: str, item: events.Item) -> None:
        """We asked the service for it."""
        entry = _Entry(item_id, "", state="coming")
        _fill(entry, item)
        self._coming[item_id] = entry

    def not_coming(self, item_id: str) -> None:
        """The service refused it."""
        self._coming.pop(item_id, None)

    def added(self, item_id: str, item: events.Item, previous_item_id: object) -> None:
        """The service holds it, behind that item; null is the start, absent the end."""
        self.announced = True
        entry = self._coming.pop(item_id, None) or self._entries.get(item_id)
        if entry is None:
            entry = _Entry(item_id, "")
        if self._entries.pop(item_id, None) is not None:
            # Said twice: it moves. It cannot be behind itself.
            self._order.remove(item_id)
        elif len(self._order) >= ITEMS_LIMIT:
            del self._entries[self._order.pop(0)]
        entry.state = "there" if entry.state == "coming" else entry.state
        self._order.insert(self._place(previous_item_id), item_id)
        self._entries[item_id] = entry
        _fill(entry, item)
        if self._early is not None and self._early[0] == item_id:
            _, index, text = self._early
            self._early = None
            self.heard_text(item_id, index, "input_audio", text, final=False)

    def heard_early(self, item_id: str, content_index: int, text: str) -> None:
        """A delta of what the user is saying, before the service adds the item (a live
        transcription model). One turn is spoken at a time, so one is kept."""
        if self._early is not None and self._early[:2] == (item_id, content_index):
            text = self._early[2] + text
        self._early = item_id, content_index, text[:EARLY_LIMIT]

    def _place(self, previous_item_id: object) -> int:
        if previous_item_id is None:
            return 0
        if isinstance(previous_item_id, str) and previous_item_id in self._entries:
            return self._order.index(previous_item_id) + 1
        return len(self._order)

    def done(self, item_id: str, item: events.Item) -> None:
        """The item is whole. One that was never added is not in the conversation."""
        entry = self._entries.get(item_id)
        if entry is not None:
            _fill(entry, item)

    def heard_text(
        self, item_id: str, content_index: int, kind: str, text: str, *, final: bool
    ) -> None:
        """A delta of a part's text or transcript, or all of it."""
        entry = self._entries.get(item_id)
        if entry is None:
            return
        content = entry.content.setdefault(content_index, _Content(kind))
        if not content.frozen:
            content.text = text if final else content.text + text

    def cut(
        self, item_id: str, content_index: int, heard_ms: int, words_heard: Callable[[str], str]
    ) -> str | None:
        """The part's sound was cut there; `words_heard` says what of its text was heard.

        Returns the text that is left; None where the service holds the item no more.
        """
        entry = self._entries.get(item_id)
        if entry is None:
            return None
        if entry.state == "there":
            entry.state = "cut"
        content = entry.content.setdefault(content_index, _Content("output_audio"))
        content.heard_ms = heard_ms
        if not content.frozen:
            content.frozen = True
            content.text = words_heard(content.text)
        return content.text

    def unheard(self, item_id: str, content_index: int) -> None:
        """The part was cut before its first sound: no word of it was heard, or will be."""
        entry = self._entries.get(item_id)
        if entry is None:
            return
        content = entry.content.setdefault(content_index, _Content("output_audio"))
        if not content.frozen:
            content.frozen = True
            content.text, content.heard_ms = "", 0

    def truncated(self, item_id: str, content_index: int, kept_ms: int) -> None:
        """The service keeps so much of the part's sound."""
        entry = self._entries.get(item_id)
        if entry is None:
            return
        if entry.state == "there":
            entry.state = "cut"
        content = entry.content.setdefault(content_index, _Content("output_audio"))
        content.kept_ms = kept_ms
        content.frozen = True

    def is_going(self, item_id: str) -> bool:
        """Its deletion was sent and is not answered."""
        entry = self._entries.get(item_id)
        return entry is not None and entry.state == "going"

    def going(self, item_id: str) -> None:
        """Its deletion is under way."""
        if item_id in self._entries:
            self._entries[item_id].state = "going"

    def staying(self, item_id: str) -> None:
        """Its deletion was refused, and the item is known to be there."""
        entry = self._entries.get(item_id)
        if entry is not None and entry.state == "going":
            entry.state = "there"

    def deleted(self, item_id: str) -> None:
        """The service holds it no more."""
        if self._entries.pop(item_id, None) is not None:
            self._order.remove(item_id)


def _fill(entry: _Entry, item: events.Item) -> None:
    entry.type = events.type_of(item)
    status = getattr(item, "status", None)
    entry.status = status if isinstance(status, str) else entry.status
    match item:
        case events.MessageItem():
            entry.role = item.role
            for index, part in enumerate(item.content):
                _fill_content(entry, index, part)
        case events.FunctionCallItem():
            entry.name, entry.payload = item.name, item.arguments
            entry.call_id = item.call_id if isinstance(item.call_id, str) else None
        case events.FunctionCallOutputItem():
            entry.call_id, entry.payload = item.call_id, item.output
        case _:
            pass


def _fill_content(entry: _Entry, index: int, part: events.ContentPart) -> None:
    kind = events.type_of(part)
    text = getattr(part, "text", None)
    if not isinstance(text, str):
        text = getattr(part, "transcript", None)
    content = entry.content.setdefault(index, _Content(kind))
    content.kind = kind
    if isinstance(text, str) and text and not content.frozen:
        content.text = text


def _view(entry: _Entry) -> ItemView:
    content = tuple(
        ContentView(part.kind, part.text, part.heard_ms, part.kept_ms, part.frozen)
        for _, part in sorted(entry.content.items())
    )
    return ItemView(
        entry.item_id,
        entry.type,
        entry.role,
        entry.state,
        entry.status,
        content,
        entry.call_id,
        entry.name,
        entry.payload,
    )
