"""The engine's work for one session: a task for each response, each transcription, and each list
or call of remote tools.

1. Whatever an engine raises ends what it was at work on, as failed, and nothing else; what is not
   an `EngineError` is logged (`engines.base`, rule 4).
2. A task is ended when its work is no longer wanted, and all are when the session is over. Then the
   engine is closed. Each of the two has a deadline: an engine that holds on to its work is left
   with it, and said.
3. What an MCP server is asked has a deadline, and no failure of it ends more than that. So many
   are asked at once, and more wait; one that is not wanted any more counts until it has let go.
4. An engine that breaks while it overhears is not given more of that session's sound.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from bargein import events
from bargein.server.engines.base import Engine, EngineError, NotOursError, ToolError
from bargein.server.model.commands import (
    CallTool,
    ListTools,
    Overhear,
    StartEngine,
    StartTranscription,
)
from bargein.server.model.inputs import (
    EngineFailed,
    Input,
    Produced,
    ToolReturned,
    ToolsListed,
    Transcribed,
    TranscriptionFailed,
)

log = logging.getLogger(__name__)

REMOTE_DEADLINE_S = 30.0
"""How long an MCP server may take for its list or for one call."""
TOOL_BROKE = "The engine broke at this MCP server."
NOT_HEARD = "Input transcription failed for item '{item_id}'."
"""As the service tells it (protocol.md §4.12)."""


class RemoteServers(Protocol):
    """Reaches the MCP servers that no engine plays."""

    async def list_tools(self, request: ListTools) -> tuple[events.McpListedTool, ...]:
        """Raises `ToolError`."""

    async def call_tool(self, request: CallTool) -> str:
        """Raises `ToolError`."""


class Working:
    """Runs one session's engine. `tell` takes what it makes, and waits while there is no room.
    `servers` are asked where the engine plays no MCP server."""

    def __init__(
        self,
        key: str,
        engine: Engine,
        tell: Callable[[Input], Awaitable[None]],
        *,
        servers: RemoteServers | None,
        lists_at_once: int,
        calls_at_once: int,
    ) -> None:
        self._key = key
        self._engine = engine
        self._tell = tell
        self._responses: dict[str, asyncio.Task[None]] = {}
        self._transcriptions: dict[str, asyncio.Task[None]] = {}
        self._remote: dict[str, asyncio.Task[None]] = {}
        self._overhears = engine.overhears
        self._servers = servers
        self._failed_labels: set[str] = set()
        self._lists = asyncio.Semaphore(lists_at_once)
        self._calls = asyncio.Semaphore(calls_at_once)

    @property
    def responses(self) -> int:
        """How many responses the engine is at work on."""
        return len(self._responses)

    @property
    def transcriptions(self) -> int:
        """How many transcriptions the engine is at work on."""
        return len(self._transcriptions)

    def respond(self, request: StartEngine) -> None:
        self._begin(self._responses, request.response_id, self._produce(request))

    def stop_response(self, response_id: str) -> None:
        _stop(self._responses, response_id)

    def transcribe(self, request: StartTranscription) -> None:
        self._begin(self._transcriptions, request.item_id, self._listen(request))

    def stop_transcription(self, item_id: str) -> None:
        _stop(self._transcriptions, item_id)

    def list_tools(self, request: ListTools) -> None:
        self._begin(self._remote, request.item_id, self._import(request))

    def call_tool(self, request: CallTool) -> None:
        self._begin(self._remote, request.item_id, self._call(request))

    def stop_remote(self, item_id: str) -> None:
        _stop(self._remote, item_id)

    def overhear(self, sound: Overhear) -> None:
        if not self._overhears:
            return
        try:
            self._engine.overhear(sound)
        except Exception:
            # An engine is anybody's code; the turn is committed and answered all the same.
            log.exception("%s: the engine broke while it overheard", self._key)
            self._overhears = False

    async def end(self, deadline_s: float) -> None:
        """End all tasks, then close the engine; each may take so long."""
        tasks = self._responses, self._transcriptions, self._remote
        left = await end(*(task for some in tasks for task in some.values()), deadline_s=deadline_s)
        if left:
            names = ", ".join(sorted(task.get_name() for task in left))
            log.error("the engine did not let go within %s s of: %s", deadline_s, names)
        try:
            async with asyncio.timeout(deadline_s):
                await self._engine.close()
        except TimeoutError:
            log.error("%s: the engine was not closed within %s s", self._key, deadline_s)
        except Exception:
            # An engine is anybody's code; the session ends whatever its end does.
            log.exception("%s: the engine broke while it was closed", self._key)

    def _begin(self, tasks: dict[str, asyncio.Task[None]], id: str, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        task.set_name(f"{self._key} {id}")
        tasks[id] = task
        # Not in the task itself: one that is cancelled at once never runs.
        task.add_done_callback(partial(_forget, tasks, id))

    async def _produce(self, request: StartEngine) -> None:
        """Bring what the engine makes of a response to the machine."""
        response_id = request.response_id
        end: Input = Produced(response_id, (), final=True)
        try:
            async with contextlib.aclosing(self._engine.respond(request)) as batches:
                async for batch in batches:
                    await self._tell(Produced(response_id, batch.steps, final=False))
        except Exception as fault:
            end = EngineFailed(response_id, *self._told(fault, response_id))
        await self._tell(end)

    async def _listen(self, request: StartTranscription) -> None:
        """Bring what the engine hears in an item to the machine."""
        item_id = request.item_id
        end: Input = Transcribed(item_id, (), final=True)
        try:
            async with contextlib.aclosing(self._engine.transcribe(request)) as pieces:
                async for piece in pieces:
                    await self._tell(Transcribed(item_id, (piece,), final=False))
        except Exception as fault:
            type, code, message = self._told(fault, item_id)
            message = message or NOT_HEARD.format(item_id=item_id)
            end = TranscriptionFailed(item_id, type, code, message)
        await self._tell(end)

    async def _import(self, request: ListTools) -> None:
        """Bring an MCP server's tools to the machine, or that there are none to be had."""
        item_id = request.item_id
        tools: tuple[events.McpListedTool, ...] | None = None
        try:
            async with self._lists, asyncio.timeout(REMOTE_DEADLINE_S):
                tools = await self._listed(request)
        except Exception as fault:
            label = request.server.server_label
            message = self._note_remote(fault, label)
            if label not in self._failed_labels:
                # The wire has no place for the reason, so it is said here: once for a label.
                self._failed_labels.add(label)
                log.warning("%s: the tools of the MCP server %r: %s", self._key, label, message)
        await self._tell(ToolsListed(item_id, tools))

    async def _listed(self, request: ListTools) -> tuple[events.McpListedTool, ...]:
        try:
            return await self._engine.list_tools(request)
        except NotOursError:
            if self._servers is None:
                raise
        return await self._servers.list_tools(request)

    async def _called(self, request: CallTool) -> str:
        try:
            return await self._engine.call_tool(request)
        except NotOursError:
            if self._servers is None:
                raise
        return await self._servers.call_tool(request)

    async def _call(self, request: CallTool) -> None:
        """Bring what a remote tool answers to the machine."""
        result: str | events.McpError
        try:
            async with self._calls, asyncio.timeout(REMOTE_DEADLINE_S):
                result = await self._called(request)
        except ToolError as fault:
            result = fault.shown()
        except Exception as fault:
            message = self._note_remote(fault, request.server.server_label)
            result = events.McpError(type="tool_execution_error", message=message)
        await self._tell(ToolReturned(request.item_id, result))

    def _note_remote(self, fault: Exception, label: str) -> str:
        """What went wrong with an MCP server, for the client; a defect is logged."""
        if isinstance(fault, TimeoutError):
            return f"The MCP server did not answer within {REMOTE_DEADLINE_S:g} s."
        if isinstance(fault, EngineError):
            return str(fault)
        log.error("%s: the engine broke at the MCP server %s", self._key, label, exc_info=fault)
        return TOOL_BROKE

    def _told(self, fault: Exception, id: str) -> tuple[str, str | None, str | None]:
        """The fault as the wire names it: type, code, message. What is no `EngineError` has no
        words of its own."""
        if isinstance(fault, EngineError):
            return fault.type, fault.code, str(fault)
        # An engine is anybody's code; whatever it raises ends this and nothing else.
        log.error("%s: the engine broke in %s", self._key, id, exc_info=fault)
        return "server_error", None, None


def _stop(tasks: dict[str, asyncio.Task[None]], id: str) -> None:
    if id in tasks:
        tasks[id].cancel()


def _forget(tasks: dict[str, asyncio.Task[None]], id: str, task: asyncio.Task[None]) -> None:
    if tasks.get(id) is task:
        del tasks[id]


async def end(
    *tasks: asyncio.Task[None], deadline_s: float | None = None
) -> set[asyncio.Task[None]]:
    """Cancel tasks and wait for them; those that have not gone by the deadline."""
    if not tasks:
        return set()
    for task in tasks:
        task.cancel()
    gone, left = await asyncio.wait(tasks, timeout=deadline_s)
    for task in gone:
        if not task.cancelled():
            task.exception()  # Whoever waited for it has seen it; nobody else need.
    return left
