"""A WebSocket as a pipe, on the library `websockets`.

1. What goes wrong before the pipe is open is raised as one of ours, and never shows the key. What
   ends it later is the `PipeEnd` that the reader gets.
2. Redirects are not followed: they would carry the key to another place.
3. The library's own log stays above DEBUG, where it would write the Authorization header.
4. Compression is off unless asked for: base64 sound shrinks by a third and costs a hundred times
   the CPU (measured; the service is rarely that far away).
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl as ssl_module
import types
from collections.abc import Awaitable, Coroutine, Generator, Mapping, Sequence
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.protocol import State
from websockets.typing import Subprotocol

from bargein.errors import (
    AdmissionError,
    BargeinError,
    DeadlineExceeded,
    LocalValueError,
    TransportError,
)
from bargein.secret import Secret
from bargein.transports.base import PipeEnd

Auth = Literal["header", "subprotocol", "api-key"]
"""Where the key goes: `Authorization: Bearer`, a subprotocol (browsers do), `api-key` (Azure)."""

_REFUSALS = {401: "the key was not accepted", 403: "access was denied", 404: "nothing is there"}
_SMALL_FRAME = 4_096


class _AboveDebug(logging.LoggerAdapter[logging.Logger]):
    """A log that is never asked for DEBUG."""

    def isEnabledFor(self, level: int) -> bool:
        return level > logging.DEBUG and super().isEnabledFor(level)


class _Connect(connect):
    """Without redirects."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@types.coroutine
def _resumed(sending: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """The rest of a coroutine that was begun outside of a task and waits for this future."""
    yield waits_for
    yield from sending.__await__()


class WebSocketPipe:
    """One connection to a Realtime service (protocol.md section 1.1)."""

    def __init__(
        self,
        url: str,
        secret: Secret | None,
        *,
        auth: Auth = "header",
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (),
        compression: bool = False,
        frame_bytes: int = 16 * 1024 * 1024,
        ping_interval_s: float | None = 20.0,
        ping_timeout_s: float | None = 20.0,
        open_timeout_s: float = 10.0,
        close_timeout_s: float = 2.0,
        proxy: str | Literal[True] | None = True,
        ssl: ssl_module.SSLContext | None = None,
    ) -> None:
        """`proxy` True takes the system's settings. Raises `LocalValueError` for what cannot be."""
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise LocalValueError(f"url: {place(url)} is no ws:// or wss:// address")
        if auth not in get_args(Auth):
            raise LocalValueError(f"auth: {auth!r}; give one of {', '.join(get_args(Auth))}")
        if auth == "subprotocol" and secret is not None and not secret.is_token:
            raise LocalValueError(
                'api_key: holds a character that auth="subprotocol" cannot carry; use auth="header"'
            )
        self._url, self._secret, self._auth = url, secret, auth
        self._headers = dict(headers or {})
        self._subprotocols = list(subprotocols)
        self._options: dict[str, Any] = {
            "compression": "deflate" if compression else None,
            "max_size": frame_bytes,
            "ping_interval": ping_interval_s,
            "ping_timeout": ping_timeout_s,
            "open_timeout": open_timeout_s,
            "close_timeout": close_timeout_s,
            "proxy": proxy,
        }
        if ssl is not None:
            self._options["ssl"] = ssl
        self._socket: ClientConnection | None = None
        self._ended: PipeEnd | None = None

    def __repr__(self) -> str:
        return f"<WebSocketPipe {place(self._url)}>"

    async def open(self) -> None:
        """Connect. Raises `AdmissionError`, `DeadlineExceeded` or `TransportError`."""
        headers = dict(self._headers)
        subprotocols = [Subprotocol(name) for name in self._subprotocols]
        if self._secret is not None and self._auth == "header":
            headers["Authorization"] = f"Bearer {self._secret.reveal()}"
        elif self._secret is not None and self._auth == "api-key":
            headers["api-key"] = self._secret.reveal()
        elif self._secret is not None:
            key = Subprotocol(f"openai-insecure-api-key.{self._secret.reveal()}")
            subprotocols = [Subprotocol("realtime"), key, *subprotocols]
        failure: BargeinError
        cause: Exception
        try:
            self._socket = await _Connect(
                self._url,
                additional_headers=headers,
                subprotocols=subprotocols or None,
                logger=_AboveDebug(logging.getLogger("bargein.transports.websocket")),
                **self._options,
            )
            return
        except (OSError, ValueError, websockets.WebSocketException, EOFError) as error:
            failure, cause = self._mapped(error), error
        # Outside of the handler, so that an exception that quotes the key is not even the context.
        if self._secret is not None and _quotes(self._secret, cause):
            raise failure
        raise failure from cause

    async def send(self, frame: str | bytes) -> None:
        """See `Pipe.send`; bytes go as a binary frame."""
        try:
            await self._connected().send(frame)
        except websockets.ConnectionClosed as error:
            raise TransportError(f"{place(self._url)}: the connection has ended") from error

    def send_at_once(self, frame: str) -> Coroutine[Any, Any, None] | None:
        """See `PromptPipe.send_at_once`."""
        socket = self._connected()
        if socket.state is not State.OPEN:
            # It waits for the end then, and only a task may do that.
            return self.send(frame)
        sending = socket.send(frame)
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return None
        except websockets.ConnectionClosed as error:
            raise TransportError(f"{place(self._url)}: the connection has ended") from error
        return self._rest(_resumed(sending, waits_for))

    async def _rest(self, resumed: Awaitable[None]) -> None:
        try:
            await resumed
        except websockets.ConnectionClosed as error:
            raise TransportError(f"{place(self._url)}: the connection has ended") from error

    async def receive(self) -> str | bytes | PipeEnd:
        """See `Pipe.receive`."""
        if self._ended is not None:
            return self._ended
        try:
            frame = await self._connected().recv()
        except websockets.ConnectionClosed as error:
            self._ended = self._end_of(error)
            return self._ended
        # A service that quotes a wrong key must not put it into notices and traces.
        if self._secret is not None and isinstance(frame, str) and len(frame) < _SMALL_FRAME:
            return self._secret.whole_hidden_in(frame)
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; after the close deadline, or when cancelled, the socket is cut. Never raises."""
        socket = self._socket
        if socket is None:
            return
        try:
            # A close frame holds 123 bytes of reason (RFC 6455, section 5.5).
            short = reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore")
            await socket.close(code, short)
        except asyncio.CancelledError:
            socket.transport.abort()
            raise
        except (OSError, ValueError, websockets.WebSocketException):
            socket.transport.abort()

    def _connected(self) -> ClientConnection:
        if self._socket is None:
            raise TransportError(f"{place(self._url)}: the pipe is not open")
        return self._socket

    def _end_of(self, error: websockets.ConnectionClosed) -> PipeEnd:
        if error.rcvd is not None:
            reason = error.rcvd.reason
            if self._secret is not None:
                reason = self._secret.hidden_in(reason)
            return PipeEnd(error.rcvd.code, reason)
        return PipeEnd(None, error.sent.reason if error.sent is not None else "")

    def _mapped(self, error: Exception) -> TransportError | LocalValueError:
        where = place(self._url)
        match error:
            case websockets.InvalidStatus(response=response):
                status = response.status_code
                if status in _REFUSALS:
                    return AdmissionError(
                        f"{where}: {_REFUSALS[status]} (HTTP {status})", code=status
                    )
                if 300 <= status < 400:
                    return TransportError(
                        f"{where}: answers with a redirect (HTTP {status}), which is not followed "
                        "with a key; give the address it leads to",
                        code=status,
                    )
                return TransportError(f"{where}: HTTP {status} instead of 101", code=status)
            case TimeoutError():
                limit_s = self._options["open_timeout"]
                return DeadlineExceeded(f"{where}: not connected after {limit_s:g} s")
            case websockets.InvalidProxy():
                return LocalValueError("proxy: is no address of a proxy; give http://host:port")
            case websockets.ProxyError():
                return TransportError(f"{where}: the proxy did not connect")
            case ssl_module.SSLError():
                why = error.verify_message if hasattr(error, "verify_message") else error.reason
                return TransportError(f"{where}: TLS failed: {why}")
            case OSError():
                # asyncio's own text names addresses; the system's says what happened.
                number = error.errno or 0
                why = os.strerror(number) if number > 0 else str(error)
                return TransportError(f"{where}: {why or type(error).__name__}")
            case websockets.WebSocketException() | EOFError():
                return TransportError(f"{where}: no WebSocket answers there")
            case _:
                return LocalValueError(f"{where}: an option cannot be ({type(error).__name__})")


def place(url: str) -> str:
    """The address as it may be shown: without user, query and fragment, which may hold secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _quotes(secret: Secret, error: BaseException) -> bool:
    """Whether the chain of the exception shows the key or a piece of it."""
    seen: BaseException | None = error
    while seen is not None:
        for text in (str(seen), repr(seen), repr(seen.args)):
            if secret.hidden_in(text) != text:
                return True
        seen = seen.__cause__ or seen.__context__
    return False
