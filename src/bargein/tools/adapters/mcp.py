"""Tools of MCP servers, by the official SDK: over stdio, over streamable HTTP, or of its `Client`.

1. A server lives as long as the context that opened it: a process is ended with it. It is kept in
   a task of its own, so that its death is no death of the program's.
2. A call ends when the server answers, when it is not wanted any more, or when the server is gone:
   then it fails, and so does every later one.
3. Opening and listing have a deadline. `tools/list_changed` is not followed: open it again.
4. What a result says is told as `mcp_result` has it; `isError` and the server's refusals are told
   as errors.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Unpack

from bargein.errors import DeadlineExceeded, LocalValueError, TransportError
from bargein.masking import without_secrets
from bargein.tools.adapters.mcp_result import told, words_of
from bargein.tools.adapters.shared import CONTEXT, Treatment, adapt, distinct, missing
from bargein.tools.registry import Tool
from bargein.tools.signature import ToolError

try:
    import httpx2
    from mcp import Client, MCPError, StdioServerParameters, stdio_client, types
    from mcp.client.streamable_http import streamable_http_client
except ImportError as error:
    raise missing("mcp>=2") from error

log = logging.getLogger(__name__)

OPENING_S = 30.0
CLOSING_S = 10.0
MOST_TOOLS = 1_000
HTTP_S = 30.0
"""To connect and to send; an answer has the time of its tool."""


@asynccontextmanager
async def stdio(
    command: str,
    args: Sequence[str] = (),
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    opening_s: float = OPENING_S,
    **treatment: Unpack[Treatment],
) -> AsyncIterator[list[Tool]]:
    """Start a server as a process, and give its tools. `env` is added to a few harmless variables
    (PATH, HOME, …): what else the program's environment holds is not the server's business.

    Raises `TransportError` if it does not start or does not speak MCP, its subclass
    `DeadlineExceeded` after `opening_s`, and `LocalValueError` for tools that cannot be adapted.
    """
    parameters = StdioServerParameters(
        command=command, args=list(args), env=dict(env) if env else None, cwd=cwd
    )
    client = Client(stdio_client(parameters, errlog=sys.stderr))
    name = f"the MCP server {Path(command).name!r}"
    async with _opened(client, name, opening_s, treatment) as tools:
        yield tools


@asynccontextmanager
async def http(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    opening_s: float = OPENING_S,
    **treatment: Unpack[Treatment],
) -> AsyncIterator[list[Tool]]:
    """Connect to a server over streamable HTTP, and give its tools. `headers` go with every
    request, such as `{"Authorization": "Bearer …"}`.

    Raises as `stdio` does.
    """
    if not url.startswith(("http://", "https://")):
        raise LocalValueError(f"url: {url!r}; give one that begins with http:// or https://")
    timeout = httpx2.Timeout(HTTP_S, read=None)
    ours = httpx2.AsyncClient(headers=dict(headers or {}), timeout=timeout)
    client = Client(streamable_http_client(url, http_client=ours))
    host = httpx2.URL(url).host
    async with _opened(client, f"the MCP server at {host}", opening_s, treatment, ours) as tools:
        yield tools


async def tools_from(
    client: Client, *, opening_s: float = OPENING_S, **treatment: Unpack[Treatment]
) -> list[Tool]:
    """The tools of a server that the application has opened by itself and closes by itself.

    Raises as `stdio` does.
    """
    server = _Server(client, "the MCP server")
    return await _in_time(_listed(server, treatment), server.name, opening_s)


class _Server:
    """A client, and whether there is somebody at its other end."""

    def __init__(self, client: Client, name: str) -> None:
        self.client = client
        self.name = name
        self.ready = asyncio.Event()
        self.leave = asyncio.Event()
        self.keeper: asyncio.Task[None] | None = None

    async def keep(self, owned: AbstractAsyncContextManager[Any] | None) -> None:
        """From the connection to its end, in one task, as the SDK needs it."""
        async with AsyncExitStack() as stack:
            if owned is not None:
                await stack.enter_async_context(owned)
            await stack.enter_async_context(self.client)
            self.ready.set()
            await self.leave.wait()

    async def call(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """Raises `ToolError` when the server refuses, or is gone. The SDK ends every call whose
        connection ends."""
        if self.keeper is not None and (self.leave.is_set() or self.keeper.done()):
            raise ToolError(f"{self.name} is gone.")
        try:
            return await self.client.call_tool(name, arguments)
        except MCPError as refusal:
            if refusal.error.code == types.CONNECTION_CLOSED:
                raise ToolError(f"{self.name} is gone.") from refusal
            raise ToolError(f"{self.name} refused: {refusal.error.message}") from refusal


@asynccontextmanager
async def _opened(
    client: Client,
    name: str,
    opening_s: float,
    treatment: Treatment,
    owned: AbstractAsyncContextManager[Any] | None = None,
) -> AsyncIterator[list[Tool]]:
    server = _Server(client, name)
    server.keeper = asyncio.create_task(server.keep(owned), name=name)
    try:
        yield await _in_time(_begun(server, server.keeper, treatment), name, opening_s)
    finally:
        await _closed(server, server.keeper)


async def _begun(server: _Server, keeper: asyncio.Task[None], treatment: Treatment) -> list[Tool]:
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait({ready, keeper}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ready.cancel()
    if keeper.done():
        await keeper
    return await _listed(server, treatment)


async def _closed(server: _Server, keeper: asyncio.Task[None]) -> None:
    """The SDK bounds how long a process may take to end; a server that is gone already is said."""
    server.leave.set()
    if not server.ready.is_set():
        keeper.cancel()
    _, late = await asyncio.wait({keeper}, timeout=CLOSING_S)
    for task in late:
        task.cancel()
        log.warning("%s does not end", server.name)
    if keeper.done() and not keeper.cancelled() and (failure := keeper.exception()) is not None:
        log.info("%s ended by a fault: %s", server.name, _reason(failure))


async def _in_time(opening: Any, name: str, opening_s: float) -> list[Tool]:
    """Foreign exceptions, also those in groups, stop here."""
    try:
        async with asyncio.timeout(opening_s):
            tools: list[Tool] = await opening
            return tools
    except TimeoutError as late:
        raise DeadlineExceeded(f"{name} did not list its tools within {opening_s:g} s") from late
    except LocalValueError:
        raise
    except Exception as failure:
        raise TransportError(f"{name} cannot be used: {_reason(failure)}") from failure


def _reason(failure: BaseException) -> Any:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return without_secrets(repr(failure))


async def _listed(server: _Server, treatment: Treatment) -> list[Tool]:
    found: list[types.Tool] = []
    cursor: str | None = None
    while True:
        page = await server.client.list_tools(cursor=cursor)
        found += page.tools
        if len(found) > MOST_TOOLS:
            raise LocalValueError(f"{server.name}: more than {MOST_TOOLS} tools; ask a smaller one")
        cursor = page.next_cursor
        if not cursor:
            return distinct([(one.name, _adapted(server, one, treatment)) for one in found])


def _adapted(server: _Server, theirs: types.Tool, treatment: Treatment) -> Tool:
    async def call(**given: Any) -> Any:
        given.pop(CONTEXT, None)
        result = await server.call(theirs.name, given)
        if result.is_error:
            raise ToolError(words_of(result) or "The tool failed.")
        return told(result)

    description = theirs.description or theirs.title
    return adapt(theirs.name, description, theirs.input_schema, call, treatment)
