"""Over real sockets, whatever a peer sends and however it goes: the service's refusal or a clean
end, no traceback, nothing left behind, and the others unharmed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.server.serving_rig import (
    KEY,
    MODEL,
    STALL_MS,
    Client,
    a_client,
    a_server,
    says,
    settle,
    story_that_stalls,
)
from uvicorn.protocols.utils import ClientDisconnected
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame

from bargein.server import arriving, serving, websocket
from bargein.server.fragmenting import FRAMES_AT_ONCE
from bargein.server.limits import HostLimits
from bargein.server.model.options import Limits, Options
from bargein.server.pacing import Pace
from bargein.server.serving import Server

FRAME_BYTES = 200_000
SMALL = Options(limits=Limits(frame_bytes=FRAME_BYTES))


@pytest.fixture(autouse=True)
def no_traceback(caplog: pytest.LogCaptureFixture) -> Any:
    """What a peer does is never a fault of ours."""
    yield
    faults = [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]
    assert faults == []


async def lives(client: Client) -> None:
    """The session still answers."""
    await client.send("input_audio_buffer.clear")
    await client.until("input_audio_buffer.cleared")


@asynccontextmanager
async def a_server_and_a_bystander(**options: Any) -> AsyncIterator[Server]:
    """A server with a session of somebody else, which must not notice anything."""
    replies = says("Hello."), says("Hello again.")
    async with a_server(*replies, **options) as server, a_client(server) as bystander:
        yield server
        await lives(bystander)
        assert "error" not in [event["type"] for event in bystander.seen]


DEEP = 30_000


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x00\x01", "invalid_event"),
        (b"", "invalid_event"),
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("null", None),
        ("[]", None),
        ("{}", "invalid_event"),
        ('{"type":null}', "invalid_type"),
        ('{"type":"nope"}', "invalid_value"),
        ('{"type":"' + "x" * 50_000 + '"}', "invalid_value"),
        ("[" * DEEP, "invalid_json"),
        ('{"a":' * DEEP + "1" + "}" * DEEP, None),
        ('{"type":"input_audio_buffer.append"}', "missing_required_parameter"),
        ('{"type":"input_audio_buffer.append","audio":"***"}', "invalid_value"),
        ('{"type":"input_audio_buffer.append","audio":"AAA"}', "invalid_value"),
        ('{"type":"input_audio_buffer.append","audio":""}', "invalid_value"),
        ('{"type":"input_audio_buffer.append","audio":7}', "invalid_type"),
        ('{"type":"input_audio_buffer.append","audio":"' + "A" * FRAME_BYTES + '"}', None),
        ('{"type":"response.create","event_id":"' + "x" * 600 + '"}', None),
        ('{"type":"response.cancel","response_id":"\\u0000"}', "response_cancel_not_active"),
    ],
)
async def test_a_hostile_frame_is_refused_and_the_session_goes_on(
    frame: str | bytes, code: str | None
) -> None:
    async with a_server_and_a_bystander(options=SMALL) as server, a_client(server) as client:
        await client.socket.send(frame)
        error = (await client.until("error"))["error"]
        assert code in (None, error["code"]), error
        await lives(client)


SURROGATE_ITEM = (
    '{"type":"conversation.item.create","item":{"type":"message","role":"user",'
    '"content":[{"type":"input_text","text":"\\ud800"}]}}'
)


async def test_half_a_character_ends_nothing() -> None:
    async with a_server_and_a_bystander() as server, a_client(server) as client:
        await client.socket.send(SURROGATE_ITEM)
        assert (await client.next())["type"] in ("error", "conversation.item.added")
        await lives(client)


async def test_a_frame_too_long_for_an_answer_closes_its_connection() -> None:
    async with a_server_and_a_bystander(options=SMALL) as server, a_client(server) as client:
        with pytest.raises(ConnectionClosed) as raised:
            await client.socket.send("x" * (3 * FRAME_BYTES))
            while True:
                await client.next()
        assert raised.value.rcvd is None or raised.value.rcvd.code == 1009


async def test_text_that_is_no_utf8_closes_its_connection() -> None:
    async with a_server_and_a_bystander() as server:
        async with raw(server) as (reader, writer):
            writer.write(frame_of(b'{"type":"\xff\xfe"}'))
            assert close_code(await reader.read()) == 1007


async def test_a_character_cut_in_two_by_fragments_is_whole_again() -> None:
    text = '{"type":"ä"}'.encode()
    async with a_server() as server, raw(server) as (reader, writer):
        writer.write(frame_of(text[:10], final=False) + frame_of(text[10:], opcode=0))
        assert b"Invalid value: '\xc3\xa4'" in await reader.readuntil(b"\xc3\xa4'")


async def test_unmasked_frames_and_unknown_opcodes_close_their_connection() -> None:
    async with a_server_and_a_bystander() as server:
        for junk in (b"\x81\x02{}", frame_of(b"", opcode=3), b"\xff" * 64):
            async with raw(server) as (reader, writer):
                writer.write(junk)
                assert close_code(await reader.read()) == 1002


async def test_a_peer_that_never_reads_is_cut_off_and_the_others_are_not() -> None:
    limits = HostLimits(write_deadline_s=0.3, close_deadline_s=0.1, unread_bytes=10_000)
    async with a_server_and_a_bystander(limits=limits) as server:
        async with raw(server, receive_buffer=4_096) as (reader, writer):
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # The peer is deaf.
            event = json.dumps({"type": "response.cancel", "event_id": "x" * 500}).encode()
            with pytest.raises((ConnectionError, TimeoutError)):
                async with asyncio.timeout(20):
                    while True:
                        writer.write(frame_of(event) * 50)
                        await writer.drain()
                        await asyncio.sleep(0)
        _, deaf = server.sessions.values()
        await deaf.ended.wait()
        assert server.host.cut_off == 1


async def test_a_deaf_peer_that_says_goodbye_is_gone_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "LINGER_S", 0.05)
    gone = asyncio.Event()

    class Watched(websocket.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            gone.set()
            super().connection_lost(exc)

    monkeypatch.setattr(serving, "Protocol", Watched)
    async with a_server() as server, raw(server, receive_buffer=4_096) as (reader, writer):
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # The peer is deaf.
        sound = base64.b64encode(bytes(12_000_000)).decode()
        item = {"id": "long", "type": "message", "role": "user"}
        content = [{"type": "input_audio", "audio": sound}]
        for event in (
            {"type": "conversation.item.create", "item": {**item, "content": content}},
            {"type": "conversation.item.retrieve", "item_id": "long"},
        ):
            writer.write(frame_of(json.dumps(event).encode()))
        writer.write(frame_of(b"\x03\xe8", opcode=8))
        async with asyncio.timeout(20):
            await gone.wait()
        await settle(server)


async def test_a_socket_that_dies_at_any_byte_leaves_nothing_behind() -> None:
    async with a_server_and_a_bystander(limits=HostLimits(visits=1_000)) as server:
        head = upgrade(server)
        whole = head + frame_of(b'{"type":"response.create"}')
        before, loop = asyncio.all_tasks(), asyncio.get_running_loop()
        for cut in range(len(whole) + 1):
            connection = socket.create_connection((server.address, server.port))
            connection.sendall(whole[:cut])
            connection.setblocking(False)
            seen = b""
            while cut > len(head) and b"session.created" not in seen:
                seen += await loop.sock_recv(connection, 65_536)
            reset = cut % 2
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            async with a_client(server):
                pass  # Connections are taken in order, so all of them were.
            while left := asyncio.all_tasks() - before:
                await asyncio.wait(left)
        assert len(server.sessions) == 1
        assert server.host.sessions_opened >= 2 + len(whole) - len(head)


@pytest.mark.parametrize("at", ["speaking", "stalled"])
async def test_a_client_that_dies_in_a_response_takes_everything_with_it(at: str) -> None:
    async with a_server(story_that_stalls(200)) as server:
        async with a_client(server) as client:
            (session,) = server.sessions.values()
            await client.send("response.create")
            await client.until("response.created")
            if at == "stalled":
                await client.until("response.output_audio.delta")
            client.socket.transport.abort()
        await settle(server)
        assert session.machine.ended
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert not [name for name in names if name.startswith(session.key)]


@pytest.mark.parametrize("sent", [b"", b"GET /v1/realtime HTTP/1.1\r\nHost: 127"])
async def test_a_connection_that_asks_for_nothing_is_dropped(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving, "HEAD_DEADLINE_S", 0.05)
    async with a_server() as server, a_client(server) as admitted, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(server.address, server.port)
        writer.write(sent)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        await lives(admitted)


async def test_who_goes_before_the_handshake_is_silent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Between the request and its answer others go first, and the peer may go meanwhile."""
    broke = asyncio.Event()

    async def goes_meanwhile(self: Pace) -> None:
        protocol = made.pop()
        protocol.transport.abort()
        protocol.loop.call_soon(broke.set)

    made: list[websocket.Protocol] = []

    class Watched(websocket.Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            made.append(self)

    monkeypatch.setattr(serving, "Protocol", Watched)
    async with a_server() as server, asyncio.timeout(20):
        monkeypatch.setattr(Pace, "give_way", goes_meanwhile)
        reader, writer = await asyncio.open_connection(server.address, server.port)
        writer.write(upgrade(server))
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        await broke.wait()
        writer.close()
    assert not made and "handshake" not in caplog.text


async def test_a_session_is_pinged_with_four_bytes() -> None:
    assert serving.PING_EVERY_S == 20.26
    async with (
        a_server(ping_every_s=0.05) as server,
        raw(server) as (reader, writer),
        asyncio.timeout(20),
    ):
        for _ in range(2):
            ping = await reader.readexactly(6)
            assert ping[:2] == b"\x89\x04"
            writer.write(frame_of(ping[2:], opcode=10))


async def test_a_client_that_answers_no_ping_is_gone() -> None:
    async with a_server(ping_every_s=0.05) as server, raw(server) as (reader, _):
        async with asyncio.timeout(20):
            assert close_code(await reader.read()) == 1011
        await settle(server)


async def test_who_is_not_read_from_is_not_gone_for_an_answer_that_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its answer to the ping stands behind what is not read while it is in debt."""
    made: list[websocket.Protocol] = []
    paused, answered = asyncio.Event(), asyncio.Event()

    class Watched(websocket.Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

        def _pause(self) -> None:
            super()._pause()
            paused.set()

        def handle_pong(self, event: Frame) -> None:
            super().handle_pong(event)
            answered.set()

    monkeypatch.setattr(serving, "Protocol", Watched)
    async with a_server() as server, raw(server) as (reader, writer), asyncio.timeout(20):
        protocol = made[-1]
        async with a_client(server):  # Who is alone is in no debt.
            protocol._pace.charge(10.0)
            writer.write(frame_of(b'{"type":"input_audio_buffer.clear"}'))
            await paused.wait()
            protocol.send_keepalive_ping()
            ping = await reader.readexactly(6)
            writer.write(frame_of(ping[2:], opcode=10))
            protocol.keepalive_timeout()
            assert not protocol.transport.is_closing()
        await reader.readuntil(b"input_audio_buffer.cleared")
        await answered.wait()
        protocol.keepalive_timeout()  # With nothing unread, silence is an answer.
        assert close_code(await reader.read()) == 1011


async def test_a_client_that_says_goodbye_is_answered_so() -> None:
    async with a_server() as server:
        async with a_client(server) as client:
            await client.socket.close(1000)
            assert client.socket.close_code == 1000
        await settle(server)


async def test_a_flood_in_one_read_is_parsed_a_little_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or one client's thousands of tiny frames hold up everybody for as long as they take."""
    parsed: list[int] = []

    class Watched(websocket.Protocol):
        def handle_events(self) -> None:
            waiting = self.queue.qsize()
            super().handle_events()
            parsed.append(self.queue.qsize() - waiting)

    monkeypatch.setattr(serving, "Protocol", Watched)
    async with a_server() as server, raw(server) as (reader, writer):
        event = frame_of(b'{"type":"response.cancel"}')
        writer.write(event * 3_000)
        for _ in range(3_000):
            await reader.readuntil(b"no active response found")
    assert sum(parsed) >= 3_000
    assert max(parsed) <= FRAMES_AT_ONCE


async def test_events_behind_a_close_are_not_answered() -> None:
    async with a_server_and_a_bystander() as server, raw(server) as (reader, writer):
        writer.write(frame_of(b"\x03\xe8", opcode=8) + frame_of(b'{"type":"response.create"}'))
        assert close_code(await reader.read()) == 1000


async def test_the_end_of_a_session_is_told_by_an_error_and_1001() -> None:
    options = Options(session_us=1_000_000)
    async with a_server(options=options) as server, a_client(server) as client:
        error = (await client.until("error"))["error"]
        assert error["code"] == "session_expired"
        with pytest.raises(ConnectionClosed) as raised:
            await client.next()
        assert raised.value.rcvd is not None
        assert raised.value.rcvd.code == 1001
        assert raised.value.rcvd.reason == error["message"]


async def test_who_answers_our_close_is_let_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "LINGER_S", 3600.0)
    options = Options(session_us=1_000_000)
    async with a_server(options=options) as server, raw(server) as (reader, writer):
        await reader.readuntil(b"session_expired")
        ignored = frame_of(b'{"type":"input_audio_buffer.clear"}')
        writer.write(100 * ignored + frame_of(b"\x03\xe9", opcode=8))
        async with asyncio.timeout(5):
            assert close_code(await reader.read()) == 1001


async def test_a_refused_client_that_answers_the_close_is_let_go_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "LINGER_S", 3600.0)
    async with a_server() as server:
        client = await connect(f"{server.ws_url}?model={MODEL}", close_timeout=3600)
        async with asyncio.timeout(5):
            assert "Missing bearer" in str(await client.recv())
            await client.wait_closed()
        assert client.close_code == 3000


@pytest.mark.parametrize("compression", [False, True])
async def test_frames_are_compressed_where_it_is_offered_and_not_forbidden(
    compression: bool,
) -> None:
    async with a_server(compression=compression) as server:
        async with a_client(server, compression="deflate") as client:
            answer = client.socket.response
            assert answer is not None
            assert ("Sec-WebSocket-Extensions" in answer.headers) is compression
            await lives(client)


async def test_a_stalled_response_is_quiet_until_it_is_cut() -> None:
    assert STALL_MS > 60_000
    async with a_server(story_that_stalls(500)) as server, a_client(server) as client:
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.send("response.cancel")
        assert (await client.until("response.done"))["response"]["status"] == "cancelled"


@pytest.mark.parametrize("fault", [ClientDisconnected(), RuntimeError("after websocket.close")])
async def test_what_is_sent_to_nobody_is_silent(fault: Exception) -> None:
    async def send(message: Any) -> None:
        raise fault

    async def receive() -> Any:
        return {"type": "websocket.disconnect", "code": 1006}

    ours = {"abort": lambda: None, "pace": Pace()}
    scope = {"extensions": {"bargein.connection": ours}}
    connection = websocket.AsgiConnection(scope, receive, send)
    await connection.send("{}")
    await connection.close(1000, "")
    assert await connection.receive() is None


# A peer made of bytes.


def upgrade(server: Server) -> bytes:
    lines = (
        f"GET /v1/realtime?model={MODEL} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
        f"Authorization: Bearer {KEY}",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def frame_of(payload: bytes, *, opcode: int = 1, final: bool = True) -> bytes:
    """A masked frame; the mask is zeros, which leaves the payload as it is."""
    head = bytes([opcode | (0x80 if final else 0)])
    if len(payload) < 126:
        size = bytes([0x80 | len(payload)])
    else:
        size = bytes([0x80 | 127]) + struct.pack("!Q", len(payload))
    return head + size + bytes(4) + payload


def close_code(received: bytes) -> int:
    """The code of the close frame at the end of what was received: the last one with code."""
    at = max(received.rfind(b"\x88" + bytes([size])) for size in range(2, 126))
    assert at >= 0, received[-200:]
    return int.from_bytes(received[at + 2 : at + 4])


@asynccontextmanager
async def raw(
    server: Server, receive_buffer: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """An admitted connection, past its `session.created`."""
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect((server.address, server.port))
    connection.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        writer.write(upgrade(server))
        await reader.readuntil(b"session.created")
        await reader.readuntil(b'"include":null}}')
        yield reader, writer
    finally:
        writer.transport.abort()
