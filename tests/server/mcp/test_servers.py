"""Real MCP servers over HTTP, asked for their tools and called; and what goes wrong with them."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
import logging
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from tests.server.mcp.mcp_rig import (
    Answer,
    Weather,
    a_server,
    calling,
    listening,
    listing,
    plain,
    result,
)
from tests.transports.test_websocket import SELF_SIGNED

from bargein.errors import LocalValueError
from bargein.server.engines.base import ToolError
from bargein.server.mcp import link, servers
from bargein.server.mcp.reach import address_of
from bargein.server.mcp.servers import McpServers

KEY = "tok-0123456789"
HERE = McpServers("loopback")


async def fault(asked: Awaitable[Any]) -> tuple[str, int | None, str]:
    with pytest.raises(ToolError) as caught:
        await asked
    shown = caught.value.shown()
    code = shown.code if isinstance(shown.code, int) else None
    return str(shown.type), code, str(shown.message)


async def test_a_real_server_lists_its_tools_and_they_are_called() -> None:
    weather = Weather()
    async with listening(weather) as origin:
        url = f"{origin}/mcp"
        tools = await HERE.list_tools(listing(url, authorization=KEY, headers={"X-Shop": "7"}))
        assert [tool.name for tool in tools] == ["forecast", "numbers", "fail"]
        assert tools[0].description == "Tell the weather."
        assert tools[0].annotations == {"readOnlyHint": True} and tools[1].annotations is None
        assert tools[0].input_schema["required"] == ["city"]
        assert await HERE.call_tool(calling(url, "forecast", '{"city": "Rome"}')) == "Rain in Rome"
        assert await HERE.call_tool(calling(url, "numbers")) == '{"result": [1, 2]}'
    (_, first), *_, (_, last) = weather.requests
    assert (first["authorization"], first["x-shop"]) == (f"Bearer {KEY}", "7")
    # What one server was given is not sent with the next question.
    assert "authorization" not in last and "x-shop" not in last


async def test_what_a_tool_says_of_its_failure_is_told_without_the_key() -> None:
    async with listening(Weather()) as origin:
        url = f"{origin}/mcp"
        why = json.dumps({"why": f"{KEY} is no key."})
        told = await fault(HERE.call_tool(calling(url, "fail", why, authorization=KEY)))
        assert told == ("tool_execution_error", None, "*** is no key.")
        silent = await fault(HERE.call_tool(calling(url, "fail", '{"why": ""}')))
        assert silent[2] == "The tool failed and does not say why."
        unknown = await fault(HERE.call_tool(calling(url, "nobody")))
        assert unknown[0] == "tool_execution_error" and "nobody" in unknown[2]
        for arguments in ('{"city"', "[1]", '"a"'):
            told = await fault(HERE.call_tool(calling(url, "forecast", arguments)))
            assert told[2] == "The arguments of the call are no JSON object."


class Older:
    """A server of the protocol's older kind: sessions, begun by a handshake."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.ended = 0

    def __call__(self, request: Request, message: dict[str, Any]) -> Response:
        session = request.headers.get("mcp-session-id", "")
        method = message.get("method")
        if request.method == "DELETE":
            self.open.remove(session)
            self.ended += 1
            return Response(status_code=200)
        if request.method == "GET":
            return Response(status_code=405)
        if method == "initialize":
            self.open.add("s1")
            response = result(
                message,
                protocolVersion="2025-06-18",
                capabilities={"tools": {}},
                serverInfo={"name": "older", "version": "1"},
            )
            response.headers["mcp-session-id"] = "s1"
            return response
        if session not in self.open:
            return Response(status_code=400)
        if method == "notifications/initialized":
            return Response(status_code=202)
        if method == "tools/list":
            cursor = (message.get("params") or {}).get("cursor")
            tool = {"name": cursor or "first", "inputSchema": {"type": "object"}}
            return result(message, tools=[tool], **({} if cursor else {"nextCursor": "second"}))
        return result(message, content=[{"type": "text", "text": "Rain"}])


async def test_an_older_server_is_asked_page_by_page_and_its_session_is_ended() -> None:
    older = Older()
    async with listening(plain(older)) as origin:
        tools = await HERE.list_tools(listing(f"{origin}/mcp"))
        assert [tool.name for tool in tools] == ["first", "second"]
        assert older.ended == 1
        assert await HERE.call_tool(calling(f"{origin}/mcp")) == "Rain"
    assert older.ended == 2 and not older.open


async def test_pages_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_MOST_PAGES", 4)

    def answer(request: Request, message: dict[str, Any]) -> Response:
        if message.get("method") == "tools/list":
            return result(message, tools=[], nextCursor="more")
        return Older.__call__(older, request, message)

    older = Older()
    async with listening(plain(answer)) as origin:
        told = await fault(HERE.list_tools(listing(f"{origin}/mcp")))
        assert told[2].endswith("has more than 1000 tools.")


def status(code: int, **headers: str) -> Answer:
    return lambda request, message: Response("{}", code, headers)


def says(body: bytes, kind: str = "application/json", **headers: str) -> Answer:
    return lambda request, message: Response(body, 200, headers, kind)


async def _long() -> AsyncIterator[bytes]:
    for _ in range(20):
        yield b" " * 100_000


def _error(request: Request, message: dict[str, Any]) -> Response:
    error = {"code": -32_001, "message": f"{KEY} has expired"}
    return JSONResponse({"jsonrpc": "2.0", "id": message.get("id"), "error": error})


MANY = b'{"jsonrpc":"2.0","id":0,"result":{"tools":[' + b'"",' * 30_000 + b'""]}}'
FAULTS: dict[str, tuple[Answer, str, int, str]] = {
    "no key": (status(401), "http_error", 401, "answered 401 Unauthorized."),
    "elsewhere": (status(404), "http_error", 404, "answered 404 Not Found."),
    "broken": (status(503), "http_error", 503, "answered 503 Service Unavailable."),
    "odd": (status(599), "http_error", 599, "answered 599."),
    "redirect": (
        lambda request, message: RedirectResponse("http://127.0.0.2/mcp"),
        "http_error",
        307,
        "answered 307 Temporary Redirect.",
    ),
    "refused": (_error, "protocol_error", -32_001, "*** has expired"),
    "no mcp": (says(b"<html>", "text/html"), "protocol_error", -32_600, "content type: text/html"),
    "garbage": (says(b'{"jsonrpc"'), "protocol_error", -32_700, "Failed to parse JSON response"),
    "compressed": (
        says(gzip.compress(b"{}"), **{"content-encoding": "gzip"}),
        "protocol_error",
        -32_603,
        "answered compressed, which was not asked.",
    ),
    "long": (
        lambda request, message: StreamingResponse(_long(), media_type="application/json"),
        "protocol_error",
        -32_603,
        "answered with more than 1048576 bytes.",
    ),
    "long events": (
        lambda request, message: StreamingResponse(_long(), media_type="text/event-stream"),
        "protocol_error",
        -32_603,
        "answered with more than 1048576 bytes.",
    ),
    "crowded": (says(MANY), "protocol_error", -32_603, "more than 50000 quotation marks."),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_what_goes_wrong_is_told_as_the_protocol_tells_it(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer, type, code, message = FAULTS[name]
    caplog.set_level(logging.DEBUG)
    async with listening(plain(answer)) as origin:
        asked = listing(f"{origin}/mcp?k={KEY}", authorization=KEY)
        told = await fault(HERE.list_tools(asked))
        assert told[:2] == (type, code) and message in told[2]
        assert KEY not in told[2]
    # Neither the key nor an address that may have one is in any log, at any level.
    assert KEY not in caplog.text and "Traceback" not in caplog.text


async def test_a_server_that_is_not_there_is_said_to_be_gone() -> None:
    async with listening(Weather()) as origin:
        pass
    told = await fault(HERE.call_tool(calling(f"{origin}/mcp")))
    place = origin.removeprefix("http://")
    assert told == ("http_error", 502, f"{place} cannot be reached: does it run?")


async def test_a_server_whose_certificate_is_nobodys_gets_no_request(tmp_path: Path) -> None:
    (tmp_path / "self-signed.pem").write_text(SELF_SIGNED)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "self-signed.pem")
    got: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read(1_000))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        asked = listing(f"https://127.0.0.1:{port}/mcp", authorization=KEY)
        told = await fault(HERE.list_tools(asked))
    message = f"127.0.0.1:{port} cannot be reached: its certificate is not trusted."
    assert told == ("http_error", 502, message) and not got


async def test_a_connection_that_breaks_off_is_said_to_be() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        told = await fault(HERE.list_tools(listing(f"http://127.0.0.1:{port}/mcp")))
    assert told[:2] == ("http_error", 502)
    assert "broke off in the middle of its answer" in told[2]


async def test_a_question_that_is_not_wanted_any_more_leaves_no_connection() -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        while await reader.read(1_000):
            pass
        gone.set()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        asking = asyncio.create_task(HERE.list_tools(listing(f"http://127.0.0.1:{port}/mcp")))
        await asked.wait()
        asking.cancel()
        await asyncio.wait({asking})
        assert asking.cancelled()
        await gone.wait()


async def test_a_server_that_never_answers_to_the_end_of_its_session_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "_GOODBYE_S", 0.05)
    monkeypatch.setattr(link, "_READ_S", 600)
    older, never = Older(), asyncio.Event()

    async def silence() -> AsyncIterator[bytes]:
        await never.wait()
        yield b""

    def answer(request: Request, message: dict[str, Any]) -> Response:
        if request.method == "DELETE":
            return StreamingResponse(silence())
        return older(request, message)

    async with listening(plain(answer)) as origin:
        assert await HERE.call_tool(calling(f"{origin}/mcp")) == "Rain"
        never.set()


async def test_nobody_beyond_the_reach_is_asked() -> None:
    weather = Weather()
    async with listening(weather) as origin:
        told = await fault(McpServers("off").list_tools(listing(f"{origin}/mcp")))
        assert "reaches no MCP servers" in told[2]
        elsewhere = f"{origin.replace('127.0.0.1', '0.0.0.0')}/mcp"
        assert "not on this machine" in (await fault(HERE.call_tool(calling(elsewhere))))[2]
        assert not weather.requests
        assert len(await McpServers("any").list_tools(listing(f"{origin}/mcp"))) == 3


async def test_no_proxy_stands_between_this_machine_and_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with listening(Weather()) as gone:
        pass
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, gone)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with listening(Weather()) as origin:
        assert len(await HERE.list_tools(listing(f"{origin}/mcp"))) == 3


async def test_a_host_that_is_not_the_one_that_was_read_is_not_asked() -> None:
    weather = Weather()
    async with listening(weather) as origin:
        read = address_of(a_server(f"{origin}/mcp"), "loopback")
        told = await fault(link.list_tools(dataclasses.replace(read, host="127.0.0.2")))
        assert told[2] == "The 'server_url' can be read in two ways."
        assert not weather.requests


async def test_without_the_sdk_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(servers, "find_spec", lambda name: None)
    with pytest.raises(LocalValueError, match=r'pip install "bargein\[mcp\]"'):
        McpServers.asked_for("any")
    assert McpServers.asked_for("off").reach == "off"
    # Where nobody asked for it in so many words, the first declaration is told.
    monkeypatch.setattr("importlib.import_module", missing)
    told = await fault(HERE.list_tools(listing("http://127.0.0.1:9/mcp")))
    assert 'pip install "bargein[mcp]"' in told[2]


def test_a_process_that_asks_no_server_does_not_load_the_sdk() -> None:
    code = "import sys, bargein.server.serving; print({'mcp', 'pydantic'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
