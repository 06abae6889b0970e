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

from collections.abc import Callable, Iterable, Sequence

from bargein import events
from bargein.core.items import Entry, ItemView, fill, view
from bargein.units import AudioFormat

ITEMS_LIMIT = 20_000
ROOT = "root"
"""As `previous_item_id` of a create: put the item first (protocol.md §2.2)."""
EARLY_LIMIT = 20_000
"""Characters kept of what is said before its item is there."""
LENGTHS_LIMIT = 32
"""Turns whose length is known and whose item is not there yet."""


class Conversation:
    """Read `items`; everything else is the machine's."""

    __slots__ = (
        "_coming",
        "_early",
        "_entries",
        "_order",
        "_places",
        "_sound_ms",
        "announced",
        "input_format",
    )

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._order: list[str] = []
        self._coming: dict[str, Entry] = {}
        self._places: dict[str, object] = {}
        self._early: tuple[str, int, str] | None = None
        self._sound_ms: dict[str, int] = {}
        self.input_format = AudioFormat.PCM
        """Of the user's sound, which an item of the application's own may bring."""
        self.announced = False
        """The service says `added` for its items; one that never does holds what it speaks."""

    @property
    def items(self) -> tuple[ItemView, ...]:
        """The items in the service's order; those that are still coming stand where they were asked
        to be."""
        ordered = [self._entries[item_id] for item_id in self._order]
        for item_id, entry in self._coming.items():
            ordered.insert(self._place_to_come(ordered, self._places[item_id]), entry)
        return tuple(map(view, ordered))

    @staticmethod
    def _place_to_come(ordered: Sequence[Entry], previous_item_id: object) -> int:
        if previous_item_id == ROOT:
            return 0
        for place, entry in enumerate(ordered):
            if entry.item_id == previous_item_id:
                return place + 1
        return len(ordered)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._entries

    def text_of(self, item_id: str) -> str:
        """All text of the item; "" of one that is not there."""
        entry = self._entries.get(item_id)
        return "" if entry is None else view(entry).text

    def server_label_of(self, item_id: str) -> str:
        """The MCP server that the item is of; "" where it is of none."""
        entry = self._entries.get(item_id)
        return "" if entry is None else entry.server_label or ""

    @property
    def coming_ids(self) -> tuple[str, ...]:
        """What we asked for and the service has not added yet."""
        return tuple(self._coming)

    def coming(self, item_id: str, item: events.Item, previous_item_id: object = None) -> None:
        """We asked the service for it, behind that item; `root` is the start, any other the end."""
        entry = Entry(item_id, "", state="coming")
        fill(entry, item, self.input_format)
        self._coming[item_id] = entry
        self._places[item_id] = previous_item_id

    def not_coming(self, item_id: str) -> None:
        """The service refused it."""
        self._coming.pop(item_id, None)
        self._places.pop(item_id, None)

    @property
    def ids(self) -> tuple[str, ...]:
        """What the service holds, in its order."""
        return tuple(self._order)

    def is_last(self, item_id: str) -> bool:
        """It stands at the end."""
        return bool(self._order) and self._order[-1] == item_id

    def leave_out(self, item_ids: Iterable[str]) -> None:
        """The model is not told them any more."""
        for item_id in item_ids:
            self._entries[item_id].left_out = True

    def added(self, item_id: str, item: events.Item, previous_item_id: object) -> None:
        """The service holds it, behind that item; null is the start, absent the end."""
        self.announced = True
        entry = self._coming.pop(item_id, None) or self._entries.get(item_id)
        self._places.pop(item_id, None)
        if entry is None:
            entry = Entry(item_id, "")
        if self._entries.pop(item_id, None) is not None:
            # Said twice: it moves. It cannot be behind itself.
            self._order.remove(item_id)
        elif len(self._order) >= ITEMS_LIMIT:
            del self._entries[self._order.pop(0)]
        entry.state = "there" if entry.state == "coming" else entry.state
        self._order.insert(self._place(previous_item_id), item_id)
        self._entries[item_id] = entry
        fill(entry, item, self.input_format)
        if (sound_ms := self._sound_ms.pop(item_id, None)) is not None:
            self.sounded(item_id, 0, "input_audio", sound_ms)
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

    def spoken(self, item_id: str, sound_ms: int) -> None:
        """The user's turn has that length; its item may be added later."""
        if item_id in self._entries:
            self.sounded(item_id, 0, "input_audio", sound_ms)
            return
        while len(self._sound_ms) >= LENGTHS_LIMIT:
            del self._sound_ms[next(iter(self._sound_ms))]
        self._sound_ms[item_id] = sound_ms

    def sounded(self, item_id: str, content_index: int, kind: str, sound_ms: int) -> None:
        """The part's sound is so long."""
        entry = self._entries.get(item_id)
        if entry is not None:
            entry.part(content_index, kind).sound_ms = sound_ms

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
            fill(entry, item, self.input_format)

    def heard_text(
        self, item_id: str, content_index: int, kind: str, text: str, *, final: bool
    ) -> None:
        """A delta of a part's text or transcript, or all of it."""
        entry = self._entries.get(item_id)
        if entry is None:
            return
        content = entry.part(content_index, kind)
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
        content = entry.part(content_index, "output_audio")
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
        content = entry.part(content_index, "output_audio")
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
        content = entry.part(content_index, "output_audio")
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
