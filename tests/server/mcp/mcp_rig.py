"""MCP servers on loopback: one of the official SDK, and what a test makes of plain HTTP."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bargein import events
from bargein.server.model.commands import CallTool, ListTools

Answer = Callable[[Request, dict[str, Any]], Response]


class Weather:
    """The app of a real MCP server, and the requests that it got."""

    def __init__(self) -> None:
        server = MCPServer("weather station", log_level="CRITICAL")
        server.tool(annotations=ToolAnnotations(read_only_hint=True))(self.forecast)
        server.tool()(self.numbers)
        server.tool()(self.fail)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.says = "Rain in {city}"
        self._app = server.streamable_http_app()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self.requests.append((scope["method"], headers))
        await self._app(scope, receive, send)

    def forecast(self, city: str) -> str:
        """Tell the weather."""
        return self.says.format(city=city)

    def numbers(self) -> list[int]:
        """Tell numbers."""
        return [1, 2]

    def fail(self, why: str) -> CallToolResult:
        """Fail."""
        return CallToolResult(content=[TextContent(type="text", text=why)], is_error=True)


def plain(answer: Answer) -> ASGIApp:
    """An app that gives this answer to each message."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        response = answer(request, json.loads(body) if body else {})
        with contextlib.suppress(OSError):
            await response(scope, receive, send)

    return app


def result(message: MutableMapping[str, Any], **fields: Any) -> Response:
    return JSONResponse({"jsonrpc": "2.0", "id": message.get("id"), "result": fields})


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[str]:
    """The origin of a server that runs this app."""
    config = uvicorn.Config(
        app,
        lifespan="on" if isinstance(app, Weather) else "off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await server.startup(sockets=[listener])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await server.shutdown(sockets=[listener])


def a_server(url: str, **fields: Any) -> events.McpTool:
    return events.McpTool(server_label="weather", server_url=url, **fields)


def listing(url: str, **fields: Any) -> ListTools:
    return ListTools("item", a_server(url, **fields))


def calling(url: str, name: str = "forecast", arguments: str = "{}", **fields: Any) -> CallTool:
    return CallTool("item", a_server(url, **fields), name, arguments)
