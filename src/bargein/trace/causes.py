"""Which of our messages an event of the service answers, as far as the wire tells.

1. An error answers the message whose id it names. Where it names none: the truncate with the number
   in its text, else the oldest unanswered message of the kind that its code is about.
2. A response answers the create whose key it echoes in its metadata; without a key, the turn of the
   user that waits for a reply; without one, the oldest create.
3. An acknowledgement answers the oldest unanswered request about the same thing.

It is a reading of its own, beside the machine's: what judges the machine does not ask it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bargein import events
from bargein.core.faults import shorter
from bargein.core.responses import METADATA_KEY

_ABOUT: Final[dict[str, type[events.ClientEvent]]] = {
    "unsupported_content_type": events.ConversationItemTruncate,
    "item_truncate_invalid_item_id": events.ConversationItemTruncate,
    "item_delete_invalid_item_id": events.ConversationItemDelete,
    "item_retrieve_invalid_item_id": events.ConversationItemRetrieve,
    "response_cancel_not_active": events.ResponseCancel,
    "conversation_already_has_active_response": events.ResponseCreate,
    "input_audio_buffer_commit_empty": events.InputAudioBufferCommit,
    "item_create_duplicate_item_id": events.ConversationItemCreate,
    "item_create_invalid_previous_item_id": events.ConversationItemCreate,
    "invalid_tool_call_id": events.ConversationItemCreate,
    "cannot_update_voice": events.SessionUpdate,
}
_REMEMBERED: Final = 512


class Causes:
    """Tell it what is `sent`, and `taken` what arrives; `of` says what an event would answer."""

    def __init__(self) -> None:
        self._open: dict[int, Any] = {}
        self._last = -1
        self._turn: int | None = None
        """What the server was handling when it ended the turn that now waits for a reply."""

    def sent(self, number: int, event: events.ClientEvent) -> None:
        """It leaves, under this number."""
        if not isinstance(event, events.ResponseCreate):
            # A turn ends by what was heard or committed; a create is answered by its own response.
            self._last = number
        if isinstance(event, events.InputAudioBufferAppend):
            return
        while len(self._open) >= _REMEMBERED:
            del self._open[next(iter(self._open))]
        self._open[number] = event

    def taken(self, event: object) -> int | None:
        """The number of the message that it answers, which then is answered; None if there is
        none, or if it came of the microphone's sound, as turns under VAD do."""
        cause = self.of(event)
        match event:
            case events.InputAudioBufferCommitted() if cause is None:
                self._turn = self._last
            case events.ResponseCreated() if cause is None:
                self._turn = None
            case _:
                pass
        if cause is not None:
            del self._open[cause]
        return cause

    @property
    def open(self) -> tuple[events.ClientEvent, ...]:
        """What is unanswered, oldest first; of the microphone's sound nothing."""
        return tuple(self._open.values())

    def answered_by(self, event: object) -> events.ClientEvent | None:
        """The message that the event would answer."""
        cause = self.of(event)
        found: events.ClientEvent | None = None if cause is None else self._open[cause]
        return found

    def turn(self) -> int:
        """The number of the last message that had left when the waiting turn of the user ended; -1
        if nothing had."""
        return self._last if self._turn is None else self._turn

    def of(self, event: object) -> int | None:
        """What the event would answer. Changes nothing."""
        match event:
            case events.Error(error=body):
                return self._refused(body)
            case events.ResponseCreated(response=response):
                return self._create(response.metadata)
            case events.ResponseDone(response=response):
                return self._oldest(
                    events.ResponseCancel, lambda sent: sent.response_id == response.id
                )
            case events.ConversationItemTruncated():
                return self._truncate(event)
            case events.ConversationItemDeleted(item_id=item_id):
                return self._oldest(
                    events.ConversationItemDelete, lambda sent: sent.item_id == item_id
                )
            case events.ConversationItemRetrieved(item=item):
                return self._oldest(
                    events.ConversationItemRetrieve, lambda sent: sent.item_id == item.id
                )
            case (
                events.ConversationItemAdded(item=item) | events.ConversationItemCreated(item=item)
            ):
                return self._oldest(
                    events.ConversationItemCreate, lambda sent: sent.item.id == item.id
                )
            case events.SessionUpdated():
                return self._oldest(events.SessionUpdate)
            case events.InputAudioBufferCommitted():
                return self._oldest(events.InputAudioBufferCommit)
            case events.InputAudioBufferCleared():
                return self._oldest(events.InputAudioBufferClear)
            case _:
                return None

    def _oldest(
        self, kind: type[events.ClientEvent], fits: Callable[[Any], bool] = lambda sent: True
    ) -> int | None:
        return next(
            (n for n, sent in self._open.items() if isinstance(sent, kind) and fits(sent)), None
        )

    def _refused(self, body: events.ErrorBody) -> int | None:
        if isinstance(body.event_id, str):
            # One that we do not know is not ours to guess about.
            return next((n for n, s in self._open.items() if s.event_id == body.event_id), None)
        numbers = shorter(body.message)
        if numbers is not None:
            asked_ms = numbers.asked_ms
            return self._oldest(
                events.ConversationItemTruncate, lambda sent: sent.audio_end_ms == asked_ms
            )
        kind = _ABOUT.get(body.code) if isinstance(body.code, str) else None
        if kind is None or (kind is events.ResponseCreate and self._turn is not None):
            return None
        named = self._oldest(kind, lambda sent: _names(sent, body.message))
        return self._oldest(kind) if named is None else named

    def _create(self, metadata: object) -> int | None:
        key = metadata.get(METADATA_KEY) if isinstance(metadata, dict) else None
        if key is not None:
            return self._oldest(events.ResponseCreate, lambda sent: create_key(sent) == key)
        return None if self._turn is not None else self._oldest(events.ResponseCreate)

    def _truncate(self, event: events.ConversationItemTruncated) -> int | None:
        place = (event.item_id, event.content_index)

        def same(sent: events.ConversationItemTruncate) -> bool:
            return (sent.item_id, sent.content_index) == place

        exact = self._oldest(
            events.ConversationItemTruncate,
            lambda sent: same(sent) and sent.audio_end_ms == event.audio_end_ms,
        )
        return self._oldest(events.ConversationItemTruncate, same) if exact is None else exact


def create_key(event: events.ResponseCreate) -> object:
    """What a create of ours is recognised by; None if it carries nothing."""
    params = event.response
    metadata = params.metadata if isinstance(params, events.ResponseParams) else None
    return metadata.get(METADATA_KEY) if isinstance(metadata, dict) else None


def _names(sent: Any, message: str) -> bool:
    """Whether the text quotes the item or response that the message is about."""
    about = (getattr(sent, "item_id", None), getattr(sent, "response_id", None))
    return any(isinstance(name, str) and f"'{name}'" in message for name in about)
