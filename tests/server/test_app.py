"""The server's face over real sockets: admission, Host and Origin, and the few paths there are."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.server.serving_rig import KEY, MODEL, a_client, a_server, settle
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from bargein.server.admission import Policy
from bargein.server.limits import HostLimits
from bargein.server.serving import Server

BEARER = {"Authorization": f"Bearer {KEY}"}


@asynccontextmanager
async def socket(
    server: Server, query: str = f"?model={MODEL}", **options: Any
) -> AsyncIterator[ClientConnection]:
    settings = {"additional_headers": BEARER, "compression": None, **options}
    async with connect(f"{server.ws_url}{query}", **settings) as connection:
        yield connection


async def status(server: Server, query: str = f"?model={MODEL}", **options: Any) -> int:
    """The HTTP status of an upgrade that is refused."""
    with pytest.raises(InvalidStatus) as raised:
        async with socket(server, query, **options):
            pass
    return raised.value.response.status_code


async def request(server: Server, head: str) -> bytes:
    """The answer to a request written by hand."""
    reader, writer = await asyncio.open_connection(server.address, server.port)
    writer.write(head.replace("\n", "\r\n").encode("latin-1"))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("query", "headers", "code", "reason"),
    [
        (f"?model={MODEL}", {}, 3000, "invalid_request_error"),
        (
            f"?model={MODEL}",
            {"Authorization": "Bearer sk-wrong"},
            3000,
            "invalid_request_error.invalid_api_key",
        ),
        ("", BEARER, 4000, "invalid_request_error.missing_model"),
        ("?model=gpt-nope", BEARER, 4000, "invalid_request_error.invalid_model"),
        ("?intent=sing", BEARER, 4000, "invalid_request_error.invalid_intent"),
        (
            f"?model={MODEL}",
            {**BEARER, "OpenAI-Beta": "realtime=v1"},
            4000,
            "invalid_request_error.beta_api_shape_disabled",
        ),
    ],
)
async def test_a_refusal_is_an_upgrade_one_error_and_a_close(
    query: str, headers: dict[str, str], code: int, reason: str
) -> None:
    async with a_server() as server:
        async with socket(server, query, additional_headers=headers) as connection:
            event = json.loads(await connection.recv())
            assert list(event) == ["type", "event_id", "error"]
            assert list(event["error"]) == ["type", "code", "message", "param", "event_id"]
            assert event["event_id"].startswith("event_")
            assert event["error"]["code"] == (reason.partition(".")[2] or None)
            with pytest.raises(ConnectionClosedError) as raised:
                await connection.recv()
            assert raised.value.rcvd is not None
            assert (raised.value.rcvd.code, raised.value.rcvd.reason) == (code, reason)
        assert server.host.sessions_opened == 0


async def test_a_key_in_the_subprotocol_is_admitted_and_realtime_is_agreed_on() -> None:
    offered: Any = ["realtime", f"openai-insecure-api-key.{KEY}", "openai-agents-sdk.0.1"]
    async with (
        a_server() as server,
        socket(server, additional_headers={}, subprotocols=offered) as connection,
    ):
        assert connection.subprotocol == "realtime"
        assert json.loads(await connection.recv())["type"] == "session.created"


async def test_where_there_is_no_room_the_client_may_come_again() -> None:
    limits = HostLimits(sessions=1)
    async with a_server(limits=limits) as server, a_client(server):
        async with socket(server) as connection:
            event = json.loads(await connection.recv())
            assert event["error"]["code"] == "session_limit_reached"
            with pytest.raises(ConnectionClosedError) as raised:
                await connection.recv()
            assert raised.value.rcvd is not None and raised.value.rcvd.code == 1013


async def test_an_unknown_call_and_an_unknown_path_are_not_found() -> None:
    async with a_server() as server:
        assert await status(server, "?call_id=rtc_123") == 404
        assert await status(server, "/elsewhere") == 404


async def test_a_page_from_elsewhere_is_refused_before_the_upgrade() -> None:
    async with a_server() as server:
        evil: Any = {"origin": "https://evil.example"}
        assert await status(server, **evil) == 403
        own: Any = {"origin": server.url.removesuffix("/v1")}
        async with socket(server, **own) as connection:
            assert json.loads(await connection.recv())["type"] == "session.created"


async def test_an_upgrade_that_is_refused_is_answered_in_words_and_not_logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async with a_server() as server:
        here = f"127.0.0.1:{server.port}"
        for path, host, origin, answered, why in [
            ("/v1/realtime?model=m", "evil.example", "", b"403 Forbidden", b"not this server"),
            (
                "/v1/realtime?model=m",
                here,
                "Origin: https://a.example\n",
                b"403 Forbidden",
                b"a page",
            ),
            ("/v1/realtime?call_id=rtc_1", here, "", b"404 Not Found", b"no such call"),
            ("/elsewhere", here, "", b"404 Not Found", b"nothing here"),
        ]:
            head = f"GET {path} HTTP/1.1\nHost: {host}\n{UPGRADE}{origin}\n"
            answer = await request(server, head)
            assert answer.startswith(b"HTTP/1.1 " + answered)
            assert why in answer
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


async def test_a_page_that_was_allowed_may_come() -> None:
    page: Any = "https://page.example"
    async with (
        a_server(allowed_origins=frozenset({page})) as server,
        socket(server, origin=page) as connection,
    ):
        assert json.loads(await connection.recv())["type"] == "session.created"


async def test_a_foreign_name_that_points_here_is_refused() -> None:
    async with a_server() as server:
        upgrade = (
            "GET /v1/realtime?model=m HTTP/1.1\nHost: evil.example\nConnection: Upgrade\n"
            "Upgrade: websocket\nSec-WebSocket-Version: 13\n"
            f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\n\n"
        )
        answer = await request(server, upgrade)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"which is not this server" in answer
        plain = await request(
            server, "GET /healthz HTTP/1.1\nHost: evil.example\nConnection: close\n\n"
        )
        assert plain.startswith(b"HTTP/1.1 403 ")


async def test_the_server_says_that_it_lives_and_what_it_speaks() -> None:
    async with a_server() as server:
        host = f"Host: 127.0.0.1:{server.port}\nConnection: close"
        alive = await request(server, f"GET /healthz HTTP/1.1\n{host}\n\n")
        assert alive.startswith(b"HTTP/1.1 200 ")
        assert alive.endswith(b'{"status":"ok"}')
        plain = await request(server, f"GET /v1/realtime HTTP/1.1\n{host}\n\n")
        assert plain.startswith(b"HTTP/1.1 426 ")
        assert b"access-control" not in alive.lower() + plain.lower()


async def test_a_key_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("websockets.client", "websockets"):
        logging.getLogger(name).setLevel(logging.WARNING)  # The client's own log is its affair.
    wrong = "sk-wrong-but-right-elsewhere-0123456789"
    async with a_server() as server:
        async with a_client(server):
            pass
        async with socket(
            server, additional_headers={"Authorization": f"Bearer {wrong}"}
        ) as connection:
            await connection.recv()
        async with socket(server, f"?model={MODEL}&api_key={wrong}") as connection:
            await connection.recv()
        await settle(server)
        assert KEY not in repr(server)
        assert KEY not in repr(Policy(api_key=KEY, port=server.port))
    assert caplog.records
    assert KEY not in caplog.text
    assert wrong not in caplog.text


UPGRADE = (
    "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\n"
)


@pytest.mark.parametrize(
    ("path", "host", "header"),
    [
        ("/v1/realtime?model=\xff", None, ""),
        ("/v1/realtime", None, "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.\xff\n"),
        ("/v1/realtime?model=m", None, "Authorization: Bearer \xe9\n"),
        ("/v1/realtime?a=%ff&model=%00&model=%f0", None, f"Authorization: Bearer {KEY}\n"),
        ("/v1/realtime?" + "&".join(["a=b"] * 100), None, ""),
        ("/v1/realtime", "\xff", ""),
        ("no path", None, ""),
    ],
)
async def test_a_head_with_strange_bytes_is_answered_without_a_traceback(
    path: str, host: str | None, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_server() as server:
        host = host or f"127.0.0.1:{server.port}"
        head = f"GET {path} HTTP/1.1\nHost: {host}\n{UPGRADE}{header}\n".replace("\n", "\r\n")
        reader, writer = await asyncio.open_connection(server.address, server.port)
        try:
            writer.write(head.encode("latin-1"))
            assert (await reader.readline()).startswith(b"HTTP/1.1 ")
        finally:
            writer.close()
        async with a_client(server):
            pass
    assert [record for record in caplog.records if record.exc_info] == []
