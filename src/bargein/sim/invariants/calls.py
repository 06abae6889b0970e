"""The invariants of function calls: those the application answers, and those the session does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched


class EachCallOnce(Invariant):
    """A call of a cut response is told like any other: it was made, and the service remembers it.

    Excused: at the end, a pipe that died or was closed, for what was still under way, and calls of
    which an edit has deleted something.
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

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_got", events.ResponseOutputItemDone, cls._item_done),
            ("client_got", events.ResponseDone, cls._response_done),
            ("client_got", events.Error, cls._error),
            ("notice", notices.ToolCalled, cls._called),
            ("ask", asks.SendEvent, cls._give),
            ("client_sent", events.ConversationItemCreate, cls._send),
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
        if notice.kind == "mcp":
            return
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
        if self.options.own_tools is not None:
            return
        if isinstance(event.item, events.FunctionCallOutputItem):
            call_id = event.item.call_id
            if call_id in self.facts.edited_calls and isinstance(event.previous_item_id, str):
                # It is put elsewhere.
                return
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
            elif call_id in self.facts.edited_calls:
                continue
            elif kept[call_id] != given and call_id not in self._refused:
                self.fail(f"the output of {call_id} is kept {kept[call_id]} times, given {given}")


class EachCallAnswered(Invariant):
    """Of a session with tools of its own. A call that was cut off is answered, too, without having
    been told or run.

    Excused: a call of a response out of band, and one that the server does not remember any more;
    an output that the service refused; at the end, a pipe that died or was closed. From being
    spoken about: what the user interrupted after the output was sent; a call that was cut off in a
    response that was cut or given up, or behind another one that was cut off. From being answered
    at the interruption: what waits for the socket, or for the player's answer. From its tool's
    policy: one during which a single response was given up.
    """

    name = "tools"
    sentence = (
        "Each call is approved where it must be, run at most once, answered once, and spoken about."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._rules = {rule.name: rule for rule in self.options.own_tools or ()}
        self._called: dict[str, notices.ToolCalled] = {}
        self._approved: set[str] = set()
        self._run: dict[str, int] = {}
        self._cancelled: set[str] = set()
        self._answered: dict[str, tuple[notices.ToolAnswered, int]] = {}
        self._sent: dict[str, tuple[str, int]] = {}
        self._added: dict[str, int] = {}
        self._refused: set[str] = set()
        self._given_up: list[int] = []
        self._during_stop: set[str] = set()
        self._cut_off: dict[str, tuple[str, str]] = {}
        """Calls that were cut off: the item and the response of each."""

    @property
    def watching(self) -> bool:
        return self.options.own_tools is not None

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_got", events.ResponseOutputItemDone, cls._item_done),
            ("input", inputs.Asked, cls._ask),
            ("notice", notices.ToolCalled, cls._tell),
            ("notice", notices.ToolAnswered, cls._answer),
            ("input", inputs.ToolApproved, cls._approve),
            ("command", commands.RunTool, cls._begin),
            ("command", commands.CancelTool, cls._cancel),
            ("client_sent", events.ConversationItemCreate, cls._send),
            ("server_sent", events.ConversationItemAdded, cls._add),
            ("client_got", events.Error, cls._error),
        )

    def _item_done(self, entry: Entry, event: events.ResponseOutputItemDone) -> None:
        item = event.item
        if isinstance(item, events.FunctionCallItem) and item.status == "incomplete":
            self._cut_off[str(item.call_id)] = str(item.id), event.response_id

    def _ask(self, entry: Entry, asked: inputs.Asked) -> None:
        match asked.ask:
            case asks.CancelReply() | asks.SendEvent(event=events.ResponseCancel()):
                self._given_up.append(self.facts.place)

    def _tell(self, entry: Entry, notice: notices.ToolCalled) -> None:
        if notice.kind == "function":
            self._called[notice.call_id] = notice

    def _approve(self, entry: Entry, approved: inputs.ToolApproved) -> None:
        if approved.granted and approved.call_id not in self._cancelled:
            self._approved.add(approved.call_id)

    def _begin(self, entry: Entry, command: commands.RunTool) -> None:
        call_id = command.call_id
        rule = self._rules.get(command.name)
        if call_id in self._run:
            self.fail(f"the call {call_id} is run twice")
        self._run[call_id] = self.facts.place
        called = self._called.get(call_id)
        reply = self.facts.replies.get(called.response_id) if called is not None else None
        if reply is None:
            self.fail(f"the call {call_id} is run and was not told")
        elif not (rule and rule.approval) and self.facts.first_cut(reply) < self.facts.batch_place:
            self.fail(f"the call {call_id} is run, and its response was cut before")
        if rule is None:
            self.fail(f"the call {call_id} is run, and there is no tool {command.name}")
        elif rule.approval and call_id not in self._approved:
            self.fail(f"the call {call_id} is run without approval")

    def _cancel(self, entry: Entry, command: commands.CancelTool) -> None:
        self._cancelled.add(command.call_id)

    def _answer(self, entry: Entry, notice: notices.ToolAnswered) -> None:
        if notice.kind == "mcp":
            return
        call_id = notice.call_id
        if notice.status == "late":
            if call_id not in self._answered:
                self.fail(f"the call {call_id} is late and was not answered")
            return
        if call_id in self._answered:
            self.fail(f"the call {call_id} is answered twice")
        if (notice.status == "incomplete") is not (call_id in self._cut_off):
            self.fail(f"the call {call_id} ended {notice.status}, and it was cut off or was not")
        self._answered[call_id] = notice, self.facts.place
        if self.facts.stopping is not None:
            self._during_stop.add(call_id)

    def _send(self, entry: Entry, event: events.ConversationItemCreate) -> None:
        item = event.item
        if not isinstance(item, events.FunctionCallOutputItem) or not isinstance(item.id, str):
            return
        if item.call_id in self.facts.edited_calls and isinstance(event.previous_item_id, str):
            # It is put elsewhere.
            return
        if any(call_id == item.call_id for call_id, _ in self._sent.values()):
            self.fail(f"the call {item.call_id} has two outputs")
        self._sent[item.id] = (item.call_id, self.facts.place)

    def _add(self, entry: Entry, event: events.ConversationItemAdded) -> None:
        if isinstance(event.item.id, str):
            self._added[event.item.id] = entry.number

    def _error(self, entry: Entry, event: events.Error) -> None:
        refused = self.facts.refused_number(entry.number)
        asked = refused.sent.event if refused is not None and refused.sent is not None else None
        if isinstance(asked, events.ConversationItemCreate) and isinstance(asked.item.id, str):
            self._refused.add(asked.item.id)

    def finish(self, final: Final) -> None:
        facts = self.facts
        if self.options.own_tools is None or facts.broken:
            return
        over = final.lost or final.left
        held = {item.id for item in final.memory}
        outputs = {call_id for call_id, _ in self._sent.values()}
        made = {call_id: (one.item_id, one.response_id) for call_id, one in self._called.items()}
        for call_id, (made_item, response_id) in (made | self._cut_off).items():
            reply = facts.replies.get(response_id)
            if reply is None or not reply.in_band:
                continue
            if call_id not in self._answered:
                self.fail(f"the call {call_id} was never answered")
            elif made_item in held and call_id not in outputs and not over:
                self.fail(f"the call {call_id} has no output")
        if over:
            return
        for call_id, place in self._run.items():
            self._judge_policy(call_id, place)
        for item_id, (call_id, place) in self._sent.items():
            self._judge_word(item_id, call_id, place)

    def _judge_policy(self, call_id: str, run_place: int) -> None:
        """What an interruption did while it ran is what its tool's policy says."""
        if call_id not in self._answered:
            return
        answered, place = self._answered[call_id]
        if any(run_place < given_up < place for given_up in self._given_up):
            # A barge-in if it cut something.
            return
        policy = self._rules[answered.name].at_barge_in
        interrupted = any(run_place < cut < place for cut in self.facts.cuts)
        if (answered.status == "cancelled") is not (interrupted and policy == "cancel"):
            self.fail(f"the call {call_id} ended {answered.status}, under the policy {policy}")
        sent = [sent for other, sent in self._sent.values() if other == call_id]
        waited = self.options.blocks or call_id in self._during_stop
        late = any(sent_place > place for sent_place in sent) and not waited
        if interrupted and policy == "background" and late:
            self.fail(f"the call {call_id} was not answered when the user interrupted")

    def _judge_word(self, item_id: str, call_id: str, place: int) -> None:
        """An output that nobody interrupted is spoken about."""
        facts, added = self.facts, self._added.get(item_id)
        if added is None or item_id in self._refused or call_id not in self._answered:
            return
        answered, _ = self._answered[call_id]
        if answered.status == "cancelled" or max(facts.cuts, default=-1) > place:
            return
        if call_id in self._cut_off:
            reply = facts.replies[self._cut_off[call_id][1]]
            begun = min(reply.asked_place, reply.created_place)
            is_cut = facts.first_cut(reply) < place or any(
                begun < given_up < place for given_up in self._given_up
            )
            if is_cut or next(iter(self._cut_off)) != call_id:
                return
        if not any(reply.in_band and reply.created > added for reply in facts.replies.values()):
            self.fail(f"nothing was said about the output of {call_id}")
