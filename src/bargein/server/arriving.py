"""A connection from its coming until it is a session, or has its answer: uvicorn's HTTP, with ends.

1. Beside sessions of others, each visit waits for its turn (`doors`). Nothing is read meanwhile, so
   who floods the door with connections, or one connection with requests, costs the loop next to
   nothing; whose turn would come too late is dropped. While no session is there, nobody waits.
2. A connection whose first request does not come, or has no answer, is dropped after a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from bargein.server.doors import Doors
from bargein.server.pacing import is_anybody_here
from bargein.units import US_PER_S

HEAD_DEADLINE_S = 10.0
"""How long a connection may take to ask for something and, where that is no session, to have it."""
LONGEST_LINE_S = 10.0


class HttpProtocol(H11Protocol):
    """`behind` makes the class for one server."""

    _doors: Doors

    @classmethod
    def behind(cls, doors: Doors) -> type[HttpProtocol]:
        """Connections that come through these doors."""
        return type(cls.__name__, (cls,), {"_doors": doors})

    # uvicorn's own override narrows the transport that asyncio declares, so ours has to as well.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._turn: asyncio.TimerHandle | None = None
        self._is_further = False
        """Whether the next bytes are a further request's."""
        self._head_due = self.loop.call_later(LONGEST_LINE_S + HEAD_DEADLINE_S, transport.abort)
        self._in_turn(self._await_head)

    def data_received(self, data: bytes) -> None:
        if self._is_further:
            self._is_further = False
            self._unset_keepalive_if_required()
            self._in_turn(partial(super().data_received, data))
        else:
            super().data_received(data)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._head_due.cancel()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        self._head_due.cancel()
        pipelined, _ = self.conn.trailing_data
        if pipelined and not self.transport.is_closing():
            self._in_turn(super().on_response_complete)
        else:
            self._is_further = True
            super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_due.cancel()
        if self._turn is not None:
            self._turn.cancel()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_due.cancel()
        self._head_due = self.loop.call_later(HEAD_DEADLINE_S, self.transport.abort)

    def _in_turn(self, go_on: Callable[[], None]) -> None:
        """Go on when it is this visit's turn, and read nothing until then."""
        wait_us: int | None = 0
        if is_anybody_here():
            address = self.client[0] if self.client else ""
            wait_us = self._doors.knock(address, round(self.loop.time() * US_PER_S))
        if wait_us is None:
            self.transport.abort()
        elif wait_us > 0:
            self.flow.pause_reading()
            self._turn = self.loop.call_later(wait_us / US_PER_S, self._go_on, go_on)
        else:
            go_on()

    def _go_on(self, go_on: Callable[[], None]) -> None:
        self._turn = None
        self.flow.resume_reading()
        go_on()
