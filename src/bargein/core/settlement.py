"""What is sent to the service for a cut, and what its answers mean.

12. A truncate is a transaction: matched by `event_id`, else by the number in the text, else as the
    oldest unanswered. Refused as longer than X: a completed part with heard >= X settles at X;
    otherwise it is sent once more at X (the transcript survives a refusal). "Only model output …":
    delete if nothing was heard, else leave it and mark the record. No answer in 2 s: unconfirmed.
    The session never ends because of it.

A refusal also teaches: a length that is shorter than what arrived shows the grid on which the
service counts, and a command that it does not know is not sent again in this session.
"""

from __future__ import annotations

from msgspec.structs import replace

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core.conversation import Conversation
from bargein.core.desk import Desk
from bargein.core.faults import Faults, Sent, Shorter, shorter
from bargein.core.notices import Blame, TurnEnded
from bargein.core.output_buffer import OutputBuffer
from bargein.core.responses import Create, Reply
from bargein.core.utterances import Delete, SpokenItem, Utterance, deeds
from bargein.deadlines import Timer

GRIDS_MS = (50, 2, 5, 10, 20, 25, 30, 32, 40, 60, 64, 80, 100, 120, 125, 200, 250, 500, 1_000)
"""Steps in which a server may count lengths; the first that explains a refusal is believed.

One output audio token is 50 ms (protocol.md §5), and the lengths that the service has named in
public refusals are multiples of it; so that is believed first, and otherwise the finest.
"""

GONE = "item_truncate_invalid_item_id", "item_delete_invalid_item_id"


class Settlement:
    """Sends truncates, deletes and cancels, and takes their answers."""

    __slots__ = ("_buffer", "_can", "_conversation", "_desk", "_faults", "grid_ms")

    def __init__(
        self, desk: Desk, conversation: Conversation, faults: Faults, buffer: OutputBuffer
    ) -> None:
        self._buffer = buffer
        self._desk = desk
        self._conversation = conversation
        self._faults = faults
        self._can = Capabilities()
        self.grid_ms = 1

    def use(self, capabilities: Capabilities) -> None:
        """What this server can do, as it was told or learned before."""
        self._can = capabilities
        self.grid_ms = capabilities.lengths_grid_ms

    @property
    def capabilities(self) -> Capabilities:
        """What this server can do, as far as it is known now."""
        return replace(self._can, lengths_grid_ms=self.grid_ms)

    @property
    def may_cancel(self) -> bool:
        """The server obeys `response.cancel`, so a cut response grows no longer."""
        return self._can.cancel

    def cancel(self, sent: list[str], reply: Reply) -> None:
        """Rule 9: by id, once, and only while it is open."""
        if reply.done or reply.cancel_sent or not self._can.cancel:
            return
        reply.cancel_sent = True
        event = events.ResponseCancel(
            event_id=self._desk.new_id("evt"), response_id=reply.response_id
        )
        self._send(sent, event, Sent(event, event.event_id or "", reply.response_id))
        self._desk.deadlines.arm(Timer.RESPONSE_OVER, reply.response_id, self._desk.now_us)

    def over(self, sent: list[str], reply: Reply) -> None:
        """The response is over, or the service is ending it: a cancel that waits is taken back."""
        event = self._desk.outbox.withdraw_cancel(reply.response_id)
        if event is not None:
            reply.cancel_sent = False
            if events.type_of(event) in sent:
                sent.remove(events.type_of(event))
            memory = self._faults.oldest(events.ResponseCancel, reply.response_id)
            if memory is not None:
                self._faults.forget(memory)

    def superseded(self, create: Create) -> None:
        """A request that was never sent is given up."""
        if create.ask_ids:
            self._desk.notify(TurnEnded("assistant", "superseded", ask_ids=tuple(create.ask_ids)))

    def undecided(self, item: SpokenItem) -> bool:
        """Something may still have to be sent for the item."""
        if item.going or not item.in_conversation or self._buffer.owned:
            return False
        if not item.over:
            return True
        return item.held and any(
            part.action == "pending" and part.received_samples for part in item.parts.values()
        )

    def unanswered(self, item: SpokenItem) -> bool:
        """Something was sent for the item and is not answered yet."""
        if item.going and not item.answer:
            return True
        return any(part.action == "truncate" and not part.answer for part in item.parts.values())

    def settle(self, sent: list[str], item: SpokenItem, *, exact: bool) -> None:
        """Send for the item what can be decided now."""
        if self._buffer.owned:
            self._buffer.settle(item)
            return
        found = deeds(item, exact=exact, grid_ms=self.grid_ms, may_truncate=self._can.cancel)
        for deed in found:
            if isinstance(deed, Delete):
                self._delete(sent, deed.item)
            else:
                self._truncate(sent, deed.utterance, deed.audio_end_ms)

    def correct(
        self, sent: list[str], item: SpokenItem, utterance: Utterance, *, exact: bool
    ) -> None:
        """The player knows better now. Less heard than was kept: truncated once more.

        An item of which nothing at all was heard is deleted by `settle`.
        """
        if item.untouched(exact=exact) or not item.held or self._buffer.owned:
            return
        if item.going:
            # Unanswered or unconfirmed, it may be gone already.
            if item.answer not in ("", "unconfirmed"):
                self._undo_delete(item)
            return
        if utterance.action == "none" and item.kept_whole(utterance, self.grid_ms):
            return
        kept_ms = utterance.sent_ms if utterance.action == "truncate" else utterance.kept_ms
        if utterance.action in ("truncate", "none") and kept_ms is not None:
            # On a coarser grid the server's length is shorter than the number it agreed to.
            if utterance.heard_ms < kept_ms // self.grid_ms * self.grid_ms:
                self._truncate(sent, utterance, utterance.heard_ms)

    def _truncate(self, sent: list[str], utterance: Utterance, audio_end_ms: int) -> None:
        part = utterance.part
        utterance.action = "truncate"
        # What was asked before was not refused before this one is, if it is: the pipe is in order.
        utterance.agreed_ms = utterance.sent_ms
        utterance.sent_ms = audio_end_ms
        utterance.kept_ms = None
        if not self._can.truncate:
            utterance.answer = "unsupported"
            return
        utterance.answer = "" if self._can.acknowledges else "unconfirmed"
        event = events.ConversationItemTruncate(
            event_id=self._desk.new_id("evt"),
            item_id=part.item_id,
            content_index=part.content_index,
            audio_end_ms=audio_end_ms,
        )
        self._send(sent, event, Sent(event, event.event_id or "", part.item_id, part))

    def _delete(self, sent: list[str], item: SpokenItem) -> None:
        for utterance in item.parts.values():
            utterance.action = "delete"
        item.going = True
        if not self._can.delete:
            item.answer = "unsupported"
            self._mark(item)
            return
        if not self._can.acknowledges:
            item.answer = "unconfirmed"
            self._mark(item)
        self._conversation.going(item.item_id)
        event = events.ConversationItemDelete(
            event_id=self._desk.new_id("evt"), item_id=item.item_id
        )
        self._send(sent, event, Sent(event, event.event_id or "", item.item_id))

    def _send(self, sent: list[str], event: events.ClientEvent, memory: Sent) -> None:
        if self._desk.outbox.closed:
            # The record must not say that it was sent.
            return
        self._faults.remember(memory)
        sent.append(events.type_of(event))
        self._desk.send(event)
        if not isinstance(event, events.ResponseCancel):
            self._desk.deadlines.arm(Timer.SETTLEMENT, memory.event_id, self._desk.now_us)

    def refused_beforehand(self, event: events.ClientEvent) -> Sent | None:
        """Our memory of a truncate or delete that the service is known not to obey."""
        match event:
            case events.ConversationItemDelete() if not self._can.delete:
                pass
            case events.ConversationItemTruncate() if not self._can.truncate:
                pass
            case _:
                return None
        sent = (one for one in self._faults.open if one.event_id == event.event_id)
        return next((one for one in sent if not one.by_application), None)

    def take_back(self, memory: Sent, item: SpokenItem) -> None:
        """It never left."""
        self.closed(memory)
        if memory.part is None:
            item.answer = "unsupported"
            self._mark(item)
            self._conversation.staying(item.item_id)
        else:
            item.parts[memory.part.content_index].answer = "unsupported"

    def _mark(self, item: SpokenItem, kept_ms: int | None = None) -> None:
        for utterance in item.parts.values():
            utterance.answer, utterance.kept_ms = item.answer, kept_ms

    def closed(self, memory: Sent) -> None:
        """It is answered, one way or another."""
        self._faults.forget(memory)
        self._desk.deadlines.stop(Timer.SETTLEMENT, memory.event_id)

    def truncated(self, utterance: Utterance, kept_ms: int) -> None:
        """The service agreed. The answer to an older truncate does not settle a newer one."""
        if kept_ms == utterance.sent_ms:
            utterance.kept_ms = kept_ms
            utterance.answer = "truncated"

    def deleted(self, item: SpokenItem) -> None:
        """The service holds the item no more."""
        item.going = True
        item.held = False
        item.answer = "deleted"
        self._mark(item, 0)

    def unconfirmed(self, memory: Sent, item: SpokenItem) -> None:
        """No answer in time."""
        if memory.part is None:
            item.answer = item.answer or "unconfirmed"
            self._mark(item)
            return
        utterance = item.parts[memory.part.content_index]
        utterance.answer = utterance.answer or "unconfirmed"

    def refused(
        self,
        sent: list[str],
        memory: Sent,
        item: SpokenItem,
        body: events.ErrorBody,
        *,
        exact: bool,
    ) -> Blame:
        """The service refused a truncate or delete. Returns whose doing it is."""
        code = body.code if isinstance(body.code, str) else "refused"
        if memory.overdue:
            return self._refused_late(memory, item, code, body)
        if memory.part is None:
            return self._delete_refused(memory, item, code, body)
        utterance = item.parts[memory.part.content_index]
        numbers = shorter(body.message)
        if numbers is not None:
            return self._too_long(sent, memory, item, utterance, numbers)
        utterance.answer = code
        if code in GONE:
            utterance.kept_ms = 0
            item.held = False
            return "crossing"
        if _is_not_audio(body):
            if item.untouched(exact=exact) and not item.going:
                self._delete(sent, item)
            return self._faults.blame_theirs("truncate/not audio", memory)
        self._learn_from(body, truncate=False)
        return self._faults.blame_theirs(f"truncate/{code}", memory)

    def _refused_late(
        self, memory: Sent, item: SpokenItem, code: str, body: events.ErrorBody
    ) -> Blame:
        """Its record says *unconfirmed*, and stays so. What it teaches holds for the next ones."""
        if code in GONE:
            return "crossing"
        numbers = shorter(body.message)
        if memory.part is None:
            self._conversation.staying(item.item_id)
            self._learn_from(body, delete=False)
            return self._faults.blame_theirs(f"delete/{code}", memory)
        if numbers is not None:
            utterance = item.parts[memory.part.content_index]
            self._learn_grid(numbers.has_ms, _length_ms(utterance))
            return self._faults.blame_theirs("truncate/shorter", memory)
        if not _is_not_audio(body):
            self._learn_from(body, truncate=False)
        return self._faults.blame_theirs(f"truncate/{code}", memory)

    def _delete_refused(
        self, memory: Sent, item: SpokenItem, code: str, body: events.ErrorBody
    ) -> Blame:
        item.answer = code
        if code in GONE:
            item.held = False
            self._mark(item, 0)
            self._conversation.deleted(item.item_id)
            return "crossing"
        self._mark(item)
        self._conversation.staying(item.item_id)
        self._learn_from(body, delete=False)
        if not item.untouched(exact=True):
            self._undo_delete(item)
        return self._faults.blame_theirs(f"delete/{code}", memory)

    def cannot_delete(self, memory: Sent, body: events.ErrorBody) -> Blame:
        """The service refused a delete of an edit, and the item is there. Whose doing it is."""
        code = body.code if isinstance(body.code, str) else "refused"
        self._learn_from(body, delete=False)
        return self._faults.blame_theirs(f"delete/{code}", memory)

    def _undo_delete(self, item: SpokenItem) -> None:
        """It is there, and since it was to be deleted the player has said that some was heard."""
        item.going = False
        item.answer = ""
        for utterance in item.parts.values():
            utterance.action, utterance.answer, utterance.kept_ms = "pending", "", None

    def _too_long(
        self,
        sent: list[str],
        memory: Sent,
        item: SpokenItem,
        utterance: Utterance,
        numbers: Shorter,
    ) -> Blame:
        has_ms = numbers.has_ms
        self._learn_grid(has_ms, _length_ms(utterance))
        if item.completed and utterance.heard_ms >= has_ms:
            utterance.answer, utterance.kept_ms = "shorter", has_ms
        elif self._may_retry(item, utterance, has_ms):
            utterance.retried = True
            utterance.sent_ms = None
            self._truncate(sent, utterance, min(has_ms, utterance.heard_ms))
        else:
            utterance.answer = "refused"
        return self._faults.blame_theirs("truncate/shorter", memory)

    @staticmethod
    def _may_retry(item: SpokenItem, utterance: Utterance, has_ms: int) -> bool:
        """Once, with a smaller number, and not for an item that is being deleted."""
        smaller = min(has_ms, utterance.heard_ms) < (utterance.sent_ms or 0)
        return smaller and not utterance.retried and not item.going

    def _learn_grid(self, has_ms: int, length_ms: int) -> None:
        """The server says that it has less than it must have: the rest is rounding."""
        missing_ms = length_ms - has_ms
        for grid_ms in GRIDS_MS:
            if grid_ms > missing_ms and has_ms % grid_ms == 0 and grid_ms >= self.grid_ms:
                self.grid_ms = grid_ms
                return

    def _learn_from(self, body: events.ErrorBody, **can: bool) -> None:
        """A refusal that is about no state of ours: the server does not do this at all."""
        if body.type != "server_error":
            self._can = replace(self.capabilities, **can)

    def cancel_refused(self, memory: Sent, reply: Reply | None, body: events.ErrorBody) -> Blame:
        """Not active: `response.done` was under way, or is. Anything else: it cannot cancel."""
        if body.code == "response_cancel_not_active" or "Cancellation failed" in body.message:
            return "crossing"
        self._learn_from(body, cancel=False)
        if reply is not None:
            self._desk.deadlines.stop(Timer.RESPONSE_OVER, reply.response_id)
        return self._faults.blame_theirs("cancel/unknown", memory)


def _length_ms(utterance: Utterance) -> int:
    """The service has at least what arrived, unless it agreed to less before."""
    if utterance.agreed_ms is None:
        return utterance.received_ms
    return min(utterance.received_ms, utterance.agreed_ms)


def _is_not_audio(body: events.ErrorBody) -> bool:
    return (
        body.code == "unsupported_content_type"
        or "Only model output audio messages can be truncated" in body.message
    )
