"""Calls that the service makes by itself, of the tools of MCP servers, and our consent to them
(protocol.md section 4.13).

1. A call is told when its arguments are whole, and once more when it has its result or its error.
2. A request for approval is known by its item's id, whether the item comes in the conversation
   (while its response waits) or as an output of a response that ends with it; both are documented.
   It gets exactly one answer. Of servers that were given as such it is ours, of others the
   application's; what the application answers by itself is answered.
3. What is trusted, and what a server without approvals asks all the same, is granted unasked.
   Whoever cannot decide has denied, with a reason.
4. A request is withdrawn when its response is cut. The service ends the call of a response that it
   ends; so the denial is sent only where the request outlives its response, or where the service
   was told to end that and does not. What was decided and has not left when the call ends, never
   leaves.
5. The model is not asked again by itself: a reply is owed for each result, and for each error, as
   for a tool of ours, and any response of the conversation that begins when it is there pays it. So
   does what the service does by itself. Where the approval outlives its response the reply is owed
   for the answer, which is what the service needs to go on.
6. A response may end before its call does. The reply waits for that; a minute (`Timer.TOOL`) behind
   the response's end, or behind our consent if that came later, nothing is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET

from bargein import events
from bargein.core import commands
from bargein.core.notices import ToolCalled, ToolStatus
from bargein.deadlines import Timer

if TYPE_CHECKING:
    from bargein.core.calls import Call, Calls
    from bargein.core.machine import Machine
    from bargein.core.responses import Reply
    from bargein.core.settings import ServerRule

REMEMBERED_LIMIT = 1_024

_WITHDRAWN = "The user interrupted."
_ENDED = "The response ended before the call did."
_OVERDUE = "The service did not say what became of it."


@dataclass(slots=True, eq=False)
class _Request:
    """A request for approval. `answer` is what was sent; None: nothing yet. `alone`: it came
    without an item of its call, which a later response makes; `resumed`: and that has begun."""

    call: Call
    alone: bool
    answer: Literal["granted", "denied", "by_application"] | None = None
    answer_id: str = ""
    """The item of an answer of ours."""
    withdrawn: bool = False
    ended: bool = False
    """The service has said how the call ended."""
    resumed: bool = False


class Hosted:
    """Part of the call ledger: `Calls` has the open calls and what is owed."""

    __slots__ = ("_calls", "_done", "_m", "_requests", "_rules", "_tools")

    def __init__(self, machine: Machine, calls: Calls) -> None:
        self._m = machine
        self._calls = calls
        self._rules = {rule.label: rule for rule in machine.settings.servers}
        self._tools: dict[str, tuple[str, events.McpCallItem]] = {}
        """Calls whose item was begun: the response and the item, by its id."""
        self._requests: dict[str, _Request] = {}
        self._done: dict[str, None] = {}
        """Items of calls that are over."""

    # What the service says of its calls.

    def begun(self, item: events.Item, response_id: str) -> None:
        """An item of a response began."""
        if isinstance(item, events.McpCallItem) and isinstance(item.id, str):
            _bounded(self._tools)
            self._tools[item.id] = response_id, item

    def has_arguments(self, item_id: str, arguments: str) -> None:
        """The model has said what the call is to be given."""
        response_id, item = self._tools.get(item_id, ("", None))
        if item is not None and item_id not in self._done:
            item = msgspec.structs.replace(item, arguments=arguments)
            self._open(item, item_id, response_id)

    def _open(self, item: events.McpCallItem, item_id: str, response_id: str) -> Call:
        """The call of this item, told before or now."""
        call = self._calls.find(item_id) or self._resumed(item, item_id)
        if call is None:
            return self._tell_called(item_id, item, item_id, response_id)
        call.item_id = item_id
        call.response_id = response_id or call.response_id
        self._calls.take(call)
        return call

    def _resumed(self, item: events.McpCallItem, item_id: str) -> Call | None:
        """What was approved before this item was made: it is the same call."""
        for request in self._requests.values():
            call = request.call
            if request.resumed and call.item_id == item_id:
                return call
            if not request.alone or request.answer is None or request.resumed:
                continue
            named = item.approval_request_id == call.request_id
            if named or (not item.approval_request_id and _words(item) == _words_of(call)):
                request.resumed = True
                return call
        return None

    def _tell_called(
        self,
        call_id: str,
        item: events.McpCallItem | events.McpApprovalRequestItem,
        item_id: str,
        response_id: str,
    ) -> Call:
        desk, label = self._m.desk, item.server_label
        desk.notify(
            ToolCalled(call_id, item.name, item.arguments, item_id, response_id, "mcp", label)
        )
        call = self._calls.new(call_id, item.name, item.arguments, item_id, response_id)
        call.server_label = label
        self._calls.take(call)
        return call

    def ended(self, item: events.Item, response_id: str = "") -> None:
        """An item is done: if it is such a call, it has its result or its error."""
        if not isinstance(item, events.McpCallItem) or not isinstance(item.id, str):
            return
        response_id = self._tools.get(item.id, (response_id, item))[0]
        if not (response_id or item.output or item.error):
            return
        if item.id in self._done:
            for request in self._requests.values():
                request.ended = request.ended or request.call.item_id == item.id
            return
        call = self._open(item, item.id, response_id)
        self._end(call, *self._outcome(call, item), owed=True)

    def _outcome(self, call: Call, item: events.McpCallItem) -> tuple[ToolStatus, str]:
        request = self._requests.get(call.request_id)
        if isinstance(item.output, str):
            return "returned", item.output
        error = item.error
        message = error.message if isinstance(error, events.McpError) else error
        text = message if isinstance(message, str) else ""
        if self._is_cut(call):
            return "cancelled", text
        return ("refused" if request and request.answer == "denied" else "failed"), text

    def _end(self, call: Call, status: ToolStatus, output: str, *, owed: bool) -> None:
        if call.state == "approving":
            self._m.desk.do(commands.CancelTool(call.call_id))
        request = self._requests.get(call.request_id)
        if request is not None and request.answer_id:
            self._m.requests.take_back_item(request.answer_id)
        _bounded(self._done)
        self._done[call.item_id] = None
        self._calls.close(call)
        self._calls.tell(call, status, output)
        reply = self._m.responses.replies.get(call.response_id)
        is_ours = call.server_label in self._rules and (reply is None or reply.default)
        if owed and is_ours and not self._is_cut(call) and self._m.leaving is None:
            self._calls.batches.owe(call.item_id, call.response_id)
        self._calls.batches.let_go("superseded")

    def _is_cut(self, call: Call) -> bool:
        """Its response was cut, or given up by itself."""
        reply = self._m.responses.replies.get(call.response_id)
        return reply is not None and (reply.cut_id is not None or reply.cancel_sent)

    # Requests for approval.

    def requested(self, item: events.Item, response_id: str = "") -> None:
        """An item is there: if it asks for approval, and is new, whoever is to decide is asked."""
        if not isinstance(item, events.McpApprovalRequestItem) or not isinstance(item.id, str):
            return
        if item.id in self._requests:
            return
        _bounded(self._requests)
        call, alone = self._asked_for(item), False
        if call is None:
            alone = True
            call = self._tell_called(item.id, item, item.id, response_id or self._open_response())
        call.request_id = item.id
        request = self._requests[item.id] = _Request(call, alone)
        rule = self._rules.get(item.server_label)
        if rule is None:
            return
        call.state = "approving"
        if self._is_cut(call) or self._m.leaving is not None:
            self._withdraw(request)
        elif _runs_unasked(rule, item.name):
            self.decided(call, granted=True)
        else:
            ask = commands.AskApproval(call.call_id, call.name, call.arguments, call.server_label)
            self._m.desk.do(ask)

    def _asked_for(self, item: events.McpApprovalRequestItem) -> Call | None:
        """The oldest call that says the same and was not asked about."""
        for call in self._calls.open:
            if _words_of(call) == _words(item) and not call.request_id:
                return call
        return None

    def _open_response(self) -> str:
        reply = self._m.responses.open_default
        return "" if reply is None else reply.response_id

    def decided(self, call: Call, *, granted: bool, reason: str = "") -> None:
        """The one answer to a request that waits for it."""
        request = self._requests[call.request_id]
        request.answer = "granted" if granted else "denied"
        call.state = "running"
        if request.alone and not request.withdrawn:
            self._calls.close(call)
            if not granted:
                self._calls.tell(call, "refused", reason)
        elif self._is_over(call) and not request.withdrawn:
            self._wait_for(call)
        request.answer_id = self._calls.new_id()
        item = events.McpApprovalResponseItem(
            id=request.answer_id,
            approval_request_id=call.request_id,
            approve=granted,
            reason=reason if reason and not granted else UNSET,
        )
        self._calls.add(call, item, owed=request.alone and not request.withdrawn)

    def answers(self, item: events.Item) -> str | None:
        """The application is about to send this item; why it must not, where it must not."""
        if not isinstance(item, events.McpApprovalResponseItem):
            return None
        request = self._requests.get(item.approval_request_id)
        if request is None:
            return None
        if request.answer is not None:
            return f"item.approval_request_id: {item.approval_request_id} was answered already"
        request.answer = "by_application"
        if request.call.state == "approving":
            request.call.state = "running"
            self._m.desk.do(commands.CancelTool(request.call.call_id))
        return None

    def crossed(self, item: events.Item) -> bool:
        """The service did not take an answer; whether because it had ended the call by then."""
        if not isinstance(item, events.McpApprovalResponseItem):
            return False
        request = self._requests.get(item.approval_request_id)
        return request is not None and self._calls.find(request.call.call_id) is None

    # What else happens to them.

    def interrupted(self, call: Call, *, is_cut: bool) -> None:
        """A barge-in, which is leaving, too."""
        if call.state == "approving" and is_cut:
            self._withdraw(self._requests[call.request_id])

    def given_up(self, reply: Reply) -> None:
        """The response is cancelled, and no barge-in."""
        for call in self._calls.open:
            if call.response_id == reply.response_id and call.server_label and reply.cancel_sent:
                self.interrupted(call, is_cut=True)

    def _withdraw(self, request: _Request) -> None:
        call = request.call
        request.withdrawn = True
        self._end(call, "cancelled", _WITHDRAWN, owed=False)
        reply = self._m.responses.replies.get(call.response_id)
        never_ends = reply is not None and not reply.service_cancels
        if self._is_over(call) or (never_ends and not self._m.capabilities.cancel):
            self._deny(request)

    def goes_on(self, reply: Reply) -> None:
        """The response was cut, and the service will not cancel it: it waits for what it asked."""
        for request in list(self._requests.values()):
            if request.call.response_id == reply.response_id and request.withdrawn:
                self._deny(request)

    def _deny(self, request: _Request) -> None:
        if request.answer is None and not request.ended:
            self.decided(request.call, granted=False, reason=_WITHDRAWN)

    def _is_over(self, call: Call) -> bool:
        reply = self._m.responses.replies.get(call.response_id)
        return reply is None or reply.done

    def over(self, reply: Reply, *, by_service: bool) -> None:
        """The response is over; `by_service`: it said so, else it was waited for long enough."""
        outlives = not by_service or reply.status == "completed"
        if outlives:
            self.goes_on(reply)
        for call in self._calls.open:
            if not call.server_label or call.response_id != reply.response_id:
                continue
            if not outlives or self._is_cut(call):
                self._end(call, "cancelled" if self._is_cut(call) else "failed", _ENDED, owed=True)
            elif call.state == "running":
                self._wait_for(call)

    def _wait_for(self, call: Call) -> None:
        desk = self._m.desk
        desk.deadlines.arm(Timer.TOOL, call.call_id, desk.now_us)

    def overdue(self, call: Call) -> None:
        """The service says nothing of a call whose response is over."""
        self._end(call, "timed_out", _OVERDUE, owed=True)

    def lost(self) -> None:
        """The pipe has ended; ids belong to one pipe."""
        self._tools.clear()
        self._requests.clear()
        self._done.clear()


def _runs_unasked(rule: ServerRule, name: str) -> bool:
    return not rule.approval or name in rule.trusted


def _words(item: events.McpCallItem | events.McpApprovalRequestItem) -> tuple[str, str, str]:
    return item.server_label, item.name, item.arguments


def _words_of(call: Call) -> tuple[str, str, str]:
    return call.server_label, call.name, call.arguments


def _bounded(table: dict[str, Any]) -> None:
    while len(table) >= REMEMBERED_LIMIT:
        del table[next(iter(table))]
