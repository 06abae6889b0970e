"""Runs the tools of one session.

1. A coroutine function runs as a task of the loop, anything else in a thread of its own that does
   not keep the program from ending: no tool blocks the loop.
2. At most so many run at once; the others wait in order. Their time runs already: it is the
   conversation that waits.
3. Whatever a tool does comes out as text for the model: its result as JSON (a text as it is), or
   an error. `ToolError` speaks to the model in its own words; of other exceptions it gets the type,
   and the log the rest. An approver that raises has not consented; its words are treated alike.
4. A thread cannot be cancelled. It is told by `ToolContext.cancelled`, and its result is ignored.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from bargein.errors import LocalValueError
from bargein.tools.base import Approved, Returned, ToolReport
from bargein.tools.hosted import McpServer
from bargein.tools.registry import Approver, Tool, ToolCall
from bargein.tools.signature import ArgumentsError, ToolContext, ToolError

log = logging.getLogger(__name__)

AT_ONCE = 16
CLOSE_S = 1.0
MOST_CHARACTERS = 250_000
"""Of a result: the service refuses a text of more than 256,000 (protocol.md section 3.1), and then
the model would be told nothing."""


class Runner:
    """A `Toolbox` of functions, and of consents to what the service calls of `servers`. `approve`
    is asked for those whose `approval` is True."""

    def __init__(
        self,
        tools: Iterable[Tool],
        *,
        servers: Iterable[McpServer] = (),
        approve: Approver | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._servers = {server.label: server for server in servers}
        self._approve = approve
        asking = [f"tool {tool.name}" for tool in self._tools.values() if tool.approval is True]
        asking += [server.name for server in self._servers.values() if server.approval is True]
        if asking and approve is None:
            raise LocalValueError(
                f"{asking[0]}: needs approval; give connect(approve=…) a callable"
            )
        self._report: Callable[[ToolReport], None] = lambda report: None
        self._slots = asyncio.Semaphore(at_once)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._contexts: dict[str, ToolContext] = {}
        self.session: Any = None
        """What tools find in `ToolContext.session`."""

    @property
    def running(self) -> int:
        """Calls and approvals that have not come to their end."""
        return len(self._tasks)

    def attach(self, report: Callable[[ToolReport], None]) -> None:
        """Where reports go from now on."""
        self._report = report

    def ask(self, call_id: str, name: str, arguments: str, server_label: str = "") -> None:
        """Begin to ask for approval."""
        self._begin(call_id, self._ask(ToolCall(call_id, name, arguments, server_label)))

    def run(self, call_id: str, name: str, arguments: str) -> None:
        """Begin to run."""
        self._begin(call_id, self._run(call_id, self._tools[name], arguments))

    def cancel(self, call_id: str) -> None:
        """The result is not wanted any more."""
        if (context := self._contexts.get(call_id)) is not None:
            context.cancelled.set()
        if (task := self._tasks.get(call_id)) is not None:
            task.cancel()

    async def close(self) -> None:
        """Cancel everything; a tool that will not end is left behind after a second, and said."""
        tasks = list(self._tasks.values())
        for call_id in list(self._tasks):
            self.cancel(call_id)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSE_S)
            for task in late:
                log.warning("the tool of %s does not end", task.get_name())

    def _begin(self, call_id: str, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work, name=call_id)
        self._tasks[call_id] = task

        def over(done: asyncio.Task[None]) -> None:
            # An approval's task may be followed by the tool's before it has gone.
            if self._tasks.get(call_id) is done:
                del self._tasks[call_id]

        task.add_done_callback(over)

    async def _ask(self, call: ToolCall) -> None:
        asked = self._servers[call.server_label] if call.server_label else self._tools[call.name]
        approver = asked.approval if callable(asked.approval) else self._approve
        assert approver is not None, "seen when the session began"
        granted, reason = False, ""
        try:
            granted = bool(await called(approver, (call,), {}))
        except ToolError as error:
            reason = _sendable(str(error))
        except Exception as error:
            # An approver is anybody's code; one that cannot decide has not consented.
            log.exception("the approver of %s failed; the call is not approved", call.name)
            reason = f"Who was asked for approval failed: {type(error).__name__}."
        self._report(Approved(call.call_id, granted, reason))

    async def _run(self, call_id: str, tool: Tool, arguments: str) -> None:
        context = ToolContext(call_id, tool.name, self.session)
        self._contexts[call_id] = context
        try:
            async with self._slots:
                returned = await self._outcome(tool, context, arguments)
        finally:
            del self._contexts[call_id]
        self._report(returned)

    async def _outcome(self, tool: Tool, context: ToolContext, arguments: str) -> Returned:
        try:
            given = _read(tool, arguments)
            if tool.context_name is not None:
                given[tool.context_name] = context
            result = await called(tool.call, (), given)
            return Returned(context.call_id, _text_of(result))
        except (ArgumentsError, ToolError) as error:
            return Returned(context.call_id, _error(str(error)), failed=True)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            # Also a cancellation that is not ours: somebody has to say that the tool has ended.
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            log.exception("the tool %s failed", tool.name)
            text = f"The tool failed: {type(error).__name__}."
            return Returned(context.call_id, _error(text), failed=True)


def _is_cancelled() -> bool:
    """Somebody wants this task to end; else the function was cancelled by something of its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _read(tool: Tool, arguments: str) -> dict[str, Any]:
    if tool.signature is not None:
        return tool.signature.read(arguments)
    try:
        given = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ArgumentsError(f"The arguments are no JSON: {error}") from None
    if not isinstance(given, dict):
        raise ArgumentsError("The arguments are no JSON object.")
    return given


async def called(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> Any:
    """Call it where it may take its time, and wait for what it gives."""
    of_object = type(function).__call__
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(of_object):
        return await function(*args, **kwargs)
    result = await _in_thread(lambda: function(*args, **kwargs))
    return await result if inspect.isawaitable(result) else result


async def _in_thread(work: Callable[[], Any]) -> Any:
    """A thread of its own: those of a pool would keep the program from ending, or run out."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        result: Any = None
        failure: BaseException | None = None
        try:
            result = context.run(work)
        except BaseException as error:
            # What is no `Exception` is not a thread's to raise, and `StopIteration` cannot pass a
            # future; a thread that ended without a word would leave its call without an answer.
            passes = isinstance(error, Exception) and not isinstance(error, StopIteration)
            failure = error if passes else RuntimeError(f"{type(error).__name__} in a tool")
        # A loop that is closed has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="bargein tool", daemon=True).start()
    return await future


def _text_of(result: Any) -> str:
    try:
        text = result if isinstance(result, str) else _json(result)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"a result that is no JSON: {error}") from error
    if len(text) > MOST_CHARACTERS:
        raise ToolError(
            f"The result has {len(text)} characters, and at most {MOST_CHARACTERS} can be told."
        )
    return _sendable(text)


def _json(result: Any) -> str:
    return msgspec.json.encode(result, enc_hook=_encode).decode()


def _sendable(text: str) -> str:
    """Half of a surrogate pair is no text that could be sent."""
    return text.encode(errors="replace").decode()


def _encode(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "tolist"):
        # Numbers and arrays of numpy, and what behaves like them.
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON")


def _error(text: str) -> str:
    return msgspec.json.encode({"error": _sendable(text)[:MOST_CHARACTERS]}).decode()
