"""Calls of remote tools, from their arguments to their result (protocol.md §4.13).

1. A call that needs approval asks for it by an item in the conversation, also out of band: there
   is no other way to ask. Each request takes one answer.
2. What is approved, or needs no approval, runs: `response.mcp_call.in_progress`, then `.completed`
   or `.failed`, then the closings of its item with `output` or `error`. What is denied fails
   without having run.
3. A response is done only when all its calls are. (A compatible server documents that; OpenAI's
   own example takes either order.) One that is cut while a call waits or runs ends the call as
   failed.
4. The model is not asked again by itself: that is the client's `response.create`.
"""

from __future__ import annotations

from dataclasses import dataclass

from bargein import events
from bargein.server.model.commands import CallTool, RemoteTool, StopRemote
from bargein.server.model.entries import Entry
from bargein.server.model.ladder import Ladder, Output
from bargein.server.model.memory import Conversation
from bargein.server.model.outbox import Outbox
from bargein.server.model.remote_tools import RemoteTools
from bargein.server.model.rules import refuse

MAX_OUTPUT = 256_000
"""Characters of a tool's output: as many as any text may have."""

_DENIED = "The call was not approved"
_CUT = "The response ended before the tool did."
_NO_ROOM = "The conversation has no room for the tool's output. Delete some items first."


@dataclass(slots=True, eq=False)
class _Call:
    """A call that has its arguments and no result. `request_id`: the approval that it waits for."""

    ladder: Ladder
    output: Output
    request_id: str | None = None


class RemoteCalls:
    """The calls of one session that are not done."""

    def __init__(
        self, *, outbox: Outbox, conversation: Conversation, remote_tools: RemoteTools
    ) -> None:
        self._outbox = outbox
        self._conversation = conversation
        self._tools = remote_tools
        self._calls: dict[str, _Call] = {}

    def begin(self, ladder: Ladder, output: Output, tool: RemoteTool) -> None:
        """The model has said what to call, and with what. Raises `RefusedError` if there is no
        room for the request."""
        entry = output.entry
        call = _Call(ladder, output)
        if tool.needs_approval:
            request_id = self._outbox.ids.mint("item")
            request = events.McpApprovalRequestItem(
                id=request_id,
                server_label=entry.server_label,
                name=entry.name,
                arguments=entry.arguments,
            )
            asked = Entry(request_id, "mcp_approval_request", fixed=request)
            self._conversation.append(asked, by_model=False)
            call.request_id = entry.approval_request_id = request_id
            for event in (events.ConversationItemAdded, events.ConversationItemDone):
                self._outbox.send(
                    event(
                        event_id=self._outbox.event_id(),
                        previous_item_id=asked.previous_id,
                        item=request,
                    )
                )
        self._calls[entry.id] = call
        if call.request_id is None:
            self._run(call)

    def check_request(self, request_id: str) -> None:
        """Raises `RefusedError` if no call waits for an answer to this request."""
        if self._waiting(request_id) is None:
            raise refuse("approval_unknown", request_id=request_id)

    def answer(self, request_id: str, *, approve: bool, reason: str | None) -> str:
        """The client has decided about a request that waits; the response that goes on."""
        call = self._waiting(request_id)
        assert call is not None, "check_request was asked before"
        call.request_id = None
        if approve:
            self._run(call)
        else:
            message = f"{_DENIED}: {reason}" if reason else f"{_DENIED}."
            self._fail(call, events.McpError(type="tool_execution_error", message=message))
        return call.ladder.response_id

    def _waiting(self, request_id: str) -> _Call | None:
        calls = self._calls.values()
        return next((call for call in calls if call.request_id == request_id), None)

    def _run(self, call: _Call) -> None:
        entry = call.output.entry
        self._outbox.send(
            events.ResponseMcpCallInProgress(
                event_id=self._outbox.event_id(),
                item_id=entry.id,
                output_index=call.output.index,
            )
        )
        server = self._tools.reached_by(entry.server_label)
        self._outbox.command(CallTool(entry.id, server, entry.name, entry.arguments))

    def returned(self, item_id: str, result: str | events.McpError) -> str | None:
        """The tool's output or the error; the response that goes on. None: nobody waits for it."""
        call = self._calls.get(item_id)
        if call is None or call.request_id is not None:
            return None
        if isinstance(result, str) and len(result) > MAX_OUTPUT:
            message = f"The tool's output has {len(result)} characters; at most {MAX_OUTPUT} fit."
            result = events.McpError(type="tool_execution_error", message=message)
        if isinstance(result, str) and not self._conversation.keep_text(
            call.output.entry, len(result)
        ):
            result = events.McpError(type="tool_execution_error", message=_NO_ROOM)
        if isinstance(result, str):
            call.output.entry.output = result
            self._end(call, events.ResponseMcpCallCompleted)
            call.ladder.finish(call.output)
        else:
            self._fail(call, result)
        return call.ladder.response_id

    def _fail(self, call: _Call, error: events.McpError, *, closes: bool = True) -> None:
        call.output.entry.error = error
        self._end(call, events.ResponseMcpCallFailed)
        if closes:
            call.ladder.finish(call.output)

    def _end(
        self,
        call: _Call,
        ending: type[events.ResponseMcpCallCompleted | events.ResponseMcpCallFailed],
    ) -> None:
        item_id = call.output.entry.id
        del self._calls[item_id]
        self._outbox.send(
            ending(
                event_id=self._outbox.event_id(),
                item_id=item_id,
                output_index=call.output.index,
            )
        )

    def drop(self, ladder: Ladder) -> None:
        """The response ends now: so do its calls. Their items close with all others."""
        for item_id, call in list(self._calls.items()):
            if call.ladder is ladder:
                self._stop(item_id, call)
                error = events.McpError(type="tool_execution_error", message=_CUT)
                self._fail(call, error, closes=False)

    def stop(self) -> None:
        """The session is over: nothing is waited for any more."""
        for item_id, call in self._calls.items():
            self._stop(item_id, call)
        self._calls.clear()

    def _stop(self, item_id: str, call: _Call) -> None:
        if call.request_id is None:
            self._outbox.command(StopRemote(item_id))
