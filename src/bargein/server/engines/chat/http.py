"""The chat engine's one door to the network: an OpenAI-compatible server, asked over HTTP.

1. Every wait has its deadline: to connect, to the first piece of an answer, between two pieces.
2. Whatever goes wrong leaves here as an `EngineError` without the key; exceptions of the HTTP
   library stop here.
3. Leaving the block closes the answer's stream at once, also when the task is cancelled.
4. No proxy stands between this machine and itself: the environment's are for other hosts.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from bargein.secret import Secret
from bargein.server.engines.base import EngineError
from bargein.server.engines.chat.faults import fault_of_status, shown_url
from bargein.server.engines.chat.options import Deadlines

_MOST_FAULT_BYTES = 64 * 1024
_FAULT_BODY_S = 2.0
_CONNECTIONS = 32
"""Of one session to one server: its responses and transcriptions at once."""


class Answer:
    """A success whose body is still to come."""

    def __init__(self, response: httpx.Response, where: str, due: float, idle_s: float) -> None:
        self.where = where
        self.content_type: str = response.headers.get("content-type", "")
        self._pieces = response.aiter_bytes()
        self._due = due
        self._idle_s = idle_s

    def progressed(self) -> None:
        """Something of substance came: the deadline between two pieces begins anew."""
        self._due = asyncio.get_running_loop().time() + self._idle_s

    async def piece(self) -> bytes:
        """More of the body; b"" at its end. Raises `EngineError`, and `TimeoutError` when the
        deadline has come."""
        async with asyncio.timeout_at(self._due):
            with _as_fault(self.where):
                return await anext(self._pieces, b"")

    async def whole(self, most_bytes: int) -> bytes:
        """All of the body. Raises `EngineError`."""
        return b"".join([piece async for piece in self.pieces(most_bytes)])

    async def pieces(self, most_bytes: int) -> AsyncGenerator[bytes, None]:
        """The body, where every byte is substance. Raises `EngineError`."""
        left = most_bytes
        while True:
            with stalled(self.where):
                piece = await self.piece()
            if not piece:
                return
            left -= len(piece)
            if left < 0:
                raise EngineError(
                    f"{self.where} answered with more than {most_bytes} bytes.",
                    code="server_error",
                )
            self.progressed()
            yield piece


@contextlib.contextmanager
def stalled(where: str) -> Iterator[None]:
    """A deadline that has come, as the fault that it is."""
    try:
        yield
    except TimeoutError as error:
        raise EngineError(f"{where} stopped answering.", code="server_error") from error


class Service:
    """One server under one base URL, for one session. `role` names it in errors."""

    def __init__(
        self,
        role: str,
        url: str,
        *,
        key: Secret | None,
        deadlines: Deadlines,
        tls: ssl.SSLContext,
    ) -> None:
        self._role = role
        self._url = url
        self._key = key
        self._deadlines = deadlines
        headers = {} if key is None else {"Authorization": f"Bearer {key.reveal()}"}
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=deadlines.connect_s),
            limits=httpx.Limits(max_connections=_CONNECTIONS),
            verify=tls,
            trust_env=not _is_this_machine(url),
        )

    @asynccontextmanager
    async def ask(self, path: str, **request: Any) -> AsyncIterator[Answer]:
        """POST and have the head of the answer. Raises `EngineError`.

        `request` is as for httpx: `json`, or `data` and `files`.
        """
        url = f"{self._url}{path}"
        where = f"{self._role} at {shown_url(url)}"
        due = asyncio.get_running_loop().time() + self._deadlines.first_s
        message = self._client.build_request("POST", url, **request)
        with stalled(where), _as_fault(where):
            async with asyncio.timeout_at(due):
                response = await self._client.send(message, stream=True)
        try:
            if response.status_code != 200:
                body = await _fault_body(response)
                raise fault_of_status(where, response.status_code, body, self._key)
            yield Answer(response, where, due, self._deadlines.idle_s)
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._client.aclose()


async def _fault_body(response: httpx.Response) -> str:
    """What a refusal says, as far as it comes in time."""
    body = b""
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_FAULT_BODY_S):
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _MOST_FAULT_BYTES:
                    break
    return body[:_MOST_FAULT_BYTES].decode("utf-8", "replace")


@contextlib.contextmanager
def _as_fault(where: str) -> Iterator[None]:
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise EngineError(f"{where} does not take connections.", code="server_error") from error
    except httpx.ConnectError as error:
        raise EngineError(
            f"{where} cannot be reached: does it run?", code="server_error"
        ) from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise EngineError(
            f"{where} broke off in the middle of its answer ({type(error).__name__}).",
            code="server_error",
        ) from error


def _is_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def content_kind(answer: Answer) -> str:
    """The content type without its parameters, in lower case."""
    return answer.content_type.partition(";")[0].strip().lower()
