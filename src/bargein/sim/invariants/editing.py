"""The invariant of edits: what the application wishes of the conversation, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.edited import Edited
from bargein.core.items import ItemView
from bargein.deadlines import Timer
from bargein.sim.history import Entry
from bargein.sim.invariants.base import Invariant, Scene, Watched

_LONGEST_US = Timer.EDIT.lasts_us + Timer.ACKNOWLEDGED.lasts_us + Timer.SETTLEMENT.lasts_us
"""Until an edit begins, and until it is over."""


@dataclass(slots=True)
class _Sent:
    """A create or delete: in which batch it was sent, what was unanswered then, and what the
    session showed of an item that was to go: the item, and whether it was a call with an output."""

    item_id: str
    batch: int
    time_us: int
    number: int
    others: tuple[str, ...] = ()
    item: ItemView | None = None
    has_output: bool = False


class EditsAreTrue(Invariant):
    """What is sent is known to be of an edit when the edit is answered: by what it says to have
    done. Where only the client's side was recorded, the mirror is not there to be compared.

    Excused: what the application deletes or places by events of its own meanwhile.
    """

    name = "edits"
    sentence = (
        "An edit begins when nothing else changes the conversation, keeps what nobody could have "
        "wished, and says what the service holds of the wish."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._asked: dict[int, tuple[asks.Edit, int]] = {}
        self._pending: dict[int, _Sent] = {}
        self._creates: dict[str, _Sent] = {}
        self._deletes: dict[str, _Sent] = {}
        self._by_itself: set[str] = set()

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("input", inputs.Asked, cls._ask),
            ("command", commands.Answer, cls._answer),
            ("client_sent", events.ConversationItemCreate, cls._create),
            ("client_sent", events.ConversationItemDelete, cls._delete),
            ("client_got", events.ConversationItemAdded, cls._added),
            ("client_got", events.ConversationItemDeleted, cls._deleted),
            ("client_got", events.Error, cls._error),
        )

    # -- what changes the conversation ---------------------------------------------------------

    def _ask(self, entry: Entry, asked: inputs.Asked) -> None:
        match asked.ask:
            case asks.Edit() as edit:
                self._asked[asked.ask_id] = edit, entry.time_us
            case asks.SendEvent(event=events.ConversationItemDelete(item_id=item_id)):
                self._by_itself.add(item_id)
            case _:
                pass

    def _create(self, entry: Entry, event: events.ConversationItemCreate) -> None:
        if isinstance(event.item.id, str):
            self._creates[event.item.id] = self._sent(entry, event.item.id)

    def _delete(self, entry: Entry, event: events.ConversationItemDelete) -> None:
        sent = self._deletes[event.item_id] = self._sent(entry, event.item_id)
        if self._asked:
            items = self._mirror()
            sent.item = next((item for item in items if item.id == event.item_id), None)
            if sent.item is not None:
                sent.has_output = bool(_outputs(items, sent.item.call_id))

    def _sent(self, entry: Entry, item_id: str) -> _Sent:
        batch = self.facts.batch_place
        others = tuple(
            sent.item_id
            for sent in self._pending.values()
            if sent.batch < batch and not self._is_overdue(sent, entry.time_us)
        )
        sent = _Sent(item_id, batch, entry.time_us, entry.number, others)
        self._pending[entry.number] = sent
        return sent

    def _is_overdue(self, sent: _Sent, now_us: int) -> bool:
        is_create = self._creates.get(sent.item_id) is sent
        timer = Timer.ACKNOWLEDGED if is_create else Timer.SETTLEMENT
        return now_us - sent.time_us >= timer.lasts_us

    def _added(self, entry: Entry, event: events.ConversationItemAdded) -> None:
        self._close(self._creates.get(str(event.item.id)))

    def _deleted(self, entry: Entry, event: events.ConversationItemDeleted) -> None:
        self._close(self._deletes.get(event.item_id))

    def _close(self, sent: _Sent | None) -> None:
        if sent is not None:
            self._pending.pop(sent.number, None)

    def _error(self, entry: Entry, event: events.Error) -> None:
        refused = self.facts.refused_number(entry.number)
        if refused is not None and refused.sent is not None:
            self._pending.pop(refused.sent.number, None)

    # -- what may not go -----------------------------------------------------------------------

    def _may_go(self, sent: _Sent) -> str | None:
        """What speaks against deleting an item that was not named, by what was shown of it."""
        item = sent.item
        if item is None:
            return None
        if item.status == "in_progress":
            return "is still being made"
        if item.type == "message" and item.role == "user" and not item.text:
            return "has no words"
        if item.type == "function_call" and not sent.has_output:
            return "is a call without an output"
        if item.type not in ("message", "function_call", "function_call_output"):
            return "is of the service's making"
        return None

    def _mirror(self) -> tuple[ItemView, ...]:
        witness = self.scene.witness
        return () if witness is None or self.facts.broken else witness.mirror

    # -- what is said --------------------------------------------------------------------------

    def _answer(self, entry: Entry, answer: commands.Answer) -> None:
        if answer.ask_id not in self._asked:
            return
        first = next(iter(self._asked))
        edit, asked_us = self._asked.pop(answer.ask_id)
        done = answer.value
        if not isinstance(done, Edited):
            if entry.time_us - asked_us > _LONGEST_US and not self.options.blocks:
                self.fail(f"ask {answer.ask_id} waited without end")
            return
        if answer.ask_id != first:
            self.fail(f"ask {answer.ask_id} is done before ask {first}")
        sent = [
            *(self._creates.get(item_id) for item_id in (*done.created, *done.moved.values())),
            *(self._deletes.get(item_id) for item_id in (*done.deleted, *done.moved)),
        ]
        for one in sent:
            if one is None:
                self.fail(f"ask {answer.ask_id} says that it did what was never sent")
            elif one.others:
                self.fail(f"{one.item_id} is edited while {one.others[0]} is unanswered")
        self._judge_deleted(edit, done)
        witness = self.scene.witness
        if witness is not None and not self.facts.broken:
            held = [item.id for item in witness.memory]
            for detail in self._wrong(edit, done, witness.mirror, held):
                self.fail(f"ask {answer.ask_id}: {detail}")

    def _judge_deleted(self, edit: asks.Edit, done: Edited) -> None:
        seen = set(edit.seen or ())
        wished = {str(item.id) for item in edit.wish}
        for item_id in done.deleted:
            if item_id in edit.delete:
                continue
            if item_id not in seen and item_id not in self.facts.call_of:
                self.fail(f"{item_id} came later than the wish, and is deleted")
            against = self._may_go(self._deletes[item_id]) if item_id in self._deletes else None
            if against is not None and item_id not in wished:
                self.fail(f"{item_id} {against}, was not named, and is deleted")

    def _wrong(
        self, edit: asks.Edit, done: Edited, mirror: tuple[ItemView, ...], held: list[str]
    ) -> Iterator[str]:
        # What is going may be so for the next edit, which has begun.
        shown = [item.id for item in mirror if item.state != "coming"]
        told = {one.item_id for one in done.differences}
        created = iter(done.created)
        refused = [one for one in done.differences if one.item_id in self._creates]
        wished: list[str] = []
        for item in edit.wish:
            if not isinstance(item, events.ItemReference):
                if not refused:
                    wished.append(next(created, "a new item"))
                continue
            item_id = done.moved.get(str(item.id), str(item.id))
            if item_id not in told:
                wished.append(item_id)
        for item_id in wished:
            if item_id not in shown and not self._goes(item_id):
                yield f"{item_id} is wished, and neither there nor told"
            elif item_id not in held and not self._goes(item_id):
                yield f"{item_id} is wished and told, and the service has it not"
        places = [shown.index(item_id) for item_id in wished if item_id in shown]
        if places != sorted(places):
            yield "the items stand in another order than in the wish"
        order = [item_id for item_id in edit.seen or () if item_id in done.moved]
        if done.moved and [str(item.id) for item in edit.wish if item.id in done.moved] == order:
            kept = [item_id for item_id in edit.seen or () if item_id in wished or item_id in order]
            if [str(i.id) for i in edit.wish if i.id in kept] == kept:
                yield f"{order[0]} is made anew, and could have stayed"
        for item_id in (*done.deleted, *done.moved):
            if item_id in held or item_id in shown:
                yield f"{item_id} is told as deleted, and is there"
        known = {*wished, *told, *done.created, *self._by_itself}
        stays = {item.id for item in mirror if item.state in ("there", "cut")}
        for item_id in edit.seen or ():
            if item_id in stays and item_id not in known:
                yield f"{item_id} is not wished, and neither gone nor told"
        yield from self._orphans(done, mirror)

    def _goes(self, item_id: str) -> bool:
        """It is deleted by somebody else meanwhile: the application, or a cut."""
        return item_id in self._deletes or item_id in self._by_itself

    def _orphans(self, done: Edited, mirror: tuple[ItemView, ...]) -> Iterator[str]:
        """Calls and outputs go in pairs. Where the service refused one half, or has not answered
        it in time, the result tells it, and the other half is alone by the service's doing."""
        told = {one.item_id for one in done.differences if one.why in ("refused", "unconfirmed")}
        calls = {item.call_id: item.id for item in mirror if item.type == "function_call"}
        for item_id in done.deleted:
            call_id = self.facts.call_of.get(item_id)
            if call_id is None:
                continue
            outputs = _outputs(mirror, call_id)
            if call_id not in calls and outputs and told.isdisjoint(outputs):
                yield f"{outputs[0]} has lost its call {item_id}"
            if call_id in calls and not outputs and calls[call_id] not in told:
                yield f"the call {call_id} has lost its output {item_id}"


def _outputs(items: tuple[ItemView, ...], call_id: str | None) -> list[str]:
    return [
        item.id for item in items if item.type == "function_call_output" and item.call_id == call_id
    ]
