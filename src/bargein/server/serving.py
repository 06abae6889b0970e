"""A server in this process, on a socket of its own: `async with serve_local() as server`.

It installs no signal handlers, starts no thread of its own and changes nothing outside itself, so
it can run beside its client in one loop. When the block ends, its sessions are told so and end.
"""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import math
import secrets
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

try:
    import uvicorn
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp
except ImportError as error:
    raise ImportError(
        'the local server is not installed; pip install "bargein[local]", or "bargein[server]" for '
        "a server without a voice"
    ) from error

from bargein.errors import LocalValueError, TransportError
from bargein.server.admission import (
    Dialects,
    Policy,
    checked_address,
    checked_host,
    checked_origin,
)
from bargein.server.app import make_app
from bargein.server.arriving import LONGEST_LINE_S, HttpProtocol
from bargein.server.calls import Calls
from bargein.server.certificate import Certificate
from bargein.server.doors import Doors
from bargein.server.engines.base import EngineFactory
from bargein.server.engines.espeak import speak
from bargein.server.engines.scenario import DEFAULT_SCENARIO, Scenario, load_scenario
from bargein.server.engines.script import ScriptEngine
from bargein.server.framelog import FrameLog
from bargein.server.host import Host, Session
from bargein.server.limits import HostLimits
from bargein.server.mcp.reach import checked_reach
from bargein.server.mcp.servers import McpServers
from bargein.server.model.options import Options
from bargein.server.model.vad import Detector
from bargein.server.websocket import Protocol
from bargein.units import US_PER_S

PING_EVERY_S = 20.26
"""As the service pings (protocol.md §1.1.5)."""
_FRAME_ROOM = 2
"""A frame up to twice the machine's limit is refused by an `error`; beyond, the connection ends
with 1009."""
_SHUTDOWN_S = 5
_BACKLOG = 128
_ACCEPTED_AT_ONCE = 16
"""A connection takes a tenth of a millisecond to accept."""
_SWITCH_S = 0.0005


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is."""

    address: str
    port: int
    certificate: Certificate | None = field(default=None, kw_only=True, repr=False)

    @property
    def url(self) -> str:
        """What `OPENAI_BASE_URL` must be."""
        return f"http{self._secure}://{self._authority}/v1"

    @property
    def ws_url(self) -> str:
        """The WebSocket endpoint; a session adds `?model=`."""
        return f"ws{self._secure}://{self._authority}/v1/realtime"

    @property
    def _secure(self) -> str:
        return "" if self.certificate is None else "s"

    @property
    def _authority(self) -> str:
        name = f"[{self.address}]" if ":" in self.address else self.address
        return f"{name}:{self.port}"


@dataclass(frozen=True, slots=True, repr=False)
class Server(Place):
    """A server that runs. `api_key` is needed by whoever wants a session."""

    api_key: str
    host: Host

    def __repr__(self) -> str:
        return f"Server({self.url!r}, sessions={len(self.host.sessions)})"

    @property
    def sessions(self) -> Mapping[str, Session]:
        """The sessions that are open now, oldest first."""
        return self.host.sessions


PageAt: TypeAlias = Callable[[str, str, ssl.SSLContext | None], Sequence[BaseRoute]]
"""What is served beside, of a server at this URL (as `OPENAI_BASE_URL`) with this key, and with
what its own client trusts its certificate by."""


@asynccontextmanager
async def serve_local(
    scenario: Scenario | str | Path = DEFAULT_SCENARIO,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str | None = None,
    speed: float | None = None,
    engine: EngineFactory | None = None,
    options: Options | None = None,
    limits: HostLimits | None = None,
    trace: str | Path | None = None,
    any_model: bool = False,
    allowed_hosts: frozenset[str] = frozenset(),
    allowed_origins: frozenset[str] = frozenset(),
    dialect: Dialects = "ga",
    compression: bool = True,
    ping_every_s: float = PING_EVERY_S,
    new_detector: Callable[[], Detector] | None = None,
    when_empty: Callable[[], None] | None = None,
    listener: socket.socket | None = None,
    mcp: str | None = None,
    media_hosts: tuple[str, ...] | None = (),
    page: PageAt | None = None,
    certificate: Certificate | None = None,
) -> AsyncIterator[Server]:
    """Serve until the block ends.

    `scenario` is a name, a TOML file or a `Scenario`; `speed` stands above its own; `engine` takes
    the place of the script engine. Port 0 is any free one, and without `api_key` there is a random
    one. `trace` is a file for the log of frames (`framelog`). `dialect` is "ga", "beta" or "both",
    where the client's beta header decides. `any_model` takes any name of a model, also of one that
    transcribes. Frames are compressed for clients that offer it. A `listener` that is bound stands
    in place of `host` and `port`, and is closed at the end. `mcp` says which of the MCP servers
    that clients declare are reached: "off", "loopback" or "any" (`mcp.reach`); where it is not
    given, those of this machine, unless the server itself can be reached from others.
    `media_hosts` are the addresses of this machine where the media of calls arrive; without them,
    all there are; None: no calls. `page` gives what is served beside (`bargein.web.page`).
    With a `certificate` all of it goes by TLS.

    Raises `LocalValueError` for what cannot be, and `TransportError` where the address is taken.
    """
    key = new_key() if api_key is None else checked_key(api_key)
    factory = engine or _script_factory(scenario, speed)
    if not 0 < ping_every_s < math.inf:
        raise LocalValueError(f"ping_every_s is {ping_every_s}: give more than 0 seconds")
    hosts = frozenset(checked_host(name) for name in allowed_hosts)
    origins = frozenset(checked_origin(page) for page in allowed_origins)
    media_hosts = None if media_hosts is None else tuple(map(checked_address, media_hosts))
    servers = None if mcp is None else McpServers.asked_for(checked_reach(mcp))
    options = options or Options()
    if any_model:
        options = replace(options, any_transcription_model=True)
    with contextlib.ExitStack() as closing:
        frame_log = closing.enter_context(FrameLog(Path(trace))) if trace is not None else None
        listener = closing.enter_context(bind(host, port) if listener is None else listener)
        address, bound_port = listener.getsockname()[:2]
        sessions = Host(
            factory,
            options=options,
            limits=limits,
            frame_log=frame_log,
            new_detector=new_detector,
            when_empty=when_empty,
            mcp=servers or McpServers("loopback" if is_loopback(address) else "off"),
        )
        policy = Policy(
            api_key=key,
            port=bound_port,
            any_address=not is_loopback(address),
            any_model=any_model,
            tls=certificate is not None,
            dialects=dialect,
            hosts=hosts,
            origins=origins,
        )
        calls = Calls(sessions, policy, media_hosts)
        place = Place(address, bound_port, certificate=certificate)
        trusting = None if certificate is None else certificate.trusting()
        beside = () if page is None else page(place.url, key, trusting)
        app = make_app(sessions, policy, calls, beside)
        config = _configuration(
            app, options, sessions.limits, compression, ping_every_s, certificate
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        listener.listen(_BACKLOG)  # More may wait than are accepted in one round of the loop.
        try:
            yield Server(address, bound_port, key, sessions, certificate=certificate)
        finally:
            await sessions.close()
            await calls.close()
            await server.shutdown(sockets=[listener])


def _configuration(
    app: ASGIApp,
    options: Options,
    limits: HostLimits,
    compression: bool,
    ping_every_s: float,
    certificate: Certificate | None,
) -> uvicorn.Config:
    showing = None if certificate is None else certificate.showing()
    doors = Doors(
        limits.visits, limits.visits_per_second, longest_us=round(LONGEST_LINE_S * US_PER_S)
    )
    return uvicorn.Config(
        app,
        ssl_context_factory=None if showing is None else lambda config, usual: showing,
        http=HttpProtocol.behind(doors),
        ws=Protocol,
        ws_max_size=_FRAME_ROOM * options.limits.frame_bytes,
        ws_ping_interval=ping_every_s,
        ws_ping_timeout=ping_every_s,
        ws_per_message_deflate=compression,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=_ACCEPTED_AT_ONCE,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )


def hand_over_quickly() -> None:
    """Let a thread that works keep the interpreter from the loop for half a millisecond at most,
    instead of five. For a process that does nothing but serve: the setting is the process's."""
    sys.setswitchinterval(_SWITCH_S)


def look_no_more_at_the_start() -> None:
    """Let the collector of garbage leave out what is there now: to look through all that the start
    has loaded takes it 20 ms, in which the loop answers nobody. For a process that does nothing but
    serve, when it has begun to."""
    gc.collect()
    gc.freeze()


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _script_factory(scenario: Scenario | str | Path, speed: float | None) -> EngineFactory:
    loaded = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    # A speed out of range or a voice that is not there is told now, not by the first session.
    ScriptEngine(loaded, speed=speed)
    for voice in sorted({each.voice for each in (loaded, *loaded.replies) if each.voice}):
        try:
            speak("a", voice=voice)
        except LocalValueError as error:
            name = loaded.name if isinstance(scenario, Scenario) else scenario
            raise LocalValueError(f"{name}: {error}") from None
    return lambda: ScriptEngine(loaded, speed=speed)


def new_key() -> str:
    """A random key for clients."""
    return f"sk-local-{secrets.token_urlsafe(24)}"


def checked_key(key: str) -> str:
    """The key, if a client can send it. Raises `LocalValueError`, which shows nothing of it."""
    if not key.strip() or not key.isascii() or not key.isprintable() or " " in key:
        raise LocalValueError("api_key cannot be sent in a header: give printable ASCII, no spaces")
    return key


@contextlib.contextmanager
def bind(host: str, port: int) -> Iterator[socket.socket]:
    """A listening address. Raises `TransportError` if it is taken or not ours."""
    if not 0 <= port <= 65_535:
        raise LocalValueError(f"port is {port}: give 0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # Without its protocol asyncio does not know the socket for TCP and leaves Nagle's algorithm
        # on: small frames would wait 40 ms for each other.
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise TransportError(f"{host} is no address to listen on: {error}") from error
    with listener:
        try:
            if sys.platform != "win32":  # There it would share the port with whoever has it.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            raise TransportError(
                f"{host}:{port} cannot be listened on: {error.strerror or error}; "
                "give another port, or 0 for any free one"
            ) from error
        yield listener
