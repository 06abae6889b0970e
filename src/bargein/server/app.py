"""The server's HTTP face, as an ASGI application.

`/v1/realtime` (WebSocket) is the Realtime API, what is below it the calls over WebRTC (`calls`);
`/healthz` says that the server lives; a page may be given, to be served beside. Every request
passes the check of `Host` and `Origin` first. Only origins that were allowed may read an answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from bargein.server.admission import Policy, forbidden
from bargein.server.calls import Calls
from bargein.server.host import Host
from bargein.server.websocket import RealtimeEndpoint, deny, headers_of

REALTIME_PATH = "/v1/realtime"


def make_app(host: Host, policy: Policy, calls: Calls, page: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The application that serves this host's sessions under this policy, its calls, and a page."""

    async def healthz(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def only_websocket(request: Request) -> PlainTextResponse:
        return PlainTextResponse(
            "This is a WebSocket endpoint.", 426, headers={"Upgrade": "websocket"}
        )

    routes = [
        WebSocketRoute(REALTIME_PATH, RealtimeEndpoint(host, policy, calls.keys)),
        *page,
        WebSocketRoute("/{path:path}", _no_such_path),
        Route("/healthz", healthz),
        Route(REALTIME_PATH, only_websocket),
        *calls.routes(),
    ]
    return Guard(Starlette(routes=routes), policy)


class _NoSuchPath:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] == "websocket.connect":
            await deny(send, 404, f"There is nothing here; the Realtime API is at {REALTIME_PATH}")


_no_such_path = _NoSuchPath()


class Guard:
    """Refuses what comes from elsewhere (`admission.forbidden`) with HTTP 403, before anything
    else is looked at."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            why = forbidden(headers_of(scope), self._policy)
            if why is not None:
                if scope["type"] == "http":
                    await PlainTextResponse(why, 403)(scope, receive, send)
                elif (await receive())["type"] == "websocket.connect":
                    await deny(send, 403, why)
                return
        await self._app(scope, receive, send)
