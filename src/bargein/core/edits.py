"""Edits of the conversation: one at a time, each when nothing else changes it.

1. An edit waits until no delete and no create is unanswered, no cut has anything left to send, and
   the socket takes what is sent: then the difference is computed and sent in one breath. So nothing
   is deleted or created twice, and no item is named that is about to go (scenario 24).
2. Edits are made in the order in which they were asked for, and the next one begins when the last
   one is answered: each starts from what the service has acknowledged.
3. What the machine deletes for an edit is `going` for everybody: no cut names it any more.
4. An edit is answered when the service has answered all of it, or has been waited for long enough.
   A refusal is told in its result, with the item; it undoes nothing, and the session goes on.
5. An edit that cannot begin in 10 s, that cannot be, or that would delete where the service deletes
   nothing, fails, and nothing was sent. What is unanswered when the pipe ends, ends as lost.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bargein import events
from bargein.core.asks import Edit
from bargein.core.edited import Difference, Edited
from bargein.core.faults import Sent
from bargein.core.notices import Blame
from bargein.core.settlement import GONE
from bargein.core.wishes import Plan, check, plan
from bargein.deadlines import Timer
from bargein.errors import LocalProtocolError

if TYPE_CHECKING:
    from bargein.core.machine import Machine

WAITING_LIMIT = 16
"""Edits that wait; one more is refused."""


@dataclass(slots=True, eq=False)
class _Running:
    """The edit whose messages are under way."""

    ask_id: int
    plan: Plan
    unanswered: set[str] = field(default_factory=set)
    """Ids of the events that delete and create."""
    not_done: dict[str, Difference] = field(default_factory=dict)
    """By item, what the service did not do."""

    def result(self) -> Edited:
        """What came of it."""
        deleted = [each for each in self.plan.deletes if each not in self.not_done]
        created = {new.entry: new for new in self.plan.creates if new.item_id not in self.not_done}
        moved = {
            new.instead_of: new.item_id
            for new in created.values()
            if new.instead_of is not None and new.instead_of in deleted
        }
        return Edited(
            tuple(
                created[entry].item_id
                for entry in sorted(created)
                if created[entry].instead_of not in moved
            ),
            tuple(each for each in deleted if each not in moved),
            moved,
            (*self.plan.differences, *self.not_done.values()),
        )


class Edits:
    """The edits that wait, and the one that runs."""

    __slots__ = ("_m", "_running", "_waiting")

    def __init__(self, machine: Machine) -> None:
        self._m = machine
        self._waiting: deque[tuple[int, Edit, frozenset[str]]] = deque()
        self._running: _Running | None = None

    @property
    def waiting(self) -> bool:
        """Some edit has not begun."""
        return bool(self._waiting)

    def ask(self, ask_id: int, edit: Edit) -> None:
        """The application asks; `advance` begins it."""
        desk = self._m.desk
        if len(self._waiting) >= WAITING_LIMIT:
            text = f"edit: {WAITING_LIMIT} edits wait already; wait for one before the next"
            desk.fail(ask_id, text, "local")
            return
        try:
            check(edit.wish, edit.delete)
        except LocalProtocolError as error:
            desk.fail(ask_id, str(error), "local")
            return
        known = edit.seen
        if known is None:
            known = tuple(item.id for item in self._m.conversation.items)
        self._waiting.append((ask_id, edit, frozenset(known)))
        desk.deadlines.arm(Timer.EDIT, str(ask_id), desk.now_us)

    # -- beginning -----------------------------------------------------------------------------

    def advance(self) -> None:
        """Begin what can begin."""
        while self._waiting and self._running is None and self._may_begin():
            ask_id, edit, seen = self._waiting.popleft()
            self._m.desk.deadlines.stop(Timer.EDIT, str(ask_id))
            self._begin(ask_id, edit, seen)

    def _may_begin(self) -> bool:
        """Rule 1."""
        machine = self._m
        return (
            machine.connected
            and machine.leaving is None
            and not machine.desk.outbox.blocked
            and not machine.cuts.undecided
            and not machine.after_stop
            and not machine.faults.changing
        )

    def _begin(self, ask_id: int, edit: Edit, seen: frozenset[str]) -> None:
        machine = self._m
        try:
            made = plan(
                machine.conversation.items,
                edit.wish,
                delete=frozenset(edit.delete),
                seen=seen,
                new_id=lambda: machine.desk.new_id("item"),
            )
        except LocalProtocolError as error:
            machine.desk.fail(ask_id, str(error), "local")
            return
        if made.deletes and not machine.capabilities.delete:
            machine.desk.fail(
                ask_id,
                f"edit: {made.deletes[0]!r} cannot be deleted: this service deletes nothing; wish "
                "for what is there, and more",
                "local",
            )
            return
        self._running = running = _Running(ask_id, made)
        for item_id in made.deletes:
            sent = machine.requests.delete_item(events.ConversationItemDelete(item_id=item_id))
            running.unanswered.add(sent.event_id)
        for new in made.creates:
            running.unanswered.add(machine.requests.put_item(new).event_id)
        self._perhaps_over()

    # -- the service's answers -----------------------------------------------------------------

    def answered(self, sent: Sent) -> None:
        """The service has done it."""
        self._answered(sent, None)

    def unanswered(self, sent: Sent) -> None:
        """It was waited for long enough."""
        self._answered(sent, Difference(sent.key, "unconfirmed"))

    def refused(self, sent: Sent, body: events.ErrorBody) -> Blame | None:
        """The service refused it. Whose doing that is; None where the running edit has no such
        event, or its author wrote what was refused."""
        running = self._running
        if running is None or sent.event_id not in running.unanswered:
            return None
        code = body.code if isinstance(body.code, str) else None
        if code in GONE:
            self._answered(sent, None)
            return "crossing"
        self._answered(sent, Difference(sent.key, "refused", body.message, code))
        if isinstance(sent.event, events.ConversationItemDelete):
            return self._m.settlement.cannot_delete(sent, body)
        return None

    def _answered(self, sent: Sent, difference: Difference | None) -> None:
        running = self._running
        if running is None or sent.event_id not in running.unanswered:
            return
        running.unanswered.remove(sent.event_id)
        if difference is not None:
            running.not_done[sent.key] = difference
        self._perhaps_over()

    def _perhaps_over(self) -> None:
        running = self._running
        if running is not None and not running.unanswered:
            self._running = None
            self._m.desk.answer(running.ask_id, running.result())

    # -- ends ----------------------------------------------------------------------------------

    def overdue(self, key: str) -> None:
        """It could not begin in time."""
        for waiting in self._waiting:
            if str(waiting[0]) == key:
                self._waiting.remove(waiting)
                text = "edit: the conversation did not come to rest in time; nothing was changed"
                self._m.desk.fail(waiting[0], text, "late")
                return

    def lost(self, reason: str) -> None:
        """The pipe has ended (ledger, rule 14)."""
        if self._running is not None:
            self._m.desk.fail(self._running.ask_id, reason, "lost")
            self._running = None
        for ask_id, _, _ in self._waiting:
            self._m.desk.fail(ask_id, reason, "lost")
        self._waiting.clear()
