"""The WebSocket endpoint: from an ASGI connection to a session of the host.

1. Admission is `admission`'s; a refusal is one `error` event and a close in the same breath.
2. uvicorn drops a connection only once all that was written to it is taken, which a peer that never
   reads prevents for ever. `Protocol` hands the application a way to drop it at once, and drops by
   itself what has not gone after a while.
3. What was read is parsed a little at a time (`fragmenting`) and at the session's pace
   (`pacing`), so that neither a flood of tiny frames nor a frame of 20 MB holds up the others. Who
   must wait is not read from.
4. Text that is no UTF-8 is the peer's fault: close 1007, and no traceback in the log. No header or
   query is ever logged: a key may be in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from bargein import events
from bargein.server.admission import (
    BAD_KEY,
    TRY_LATER,
    Admitted,
    Head,
    NotAdmitted,
    Policy,
    Secrets,
    admit,
    selected_subprotocol,
    who_asks,
)
from bargein.server.fragmenting import Fragments
from bargein.server.host import Host, session_of
from bargein.server.longframe import LongFrame, Message
from bargein.server.model.ids import Ids
from bargein.server.pacing import Pace

LINGER_S = 5.0
"""How long a connection may stay after its session to take the rest and to answer the close."""
_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)
_CONNECTION = "bargein.connection"
_NO_UTF8 = 1007
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_MAX_QUERY_FIELDS = 32


class Protocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, with an end to every connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._linger: asyncio.TimerHandle | None = None
        self._next_parse: asyncio.Handle | None = None
        self._fragments = Fragments(self.config.ws_max_size)
        self._pace = Pace()
        self._message = Message()
        # At the level DEBUG the library logs every header, and one of them holds the key; at INFO
        # uvicorn logs the query, and some clients put a key there.
        self.conn.debug = False
        self.logger = _log

    async def run_asgi(self) -> None:
        self.scope.setdefault("extensions", {})[_CONNECTION] = {
            "abort": self.transport.abort,
            "pace": self._pace,
        }
        try:
            await super().run_asgi()
        finally:
            if not self.disconnected:
                self._linger = self.loop.call_later(LINGER_S, self.transport.abort)

    async def send(self, message: Any) -> None:
        if self.transport.is_closing():
            # The socket broke, and uvicorn is told so only by the loop's next round. Until then a
            # reply of many frames would be written to nobody, with a warning of asyncio's for each.
            self.handshake_complete = True  # There is nobody to shake hands with.
            raise ClientDisconnected
        await self.writable.wait()
        with self._pace:
            await super().send(message)  # It waits for nothing but the same.
        if self.close_sent:
            self._parse_soon()
        if self.initial_response is not None and self.close_sent:
            # uvicorn does not count a whole HTTP answer as the handshake's end, and reports an
            # application that gave one as one that gave none.
            self.handshake_complete = True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._linger is not None:
            self._linger.cancel()
        if self._next_parse is not None:
            self._next_parse.cancel()
        self._pace.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self.handshake_initiated:
            super().data_received(data)  # The request, as uvicorn's HTTP hands it over.
            return
        self._fragments.add(data)
        if self._next_parse is None:
            self._parse_on()

    async def receive(self) -> Any:
        message = await super().receive()
        if self._fragments.held_bytes and self.queue.empty():
            # The base class reads on once its queue is empty, but there is more to parse first.
            self._parse_soon()
        return message

    def _parse_soon(self, wait_s: float = 0.0) -> None:
        """Parse on by and by, and read nothing until then."""
        self._pause()
        if self._next_parse is None:
            self._next_parse = self.loop.call_later(wait_s, self._parse_on)

    def _parse_on(self) -> None:
        """Parse a little, again and again until somebody has something to handle.

        Behind our own close nobody handles anything: what is left is looked through for the peer's
        close.
        """
        self._next_parse = None
        if self.disconnected or self._is_handled:
            return
        wait_s = self._pace.wait_s
        if wait_s > 0:
            self._parse_soon(wait_s)
            return
        with self._pace:
            piece = self._fragments.take()
            if piece:
                super().data_received(piece)
        if piece and not self._is_handled:
            self._parse_soon()
        elif self.read_paused and not self._is_handled:
            self.read_paused = False
            self.transport.resume_reading()

    @property
    def _is_handled(self) -> bool:
        """Whether something waits for the application, which takes nothing behind its own close."""
        return not (self.close_sent or self.queue.empty())

    def _pause(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def handle_connect(self, event: Request) -> None:
        try:
            super().handle_connect(event)
        except UnicodeError:
            # The library fails to tell what is wrong with a header that holds strange bytes.
            self.handshake_complete = self.close_sent = True
            self.transport.write(_BAD_REQUEST)
            self.transport.close()

    def handle_text(self, event: Frame) -> None:
        self.curr_msg_data_type = "text"
        self._message = Message()
        self.handle_cont(event)

    def handle_cont(self, event: Frame) -> None:
        if self.curr_msg_data_type == "bytes":
            super().handle_cont(event)
            return
        try:
            self._message.add(bytes(event.data), final=event.fin)
        except UnicodeDecodeError:
            self.conn.fail(_NO_UTF8)
            self.handle_parser_exception()
            return
        if event.fin and not self.close_sent:
            text: Any = self._message.received()  # A long one only we can read.
            self.queue.put_nowait({"type": "websocket.receive", "text": text})
            self._pause()

    def keepalive_timeout(self) -> None:
        if self.read_paused:
            # Its answer may stand behind what is not read yet.
            self.pong_timer = self.loop.call_later(LINGER_S, self.keepalive_timeout)
            return
        super().keepalive_timeout()


class AsgiConnection:
    """A `host.Connection` over ASGI."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        ours = scope["extensions"][_CONNECTION]
        self._abort: Callable[[], None] = ours["abort"]
        self.pace: Pace = ours["pace"]
        """Of all that is done for this client."""

    async def receive(self) -> str | bytes | LongFrame | None:
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return None
        text: str | LongFrame | None = message.get("text")
        binary: bytes | None = message.get("bytes")
        return text if text is not None else binary

    async def send(self, frame: str) -> None:
        await self._send_message({"type": "websocket.send", "text": frame})

    async def close(self, code: int, reason: str) -> None:
        await self._send_message({"type": "websocket.close", "code": code, "reason": reason})

    def abort(self) -> None:
        self._abort()

    async def _send_message(self, message: dict[str, Any]) -> None:
        # uvicorn raises RuntimeError for what is sent behind a close frame of the peer's.
        with contextlib.suppress(ClientDisconnected, RuntimeError):
            await self._send(message)


class RealtimeEndpoint:
    """`/v1/realtime`, as an ASGI application."""

    def __init__(self, host: Host, policy: Policy, secrets: Secrets | None = None) -> None:
        self._host = host
        self._policy = policy
        self._secrets = secrets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        head = head_of(scope)
        call_id = head.query.get("call_id")
        if call_id is not None and self._host.find(session_of(call_id)) is None:
            # The one refusal that comes before the upgrade (protocol.md §1.1.3).
            await deny(send, 404, "There is no such call.")
            return
        connection = AsgiConnection(scope, receive, send)
        await connection.pace.give_way()  # To begin a session takes milliseconds: step by step.
        accept: dict[str, Any] = {"type": "websocket.accept"}
        subprotocol = selected_subprotocol(head.subprotocols)
        if subprotocol is not None:
            accept["subprotocol"] = subprotocol
        try:
            await send(accept)
        except ClientDisconnected:
            return
        await connection.pace.give_way()
        if call_id is not None:
            await self._attach(head, connection, session_of(call_id))
            return
        answer = admit(head, self._policy, self._secrets)
        if isinstance(answer, Admitted) and not self._host.has_room:
            answer = NotAdmitted(
                TRY_LATER,
                "session_limit_reached",
                "This server holds as many sessions as it may. Close one, or try again later.",
                "server_error",
            )
        if isinstance(answer, NotAdmitted):
            await _refuse(connection, answer)
            return
        await self._host.run(
            connection,
            model=answer.model,
            kind=answer.kind,
            dialect=answer.dialect,
            wanted=answer.wanted,
            pace=connection.pace,
        )

    async def _attach(self, head: Head, connection: AsgiConnection, session_id: str) -> None:
        """Hold a sideband of a call. Its model is that of the call, whatever the query says."""
        who = who_asks(head, self._policy, self._secrets)
        session = self._host.find(session_id)
        if isinstance(who, NotAdmitted):
            await _refuse(connection, who)
        elif who is not None:
            # A key that was given to one page is not for listening to the others.
            why = "A client secret cannot attach to a call: use the API key."
            await _refuse(connection, NotAdmitted(BAD_KEY, None, why))
        elif session is None or not session.has_room:
            why = "The call is over, or has as many sidebands as it may."
            refused = NotAdmitted(TRY_LATER, "session_limit_reached", why, "server_error")
            await _refuse(connection, refused)
        else:
            await session.attach(connection)


async def _refuse(connection: AsgiConnection, why: NotAdmitted) -> None:
    ids = Ids(lambda: secrets.randbits(128))
    ids.start(wall_time_s=int(time.time()), now_us=0)
    error = events.ErrorBody(
        type=why.type, code=why.code, message=why.message, param=None, event_id=None
    )
    await connection.send(events.encode(events.Error(event_id=ids.mint("event"), error=error)))
    await connection.close(why.close_code, why.close_reason)


async def deny(send: Send, status: int, text: str) -> None:
    """Answer a WebSocket request without an upgrade."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    with contextlib.suppress(ClientDisconnected):
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": text.encode()})


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers of an ASGI scope, by name in lower case."""
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }


def head_of(scope: Scope) -> Head:
    """What admission looks at. A query that cannot be read is an empty one."""
    query = scope["query_string"].decode("latin-1")
    try:
        fields = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS))
    except ValueError:
        fields = {}
    return Head(headers_of(scope), fields, tuple(scope.get("subprotocols", ())))
