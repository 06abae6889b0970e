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
class _Part:
    """`kept_samples`: None where nobody truncated it."""

    kind: str = "output_audio"
    text: str = ""
    made_samples: int = 0
    kept_samples: int | None = None


@dataclass(slots=True)
class _Item:
    kind: str = "message"
    role: str = ""
    status: str | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str = ""


@dataclass(slots=True)
class Remembered:
    """The conversation, told by what arrives."""

    _items: dict[str, _Item] = field(default_factory=dict)
    _order: list[str] = field(default_factory=list)
    _parts: dict[str, dict[int, _Part]] = field(default_factory=dict)

    def take(self, event: object, sound_format: AudioFormat) -> None:
        """It arrived; its sound is in this format."""
        match event:
            case (
                events.ConversationItemAdded(item=item) | events.ConversationItemCreated(item=item)
            ):
                self._added(item, event.previous_item_id)
            case events.ConversationItemDone(item=item):
                self._shown(item)
            case events.ConversationItemDeleted(item_id=item_id):
                if self._items.pop(item_id, None) is not None:
                    self._order.remove(item_id)
            case events.ConversationItemTruncated(audio_end_ms=kept_ms):
                part = self._part(event.item_id, event.content_index)
                kept_samples = samples_floor(kept_ms, sound_format.rate)
                part.kept_samples = min(kept_samples, part.made_samples)
            case events.ConversationItemRetrieved(item=item):
                self._shown(item)
                self._sounds(item, sound_format)
            case _:
                self._spoken(event, sound_format)

    def kept_samples(self, part: Part) -> int:
        """What it keeps of the part; nothing of an item that it does not hold."""
        if part.item_id not in self._items:
            return 0
        known = self._part(part.item_id, part.content_index)
        return known.made_samples if known.kept_samples is None else known.kept_samples

    def items(self, sound_format: AudioFormat) -> tuple[RememberedItem, ...]:
        """All that it holds, in its order."""
        return tuple(self._remembered(item_id, sound_format) for item_id in self._order)

    def _part(self, item_id: str, content_index: int) -> _Part:
        return self._parts.setdefault(item_id, {}).setdefault(content_index, _Part())

    def _spoken(self, event: object, sound_format: AudioFormat) -> None:
        """What a response makes, piece by piece."""
        match event:
            case events.ResponseContentPartAdded(part=part):
                made = self._part(event.item_id, event.content_index)
                made.kind = _text(part, "type") or made.kind
            case events.ResponseOutputAudioDelta(delta=delta):
                made = self._part(event.item_id, event.content_index)
                made.made_samples += sound_format.samples(len(delta))
            case (
                events.ResponseOutputTextDelta(delta=text)
                | events.ResponseOutputAudioTranscriptDelta(delta=text)
            ):
                self._part(event.item_id, event.content_index).text += text
            case (
                events.ResponseOutputTextDone(text=text)
                | events.ResponseOutputAudioTranscriptDone(transcript=text)
                | events.ConversationItemInputAudioTranscriptionCompleted(transcript=text)
            ):
                self._part(event.item_id, event.content_index).text = text
            case _:
                pass

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
        self._items.setdefault(item_id, _Item())
        self._shown(item)

    def _shown(self, item: events.Item) -> None:
        known = self._items.get(str(item.id))
        if known is None:
            return
        known.kind = "" if isinstance(item, events.UnknownShape) else events.type_of(item)
        known.role = _text(item, "role") or known.role
        known.status = _text(item, "status") or known.status
        known.call_id = _text(item, "call_id") or known.call_id
        known.name = _text(item, "name") or known.name
        known.arguments = _text(item, "arguments") or known.arguments
        known.output = _text(item, "output") or known.output
        content = getattr(item, "content", None)
        for index, shown in enumerate(content if isinstance(content, tuple) else ()):
            part = self._part(str(item.id), index)
            part.kind = _text(shown, "type") or part.kind
            part.text = _text(shown, "text") or _text(shown, "transcript") or part.text

    def _sounds(self, item: events.Item, sound_format: AudioFormat) -> None:
        """Retrieved, it shows the sound that it keeps."""
        content = getattr(item, "content", None)
        for index, shown in enumerate(content if isinstance(content, tuple) else ()):
            audio = getattr(shown, "audio", None)
            if isinstance(shown, events.OutputAudio) and isinstance(audio, bytes) and audio:
                part = self._part(str(item.id), index)
                kept_samples = sound_format.samples(len(audio))
                if kept_samples != part.made_samples:
                    part.kept_samples = kept_samples

    def _remembered(self, item_id: str, sound_format: AudioFormat) -> RememberedItem:
        item = self._items[item_id]
        parts = self._parts.get(item_id, {})
        count = max(parts, default=-1) + 1
        return RememberedItem(
            id=item_id,
            kind=item.kind,
            role=item.role,
            status=item.status,
            parts=tuple(_kept(parts.get(index, _Part()), sound_format) for index in range(count)),
            call_id=item.call_id,
            name=item.name,
            arguments=item.arguments,
            output=item.output,
        )


def _kept(part: _Part, sound_format: AudioFormat) -> RememberedPart:
    kept = part.kept_samples
    return RememberedPart(
        kind=part.kind,
        format=sound_format,
        made_samples=part.made_samples,
        kept_samples=part.made_samples if kept is None else kept,
        truncated=kept is not None,
        text=part.text if kept is None else None,
        words=(),
    )


def _text(item: object, name: str) -> str | None:
    value = getattr(item, name, None)
    return value if isinstance(value, str) else None
