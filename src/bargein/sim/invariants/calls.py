"""The invariant of function calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bargein import events
from bargein.core import asks, notices
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched


class EachCallOnce(Invariant):
    """A call of a cut response is told like any other: it was made, and the service remembers it.

    Excused: at the end, a pipe that died or was closed, for what was still under way.
    """

    name = "I7"
    sentence = (
        "Each completed function call is told once, an incomplete one never, each output kept once."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._made: dict[str, events.FunctionCallItem] = {}
        self._told: Counter[str] = Counter()
        self._given: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._refused: set[str] = set()

    def watches(self) -> Iterable[Watched]:
        return (
            ("client_got", events.ResponseOutputItemDone, self._item_done),
            ("client_got", events.ResponseDone, self._response_done),
            ("client_got", events.Error, self._error),
            ("notice", notices.ToolCalled, self._called),
            ("ask", asks.SendEvent, self._give),
            ("client_sent", events.ConversationItemCreate, self._send),
        )

    def _item_done(self, entry: Entry, event: events.ResponseOutputItemDone) -> None:
        self._done(event.response_id, event.item)

    def _response_done(self, entry: Entry, event: events.ResponseDone) -> None:
        for item in event.response.output:
            self._done(event.response.id, item)

    def _done(self, response_id: str, item: object) -> None:
        if not isinstance(item, events.FunctionCallItem) or item.status != "completed":
            return
        reply = self.facts.replies.get(response_id)
        call_id = item.call_id
        if isinstance(call_id, str) and call_id not in self._made:
            self._made[call_id] = item
            if reply is not None and reply.in_band:
                self.scene.afterwards(lambda: self._must_be_told(call_id))

    def _must_be_told(self, call_id: str) -> None:
        if not self._told[call_id]:
            self.fail(f"the call {call_id} was completed and is not told")

    def _called(self, entry: Entry, notice: notices.ToolCalled) -> None:
        call_id = notice.call_id
        made = self._made.get(call_id)
        self._told[call_id] += 1
        if made is None:
            self.fail(f"the call {call_id} is told and was never completed")
        elif self._told[call_id] > 1:
            self.fail(f"the call {call_id} is told {self._told[call_id]} times")
        elif (notice.name, notice.arguments) != (made.name, made.arguments):
            self.fail(f"the call {call_id} is told with other words than it was made with")

    def _give(self, entry: Entry, ask: asks.SendEvent) -> None:
        event = ask.event
        closed = self.facts.closed_place <= self.facts.place
        if isinstance(event, events.ConversationItemCreate) and not closed:
            if isinstance(event.item, events.FunctionCallOutputItem):
                self._given[event.item.call_id] += 1

    def _send(self, entry: Entry, event: events.ConversationItemCreate) -> None:
        if isinstance(event.item, events.FunctionCallOutputItem):
            call_id = event.item.call_id
            self._sent[call_id] += 1
            if self._sent[call_id] > self._given[call_id]:
                self.fail(f"the output of {call_id} is sent more often than it was given")

    def _error(self, entry: Entry, event: events.Error) -> None:
        refused = self.facts.refused_number(entry.number)
        asked = refused.sent.event if refused is not None and refused.sent is not None else None
        if isinstance(asked, events.ConversationItemCreate):
            if isinstance(asked.item, events.FunctionCallOutputItem):
                self._refused.add(asked.item.call_id)

    def finish(self, final: Final) -> None:
        if final.lost or final.left:
            return
        kept = Counter(item.call_id for item in final.memory if item.kind == "function_call_output")
        for call_id, given in self._given.items():
            if self._sent[call_id] != given:
                self.fail(f"the output of {call_id} was given and not sent")
            elif kept[call_id] != given and call_id not in self._refused:
                self.fail(f"the output of {call_id} is kept {kept[call_id]} times, given {given}")
