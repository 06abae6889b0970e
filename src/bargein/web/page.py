"""What is served at `/`: the page's files, and the line of each page.

1. The files are this package's own and hold nothing of anybody's, so whoever may reach the server
   may have them. Everything else needs a token (`tokens`), which comes by the link that the start
   prints, or for the API key.
2. A token comes in the fragment of a link, which no browser sends or logs, and goes as a
   subprotocol of the line, which is no part of an address.
3. The page may load from this server only, and runs no script that does not stand in a file of
   ours (`SECURITY`).
4. `Host` and `Origin` are checked before anything here is reached (`server.app.Guard`).
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from bargein.web.call import Call
from bargein.web.line import Line
from bargein.web.messages import FromPage, Invite, Link, Talk, Token, Trouble
from bargein.web.own import Own
from bargein.web.tokens import PAGE_LIFE_S, REMOTE_LIFE_S, Right, Tokens

SECURITY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}
PROTOCOL, TOKEN_PROTOCOL = "bargein.page", "bargein.token."
LINE_PATH, TOKEN_PATH = "/page/line", "/page/token"
NO_TOKEN = 3000
_KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_PAGES = {"/": "index.html", "/remote": "remote.html"}


class Page:
    """The page of one server."""

    def __init__(self) -> None:
        self.tokens = Tokens()
        self._calls: dict[str, Call] = {}
        self._own: Own | None = None

    def at(
        self, url: str, api_key: str, ssl: ssl_module.SSLContext | None = None
    ) -> Sequence[BaseRoute]:
        """What is to be served, at a server that its own client reaches by this `url`."""
        self._own = Own(_reachable(url), api_key, ssl)
        return [
            *(Route(path, _file(name)) for path, name in _files().items()),
            Route(TOKEN_PATH, self._token, methods=["POST"]),
            WebSocketRoute(LINE_PATH, self._line),
        ]

    def link(self, host: str = "") -> str:
        """What opens the page, once; by another address of this machine where one is given."""
        assert self._own is not None, "it is served"
        parts = urlsplit(self._own.url)
        place = f"{host}:{parts.port}" if host else parts.netloc
        return f"{parts.scheme}://{place}/#{self.tokens.give(Right(), PAGE_LIFE_S)}"

    @staticmethod
    def own_addresses() -> list[str]:
        """By which other devices may reach this machine; none where WebRTC is not installed, which
        knows them."""
        try:
            from bargein.rtc.tracks import own_addresses
        except ImportError:
            return []
        found = map(ipaddress.ip_address, own_addresses(loopback=False))
        return [str(each) for each in found if each.version == 4 and not each.is_loopback]

    async def _token(self, request: Request) -> Response:
        """A token for the API key, as the page asks for it where no link was followed."""
        assert self._own is not None, "it is served"
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        known = hmac.compare_digest(key.encode("utf-8", "replace"), self._own.api_key.encode())
        if scheme.lower() != "bearer" or not known:
            return JSONResponse({"error": "This is not the server's key."}, 401, SECURITY)
        return JSONResponse({"token": self.tokens.give(Right(), PAGE_LIFE_S)}, headers=SECURITY)

    async def _line(self, socket: WebSocket) -> None:
        offered = socket.scope["subprotocols"]
        token = next((each for each in offered if each.startswith(TOKEN_PROTOCOL)), "")
        right = self.tokens.spend(token.removeprefix(TOKEN_PROTOCOL))
        await socket.accept(PROTOCOL if PROTOCOL in offered else None)
        if right is None:
            await socket.close(NO_TOKEN, "This link was used, or has ended.")
        elif right.call is None:
            await self._main(socket, right)
        else:
            await self._remote(socket, right, right.call)

    async def _main(self, socket: WebSocket, right: Right) -> None:
        """The line of a page: it asks for a call, which is its own and ends with it."""
        assert self._own is not None, "it is served"
        own, line = self._own, Line(socket, main=True)
        held: list[tuple[Call, asyncio.Task[None]]] = []

        def heard(said: FromPage | bytes) -> None:
            if not held:
                if isinstance(said, Talk):
                    call = Call(own, line, said)
                    held.append((call, asyncio.create_task(self._run(call, line))))
            elif isinstance(said, Invite):
                line.tell(self._invitation(held[0][0], socket))
            else:
                held[0][0].heard(line, said)

        line.tell(Token(self.tokens.give(right, PAGE_LIFE_S)))
        try:
            await line.hold(heard)
        finally:
            for call, running in held:
                call.leave(line)
                await running

    async def _run(self, call: Call, line: Line) -> None:
        self._calls[call.id] = call
        try:
            await call.run()
        finally:
            del self._calls[call.id]
            line.end()

    async def _remote(self, socket: WebSocket, right: Right, call_id: str) -> None:
        """The line of a second device, which ends with the call."""
        line = Line(socket, main=False)
        call = self._calls.get(call_id)
        if call is None or not call.has_room:
            line.tell(Trouble("That call is over." if call is None else "Too many look on."))
            line.end()
            await line.hold(lambda said: None)
            return
        line.tell(Token(self.tokens.give(right, REMOTE_LIFE_S)))
        call.join(line)
        try:
            await line.hold(lambda said: call.heard(line, said))
        finally:
            call.leave(line)

    def _invitation(self, call: Call, socket: WebSocket) -> Link:
        token = self.tokens.give(Right(call.id), REMOTE_LIFE_S)
        scheme = "https" if socket.scope["scheme"] == "wss" else "http"
        host = socket.headers.get("host", "")
        url = f"{scheme}://{host}/remote#{token}"
        if _is_loopback(urlsplit(url).hostname or ""):
            words = (
                "It opens on this machine only. For another device start the server with "
                "--host 0.0.0.0 --tls, and open this page by the machine's address."
            )
        else:
            words = f"It opens once, within {REMOTE_LIFE_S / 60:g} minutes."
        return Link(url, words)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _reachable(url: str) -> str:
    """Where a server that listens at all addresses is reached from here."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _files() -> dict[str, str]:
    """The files by the path at which they are served."""
    there = [each.name for each in resources.files("bargein.web").joinpath("static").iterdir()]
    return {**_PAGES, **{f"/page/{name}": name for name in there if not name.endswith(".html")}}


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    content = resources.files("bargein.web").joinpath("static", name).read_bytes()
    kind = _KINDS[name.rpartition(".")[2]]

    async def endpoint(request: Request) -> Response:
        return Response(content, headers={**SECURITY, "content-type": kind})

    return endpoint
