"""The conversation: what the server remembers, which is what the model will be told.

1. Items stand in one order. An item knows, from when it was added, the item before it; what is
   deleted or put in between later does not change what was said then.
2. `conversation.item.done` of an item the model made shows null as `previous_item_id` if the item
   before it is the first of the conversation: the service's own quirk (protocol.md §4.2).
3. A refusal changes nothing. A deleted item is forgotten at once, also while it is being made.
4. Of audio, the lengths are kept for ever and the sound up to a limit: beyond it the oldest is let
   go and counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec

from bargein import events
from bargein.server.model.entries import Entry, Part
from bargein.server.model.options import Limits
from bargein.server.model.rules import refuse
from bargein.units import AudioFormat, ms_floor, samples_floor

ROOT = "root"
"""As `previous_item_id`: put the item first."""


class RememberedPart(msgspec.Struct, frozen=True, gc=False):
    """What is kept of a part. `text` is None for cut audio; `words` are those that end within what
    is kept."""

    kind: str
    format: AudioFormat
    made_samples: int
    kept_samples: int
    truncated: bool
    text: str | None
    words: tuple[str, ...]


class RememberedItem(msgspec.Struct, frozen=True, gc=False):
    """An item as it is remembered now."""

    id: str
    kind: str
    role: str
    status: str | None
    parts: tuple[RememberedPart, ...]
    call_id: str
    name: str
    arguments: str
    output: str
    left_out: bool = False
    """The model is not told it any more."""


class Conversation:
    """The default conversation of a session."""

    def __init__(self, *, conversation_id: str, limits: Limits, lengths_grid_ms: int) -> None:
        self.id = conversation_id
        self.let_go_bytes = 0
        self._limits = limits
        self._grid_ms = lengths_grid_ms
        self._entries: list[Entry] = []
        self._by_id: dict[str, Entry] = {}
        self._calls: dict[str, int] = {}
        self._sounding: deque[Part] = deque()
        self._sound_bytes = 0
        self._image_bytes = 0
        self._texts: dict[str, int] = {}
        self._text_characters = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._by_id

    @property
    def tail_id(self) -> str | None:
        """The last item's id; None if there is no item."""
        return self._entries[-1].id if self._entries else None

    @property
    def items(self) -> tuple[RememberedItem, ...]:
        """What is remembered now, in order."""
        return tuple(_remembered(entry) for entry in self._entries)

    def check_room(self, items: int = 1) -> None:
        """Raises `RefusedError` if so many items cannot be added."""
        if len(self._entries) + items > self._limits.items:
            raise refuse("conversation_full", limit=self._limits.items)

    def find(self, item_id: str) -> Entry | None:
        return self._by_id.get(item_id)

    def create(self, entry: Entry, previous_item_id: str | None) -> None:
        """Add an item that a client made. Raises `RefusedError`."""
        if entry.id in self._by_id:
            raise refuse("item_exists", item_id=entry.id)
        index = len(self._entries)
        if previous_item_id == ROOT:
            index = 0
        elif previous_item_id is not None:
            previous = self._by_id.get(previous_item_id)
            if previous is None:
                raise refuse("previous_item_unknown", item_id=previous_item_id)
            index = self._entries.index(previous) + 1
        if entry.kind == "function_call_output" and not self._calls.get(entry.call_id):
            raise refuse("call_unknown", call_id=entry.call_id)
        self.check_room()
        held, limit = self._image_bytes, self._limits.image_bytes
        if entry.image_bytes and held + entry.image_bytes > limit:
            raise refuse("images_full", held=held, limit=limit)
        held, limit = self._text_characters, self._limits.text_characters
        text_characters = entry.text_characters
        if held + text_characters > limit:
            raise refuse("texts_full", held=held, limit=limit)
        self._texts[entry.id] = text_characters
        self._text_characters += text_characters
        entry.previous_id = self._entries[index - 1].id if index else None
        entry.done_previous_id = entry.previous_id
        self._insert(index, entry)

    def append(self, entry: Entry, *, by_model: bool) -> None:
        """Add an item that the server made, at the end. Raises `RefusedError` if there is no
        room."""
        self.check_room()
        entry.previous_id = self.tail_id
        after_first = by_model and len(self._entries) == 1
        entry.done_previous_id = None if after_first else entry.previous_id
        self._insert(len(self._entries), entry)

    def keep_text(self, entry: Entry, characters: int) -> bool:
        """Count text that an item of the server's got from elsewhere, once; False, and nothing
        changed, if there is no room. What is not in the conversation, or not any more, takes
        none."""
        if self._by_id.get(entry.id) is not entry:
            return True
        if self._text_characters + characters > self._limits.text_characters:
            return False
        self._texts[entry.id] = characters
        self._text_characters += characters
        return True

    def _insert(self, index: int, entry: Entry) -> None:
        self._entries.insert(index, entry)
        self._by_id[entry.id] = entry
        if entry.kind == "function_call":
            self._calls[entry.call_id] = self._calls.get(entry.call_id, 0) + 1
        self._image_bytes += entry.image_bytes
        for part in entry.parts:
            if part.chunks:
                self._sounding.append(part)
                self._sound_bytes += len(part.sound())
        self._let_go()

    def hear(self, part: Part, audio: bytes) -> None:
        """More audio of a part the model makes was sent."""
        samples = part.format.samples(len(audio))
        part.made_samples += samples
        if part.truncated:
            return
        part.kept_samples += samples
        if part.sound_let_go:
            return
        if not part.chunks:
            self._sounding.append(part)
        part.chunks.append(audio)
        self._sound_bytes += len(audio)
        if self._sound_bytes > self._limits.kept_audio_bytes:
            self._let_go()

    def _let_go(self) -> None:
        while self._sound_bytes > self._limits.kept_audio_bytes and self._sounding:
            part = self._sounding.popleft()
            freed = sum(len(chunk) for chunk in part.chunks)
            part.chunks = []
            part.sound_let_go = True
            self._sound_bytes -= freed
            self.let_go_bytes += freed

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Keep the first `audio_end_ms` of a part (protocol.md §4.8). Raises `RefusedError`."""
        entry = self._by_id.get(item_id)
        if entry is None:
            raise refuse("truncate_unknown", item_id=item_id)
        if entry.role != "assistant" or not any(part.made_samples for part in entry.parts):
            raise refuse("truncate_not_audio")
        if content_index >= len(entry.parts):
            raise refuse("truncate_no_such_part", item_id=item_id, index=content_index)
        part = entry.parts[content_index]
        if not part.made_samples:
            raise refuse("truncate_not_audio")
        length_ms = self.length_ms(part)
        if audio_end_ms > length_ms:
            raise refuse("truncate_too_long", length_ms=length_ms, asked_ms=audio_end_ms)
        self.cut(part, audio_end_ms)

    def cut(self, part: Part, audio_end_ms: int) -> None:
        """Keep the first `audio_end_ms` of a part that is remembered, and not its transcript."""
        self._sound_bytes -= part.cut(samples_floor(audio_end_ms, part.format.rate))

    def length_ms(self, part: Part) -> int:
        """The length of what is kept, as the server compares and reports it."""
        return ms_floor(part.kept_samples, part.format.rate) // self._grid_ms * self._grid_ms

    def delete(self, item_id: str) -> None:
        """Forget an item. Raises `RefusedError`."""
        entry = self._by_id.pop(item_id, None)
        if entry is None:
            raise refuse("delete_unknown", item_id=item_id)
        self._entries.remove(entry)
        self._image_bytes -= entry.image_bytes
        self._text_characters -= self._texts.pop(item_id, 0)
        if entry.kind == "function_call":
            self._calls[entry.call_id] -= 1
            if not self._calls[entry.call_id]:
                del self._calls[entry.call_id]
        for part in entry.parts:
            self._sound_bytes -= sum(len(chunk) for chunk in part.chunks)
            part.chunks = []
            # What the model still makes of it is not to be kept either.
            part.sound_let_go = True
            if part in self._sounding:
                self._sounding.remove(part)

    def retrieve(self, item_id: str, *, transcripts: bool = False) -> events.Item:
        """The item with its audio, and with what was transcribed if `transcripts`. Raises
        `RefusedError`."""
        entry = self._by_id.get(item_id)
        if entry is None:
            raise refuse("retrieve_unknown", item_id=item_id)
        return entry.retrieved(transcripts=transcripts)


def _remembered(entry: Entry) -> RememberedItem:
    return RememberedItem(
        id=entry.id,
        kind=entry.kind,
        role=entry.role,
        status=entry.status,
        parts=tuple([_remembered_part(part) for part in entry.parts]),
        call_id=entry.call_id,
        name=entry.name,
        arguments=entry.arguments,
        output=entry.output or "",
        left_out=entry.left_out,
    )


def _remembered_part(part: Part) -> RememberedPart:
    return RememberedPart(
        kind=part.kind,
        format=part.format,
        made_samples=part.made_samples,
        kept_samples=part.kept_samples,
        truncated=part.truncated,
        text=part.remembered_text(),
        words=tuple([word.text for word in part.kept_words()]),
    )
