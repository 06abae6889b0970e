"""The call ledger: each function call of the model is told once, run once and answered once.

1. A call is keyed by its `call_id`; `output_item.done`, `conversation.item.done` and
   `response.done` all carry it. One that ended `incomplete` has half of its arguments: it is never
   run. It is answered with that, so that it does not dangle, and told as `incomplete` (scenario
   27); unless its response was cut, a reply is owed for it, once until a response ends well.
2. A session that was started with tools answers the calls of its conversation by itself. What it
   was declared besides, and every call where there are no tools of ours, the application is told
   and answers. A call of a response out of band is only told: it is in no conversation, so nothing
   can be answered.
3. Each call of ours gets exactly one output: the tool's result, or why there is none (an error, an
   unknown name, no approval, no time, an interruption). What a tool says after that is told as
   `late` and sent nowhere.
4. Outputs are sent as they come, also while the user speaks and before `response.done` (scenario
   29). When a reply is owed for them, and whose it is: `batches.py`.
5. A barge-in while a tool runs does what the tool's policy says. `finish`: nothing, the result is
   recorded and spoken about when the floor is free. `cancel`: the tool is cancelled, the call
   answered, and nothing owed. `background`: the call is answered at once so that the conversation
   may go on, and the result is told as news when it comes.
6. An approval is withdrawn when its response is cut. A call that is first seen whole in a response
   that was cut before is not run (scenario 30).
7. An output is never sent for a call that the service does not hold any more.
   Calls that the service makes by itself, of MCP servers, are in `hosted.py`.
8. When the pipe ends, what runs is cancelled and told as `lost`; ids belong to one pipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from bargein import events
from bargein.core import commands
from bargein.core.batches import Batches
from bargein.core.hosted import Hosted
from bargein.core.notices import ToolAnswered, ToolCalled, ToolKind, ToolStatus
from bargein.core.responses import Reply
from bargein.deadlines import Timer
from bargein.units import US_PER_MS

if TYPE_CHECKING:
    from bargein.core.machine import Machine
    from bargein.core.settings import ToolRule

REMEMBERED_LIMIT = 4_096

_State = Literal["approving", "running", "in_background"]

_REASONS: Mapping[ToolStatus, str] = {
    "incomplete": "The call of {name!r} was cut off before its arguments were whole, and not run.",
    "unknown": "There is no tool of the name {name!r}. There are: {names}.",
    "refused": "The call of {name!r} was not approved.",
    "timed_out": "The tool {name!r} did not answer in time and was stopped.",
    "cancelled": "The user interrupted, and the call of {name!r} was cancelled.",
}
_GOING_ON = "{name!r} is still running. Its result will come later, as a message."
_NEWS = "The tool {name!r}, called earlier, has come to its end. Its result: {output}"


@dataclass(slots=True, eq=False)
class Call:
    """One call of the model's that is ours to answer, and is not whole."""

    call_id: str
    name: str
    arguments: str
    item_id: str
    response_id: str
    begun_us: int
    state: _State = "running"
    server_label: str = ""
    """Of an MCP server whose tool the service calls (`hosted.py`); "" for our own."""
    request_id: str = ""
    """The service's request for approval of it."""


class Calls:
    """The calls that were told, and those that are open."""

    __slots__ = ("_m", "_open", "_rules", "_told", "_was_cut_off", "batches", "hosted")

    def __init__(self, machine: Machine) -> None:
        self._m = machine
        tools = machine.settings.tools
        self._rules = None if tools is None else {rule.name: rule for rule in tools}
        self._told: dict[str, str] = {}
        """Call ids, each with the name of its function."""
        self._open: dict[str, Call] = {}
        self._was_cut_off = False
        """A reply was owed for a call that was cut off, and no response has ended well since: one
        that is cut off again and again would go on for ever."""
        self.batches = Batches(machine, self)
        self.hosted = Hosted(machine, self)

    @property
    def open(self) -> tuple[Call, ...]:
        """Calls whose tool has not come to its end, oldest first."""
        return tuple(self._open.values())

    @property
    def waited_for(self) -> frozenset[str]:
        """Responses that made calls of which some have no answer yet."""
        calls = self._open.values()
        return frozenset(call.response_id for call in calls if call.state != "in_background")

    def new(self, call_id: str, name: str, arguments: str, item_id: str, response_id: str) -> Call:
        """A call that begins now."""
        return Call(call_id, name, arguments, item_id, response_id, self._m.desk.now_us)

    def take(self, call: Call) -> None:
        """One that the service runs: its batch waits for it as for a tool of ours."""
        self._open[call.call_id] = call

    def find(self, call_id: str) -> Call | None:
        """One that is open."""
        return self._open.get(call_id)

    # What the service says.

    def seen(self, item: events.Item, response_id: str, reply: Reply | None) -> None:
        """An item of a response is done: if it is a call, and new, it is told, and run."""
        if not isinstance(item, events.FunctionCallItem):
            return
        if item.status not in ("completed", "incomplete"):
            return
        item_id = item.id if isinstance(item.id, str) else ""
        call_id = item.call_id if isinstance(item.call_id, str) else item_id
        if call_id in self._told:
            return
        if len(self._told) >= REMEMBERED_LIMIT:
            del self._told[next(iter(self._told))]
        self._told[call_id] = item.name
        desk = self._m.desk
        call = self.new(call_id, item.name, item.arguments, item_id, response_id)
        is_cut = (reply is not None and reply.cut_id is not None) or self._m.leaving is not None
        is_ours = self._rules is not None and (reply is None or reply.default)
        if is_ours and self._is_declared(item.name):
            is_ours = False
        if item.status == "incomplete":
            self._cut_off(call, answered=is_ours, owed=not is_cut)
            return
        desk.notify(ToolCalled(call_id, item.name, item.arguments, item_id, response_id))
        if not is_ours:
            return
        rule = (self._rules or {}).get(item.name)
        if is_cut:
            self._end(call, "cancelled", owed=False)
        elif rule is None:
            self._end(call, "unknown")
        elif rule.approval:
            self._open[call_id] = call
            call.state = "approving"
            desk.do(commands.AskApproval(call_id, call.name, call.arguments))
        else:
            self._open[call_id] = call
            self._run(call, rule)

    def _cut_off(self, call: Call, *, answered: bool, owed: bool) -> None:
        """It ended before its arguments did."""
        if not answered:
            self.tell(call, "incomplete", "")
            return
        self._end(call, "incomplete", owed=owed and not self._was_cut_off)
        self._was_cut_off = self._was_cut_off or owed

    def ended_well(self) -> None:
        """A response of the conversation was completed."""
        self._was_cut_off = False

    def _is_declared(self, name: str) -> bool:
        """The session in effect has a tool of that name, and it is none of ours."""
        if name in (self._rules or ()):
            return False
        tools = self._m.effective.tools
        declared = tools if isinstance(tools, tuple) else ()
        return any(getattr(tool, "name", None) == name for tool in declared)

    def answers(self, item: events.Item) -> str | None:
        """The application is about to send this item: why it may not, if a call has its answer or
        gets it from us (rule 3)."""
        if isinstance(item, events.FunctionCallOutputItem) and self._rules is not None:
            name = self._told.get(item.call_id)
            if name is not None and not self._is_declared(name):
                return (
                    f"item.call_id: {item.call_id} is a call of {name!r}, which the session answers"
                )
        return self.hosted.answers(item)

    # What the tools say.

    def approved(self, call_id: str, *, granted: bool, reason: str = "") -> None:
        """The application decided about a call; what was withdrawn meanwhile is ignored."""
        call = self._open.get(call_id)
        if call is None or call.state != "approving":
            return
        if call.server_label:
            self.hosted.decided(call, granted=granted, reason=reason)
            return
        if not granted:
            self._end(call, "refused", _encoded("error", reason) if reason else "")
            return
        assert self._rules is not None, "a call is open"
        self._run(call, self._rules[call.name])

    def _run(self, call: Call, rule: ToolRule) -> None:
        call.state = "running"
        desk = self._m.desk
        if rule.timeout_ms is not None:
            lasts_us = rule.timeout_ms * US_PER_MS
            desk.deadlines.arm(Timer.TOOL, call.call_id, desk.now_us, lasts_us)
        desk.do(commands.RunTool(call.call_id, call.name, call.arguments))

    def returned(self, call_id: str, output: str, *, failed: bool) -> None:
        """The tool came to its end with this output. Late ones are told and not sent."""
        if not self._m.open:
            return
        call = self._open.get(call_id)
        if call is None:
            name = self._told.get(call_id, "")
            self._m.desk.notify(ToolAnswered(call_id, name, "late", output))
        elif call.state == "in_background":
            self.close(call)
            self.tell(call, "failed" if failed else "returned", output)
            text = _NEWS.format(name=call.name, output=output)
            part = events.InputText(text=text)
            self.add(call, events.MessageItem(id=self.new_id(), role="system", content=(part,)))
        else:
            self._end(call, "failed" if failed else "returned", output)

    def overdue(self, call_id: str) -> None:
        """The tool took too long."""
        call = self._open.get(call_id)
        if call is None:
            return
        if call.server_label:
            self.hosted.overdue(call)
            return
        self._m.desk.do(commands.CancelTool(call_id))
        if call.state == "in_background":
            self.returned(call_id, self._reason(call, "timed_out"), failed=True)
        else:
            self._end(call, "timed_out")

    # What the user and the pipe do.

    def interrupted(self, *, leaving: bool) -> None:
        """A barge-in, by whatever means: each tool's policy says what becomes of its call."""
        if leaving:
            self.batches.owed.clear()
        for call in self.open:
            is_cut = leaving or self._is_cut(call.response_id)
            if call.server_label:
                self.hosted.interrupted(call, is_cut=is_cut)
                continue
            assert self._rules is not None, "a call is open"
            policy = self._rules[call.name].at_barge_in
            if call.state == "approving":
                if is_cut:
                    self._cancel(call)
            elif leaving or (policy == "cancel" and call.state == "running"):
                self._cancel(call)
            elif policy == "background" and call.state == "running":
                call.state = "in_background"
                output = _encoded("status", _GOING_ON.format(name=call.name))
                self._send_output(call, output, owed=False)
        self.batches.let_go("superseded")

    def _is_cut(self, response_id: str) -> bool:
        reply = self._m.responses.replies.get(response_id)
        return reply is not None and reply.cut_id is not None

    def _cancel(self, call: Call) -> None:
        self._m.desk.do(commands.CancelTool(call.call_id))
        if call.state == "in_background":
            self.close(call)
            self.tell(call, "cancelled", self._reason(call, "cancelled"))
        else:
            self._end(call, "cancelled", owed=False)

    def lost(self) -> None:
        """The pipe has ended."""
        for call in self.open:
            self._m.desk.do(commands.CancelTool(call.call_id))
            self.close(call)
            self.tell(call, "lost", "")
        self.hosted.lost()
        self.batches.owed.clear()
        self.batches.let_go("lost")

    # How a call is answered.

    def _end(self, call: Call, status: ToolStatus, output: str = "", *, owed: bool = True) -> None:
        if not output and status in _REASONS:
            output = self._reason(call, status)
        self.close(call)
        self.tell(call, status, output)
        self._send_output(call, output, owed=owed)
        self.batches.let_go("superseded")

    def close(self, call: Call) -> None:
        """It is over: nothing waits for it any more."""
        self._open.pop(call.call_id, None)
        self._m.desk.deadlines.stop(Timer.TOOL, call.call_id)

    def tell(self, call: Call, status: ToolStatus, output: str) -> None:
        """The application learns what became of it."""
        took_us = self._m.desk.now_us - call.begun_us
        kind: ToolKind = "mcp" if call.server_label else "function"
        self._m.desk.notify(
            ToolAnswered(call.call_id, call.name, status, output, took_us, kind, call.server_label)
        )

    def _send_output(self, call: Call, output: str, *, owed: bool) -> None:
        conversation = self._m.conversation
        gone = conversation.announced and call.item_id not in conversation
        if gone or conversation.is_going(call.item_id):
            return
        item = events.FunctionCallOutputItem(id=self.new_id(), call_id=call.call_id, output=output)
        self.add(call, item, owed=owed)

    def add(self, call: Call, item: events.Item, *, owed: bool = True) -> None:
        """Send an item about it; with `owed`, a reply is owed when the service holds the item."""
        if self._m.ending or self._m.leaving is not None:
            return
        assert isinstance(item.id, str), "we gave it"
        if owed:
            self.batches.owe(item.id, call.response_id)
        self._m.requests.add_item(item)

    def new_id(self) -> str:
        """For an item of ours."""
        return self._m.desk.new_id("item")

    def _reason(self, call: Call, status: ToolStatus) -> str:
        names = ", ".join(sorted(self._rules or {})) or "none"
        return _encoded("error", _REASONS[status].format(name=call.name, names=names))


def _encoded(key: str, text: str) -> str:
    return msgspec.json.encode({key: text}).decode()
