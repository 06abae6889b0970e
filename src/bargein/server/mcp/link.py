"""One connection to an MCP server over streamable HTTP, by the official SDK, for one question.

1. The SDK tells an HTTP status as an error of the protocol, and swallows what breaks in a stream:
   so the answers are watched from below, and what was seen there says what went wrong.
2. Redirects are followed within the server's own origin only (the SDK's rule), and proxies of the
   environment are for other machines.
3. What a server answers in all has a limit, and so has the number of strings in it: reading a
   mebibyte of small objects takes the loop half a second, of text a millisecond. It comes as it
   is: a compressed answer could be a thousand times as long as it looks.
4. Nothing of the SDK's, or of its HTTP client's, leaves here as it is: a `ToolError` does. Their
   log lines do not, either: they have addresses and answers in them.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx2
from mcp import Client, MCPError, types
from mcp.client.streamable_http import streamable_http_client

from bargein import events
from bargein.server.engines.base import ToolError
from bargein.server.mcp.reach import Address
from bargein.tools.adapters.mcp_result import text_of

MOST_BYTES = 1024 * 1024
MOST_QUOTES = 50_000
"""Of strings, two each; those inside a text are escaped and do not count."""
MOST_TOOLS = 1_000
_MOST_PAGES = 32
_CONNECT_S = 5.0
_READ_S = 30.0
_GOODBYE_S = 2.0
"""For the request that ends a session: nobody waits for what it says."""
_UNREACHABLE = 502
_NO_REASON = "The tool failed and does not say why."
_CHATTY = (
    *("client", "httpx2", "mcp.client.client", "mcp.client.streamable_http"),
    "mcp.shared.jsonrpc_dispatcher",
)

_asking: ContextVar[bool] = ContextVar("an MCP server is asked from here", default=False)
for _name in _CHATTY:
    logging.getLogger(_name).addFilter(lambda _: not _asking.get())


async def list_tools(address: Address) -> tuple[events.McpListedTool, ...]:
    """What the server offers. Raises `ToolError`."""
    found: list[types.Tool] = []
    async with _connected(address) as client:
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if cursor is None or len(found) > MOST_TOOLS:
                break
    if cursor is not None or len(found) > MOST_TOOLS:
        raise ToolError(f"The MCP server at {address.place} has more than {MOST_TOOLS} tools.")
    return tuple(map(_listed, found))


async def call_tool(address: Address, name: str, arguments: dict[str, Any]) -> str:
    """What the tool says, as text. Raises `ToolError`."""
    async with _connected(address) as client:
        result = await client.call_tool(name, arguments)
    text = text_of(result)
    if result.is_error:
        raise ToolError(address.hidden(text) or _NO_REASON)
    return text


def _listed(tool: types.Tool) -> events.McpListedTool:
    annotations = tool.annotations
    return events.McpListedTool(
        name=tool.name,
        description=tool.description or tool.title,
        input_schema=tool.input_schema,
        annotations=None
        if annotations is None
        else annotations.model_dump(by_alias=True, exclude_none=True),
    )


@asynccontextmanager
async def _connected(address: Address) -> AsyncIterator[Client]:
    """A client of the server. Whatever it raises leaves as `ToolError`."""
    watch = _Watch(address)
    token = _asking.set(True)
    try:
        async with (
            httpx2.AsyncClient(
                headers={**address.headers, "Accept-Encoding": "identity"},
                timeout=httpx2.Timeout(_READ_S, connect=_CONNECT_S),
                verify=await asyncio.to_thread(_tls),  # http may lead to https, at one host
                trust_env=not address.is_here,
                event_hooks={"request": [watch.asked], "response": [watch.answered]},
            ) as http,
            Client(streamable_http_client(address.url, http_client=http), cache=None) as client,
        ):
            yield client
    except Exception as fault:
        # The SDK's faults come in groups, of many types: each is the server's, or the way's to it.
        raise watch.told(fault) from None
    finally:
        _asking.reset(token)


@cache
def _tls() -> ssl.SSLContext:
    """A tenth of a second, once."""
    return httpx2.create_ssl_context()


class _Watch:
    """What happens below the SDK, in one connection."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._bytes = 0
        self._quotes = 0
        self._status: int | None = None
        self._fault: ToolError | None = None

    async def asked(self, request: httpx2.Request) -> None:
        if request.url.host != self._address.host:
            raise self._broken("The 'server_url' can be read in two ways.")
        if request.method == "DELETE":
            request.extensions["timeout"] = httpx2.Timeout(_GOODBYE_S).as_dict()

    async def answered(self, response: httpx2.Response) -> None:
        if response.request.method == "POST":
            self._status = response.status_code
        if response.headers.get("content-encoding", "identity") != "identity":
            raise self._broken(f"{self._address.place} answered compressed, which was not asked.")
        assert isinstance(response.stream, httpx2.AsyncByteStream), "of an asynchronous client"
        response.stream = _Counted(response.stream, self)

    def count(self, piece: bytes) -> None:
        """More of an answer."""
        self._bytes += len(piece)
        self._quotes += piece.count(b'"') - piece.count(b'\\"')
        for count, most, what in (
            (self._bytes, MOST_BYTES, "bytes"),
            (self._quotes, MOST_QUOTES, "quotation marks"),
        ):
            if count > most:
                raise self._broken(f"{self._address.place} answered with more than {most} {what}.")

    def _broken(self, message: str) -> ToolError:
        self._fault = ToolError(message, type="protocol_error", code=types.INTERNAL_ERROR)
        return self._fault

    def told(self, fault: Exception) -> ToolError:
        """What went wrong, as the item of a call shows it."""
        faults = list(_single(fault))
        own = self._fault or next((each for each in faults if isinstance(each, ToolError)), None)
        if own is not None:
            return own
        place, status = self._address.place, self._status
        if any(isinstance(each, httpx2.ConnectError | httpx2.ConnectTimeout) for each in faults):
            untrusted = any(map(_is_untrusted, faults))
            why = "its certificate is not trusted." if untrusted else "does it run?"
            message = f"{place} cannot be reached: {why}"
            return ToolError(message, type="http_error", code=_UNREACHABLE)
        if status is not None and status >= HTTPStatus.MULTIPLE_CHOICES:
            phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
            message = f"{place} answered {status} {phrase}".rstrip() + "."
            return ToolError(message, type="http_error", code=status)
        for each in faults:
            if isinstance(each, MCPError):
                message = self._address.hidden(each.message)
                return ToolError(message, type="protocol_error", code=each.code)
        name = type(faults[0]).__name__
        if any(isinstance(each, httpx2.TransportError) for each in faults):
            message = f"{place} broke off in the middle of its answer ({name})."
            return ToolError(message, type="http_error", code=_UNREACHABLE)
        message = f"{place} answered what cannot be read as MCP ({name})."
        return ToolError(message, type="protocol_error", code=types.INVALID_REQUEST)


class _Counted(httpx2.AsyncByteStream):
    """The body of an answer, counted."""

    def __init__(self, stream: httpx2.AsyncByteStream, watch: _Watch) -> None:
        self._stream = stream
        self._watch = watch

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._watch.count(piece)
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


def _is_untrusted(fault: BaseException | None) -> bool:
    """Whether the fault came of a certificate."""
    while fault is not None:
        if isinstance(fault, ssl.SSLCertVerificationError):
            return True
        fault = fault.__cause__ or fault.__context__
    return False


def _single(fault: BaseException) -> Iterator[BaseException]:
    if isinstance(fault, BaseExceptionGroup):
        for each in fault.exceptions:
            yield from _single(each)
    else:
        yield fault
