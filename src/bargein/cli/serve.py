"""Run a local Realtime server that any OpenAI client can talk to.

It prints the two lines that point a client at it, on stdout, so that a shell can read them; all
else goes to stderr. A key that was given is never printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import click

from bargein.cli._engines import CHAT_FIELDS, SCRIPT, chat_options, engine_of, has_espeak
from bargein.cli._options import told_in_options
from bargein.cli._page import announce_page, certificate_of, new_page, tls_options
from bargein.errors import DeviceError, LocalValueError
from bargein.server.workers import WorkerEndedError, Workers, checked_count, shared_listeners
from bargein.units import US_PER_S

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from bargein.server.serving import PageAt, Place, Server
    from bargein.web.page import Page

KEY_VARIABLE = "BARGEIN_API_KEY"
_MISSING = 'the local server is not installed; pip install "bargein[local]"'


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8765, show_default=True, help="The port; 0 for any free one.")
@click.option(
    "--api-key",
    envvar=KEY_VARIABLE,
    help=f"The key that clients must send. Better in {KEY_VARIABLE}, since other users of this "
    "machine can see the command line. Without one, each start makes a random key and prints it.",
)
@click.option(
    "--engine",
    default=SCRIPT,
    show_default=True,
    metavar="script|local|chat|MODULE:NAME",
    help="What hears, thinks and speaks: 'script' says what a scenario file says; 'local' hears "
    "and answers by itself; 'chat' asks a chat-completions URL; MODULE:NAME is a class of yours.",
)
@click.option(
    "--scenario",
    help="script: a TOML file, or a built-in scenario: 'storyteller', 'demo', or 'trouble', which "
    "does what clients trip over and shows every key that a file may have.  "
    "[default: storyteller]",
)
@click.option(
    "--speed", type=float, help="script, local: how many seconds of audio are made in one second."
)
@chat_options
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every frame of every session into this file, without sound and keys.",
)
@click.option(
    "--any-model",
    is_flag=True,
    help="Take any model's name, also a transcription's, not only those of the service.",
)
@click.option(
    "--max-sessions", default=64, show_default=True, help="Sessions at once, of each worker."
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    help="Processes that share the port, one a core at most (Linux).",
)
@click.option(
    "--session-minutes",
    type=click.IntRange(1, 10_080),
    default=60,
    show_default=True,
    help="After so long a session is told that it expired and closed, as the service does.",
)
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME[:PORT]",
    help="A further name by which clients call this server, such as a proxy's.",
)
@click.option(
    "--allow-origin",
    multiple=True,
    metavar="ORIGIN",
    help="A page that may use this server, such as https://example.org.",
)
@click.option(
    "--dialect",
    type=click.Choice(["ga", "beta", "both"]),
    default="ga",
    show_default=True,
    help="'ga' refuses the header OpenAI-Beta, as the service does since May 2026; 'beta' speaks "
    "the old names and shapes; 'both' speaks them to whoever sends the header.",
)
@click.option(
    "--compression/--no-compression",
    default=True,
    show_default=True,
    help="Agree to compress frames where a client offers it, as the service does; it costs CPU.",
)
@click.option(
    "--ping-seconds",
    type=click.FloatRange(0, min_open=True),
    default=20.26,
    show_default=True,
    help="A ping so often; a client that leaves one unanswered for so long is gone.",
)
@click.option(
    "--mcp",
    type=click.Choice(["off", "loopback", "any"]),
    help="Which of the MCP servers that clients declare by `server_url` are reached. 'any' goes "
    "wherever a client says: for clients that you trust.  [default: loopback, or off with a --host "
    "that other machines can reach]",
)
@click.option(
    "--media-host",
    multiple=True,
    metavar="ADDRESS",
    help="An address of this machine where the media of calls arrive (WebRTC). May be repeated.  "
    "[default: all there are]",
)
@tls_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of exports.")
def command(**given: Any) -> None:
    """Run a local Realtime server that any OpenAI client can talk to.

    It speaks the GA protocol of the OpenAI Realtime API over WebSocket and, with the extra webrtc,
    in calls: turns are detected in what it hears, it answers with spoken stories, and it can be
    interrupted. Nothing leaves this
    machine, but to URLs that you give. To use it, start it, and run in another terminal the two
    lines that it prints:

    \b
        bargein serve
        export OPENAI_BASE_URL=http://127.0.0.1:8765/v1
        export OPENAI_API_KEY=sk-local-...

    Then any OpenAI client, such as `AsyncOpenAI().realtime.connect(model="gpt-realtime-2.1")`,
    talks to it. Ctrl-C ends it.

    What it says comes from a scenario, a TOML file:

    \b
        [[replies]]
        [[replies.outputs]]
        say = "Hello there!"

    Or it listens and answers by itself, as a storyteller, with no key and no network:

    \b
        bargein serve --engine local

    Or from a model of yours, behind a chat-completions URL, such as Ollama's:

    \b
        bargein serve --engine chat --chat-url http://127.0.0.1:11434/v1 --chat-model llama3.2

    It is asked as the turn ends and speaks sentence by sentence while it thinks. For it to know
    what was said aloud, give it ears: --hear-url, --hear-locally, or --mind-hears for a model that
    takes sound.
    """
    asked = {name: given.pop(name) for name in CHAT_FIELDS}
    with contextlib.suppress(KeyboardInterrupt), told_in_options():
        asyncio.run(_serve(Asked(**given, chat=asked)))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Asked:
    """The command line, read."""

    host: str
    port: int
    api_key: str | None
    engine: str
    scenario: str | None
    speed: float | None
    trace: Path | None
    any_model: bool
    max_sessions: int
    session_minutes: int
    allow_host: tuple[str, ...]
    allow_origin: tuple[str, ...]
    dialect: Literal["ga", "beta", "both"]
    compression: bool
    ping_seconds: float
    mcp: str | None
    media_host: tuple[str, ...]
    tls: bool
    tls_cert: Path | None
    tls_key: Path | None
    as_json: bool
    chat: Mapping[str, Any]
    workers: int

    def for_worker(self, **changes: Any) -> bytes:
        """For a worker."""
        return json.dumps({**asdict(self), **changes}, default=str).encode()

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """What `for_worker` gave."""
        paths = ("trace", "tls_cert", "tls_key")
        read = {name: None if settings[name] is None else Path(settings[name]) for name in paths}
        return cls(**{**settings, **read})


async def _serve(asked: Asked) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no such handlers; there Ctrl-C cancels this coroutine, with the same end.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    if checked_count(asked.workers) > 1:
        await _serve_by_workers(asked, stop)
    else:
        page = new_page()
        async with server_of(asked, page=None if page is None else page.at) as server:
            rest_the_collector()
            _announce(server, server.api_key, asked, page)
            if page is not None and not asked.as_json:
                announce_page(page, server.address, server.certificate)
            await stop.wait()
    click.echo("Ended.", err=True)


async def _serve_by_workers(asked: Asked, stop: asyncio.Event) -> None:
    if asked.tls or asked.tls_cert:
        raise LocalValueError(
            "--tls: the page and its certificate have one process; leave out --workers"
        )
    if asked.media_host:
        raise LocalValueError("--media-host: calls have one process; leave out --workers")
    if asked.trace is not None:
        raise LocalValueError("--trace is one process's: leave out --workers")
    try:
        from bargein.server.serving import Place, bind, checked_key, new_key
    except ImportError as error:
        raise DeviceError(_MISSING) from error
    key = new_key() if asked.api_key is None else checked_key(asked.api_key)
    with bind(asked.host, asked.port) as listener:
        place = Place(*listener.getsockname()[:2])
        with shared_listeners(listener, asked.workers) as listeners:
            workers = Workers(
                (sys.executable, "-m", "bargein.cli._worker"),
                asked.for_worker(api_key=key),
                listeners,
                tell=lambda text: click.echo(text, err=True),
            )
            async with _with_the_workers_code(workers.running()):
                _announce(place, key, asked)
                ends = [asyncio.create_task(event.wait()) for event in (stop, workers.failed)]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for end in ends:
                    end.cancel()
    if workers.failed.is_set():
        raise DeviceError("the workers do not stay alive; what they said last stands above")


@asynccontextmanager
async def _with_the_workers_code(running: AbstractAsyncContextManager[None]) -> AsyncIterator[None]:
    """A worker that does not start has said why: its exit code is ours."""
    try:
        async with running:
            yield
    except WorkerEndedError as error:
        if error.code < 0:
            raise
        raise SystemExit(error.code) from None


def rest_the_collector() -> None:
    """As the server does it, which is loaded by now."""
    from bargein.server.serving import look_no_more_at_the_start

    look_no_more_at_the_start()


def server_of(
    asked: Asked, listener: socket.socket | None = None, page: PageAt | None = None
) -> AbstractAsyncContextManager[Server]:
    """The server that was asked for, in this process."""
    if asked.engine == SCRIPT and not has_espeak():
        raise DeviceError(_MISSING)
    try:
        from bargein.server.engines.scenario import DEFAULT_SCENARIO
        from bargein.server.giving_back import give_back_memory, keep_one_heap
        from bargein.server.limits import HostLimits
        from bargein.server.model.options import Options
        from bargein.server.serving import hand_over_quickly, serve_local
    except ImportError as error:
        raise DeviceError(_MISSING) from error
    hand_over_quickly()
    keep_one_heap()
    return serve_local(
        asked.scenario or DEFAULT_SCENARIO,
        host=asked.host,
        port=asked.port,
        api_key=asked.api_key,
        speed=asked.speed,
        engine=engine_of(asked.engine, asked.chat, asked.speed, asked.scenario),
        options=Options(session_us=asked.session_minutes * 60 * US_PER_S),
        limits=HostLimits(sessions=asked.max_sessions),
        trace=asked.trace,
        any_model=asked.any_model,
        allowed_hosts=frozenset(asked.allow_host),
        allowed_origins=frozenset(asked.allow_origin),
        dialect=asked.dialect,
        compression=asked.compression,
        ping_every_s=asked.ping_seconds,
        listener=listener,
        when_empty=give_back_memory,
        mcp=asked.mcp,
        # A hang-up, or a sideband, would find another of several processes.
        media_hosts=tuple(asked.media_host) if asked.workers == 1 else None,
        page=page,
        certificate=certificate_of(asked),
    )


def _announce(place: Place, key: str, asked: Asked, page: Page | None = None) -> None:
    """Tell how to reach the server; a key only if this start made it."""
    from bargein.server.engines.scenario import DEFAULT_SCENARIO
    from bargein.server.serving import is_loopback

    own_key = key if asked.api_key is None else None
    has_calls = asked.workers == 1 and find_spec("aiortc") is not None
    calls_url = f"{place.url}/realtime/calls" if has_calls else None
    playing = asked.scenario or DEFAULT_SCENARIO
    if asked.as_json:
        urls = {"base_url": place.url, "ws_url": place.ws_url}
        told = {
            **urls,
            "calls_url": calls_url,
            "page_url": page and page.link(),
            "api_key": own_key,
        }
        scenario = playing if asked.engine == SCRIPT else None
        click.echo(json.dumps({**told, "engine": asked.engine, "scenario": scenario}))
    else:
        click.echo(f"export OPENAI_BASE_URL={shlex.quote(place.url)}")
        if own_key is not None:
            click.echo(f"export OPENAI_API_KEY={own_key}")
        else:
            click.echo("# OPENAI_API_KEY must be the key that this server was given.")
    says = f"saying {playing!r}" if asked.engine == SCRIPT else f"engine {asked.engine!r}"
    click.echo(f"A local OpenAI Realtime server, {says}. Ctrl-C ends it.", err=True)
    if calls_url is not None:
        click.echo(f"It takes calls over WebRTC at {calls_url}", err=True)
    if place.certificate is None and not is_loopback(place.address):
        click.echo(
            f"Warning: {place.address} can be reached from other machines. Keys and speech cross "
            "the network unencrypted.",
            err=True,
        )
