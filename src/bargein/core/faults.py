"""Refusals: which of our events was refused, and by whose doing.

1. Everything sent that the service can refuse is remembered until it is answered, with the id it
   carried.
2. A refusal is matched by the id it names; else by the number or id in its text; else as the oldest
   unanswered event of the kind that its code is about (protocol.md §6.1: attribution by id is best
   effort, and the id is null for "… is already shorter than …").
3. A refusal is *ours* if what we knew made it avoidable, a *crossing* if a message already under
   way made the sending wrong, *theirs* if it came of something the service does not tell. The
   second of *theirs* of one kind in a session is ours if it was sent after the first refusal came,
   which taught us; one that was under way by then is a crossing. What the application sent by
   itself is its own.
4. Crossings are absorbed: they are counted and settle what they are about, and nobody is told.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from bargein import events
from bargein.core.inputs import Part
from bargein.core.notices import Blame

REMEMBERED_LIMIT = 512

_SHORTER = re.compile(
    r"content of (?P<has>\d+)(?:\.\d+)?ms is already shorter than (?P<asked>\d+)(?:\.\d+)?ms"
)
_QUOTED = re.compile(r"'(?P<id>[^']+)'")

_ABOUT: dict[str, type[events.ClientEvent]] = {
    "unsupported_content_type": events.ConversationItemTruncate,
    "item_truncate_invalid_item_id": events.ConversationItemTruncate,
    "item_delete_invalid_item_id": events.ConversationItemDelete,
    "response_cancel_not_active": events.ResponseCancel,
    "conversation_already_has_active_response": events.ResponseCreate,
    "input_audio_buffer_commit_empty": events.InputAudioBufferCommit,
    "item_create_duplicate_item_id": events.ConversationItemCreate,
    "item_create_invalid_previous_item_id": events.ConversationItemCreate,
    "invalid_tool_call_id": events.ConversationItemCreate,
    "invalid_approval_request_id": events.ConversationItemCreate,
    "cannot_update_voice": events.SessionUpdate,
}
_TEXTS: tuple[tuple[str, type[events.ClientEvent]], ...] = (
    ("Only model output audio messages can be truncated", events.ConversationItemTruncate),
    ("Cancellation failed", events.ResponseCancel),
    ("already has an active response", events.ResponseCreate),
    ("Error committing input audio buffer", events.InputAudioBufferCommit),
)
"""What the older dialect says without a code."""


@dataclass(slots=True, eq=False)
class Sent:
    """An event of ours that can still be refused."""

    event: events.ClientEvent
    event_id: str
    key: str
    """What it is about: an item, a response, or the key of a create."""
    part: Part | None = None
    ask_id: int | None = None
    by_application: bool = False
    sound_ms: int | None = None
    """Of a commit, how much sound it is about."""
    number: int = 0
    """Its place among all that was remembered."""
    overdue: bool = False
    """Its answer is not waited for any more. It may still come, and teach."""


@dataclass(frozen=True, slots=True)
class Shorter:
    """ "Audio content of `has_ms` is already shorter than `asked_ms`"."""

    has_ms: int
    asked_ms: int


def shorter(message: str) -> Shorter | None:
    """The two numbers of a truncate that was refused as too long, if that is what the text says."""
    found = _SHORTER.search(message)
    return Shorter(int(found["has"]), int(found["asked"])) if found else None


class Faults:
    """What may still be refused, and the count of what was."""

    __slots__ = ("_numbered", "_open", "_taught", "counts")

    def __init__(self) -> None:
        self._open: dict[str, Sent] = {}
        self._numbered = 0
        self._taught: dict[str, int] = {}
        """By kind of *theirs*, how much had been sent when the first refusal came."""
        self.counts: Counter[Blame] = Counter()

    @property
    def open(self) -> tuple[Sent, ...]:
        """What is unanswered, oldest first."""
        return tuple(self._open.values())

    @property
    def changing(self) -> bool:
        """The conversation is about to change: an item's create or delete is unanswered."""
        kinds = events.ConversationItemCreate, events.ConversationItemDelete
        return any(
            isinstance(sent.event, kinds) and not sent.overdue for sent in self._open.values()
        )

    def remember(self, sent: Sent) -> None:
        """It is under way. Beyond the limit the oldest is forgotten: its answer is long overdue."""
        while len(self._open) >= REMEMBERED_LIMIT:
            del self._open[next(iter(self._open))]
        self._numbered += 1
        sent.number = self._numbered
        self._open[sent.event_id] = sent

    def forget(self, sent: Sent) -> None:
        """It was answered, or is no longer waited for."""
        self._open.pop(sent.event_id, None)

    def clear(self) -> None:
        """The pipe has ended; ids belong to one pipe."""
        self._open.clear()

    def oldest(
        self, kind: type[events.ClientEvent], key: str | None = None, part: Part | None = None
    ) -> Sent | None:
        """The first unanswered event of the kind, about that key or part where one is given.

        One that is overdue only where there is no other.
        """
        late = None
        for sent in self._open.values():
            if not isinstance(sent.event, kind):
                continue
            if (key is None or sent.key == key) and (part is None or sent.part == part):
                if not sent.overdue:
                    return sent
                late = late or sent
        return late

    def match(self, body: events.ErrorBody) -> Sent | None:
        """The event that the error is about, taken out; None if it is none of those remembered."""
        sent = self._find(body)
        if sent is not None:
            self.forget(sent)
        return sent

    def _find(self, body: events.ErrorBody) -> Sent | None:
        if isinstance(body.event_id, str):
            # An id that we do not know is not ours to guess about.
            return self._open.get(body.event_id)
        numbers = shorter(body.message)
        if numbers is not None:
            return self._truncate_of(numbers.asked_ms)
        kind = _ABOUT.get(body.code) if isinstance(body.code, str) else None
        if kind is None:
            kind = next((about for text, about in _TEXTS if text in body.message), None)
        if kind is None:
            return None
        named = _QUOTED.search(body.message)
        by_name = self.oldest(kind, named["id"]) if named else None
        return by_name or self.oldest(kind)

    def _truncate_of(self, asked_ms: int) -> Sent | None:
        for sent in self._open.values():
            event = sent.event
            if (
                isinstance(event, events.ConversationItemTruncate)
                and event.audio_end_ms == asked_ms
            ):
                return sent
        return self.oldest(events.ConversationItemTruncate)

    def blame_theirs(self, kind: str, sent: Sent) -> Blame:
        """Blame for something the service had not told: theirs once per kind, then ours."""
        taught_at = self._taught.get(kind)
        if taught_at is None:
            self._taught[kind] = self._numbered
            return "theirs"
        return "ours" if sent.number > taught_at else "crossing"
