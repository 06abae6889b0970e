"""The call ledger: each function call of the model is told once, run once and answered once.

1. A call is keyed by its `call_id`; `output_item.done`, `conversation.item.done` and
   `response.done` all carry it. One that ended `incomplete` is never told: its arguments are cut
   off (scenario 27).
2. A session that was started with tools answers the calls of its conversation by itself. What it
   was declared besides, and every call where there are no tools of ours, the application is told
   and answers. A call of a response out of band is only told: it is in no conversation, so nothing
   can be answered.
3. Each call of ours gets exactly one output: the tool's result, or why there is none (an error, an
   unknown name, no approval, no time, an interruption). What a tool says after that is told as
   `late` and sent nowhere.
4. Outputs are sent as they come, also while the user speaks and before `response.done` (scenario
   29). The next response is owed when the whole batch of its response is answered. It is asked for
   once, when the floor is free; any response of the conversation that begins when the outputs are
   there pays it (rule 13 of `responses.py`).
   A reply that somebody asked for goes on with it: whoever waits is told of the end of the last
   response, not of the one that only called.
5. A barge-in while a tool runs does what the tool's policy says. `finish`: nothing, the result is
   recorded and spoken about when the floor is free. `cancel`: the tool is cancelled, the call
   answered, and nothing owed. `background`: the call is answered at once so that the conversation
   may go on, and the result is told as news when it comes.
6. An approval is withdrawn when its response is cut. A call that is first seen whole in a response
   that was cut before is not run (scenario 30).
7. An output is never sent for a call that the service does not hold any more.
8. When the pipe ends, what runs is cancelled and told as `lost`; ids belong to one pipe.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from bargein import events
from bargein.core import commands
from bargein.core.notices import ToolAnswered, ToolCalled, ToolStatus
from bargein.core.responses import Create, Reply
from bargein.deadlines import Timer
from bargein.units import US_PER_MS

if TYPE_CHECKING:
    from bargein.core.machine import Machine
    from bargein.core.settings import ToolRule

REMEMBERED_LIMIT = 4_096

_State = Literal["approving", "running", "in_background"]

_REASONS: Mapping[ToolStatus, str] = {
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


class Calls:
    """The calls that were told, those that are open, and what the next response is owed for."""

    __slots__ = ("_m", "_open", "_rules", "_told", "_waiting", "owed")

    def __init__(self, machine: Machine) -> None:
        self._m = machine
        tools = machine.settings.tools
        self._rules = None if tools is None else {rule.name: rule for rule in tools}
        self._told: dict[str, str] = {}
        """Call ids, each with the name of its function."""
        self._open: dict[str, Call] = {}
        self.owed: dict[str, str] = {}
        """Items of ours that no response has seen yet, and the response whose batch each is of."""
        self._waiting: dict[str, tuple[int, ...]] = {}
        """By the response that called: the asks whose reply goes on when its batch is answered."""

    @property
    def open(self) -> tuple[Call, ...]:
        """Calls whose tool has not come to its end, oldest first."""
        return tuple(self._open.values())

    # What the service says.

    def seen(self, item: events.Item, response_id: str, reply: Reply | None) -> None:
        """An item of a response is done: if it is a call, and new, it is told, and run."""
        if not isinstance(item, events.FunctionCallItem) or item.status != "completed":
            return
        item_id = item.id if isinstance(item.id, str) else ""
        call_id = item.call_id if isinstance(item.call_id, str) else item_id
        if call_id in self._told:
            return
        if len(self._told) >= REMEMBERED_LIMIT:
            del self._told[next(iter(self._told))]
        self._told[call_id] = item.name
        desk = self._m.desk
        desk.notify(ToolCalled(call_id, item.name, item.arguments, item_id, response_id))
        if self._rules is None or (reply is not None and not reply.default):
            return
        if item.name not in self._rules and self._is_declared(item.name):
            return
        call = Call(call_id, item.name, item.arguments, item_id, response_id, desk.now_us)
        rule = self._rules.get(item.name)
        if (reply is not None and reply.cut_id is not None) or self._m.leaving is not None:
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

    def _is_declared(self, name: str) -> bool:
        """The session in effect has a tool of that name, and it is none of ours."""
        tools = self._m.effective.tools
        declared = tools if isinstance(tools, tuple) else ()
        return any(getattr(tool, "name", None) == name for tool in declared)

    def created(self, coming: Container[str]) -> tuple[int, ...]:
        """A response of the conversation began: it has seen all that is not still coming. Returns
        the asks that it answers with that."""
        for item_id in [item_id for item_id in self.owed if item_id not in coming]:
            del self.owed[item_id]
        return self._answered()

    def refused(self, item_id: str) -> None:
        """The service did not take an output: no response is owed for it."""
        if self.owed.pop(item_id, None) is not None:
            self._let_go("superseded")

    # Whose reply goes on.

    def goes_on(self, reply: Reply) -> bool:
        """Whether the reply is not over with this response: its asks are kept here then."""
        if not reply.ask_ids or reply.cut_id is not None or not self._is_pending(reply.response_id):
            return False
        self._waiting[reply.response_id] = reply.ask_ids
        return True

    def give_up(self, ask_id: int) -> bool:
        """Nobody wants the reply of that ask any more. Whether it was waiting here; what its tools
        say is recorded all the same."""
        for response_id, ask_ids in self._waiting.items():
            if ask_id in ask_ids:
                self._waiting[response_id] = tuple(one for one in ask_ids if one != ask_id)
                self._m.end_turn("superseded", (ask_id,))
                return True
        return False

    def _is_pending(self, response_id: str) -> bool:
        """The batch of that response has no answer yet, or no response has seen it."""
        return response_id in self.owed.values() or any(
            call.response_id == response_id and call.state != "in_background"
            for call in self._open.values()
        )

    def _answered(self) -> tuple[int, ...]:
        """Take out the asks whose batches are not pending any more."""
        over = [one for one in self._waiting if not self._is_pending(one)]
        return tuple(ask_id for one in over for ask_id in self._waiting.pop(one))

    def _let_go(self, status: str) -> None:
        """Nothing more will be said about some batch: whoever waits is told."""
        if ask_ids := self._answered():
            self._m.end_turn(status, ask_ids)

    # What the tools say.

    def approved(self, call_id: str, *, granted: bool) -> None:
        """The application decided about a call; what was withdrawn meanwhile is ignored."""
        call = self._open.get(call_id)
        if call is None or call.state != "approving":
            return
        if not granted:
            self._end(call, "refused")
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
            self._close(call)
            self._tell(call, "failed" if failed else "returned", output)
            text = _NEWS.format(name=call.name, output=output)
            part = events.InputText(text=text)
            self._add(call, events.MessageItem(id=self._new(), role="system", content=(part,)))
        else:
            self._end(call, "failed" if failed else "returned", output)

    def overdue(self, call_id: str) -> None:
        """The tool took too long."""
        call = self._open.get(call_id)
        if call is None:
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
            self.owed.clear()
        for call in self.open:
            assert self._rules is not None, "a call is open"
            policy = self._rules[call.name].at_barge_in
            if call.state == "approving":
                reply = self._m.responses.replies.get(call.response_id)
                if leaving or (reply is not None and reply.cut_id is not None):
                    self._cancel(call)
            elif leaving or (policy == "cancel" and call.state == "running"):
                self._cancel(call)
            elif policy == "background" and call.state == "running":
                call.state = "in_background"
                output = _encoded("status", _GOING_ON.format(name=call.name))
                self._send_output(call, output, owed=False)
        self._let_go("superseded")

    def _cancel(self, call: Call) -> None:
        self._m.desk.do(commands.CancelTool(call.call_id))
        if call.state == "in_background":
            self._close(call)
            self._tell(call, "cancelled", self._reason(call, "cancelled"))
        else:
            self._end(call, "cancelled", owed=False)

    def lost(self) -> None:
        """The pipe has ended."""
        for call in self.open:
            self._m.desk.do(commands.CancelTool(call.call_id))
            self._close(call)
            self._tell(call, "lost", "")
        self.owed.clear()
        self._let_go("lost")

    # What is owed.

    @property
    def owes(self) -> bool:
        """A whole batch is answered, and no response has seen it. Read when the floor is free."""
        return bool(self.owed) and bool(self._whole())

    def create(self) -> Create:
        """The one response for all that is owed; it is not owed any more."""
        items = self._whole()
        for item_id in items:
            del self.owed[item_id]
        ask_ids = list(self._answered())
        return Create(self._m.desk.new_id("create"), None, ask_ids, plain=True, items=items)

    def _whole(self) -> frozenset[str]:
        """What is owed of batches that have all their answers."""
        waited_for = {
            call.response_id for call in self._open.values() if call.state != "in_background"
        }
        return frozenset(
            item_id for item_id, response_id in self.owed.items() if response_id not in waited_for
        )

    # How a call is answered.

    def _end(self, call: Call, status: ToolStatus, output: str = "", *, owed: bool = True) -> None:
        output = output or self._reason(call, status)
        self._close(call)
        self._tell(call, status, output)
        self._send_output(call, output, owed=owed)
        self._let_go("superseded")

    def _close(self, call: Call) -> None:
        self._open.pop(call.call_id, None)
        self._m.desk.deadlines.stop(Timer.TOOL, call.call_id)

    def _tell(self, call: Call, status: ToolStatus, output: str) -> None:
        took_us = self._m.desk.now_us - call.begun_us
        self._m.desk.notify(ToolAnswered(call.call_id, call.name, status, output, took_us))

    def _send_output(self, call: Call, output: str, *, owed: bool) -> None:
        conversation = self._m.conversation
        gone = conversation.announced and call.item_id not in conversation
        if gone or conversation.is_going(call.item_id):
            return
        item = events.FunctionCallOutputItem(id=self._new(), call_id=call.call_id, output=output)
        self._add(call, item, owed=owed)

    def _add(self, call: Call, item: events.Item, *, owed: bool = True) -> None:
        if self._m.ending or self._m.leaving is not None:
            return
        assert isinstance(item.id, str), "we gave it"
        if owed:
            self.owed[item.id] = call.response_id
        self._m.requests.add_item(item)

    def _new(self) -> str:
        return self._m.desk.new_id("item")

    def _reason(self, call: Call, status: ToolStatus) -> str:
        names = ", ".join(sorted(self._rules or {})) or "none"
        return _encoded("error", _REASONS[status].format(name=call.name, names=names))


def _encoded(key: str, text: str) -> str:
    return msgspec.json.encode({key: text}).decode()
