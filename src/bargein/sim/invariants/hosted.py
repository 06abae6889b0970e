"""The invariant of calls that the service makes: consent, and the word about their results."""

from __future__ import annotations

from collections.abc import Iterable

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.sim.history import Entry, Final
from bargein.sim.invariants.base import Invariant, Scene, Watched


class ConsentIsGivenOnce(Invariant):
    """Excused: at the end, a pipe that died or was closed. From being spoken about: what the user
    interrupted after it ended, or with its response, or gave up; a call out of band.
    """

    name = "consent"
    sentence = (
        "Each call of an MCP server is told once and ends once, is asked about where it must be, "
        "consented to once at most, and spoken about."
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._rules = {rule.label: rule for rule in self.options.servers}
        self._requests: dict[str, events.McpApprovalRequestItem] = {}
        self._made: dict[str, str] = {}
        """Calls that are whole, and their responses."""
        self._told: dict[str, notices.ToolCalled] = {}
        self._ended: dict[str, notices.ToolAnswered] = {}
        self._asked: set[str] = set()
        self._granted: set[str] = set()
        self._withdrawn: set[str] = set()
        self._answers: dict[str, bool] = {}
        self._results: dict[str, tuple[int, int]] = {}
        self._given_up_place = -1

    @property
    def watching(self) -> bool:
        return bool(self._rules)

    @classmethod
    def watches(cls) -> Iterable[Watched]:
        return (
            ("client_got", events.ResponseMcpCallArgumentsDone, cls._whole),
            ("client_got", events.ConversationItemDone, cls._item),
            ("client_got", events.ResponseOutputItemDone, cls._item_done),
            ("notice", notices.ToolCalled, cls._called),
            ("notice", notices.ToolAnswered, cls._answered),
            ("input", inputs.Asked, cls._give_up),
            ("command", commands.AskApproval, cls._ask),
            ("command", commands.CancelTool, cls._cancel),
            ("input", inputs.ToolApproved, cls._approve),
            ("client_sent", events.ConversationItemCreate, cls._send),
        )

    def _whole(self, entry: Entry, event: events.ResponseMcpCallArgumentsDone) -> None:
        self._made[event.item_id] = event.response_id
        self.scene.afterwards(lambda: self._must_be_told(event.item_id))

    def _must_be_told(self, item_id: str) -> None:
        if item_id not in self._told:
            self.fail(f"the call {item_id} is whole and is not told")

    def _item(self, entry: Entry, event: events.ConversationItemDone) -> None:
        item = event.item
        if isinstance(item, events.McpApprovalRequestItem) and isinstance(item.id, str):
            self._requests[item.id] = item
            self.scene.afterwards(lambda: self._must_be_asked(str(item.id), item))

    def _must_be_asked(self, request_id: str, item: events.McpApprovalRequestItem) -> None:
        rule = self._rules[item.server_label]
        unasked = not rule.approval or item.name in rule.trusted
        words = item.name, item.arguments
        for call_id, called in self._told.items():
            if (called.name, called.arguments) == words:
                if call_id in self._asked or call_id in self._ended or unasked:
                    return
        self.fail(f"nobody is asked about {request_id}")

    def _item_done(self, entry: Entry, event: events.ResponseOutputItemDone) -> None:
        item = event.item
        if isinstance(item, events.McpCallItem) and isinstance(item.id, str):
            self._results[item.id] = entry.number, self.facts.place
            self.scene.afterwards(lambda: self._must_end(str(item.id)))

    def _must_end(self, item_id: str) -> None:
        if item_id in self._told and item_id not in self._ended:
            self.fail(f"the call {item_id} has ended and is not answered")

    def _called(self, entry: Entry, notice: notices.ToolCalled) -> None:
        if notice.kind != "mcp":
            return
        if notice.call_id in self._told:
            self.fail(f"the call {notice.call_id} is told twice")
        self._told[notice.call_id] = notice

    def _answered(self, entry: Entry, notice: notices.ToolAnswered) -> None:
        if notice.kind != "mcp":
            return
        if notice.call_id in self._ended:
            self.fail(f"the call {notice.call_id} is answered twice")
        self._ended[notice.call_id] = notice

    def _give_up(self, entry: Entry, asked: inputs.Asked) -> None:
        match asked.ask:
            case asks.CancelReply() | asks.SendEvent(event=events.ResponseCancel()):
                self._given_up_place = self.facts.place

    def _ask(self, entry: Entry, command: commands.AskApproval) -> None:
        if not command.server_label:
            return
        call_id = command.call_id
        if call_id in self._asked:
            self.fail(f"{call_id} is asked about twice")
        self._asked.add(call_id)
        reply = self.facts.replies.get(self._made.get(call_id, ""))
        if reply is None or not reply.in_band:
            return
        if self.facts.first_cut(reply) < self.facts.batch_place:
            self.fail(f"{call_id} is asked about, and its response was cut before")

    def _cancel(self, entry: Entry, command: commands.CancelTool) -> None:
        self._withdrawn.add(command.call_id)

    def _approve(self, entry: Entry, approved: inputs.ToolApproved) -> None:
        if approved.granted and approved.call_id not in self._withdrawn:
            self._granted.add(approved.call_id)

    def _send(self, entry: Entry, event: events.ConversationItemCreate) -> None:
        item = event.item
        if not isinstance(item, events.McpApprovalResponseItem):
            return
        request = self._requests.get(item.approval_request_id)
        if request is None:
            self.fail(f"{item.approval_request_id} is answered and was not asked")
            return
        if item.approval_request_id in self._answers:
            self.fail(f"{item.approval_request_id} is answered twice")
        self._answers[item.approval_request_id] = item.approve
        if item.approve and self._rules[request.server_label].approval:
            consents = sum(self._answers.values())
            if consents > len(self._granted):
                self.fail(f"{item.approval_request_id} is granted without consent")

    def finish(self, final: Final) -> None:
        facts = self.facts
        if not self._rules or facts.broken or final.lost or final.left:
            return
        for call_id in self._told:
            if call_id not in self._ended:
                self.fail(f"the call {call_id} never ended")
        for request_id in self._requests:
            ended = request_id in facts.approved_items
            if request_id not in self._answers and not ended:
                self.fail(f"{request_id} was never answered")
        for item_id, (number, place) in self._results.items():
            reply = facts.replies.get(self._made.get(item_id, ""))
            if reply is None or not reply.in_band:
                continue
            # A clear for another reply may throw this one away: then it is cut, and cancelled.
            if min(facts.first_cut(reply), reply.cancel_place) < place:
                continue
            if max(facts.cuts, default=-1) > place:
                continue
            if self._given_up_place > min(reply.asked_place, reply.created_place):
                continue
            if not any(one.in_band and one.created > number for one in facts.replies.values()):
                self.fail(f"nothing was said about the result of {item_id}")
