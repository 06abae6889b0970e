"""Connections before they are sessions, over real sockets: each visit waits for its turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from tests.server.serving_rig import a_client, a_server

from bargein.server.doors import Doors
from bargein.server.limits import HostLimits
from bargein.server.serving import Server

SOON_US, NEVER_US = 1, 10**10
ANSWER = b'{"status":"ok"}'


class Knocks:
    """What the doors answer, visit by visit; then that it is anybody's turn."""

    def __init__(self) -> None:
        self.answers: list[int | None] = []
        self.addresses: list[str] = []

    def knock(self, address: str, now_us: int) -> int | None:
        self.addresses.append(address)
        return self.answers.pop(0) if self.answers else 0


@pytest.fixture
def knocks(monkeypatch: pytest.MonkeyPatch) -> Knocks:
    played = Knocks()
    monkeypatch.setattr(Doors, "knock", lambda self, address, now_us: played.knock(address, now_us))
    return played


def asks(server: Server) -> bytes:
    return f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()


async def dropped(reader: asyncio.StreamReader) -> None:
    """It is, without an answer."""
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""


@asynccontextmanager
async def connected(
    server: Server,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def test_while_no_session_is_there_nobody_waits(knocks: Knocks) -> None:
    async with a_server() as server, connected(server) as (reader, writer), asyncio.timeout(20):
        writer.write(asks(server))
        await reader.readuntil(ANSWER)
    assert knocks.addresses == []


async def test_who_waits_for_its_turn_is_not_read_from_and_others_are(knocks: Knocks) -> None:
    async with a_server() as server, a_client(server), asyncio.timeout(20):
        knocks.answers = [NEVER_US, 0]
        async with connected(server) as (waiting, writer), connected(server) as (reader, other):
            writer.write(asks(server))
            other.write(asks(server))
            await reader.readuntil(ANSWER)
            inside: Any = waiting
            assert not waiting.at_eof() and not inside._buffer
    assert knocks.addresses == ["127.0.0.1"] * 2


async def test_whose_turn_comes_is_answered(knocks: Knocks) -> None:
    async with a_server() as server, a_client(server), asyncio.timeout(20):
        knocks.answers = [SOON_US]
        async with connected(server) as (reader, writer):
            writer.write(asks(server))
            await reader.readuntil(ANSWER)
        knocks.answers = [SOON_US]
        async with a_client(server) as client:
            await client.send("input_audio_buffer.clear")
            await client.until("input_audio_buffer.cleared")


async def test_who_would_wait_for_too_long_is_dropped(knocks: Knocks) -> None:
    async with a_server() as server, a_client(server), asyncio.timeout(20):
        knocks.answers = [None]
        async with connected(server) as (reader, _):
            await dropped(reader)


@pytest.mark.parametrize("at_once", [True, False])
async def test_each_further_request_is_a_visit(knocks: Knocks, at_once: bool) -> None:
    """Or one connection would be a way around the doors."""
    async with a_server() as server, a_client(server), asyncio.timeout(20):
        knocks.answers = [0, SOON_US, SOON_US, None]
        async with connected(server) as (reader, writer):
            if at_once:
                writer.write(3 * asks(server))
            for _ in range(3):
                if not at_once:
                    writer.write(asks(server))
                await reader.readuntil(ANSWER)
            assert len(knocks.addresses) == 3
            writer.write(asks(server))
            await dropped(reader)
        assert len(knocks.addresses) == 4


async def test_who_goes_while_it_waits_leaves_nothing_behind(knocks: Knocks) -> None:
    async with a_server() as server, a_client(server) as client, asyncio.timeout(20):
        knocks.answers = [NEVER_US]
        async with connected(server):
            pass
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        assert len(server.sessions) == 1


async def test_a_flood_of_connections_is_let_in_as_the_limits_say() -> None:
    """Of a hundred at once only so many are read from; the rest waits in line, or is dropped."""
    limits = HostLimits(visits=3, visits_per_second=1)
    async with a_server(limits=limits) as server, a_client(server), asyncio.timeout(20):
        async with AsyncExitStack() as opened:
            peers = [await opened.enter_async_context(connected(server)) for _ in range(100)]
            for _, writer in peers:
                writer.write(asks(server))
            for reader, _ in peers[:2]:
                await reader.readuntil(ANSWER)
            for reader, _ in peers[20:]:
                await dropped(reader)
