"""What a page is shown of a session: its notices and its events, in the page's own words. Pure."""

from __future__ import annotations

from collections import OrderedDict

from bargein import events
from bargein.core import notices
from bargein.driver.ports import Passed
from bargein.masking import without_secrets
from bargein.trace.leave_out import hollow, plain
from bargein.web.messages import (
    Button,
    Event,
    Floor,
    Interrupted,
    Part,
    Standing,
    ToPage,
    Trouble,
    Words,
)

MOST_ROWS, MOST_RECORDS, MOST_ROW_TEXT = 200, 100, 20_000


def told(notice: notices.Notice | notices.Dropped) -> ToPage | None:
    """What the page is told of a notice; None where it shows nothing of it."""
    match notice:
        case notices.FloorChanged(floor=floor):
            return Floor(floor)
        case notices.TurnStarted(role="user", item_id=str(item_id)):
            return Words(f"{item_id}/0", "user", "", final=False)
        case notices.Transcript():
            row = f"{notice.item_id}/{notice.content_index}"
            return Words(row, notice.role, notice.text, notice.final, notice.cut)
        case notices.Interruption():
            return Interrupted(
                notice.cut_id,
                settled=False,
                askers=notice.askers,
                heard_ms=notice.heard_ms,
                stop_latency_us=notice.stop_latency_us,
                kept_ms=None,
                drift_ms=None,
                exactness="",
                commands=(),
                parts=tuple(map(_part, notice.parts)),
            )
        case notices.InterruptionSettled():
            return Interrupted(
                notice.cut_id,
                settled=True,
                askers=notice.askers,
                heard_ms=notice.heard_ms,
                stop_latency_us=None,
                kept_ms=notice.kept_ms,
                drift_ms=notice.drift_ms,
                exactness=notice.exactness,
                commands=notice.commands,
                parts=tuple(map(_part, notice.parts)),
            )
        case notices.Fault(message=message, blame=blame):
            return Trouble(f"The service refused something ({blame}): {message}")
        case notices.Dropped(what=what, count=count):
            return Trouble(f"{count} of {what} were dropped: more came than could be taken")
        case _:
            return None


def told_event(passed: Passed, at_ms: int) -> Event | None:
    """An entry of the log; None for the sound that is sent, of which there are fifty a second."""
    event = passed.event
    if isinstance(event, events.InputAudioBufferAppend):
        return None
    sounds: dict[str, int] = {}
    whole = without_secrets(plain(hollow(event, "event", sounds)))
    if sounds and isinstance(whole, dict):
        whole["(sound left out)"] = sum(sounds.values())
    kind = "(unreadable)" if isinstance(event, events.Malformed) else events.type_of(event)
    return Event(at_ms, passed.direction, kind, whole)


def row_after(passed: Passed) -> Words | None:
    """A turn that was made by the button has its row from its commit on, before its words."""
    match passed.event:
        case events.InputAudioBufferCommitted(item_id=str(item_id)):
            return Words(f"{item_id}/0", "user", "", final=False)
        case _:
            return None


def gate_after(passed: Passed) -> bool | None:
    """Whether what arrives by WebRTC may be heard from this event on; None: as before.

    What was cut may still be under way, and in the browser's own buffer. So the gate shuts with
    the word of a clear, sent or received, and opens with the next reply.
    """
    match passed.event:
        case events.OutputAudioBufferClear() | events.OutputAudioBufferCleared():
            return False
        case events.OutputAudioBufferStarted():
            return True
        case _:
            return None


def _part(record: notices.PartRecord) -> Part:
    return Part(record.item_id, record.heard_ms, record.kept_ms, record.action, record.answer)


class Board:
    """What whoever comes later is shown: how the call stands, the last rows and records."""

    def __init__(self, standing: Standing) -> None:
        self._latest: dict[type, ToPage] = {Standing: standing}
        self._rows: OrderedDict[str, Words] = OrderedDict()
        self._records: OrderedDict[str, Interrupted] = OrderedDict()

    def note(self, message: ToPage) -> None:
        """It was told to those who are there."""
        match message:
            case Standing() | Floor() | Button():
                self._latest[type(message)] = message
            case Words():
                self._note_words(message)
            case Interrupted():
                self._records[message.cut_id] = message
                if len(self._records) > MOST_RECORDS:
                    self._records.popitem(last=False)
            case _:
                return

    def shown(self) -> list[ToPage]:
        """All of it, in the order in which a page can show it."""
        return [*self._latest.values(), *self._rows.values(), *self._records.values()]

    def _note_words(self, words: Words) -> None:
        before = self._rows.get(words.row)
        text = words.text
        if before is not None and not words.final:
            if before.final:
                return
            text = before.text + text
        kept = Words(words.row, words.role, text[:MOST_ROW_TEXT], words.final, words.cut)
        self._rows[words.row] = kept
        if len(self._rows) > MOST_ROWS:
            self._rows.popitem(last=False)
