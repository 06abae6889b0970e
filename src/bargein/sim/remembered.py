"""What the service remembers, by its own word: what it added, truncated, deleted and showed.

Of a part that nobody truncated it keeps what it made, and all that it made has arrived by the end
of its response.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bargein import events
from bargein.core.inputs import Part
from bargein.server.model.memory import RememberedItem, RememberedPart
from bargein.units import AudioFormat, samples_floor


@dataclass(slots=True)
class _Item:
    kind: str = "message"
    role: str = ""
    status: str | None = None


@dataclass(slots=True)
class _Sound:
    made_samples: int = 0
    kept_samples: int | None = None


@dataclass(slots=True)
class Remembered:
    """The conversation, told by what arrives."""

    _items: dict[str, _Item] = field(default_factory=dict)
    _order: list[str] = field(default_factory=list)
    _sounds: dict[str, dict[int, _Sound]] = field(default_factory=dict)

    def take(self, event: object, sound_format: AudioFormat) -> None:
        """It arrived; its sound is in this format."""
        match event:
            case (
                events.ConversationItemAdded(item=item) | events.ConversationItemCreated(item=item)
            ):
                self._added(item, event.previous_item_id)
            case events.ConversationItemDone(item=item):
                known = self._items.get(str(item.id))
                if known is not None:
                    known.status = _text(item, "status")
            case events.ConversationItemDeleted(item_id=item_id):
                if self._items.pop(item_id, None) is not None:
                    self._order.remove(item_id)
            case events.ResponseOutputAudioDelta(delta=delta):
                sound = self._sound(event.item_id, event.content_index)
                sound.made_samples += sound_format.samples(len(delta))
            case events.ConversationItemTruncated(audio_end_ms=kept_ms):
                sound = self._sound(event.item_id, event.content_index)
                kept_samples = samples_floor(kept_ms, sound_format.rate)
                sound.kept_samples = min(kept_samples, sound.made_samples)
            case events.ConversationItemRetrieved(item=item):
                self._retrieved(item, sound_format)
            case _:
                pass

    def kept_samples(self, part: Part) -> int:
        """What it keeps of the part; nothing of an item that it does not hold."""
        if part.item_id not in self._items:
            return 0
        sound = self._sound(part.item_id, part.content_index)
        return sound.made_samples if sound.kept_samples is None else sound.kept_samples

    def items(self, sound_format: AudioFormat) -> tuple[RememberedItem, ...]:
        """All that it holds, in its order."""
        return tuple(self._remembered(item_id, sound_format) for item_id in self._order)

    def _sound(self, item_id: str, content_index: int) -> _Sound:
        return self._sounds.setdefault(item_id, {}).setdefault(content_index, _Sound())

    def _added(self, item: events.Item, previous_item_id: object) -> None:
        """Behind that item; null is the start, absent the end."""
        item_id = item.id
        if not isinstance(item_id, str):
            return
        if item_id in self._items:
            self._order.remove(item_id)
        place = len(self._order)
        if previous_item_id is None:
            place = 0
        elif isinstance(previous_item_id, str) and previous_item_id in self._items:
            place = self._order.index(previous_item_id) + 1
        self._order.insert(place, item_id)
        kind = "" if isinstance(item, events.UnknownShape) else events.type_of(item)
        self._items[item_id] = _Item(kind, _text(item, "role") or "", _text(item, "status"))

    def _retrieved(self, item: events.Item, sound_format: AudioFormat) -> None:
        """It shows the sound that it keeps."""
        content = getattr(item, "content", None)
        if item.id not in self._items or not isinstance(content, tuple):
            return
        for index, part in enumerate(content):
            audio = getattr(part, "audio", None)
            if isinstance(part, events.OutputAudio) and isinstance(audio, bytes) and audio:
                sound = self._sound(str(item.id), index)
                sound.kept_samples = sound_format.samples(len(audio))

    def _remembered(self, item_id: str, sound_format: AudioFormat) -> RememberedItem:
        item = self._items[item_id]
        sounds = self._sounds.get(item_id, {})
        count = max(sounds, default=-1) + 1
        return RememberedItem(
            id=item_id,
            kind=item.kind,
            role=item.role,
            status=item.status,
            parts=tuple(_part(sounds.get(index), sound_format) for index in range(count)),
            call_id="",
            name="",
            arguments="",
            output="",
        )


def _part(sound: _Sound | None, sound_format: AudioFormat) -> RememberedPart:
    if sound is None:
        return RememberedPart("output_text", sound_format, 0, 0, False, None, ())
    kept = sound.kept_samples
    return RememberedPart(
        kind="output_audio",
        format=sound_format,
        made_samples=sound.made_samples,
        kept_samples=sound.made_samples if kept is None else kept,
        truncated=kept is not None,
        text=None,
        words=(),
    )


def _text(item: object, name: str) -> str | None:
    value = getattr(item, name, None)
    return value if isinstance(value, str) else None
