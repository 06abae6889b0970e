"""MCP servers of the official SDK, as processes of their own: over stdio and over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from tests.tools.adapters.adapter_rig import failure, outcome, spoken
from tests.tools.adapters.mcp_server import server as in_this_process

from bargein.errors import DeadlineExceeded, LocalValueError, TransportError
from bargein.tools.adapters import mcp

SERVER = str(Path(__file__).with_name("mcp_server.py"))
GONE = f"the MCP server {Path(sys.executable).name!r} is gone."
NO_TEXT = "left out: the result of a function is text]"


@contextlib.asynccontextmanager
async def an_http_server() -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    listener = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    process = await asyncio.create_subprocess_exec(sys.executable, SERVER, str(port))
    try:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp", process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_tool_of_a_process_is_called_answered_and_spoken_about() -> None:
    async with mcp.stdio(sys.executable, [SERVER, "stdio"]) as tools:
        text, answered = await spoken(tools, "weather", {"city": "Rome"})
    assert text == "Let me look. Take a coat."
    assert (answered.status, answered.output) == ("returned", "rain in Rome for 1")


async def test_a_tool_over_http_is_called_answered_and_spoken_about() -> None:
    async with an_http_server() as (url, _), mcp.http(url) as tools:
        text, answered = await spoken(tools, "weather", {"city": "Rome", "days": 2})
    assert text == "Let me look. Take a coat."
    assert (answered.status, answered.output) == ("returned", "rain in Rome for 2")


async def test_the_model_is_shown_and_told_what_the_server_says() -> None:
    async with Client(in_this_process) as client:
        tools = await mcp.tools_from(client, at_barge_in="background", timeout_s=9)
        first = tools[0]
        assert (first.name, first.description) == ("weather", "Tell the weather.")
        assert first.parameters["required"] == ["city"]
        assert (first.at_barge_in, first.timeout_s) == ("background", 9)
        assert await outcome(tools, "numbers") == ('{"result":[1,2,3]}', False)
        assert await outcome(tools, "look_at_it") == (f"A cat.\n[image {NO_TEXT}", False)
        assert await failure(tools, "fail") == "There is no such city."
        assert "city" in await failure(tools, "weather", {"days": 2})


async def test_a_process_gets_the_environment_that_it_is_given_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    given = {"CITY": "Rome"}
    async with mcp.stdio(sys.executable, [SERVER, "stdio"], env=given) as tools:
        assert await outcome(tools, "environment", {"name": "CITY"}) == ("Rome", False)
        assert await outcome(tools, "environment", {"name": "OPENAI_API_KEY"}) == ("not set", False)


async def test_a_process_that_dies_during_a_call_fails_it_and_the_later_ones() -> None:
    async with mcp.stdio(sys.executable, [SERVER, "stdio"]) as tools:
        waiting = asyncio.create_task(failure(tools, "wait"))
        await asyncio.sleep(0)
        assert await failure(tools, "die") == GONE
        assert await waiting == GONE
        assert await failure(tools, "weather", {"city": "Rome"}) == GONE
    assert await failure(tools, "weather", {"city": "Rome"}) == GONE


async def test_a_call_that_runs_when_its_server_is_closed_fails() -> None:
    async with mcp.stdio(sys.executable, [SERVER, "stdio"]) as tools:
        waiting = asyncio.create_task(failure(tools, "wait"))
        await outcome(tools, "numbers")
    assert await waiting == GONE


async def test_a_server_that_dies_during_a_call_over_http_fails_it() -> None:
    async with an_http_server() as (url, process), mcp.http(url) as tools:
        waiting = asyncio.create_task(failure(tools, "wait"))
        await outcome(tools, "numbers")
        process.kill()
        assert "is gone" in await waiting
        assert "at 127.0.0.1 is gone" in await failure(tools, "weather", {"city": "Rome"})


async def test_a_call_that_is_not_wanted_any_more_is_left() -> None:
    async with mcp.stdio(sys.executable, [SERVER, "stdio"]) as tools:
        (wait,) = [tool for tool in tools if tool.name == "wait"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await wait()
        assert (await outcome(tools, "numbers"))[1] is False


async def test_an_exception_of_the_program_passes_and_ends_the_process() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with mcp.stdio(sys.executable, [SERVER, "stdio"]):
            raise KeyError("mine")


async def test_what_cannot_be_opened_is_told() -> None:
    with pytest.raises(TransportError, match="'no-such-program' cannot be used: FileNotFound"):
        async with mcp.stdio("no-such-program"):
            pass
    with pytest.raises(TransportError, match="cannot be used"):
        async with mcp.stdio(sys.executable, ["-c", "print('hello')"]):
            pass
    with pytest.raises(TransportError, match=r"the MCP server at 127\.0\.0\.1 cannot be used"):
        async with mcp.http("http://127.0.0.1:9/mcp"):
            pass
    with pytest.raises(LocalValueError, match="url: 'localhost'"):
        async with mcp.http("localhost"):
            pass


async def test_a_server_that_does_not_speak_has_a_deadline() -> None:
    silent = "import sys; sys.stdin.read()"
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"did not list its tools within 0\.3 s"):
        async with mcp.stdio(sys.executable, ["-c", silent], opening_s=0.3):
            pass
    assert time.monotonic() - began < 10


async def test_headers_go_with_every_request_and_no_key_is_in_an_error() -> None:
    heads: list[str] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    headers = {"Authorization": "Bearer sk-of-the-header-0123456789"}
    async with listener:
        with pytest.raises(TransportError) as raised:
            async with mcp.http(f"http://127.0.0.1:{port}/mcp?key=1234", headers=headers):
                pass
    assert heads and all("Bearer sk-of-the-header-0123456789" in head for head in heads)
    assert "0123456789" not in str(raised.value) and "1234" not in str(raised.value)


async def test_two_tools_of_one_name_are_refused() -> None:
    twin = MCPServer("twins")
    for name in ("read.file", "read/file"):
        twin.tool(name=name)(in_this_process.name.upper)
    async with Client(twin) as client:
        with pytest.raises(LocalValueError, match=r"'read\.file' and 'read/file' both become"):
            await mcp.tools_from(client)
