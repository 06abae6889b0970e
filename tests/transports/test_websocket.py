"""The WebSocket pipe against a real server on loopback."""

from __future__ import annotations

import asyncio
import http
import logging
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.driver_rig import others
from tests.virtual_loop import run
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from bargein.errors import AdmissionError, DeadlineExceeded, LocalValueError, TransportError
from bargein.secret import Secret
from bargein.transports.base import PipeEnd
from bargein.transports.websocket import Auth, WebSocketPipe, place

KEY = "sk-0123456789abcdefghijklmnop"
# A certificate of nobody's, made for these tests: what it signs is trusted nowhere.
SELF_SIGNED = """\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIHSFf18KW1Yi1dP0AEAJ1Z87sKucsQb0GuvEezEl6ydkoAoGCCqGSM49
AwEHoUQDQgAEf99NWW928nlxgIypcc+Za6L1wUkdj4I65/41bu615u/Yw+vv8A+O
Hh7RnrKpChvKiZ+GDA89/fwkxP5OoPNXuw==
-----END EC PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIUC3owWmWDhF38j485vDDaiVNbtrwwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEyMTExMDk0MFoYDzIxMjYxMDI4MTEw
OTQwWjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AAR/301Zb3byeXGAjKlxz5lrovXBSR2Pgjrn/jVu7rXm79jD6+/wD44eHtGesqkK
G8qJn4YMDz39/CTE/k6g81e7o1MwUTAdBgNVHQ4EFgQUWY8t7PgM2dWj8J4sYhE/
Z7iXho4wHwYDVR0jBBgwFoAUWY8t7PgM2dWj8J4sYhE/Z7iXho4wDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAmjWHkJTB18U3n32fQUY/NVrpSLsP
LwheM7FWgC6dBiACIDhPUcyIzN2KlifwqaWKuK2yU2cPYSwY0iTqLpW9EfKY
-----END CERTIFICATE-----
"""
Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def server(
    handler: Handler,
    *,
    answer: Callable[[ServerConnection, Request], Response | None] | None = None,
    max_size: int | None = 2**24,
) -> AsyncIterator[str]:
    async with serve(
        handler,
        "127.0.0.1",
        0,
        process_request=answer,
        subprotocols=None,
        select_subprotocol=lambda connection, offered: offered[0] if offered else None,
        max_size=max_size,
        close_timeout=0.1,
    ) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/realtime?model=m"


@asynccontextmanager
async def tcp(
    speak: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """A server that is no WebSocket server; gives its port, and leaves no connection behind."""
    connections: list[asyncio.Task[None]] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.ensure_future(speak_and_close(reader, writer)))

    async def speak_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await speak(reader, writer)
        finally:
            writer.transport.abort()

    listening = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=context)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        await asyncio.sleep(1)
    await asyncio.gather(*connections, return_exceptions=True)
    await asyncio.sleep(1)


async def echo(connection: ServerConnection) -> None:
    async for frame in connection:
        await connection.send(frame)


def shown(error: BaseException) -> str:
    """All that people could see of it."""
    return "".join(traceback.format_exception(error)) + repr(error.__context__)


def test_frames_of_every_size_come_back_whole_and_in_order() -> None:
    async def main() -> None:
        async with server(echo) as url:
            pipe = WebSocketPipe(url, Secret(KEY))
            await pipe.open()
            frames = ["{}", "é" * 1_000, "x" * 70_000, "y" * 3_000_000]
            sending = asyncio.ensure_future(asyncio.wait_for(_send_all(pipe, frames), 30))
            assert [await pipe.receive() for _ in frames] == frames
            await sending
            await pipe.close()
            await pipe.close()
            end = await pipe.receive()
            assert end == await pipe.receive() == PipeEnd(1000, "")
            with pytest.raises(TransportError):
                await pipe.send("x")
        assert not others()

    run(main())


def test_a_frame_written_at_once_keeps_its_place_even_where_the_socket_is_full() -> None:
    async def main() -> None:
        async with server(echo) as url:
            pipe = WebSocketPipe(url, Secret(KEY))
            await pipe.open()
            frames = [f"{n}" + "x" * 500_000 for n in range(40)]
            waited = 0
            reading = asyncio.ensure_future(_receive(pipe, len(frames)))
            for frame in frames:
                rest = pipe.send_at_once(frame)
                if rest is not None:
                    waited += 1
                    await rest
            assert waited, "the socket was never full: the test needs larger frames"
            assert await reading == frames
            await pipe.close()
            rest = pipe.send_at_once("too late")
            assert rest is not None
            with pytest.raises(TransportError):
                await rest
        assert not others()

    run(main())


async def _receive(pipe: WebSocketPipe, count: int) -> list[str | bytes | PipeEnd]:
    return [await pipe.receive() for _ in range(count)]


async def _send_all(pipe: WebSocketPipe, frames: list[str]) -> None:
    for frame in frames:
        await pipe.send(frame)


@pytest.mark.parametrize("auth", ["header", "subprotocol", "api-key"])
def test_the_key_goes_where_it_was_asked_to_go(auth: Auth) -> None:
    seen: list[Request] = []

    def look(connection: ServerConnection, request: Request) -> None:
        seen.append(request)

    async def main() -> None:
        async with server(echo, answer=look) as url:
            pipe = WebSocketPipe(url, Secret(KEY), auth=auth, headers={"X-Own": "1"})
            await pipe.open()
            await pipe.close()

    run(main())
    headers = seen[0].headers
    offered = headers.get("Sec-WebSocket-Protocol", "")
    assert headers.get("Authorization") == (f"Bearer {KEY}" if auth == "header" else None)
    assert headers.get("api-key") == (KEY if auth == "api-key" else None)
    assert offered == (f"realtime, openai-insecure-api-key.{KEY}" if auth == "subprotocol" else "")
    assert headers["X-Own"] == "1"
    assert "Sec-WebSocket-Extensions" not in headers, "compression only where it is asked for"


def test_compression_is_offered_where_it_is_asked_for() -> None:
    async def main() -> None:
        async with server(echo) as url:
            pipe = WebSocketPipe(url, None, compression=True)
            await pipe.open()
            await pipe.send("x" * 10_000)
            assert await pipe.receive() == "x" * 10_000
            await pipe.close()

    run(main())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AdmissionError),
        (403, AdmissionError),
        (404, AdmissionError),
        (302, TransportError),
        (429, TransportError),
        (500, TransportError),
    ],
)
def test_a_refused_upgrade_is_one_of_ours_with_its_status(
    status: int, kind: type[TransportError]
) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(http.HTTPStatus(status), f"key {KEY} is wrong\n")
        if status == 302:
            response.headers["Location"] = "/elsewhere"
        return response

    async def main() -> None:
        async with server(echo, answer=refuse) as url:
            with pytest.raises(TransportError) as raised:
                await WebSocketPipe(url, Secret(KEY)).open()
        assert type(raised.value) is kind
        assert raised.value.code == status
        assert raised.value.retryable is (kind is TransportError)
        assert KEY[:8] not in shown(raised.value)
        assert not others()

    run(main())


def test_what_is_no_server_is_named_without_the_query() -> None:
    async def main() -> None:
        for url in (f"ws://127.0.0.1:1/v1?key={KEY}", f"wss://127.0.0.1:1/v1?key={KEY}"):
            with pytest.raises(TransportError, match=r"1:1/v1: Connection refused") as raised:
                await WebSocketPipe(url, Secret(KEY)).open()
            assert raised.value.__cause__ is not None
            assert KEY[:8] not in shown(raised.value)

    run(main())


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nhello"])
def test_what_answers_something_else_is_no_websocket(answer: bytes) -> None:
    async def main() -> None:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

        async with tcp(speak) as port:
            with pytest.raises(TransportError):
                await WebSocketPipe(f"ws://127.0.0.1:{port}/", Secret(KEY)).open()

    run(main())


def test_a_server_that_says_nothing_is_given_up_at_the_deadline() -> None:
    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with tcp(silent) as port:
            with pytest.raises(DeadlineExceeded, match="10 s") as raised:
                await WebSocketPipe(f"ws://127.0.0.1:{port}/", Secret(KEY)).open()
            assert raised.value.retryable

    run(main())


def test_a_certificate_that_cannot_be_verified_is_named(tmp_path: Path) -> None:
    (tmp_path / "self-signed.pem").write_text(SELF_SIGNED)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "self-signed.pem")

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    async def main() -> None:
        async with tcp(hang_up, context) as port:
            pipe = WebSocketPipe(
                f"wss://127.0.0.1:{port}/", Secret(KEY), ssl=ssl.create_default_context()
            )
            with pytest.raises(TransportError, match=r"TLS failed: self.signed certificate"):
                await pipe.open()

    run(main())


def test_a_peer_that_hangs_up_at_the_tls_greeting_is_named() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    async def main() -> None:
        async with tcp(hang_up) as port:
            with pytest.raises(TransportError, match=r"realtime: \w+"):
                await WebSocketPipe(f"wss://127.0.0.1:{port}/realtime", Secret(KEY)).open()

    run(main())


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "nonsense"])
def test_a_proxy_that_is_none_is_one_of_ours(proxy: str) -> None:
    async def main() -> None:
        with pytest.raises((TransportError, LocalValueError)):
            await WebSocketPipe("ws://127.0.0.1:1/", Secret(KEY), proxy=proxy).open()

    run(main())


@pytest.mark.parametrize("url", ["http://h/", "ws://", "", "h"])
def test_an_address_that_is_no_socket_is_refused(url: str) -> None:
    with pytest.raises(LocalValueError, match="url"):
        WebSocketPipe(url, None)


def test_a_key_that_a_subprotocol_cannot_carry_is_refused_without_being_shown() -> None:
    with pytest.raises(LocalValueError, match="header") as raised:
        WebSocketPipe("ws://h/", Secret(KEY + "="), auth="subprotocol")
    assert KEY[:8] not in shown(raised.value)


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, ""), (1001, "Your session hit the maximum duration."), (4000, f"no {KEY}"), (None, "")],
)
def test_the_end_is_the_close_frame_of_the_peer(code: int | None, reason: str) -> None:
    async def leave(connection: ServerConnection) -> None:
        await connection.send("last")
        if code is None:
            await asyncio.sleep(0)
            connection.transport.abort()
        else:
            await connection.close(code, reason)

    async def main() -> None:
        async with server(leave) as url:
            pipe = WebSocketPipe(url, Secret(KEY))
            await pipe.open()
            end = await pipe.receive()
            while not isinstance(end, PipeEnd):
                end = await pipe.receive()
            assert end == PipeEnd(code, reason.replace(KEY, "***"))
            await pipe.close()
        assert not others()

    run(main())


def test_a_frame_that_quotes_the_key_is_given_without_it() -> None:
    async def tell(connection: ServerConnection) -> None:
        await connection.send(f'{{"message":"Incorrect API key provided: {KEY}."}}')

    async def main() -> None:
        async with server(tell) as url:
            pipe = WebSocketPipe(url, Secret(KEY))
            await pipe.open()
            assert await pipe.receive() == '{"message":"Incorrect API key provided: ***."}'
            await pipe.close()

    run(main())


def test_a_frame_beyond_the_bound_ends_the_pipe() -> None:
    async def flood(connection: ServerConnection) -> None:
        await connection.send("x" * 5_000)

    async def main() -> None:
        async with server(flood) as url:
            pipe = WebSocketPipe(url, None, frame_bytes=4_096)
            await pipe.open()
            assert isinstance(await pipe.receive(), PipeEnd)
            await pipe.close()

    run(main())


def test_the_log_shows_no_key_even_when_everything_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        async with server(echo) as url:
            pipe = WebSocketPipe(url, Secret(KEY))
            await pipe.open()
            await pipe.close()

    logging.getLogger("websockets.server").setLevel(logging.INFO)  # the server may see its key
    run(main())
    assert KEY[:8] not in caplog.text


def test_a_pipe_shows_where_it_goes_and_nothing_else() -> None:
    pipe = WebSocketPipe(f"wss://u:{KEY}@h:1/p?key={KEY}#{KEY}", Secret(KEY))
    assert repr(pipe) == "<WebSocketPipe wss://h:1/p>"
    assert place("ws://h/p?x") == "ws://h/p"


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A handshake by hand, then silence: no close frame ever comes back."""
    protocol = ServerProtocol()
    while not (events := protocol.events_received()):
        protocol.receive_data(await reader.read(4_096))
    request = events[0]
    assert isinstance(request, Request)
    protocol.send_response(protocol.accept(request))
    for data in protocol.data_to_send():
        writer.write(data)
    while await reader.read(4_096):
        pass


def test_a_close_that_the_peer_does_not_answer_is_cut_at_its_deadline() -> None:
    async def main() -> None:
        async with tcp(deaf) as port:
            pipe = WebSocketPipe(f"ws://127.0.0.1:{port}/", None, close_timeout_s=2)
            await pipe.open()
            start = asyncio.get_running_loop().time()
            await pipe.close(1000, "é" * 200)
            assert asyncio.get_running_loop().time() - start <= 2.5
            assert await pipe.receive() == PipeEnd(None, "é" * 61)

    run(main())


def test_a_close_that_is_cancelled_cuts_the_socket_at_once() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ended: list[float] = []

        async def deaf_until_the_end(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await deaf(reader, writer)
            ended.append(loop.time())

        async with tcp(deaf_until_the_end) as port:
            pipe = WebSocketPipe(f"ws://127.0.0.1:{port}/", None, close_timeout_s=1_000)
            await pipe.open()
            closing = asyncio.create_task(pipe.close())
            await asyncio.sleep(1)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            cut = loop.time()
        assert ended == [pytest.approx(cut, abs=2)]

    run(main())


def test_an_exception_that_quotes_the_key_is_not_even_the_cause() -> None:
    async def main() -> None:
        async with serve(
            echo,
            "127.0.0.1",
            0,
            select_subprotocol=lambda connection, offered: Subprotocol(f"x.{KEY}"),
        ) as listening:
            port = next(iter(listening.sockets)).getsockname()[1]
            pipe = WebSocketPipe(f"ws://127.0.0.1:{port}/", Secret(KEY), auth="subprotocol")
            with pytest.raises(TransportError) as raised:
                await pipe.open()
            assert raised.value.__cause__ is None
            assert raised.value.__context__ is None
            assert KEY[:8] not in shown(raised.value)

    run(main())
