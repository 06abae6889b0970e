"""Responses: which run, when their scores play, and how they end (protocol.md §4.2 to §4.10,
§4.15).

1. One response at a time writes to the default conversation; out of band several may run beside it.
2. A step is due `after_us` from the step before it; the first of a batch from the batch's arrival
   where that is later. Steps of several responses play in the order of their times.
3. Each `response.created` has one `response.done`. What the engine makes after that is not heard
   of.
4. A cancel closes what is open and names its reason; nothing is truncated (protocol.md §4.6 a).
5. `rate_limits.updated` follows `response.done` after a while. In beta it stands between
   `response.created` and the first item, so a response without an item has none, and lists
   requests too (protocol.md §4.2).
6. Remote tools are imported and called beside it (`remote_tools`, `remote_calls`); a response is
   done once its calls are.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Literal

import msgspec

from bargein import events
from bargein.server.model import budget, rate_limits, score, usage
from bargein.server.model.briefing import Briefing
from bargein.server.model.commands import StartEngine, StopEngine
from bargein.server.model.ladder import BadScoreError, Ladder
from bargein.server.model.memory import Conversation
from bargein.server.model.models import has_reasoning
from bargein.server.model.options import Options
from bargein.server.model.outbox import Outbox
from bargein.server.model.output_buffer import OutputBuffer
from bargein.server.model.refusal import SERVER_ERROR, RefusedError
from bargein.server.model.remote_calls import RemoteCalls
from bargein.server.model.remote_tools import RemoteTools
from bargein.server.model.rules import refuse
from bargein.server.model.running import Running
from bargein.server.model.session import SessionState, shown_extra, values_of
from bargein.units import AudioFormat

CancelReason = Literal["turn_detected", "client_cancelled"]


class Speaking:
    """The responses of one session."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        session: SessionState,
        conversation: Conversation,
        options: Options,
        output_buffer: OutputBuffer | None = None,
    ) -> None:
        self._outbox = outbox
        self._session = session
        self._conversation = conversation
        self._options = options
        self._output_buffer = output_buffer
        self._briefing = Briefing(
            outbox=outbox, session=session, conversation=conversation, options=options
        )
        self.remote_tools = RemoteTools(
            outbox=outbox, conversation=conversation, limits=options.limits
        )
        self._calls = RemoteCalls(
            outbox=outbox, conversation=conversation, remote_tools=self.remote_tools
        )
        self._running: dict[str, Running] = {}
        self._default: Running | None = None
        self._rate_limits_due_us: deque[int] = deque()
        self._tokens = 0
        self._requests = 0
        self.quiet_from_us: int | None = None
        """When the audio of the conversation's last response will have been played; None while one
        runs, and once something else has happened."""

    @property
    def active_id(self) -> str | None:
        """The response that writes to the default conversation; None if there is none."""
        return None if self._default is None else self._default.id

    @property
    def running_ids(self) -> tuple[str, ...]:
        """All responses that are not done, in the order of their creation."""
        return tuple(self._running)

    @property
    def deadline_us(self) -> int | None:
        """When `run` has something to do."""
        return self._next()[0]

    def _next(self) -> tuple[int | None, Running | None]:
        """When something is due, and of which response; None: the rate limits, which come first."""
        earliest_us = self._rate_limits_due_us[0] if self._rate_limits_due_us else None
        first: Running | None = None
        for running in self._running.values():
            steps = running.steps
            due_us = steps[0][0] if steps else running.end_us
            if due_us is not None and (earliest_us is None or due_us < earliest_us):
                earliest_us, first = due_us, running
        return earliest_us, first

    def create(self, params: events.ResponseParams | None, now_us: int) -> None:
        """Begin a response. `params` are the overrides; None: the session's own. Raises
        `RefusedError`."""
        overrides: dict[str, Any] = {} if params is None else values_of(params)
        overrides.pop("input", None)
        in_band = overrides.get("conversation", "auto") == "auto"
        if in_band and self._default is not None:
            raise refuse("already_active", response_id=self._default.id)
        if len(self._running) >= self._options.limits.responses:
            raise refuse("too_many_responses", limit=self._options.limits.responses)
        own_tools = overrides.get("tools", ())
        self.remote_tools.check(own_tools, "response")
        values = self._briefing.values(overrides)
        items = params.input if params is not None and isinstance(params.input, tuple) else None
        entries = self._briefing.entries(items, values, in_band=in_band)
        response_id = self._outbox.ids.mint("resp")
        running = Running(
            id=response_id,
            values=values,
            ladder=Ladder(
                response_id=response_id,
                outbox=self._outbox,
                conversation=self._conversation,
                in_band=in_band,
                speaks="audio" in values["output_modalities"],
                format=AudioFormat(values["audio"]["output"]["format"]["type"]),
                phases=has_reasoning(self._session.model),
                output_buffer=self._output_buffer,
            ),
            input=usage.measure_input(entries, values),
            last_due_us=now_us,
        )
        self._running[response_id] = running
        self._requests += 1
        if in_band:
            self._default = running
            self.quiet_from_us = None
        self._outbox.send(
            events.ResponseCreated(
                event_id=self._outbox.event_id(),
                response=self._shown(running, "in_progress", None, None),
            )
        )
        running.request = StartEngine(
            response_id,
            tuple(entry.known() for entry in entries),
            self._session.engine_params(values),
            model=self._session.model,
            session_id=self._session.id,
            cut_item_ids=frozenset(entry.id for entry in entries if entry.is_cut),
        )
        running.lists = self.remote_tools.declare(own_tools)
        self._start(running)

    def _start(self, running: Running) -> None:
        """Ask the engine, unless that was done or tools are still being imported for it."""
        request = running.request
        if request is None or self.remote_tools.are_listing(running.lists):
            return
        running.request = None
        tools = self.remote_tools.callable_now(running.values["tools"])
        if tools:
            running.remote = {(each.server_label, each.tool.name): each for each in tools}
            request = msgspec.structs.replace(request, remote_tools=tools)
        self._outbox.command(request)

    def tools_listed(self, item_id: str, tools: tuple[events.McpListedTool, ...] | None) -> None:
        """An MCP server was asked for its tools; None: it could not be."""
        self.remote_tools.listed(item_id, tools)
        for running in self._running.values():
            self._start(running)

    def tool_returned(self, item_id: str, result: str | events.McpError, now_us: int) -> None:
        """A tool of an MCP server has answered."""
        self._go_on(self._calls.returned(item_id, result), now_us)

    def check_approval(self, answer: events.McpApprovalResponseItem) -> None:
        """Raises `RefusedError` if nothing waits for this answer."""
        self._calls.check_request(answer.approval_request_id)

    def approval_given(self, answer: events.McpApprovalResponseItem, now_us: int) -> None:
        """The client has decided about a call."""
        reason = answer.reason if isinstance(answer.reason, str) else None
        request_id = answer.approval_request_id
        response_id = self._calls.answer(request_id, approve=answer.approve, reason=reason)
        self._go_on(response_id, now_us)

    def _go_on(self, response_id: str | None, now_us: int) -> None:
        """A response that waited may end from now on."""
        if response_id is not None:
            running = self._running[response_id]
            running.last_due_us = max(running.last_due_us, now_us)

    def cancel(self, response_id: str | None, now_us: int) -> None:
        """Cancel for the client: that response, or the default conversation's. Raises
        `RefusedError`."""
        running = self._default if response_id is None else self._running.get(response_id)
        if running is None:
            raise refuse("nothing_to_cancel")
        self._cancel(running, "client_cancelled", now_us)

    def interrupt(self, now_us: int) -> None:
        """The user began to speak: cancel the default conversation's response, if there is one."""
        if self._default is not None:
            self._cancel(self._default, "turn_detected", now_us)

    def _cancel(self, running: Running, reason: CancelReason, now_us: int) -> None:
        details = events.StatusDetails(type="cancelled", reason=reason)
        self._end(running, "cancelled", details, now_us)

    def stop(self) -> tuple[str, ...]:
        """Forget what runs, for nobody is there to hear of it; returns the responses that an
        engine still makes."""
        stopped = tuple(running.id for running in self._running.values() if not running.final)
        self._running.clear()
        self._default = None
        self._calls.stop()
        self.remote_tools.stop()
        self._rate_limits_due_us.clear()
        return stopped

    def produced(
        self, response_id: str, steps: tuple[score.Step, ...], final: bool, now_us: int
    ) -> None:
        """The engine made more. Ignored for a response that is done, and after its final batch."""
        running = self._running.get(response_id)
        if running is None or running.final:
            return
        if len(running.steps) + len(steps) > self._options.limits.waiting_steps:
            message = "The engine is too far ahead of its time."
            self._fail(running, SERVER_ERROR, None, message, now_us)
            return
        due_us = max(running.last_due_us, now_us)
        for step in steps:
            due_us += max(0, step.after_us)
            running.steps.append((due_us, step.action))
        running.last_due_us = due_us
        running.final = final

    def failed(
        self, response_id: str, type: str, code: str | None, message: str | None, now_us: int
    ) -> None:
        """The engine broke."""
        running = self._running.get(response_id)
        if running is not None:
            if message is None:
                message = refuse("internal", session_id=self._session.id).refusal.message
            self._fail(running, type, code, message, now_us)

    def run(self, until_us: int) -> None:
        """Play what is due by then, in the order of time."""
        while True:
            due_us, running = self._next()
            if due_us is None or due_us > until_us:
                return
            if running is None:
                self._rate_limits_due_us.popleft()
                self._send_rate_limits()
            elif running.steps:
                _, action = running.steps.popleft()
                self._act(running, action, due_us)
            else:
                self._finish(running, due_us)

    def _finish(self, running: Running, now_us: int) -> None:
        """All has been played: the end, unless a remote call is not done."""
        running.ladder.end_open_remote_call()
        if self._begin_calls(running, now_us) and not running.ladder.waits:
            self._end(running, "completed", None, now_us)

    def _begin_calls(self, running: Running, now_us: int) -> bool:
        """Have the remote calls run that have become whole. False if that ended the response."""
        called = running.ladder.called
        try:
            while called:
                output = called.pop(0)
                entry = output.entry
                tool = running.remote[entry.server_label, entry.name]
                self._calls.begin(running.ladder, output, tool)
        except RefusedError as error:
            refusal = error.refusal
            self._fail(running, SERVER_ERROR, refusal.code, refusal.message, now_us)
            return False
        return True

    def _act(self, running: Running, action: score.Action, now_us: int) -> None:
        if self._session.dialect == "beta" and not running.limits_told:
            running.limits_told = True
            self._send_rate_limits()
        match action:
            case score.EndIncomplete(reason=reason):
                details = events.StatusDetails(type="incomplete", reason=reason)
                self._end(running, "incomplete", details, now_us)
            case score.EndFailed(type=type, code=code, message=message):
                self._fail(running, type, code, message, now_us)
            case score.Cost():
                running.cost = action
            case _:
                self._climb(running, action, now_us)

    def _climb(self, running: Running, action: score.Action, now_us: int) -> None:
        """Play an action, as far as the response may still cost."""
        ladder, limit = running.ladder, running.values["max_output_tokens"]
        fitting: score.Action | None = action
        is_over = False
        if isinstance(limit, int):
            fitting, is_over = budget.fit(
                action,
                limit=limit,
                made=ladder.entries,
                part=ladder.open_part,
                call=ladder.open_call,
            )
        try:
            if fitting is not None:
                running.check_remote(fitting)
                ladder.act(fitting)
        except BadScoreError as error:
            self._fail(running, SERVER_ERROR, None, f"The engine failed: {error}.", now_us)
            return
        except RefusedError as error:
            refusal = error.refusal
            self._fail(running, SERVER_ERROR, refusal.code, refusal.message, now_us)
            return
        if ladder.has_spoken:
            self._session.voice_is_locked = True
        if not self._begin_calls(running, now_us):
            return
        if is_over:
            self._act(running, score.EndIncomplete("max_output_tokens"), now_us)

    def _fail(
        self, running: Running, type: str, code: str | None, message: str, now_us: int
    ) -> None:
        error = events.StatusError(type=type, code=code, message=message)
        self._end(running, "failed", events.StatusDetails(type="failed", error=error), now_us)

    def _end(
        self, running: Running, status: str, details: events.StatusDetails | None, now_us: int
    ) -> None:
        self._calls.drop(running.ladder)
        running.ladder.close(completed=status == "completed")
        del self._running[running.id]
        if self._default is running:
            self._default = None
            # Over WebRTC it is known when the sound has ended (`Desk.play`).
            by_track = self._output_buffer is not None
            self.quiet_from_us = now_us + (0 if by_track else running.ladder.audio_us)
        used = usage.measure(
            running.input, running.ladder.entries, status=status, cost=running.cost
        )
        self._tokens += used.total_tokens if isinstance(used.total_tokens, int) else 0
        self._outbox.send(
            events.ResponseDone(
                event_id=self._outbox.event_id(),
                response=self._shown(running, status, details, used),
            )
        )
        if self._output_buffer is not None:
            self._output_buffer.over(running.id)
        if not running.final:
            self._outbox.command(StopEngine(running.id))
        if self._session.dialect == "ga":
            self._rate_limits_due_us.append(now_us + self._options.rate_limits_after_us)

    def _shown(
        self,
        running: Running,
        status: str,
        details: events.StatusDetails | None,
        used: events.Usage | None,
    ) -> events.Response:
        values = running.values
        return events.Response(
            object="realtime.response",
            id=running.id,
            status=status,
            status_details=details,
            output=running.ladder.items,
            conversation_id=self._conversation.id if running.ladder.in_band else None,
            output_modalities=tuple(values["output_modalities"]),
            max_output_tokens=values["max_output_tokens"],
            audio=msgspec.convert(values["audio"], events.AudioConfig),
            usage=used,
            metadata=values["metadata"],
            extra=shown_extra(values),
        )

    def _send_rate_limits(self) -> None:
        requests = self._requests if self._session.dialect == "beta" else None
        self._outbox.send(
            rate_limits.updated(self._outbox.event_id(), self._tokens, requests=requests)
        )
