"""Talk over an assistant, and see what it remembers: a spoken conversation in half a minute.

What is played, what is drawn and what is judged is in `bargein.lab`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import platform
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from rich.console import Console

from bargein import __version__
from bargein.errors import BargeinError, DeviceError, LocalValueError

if TYPE_CHECKING:
    from bargein.lab.demo import Call, Held
    from bargein.lab.screen import NoScreen

_NEEDED = ("espeakng_loader", "soundfile", "starlette", "uvicorn")
_VERSIONS = ("websockets", "msgspec", "numpy", "espeakng-loader")
_PLAIN_COLUMNS = 120


MODEL = "gpt-realtime"
"""Asked for with --url, where no other is."""


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("bargein-demo"),
    show_default=True,
    help="The folder for ear.wav, timeline.svg, session.trace and report.json; other files in it "
    "are left alone.",
)
@click.option(
    "--wav",
    type=click.Path(path_type=Path),
    help="A recording of your own, up to a minute, as the user's opening words: any format and "
    "rate that libsndfile reads. Silence before and after it is left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON and nothing else.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Draws the card (block, latency, drain or discard) and the moments of the interruptions.",
)
@click.option(
    "--url",
    help="Do it with this Realtime service, such as https://api.openai.com/v1, instead of a local "
    "server. It costs what the service asks for a minute of speech.",
)
@click.option(
    "--api-key",
    help="The key for --url; better in OPENAI_API_KEY, since other users of this machine can see "
    "the command line.",
)
@click.option("--model", help=f"The model for --url; {MODEL} if none is given.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Talk over an assistant, and see what it remembers: a spoken conversation in half a minute.

    A user asks for a story, talks over it in mid-sentence, asks for something else, talks over that
    too, and lets the last reply finish. Everything is real but the sound card and the user: the
    server, the WebSocket, the client and the time. At the end a table says for each interruption
    what was heard and what the service keeps of it, and each promise is held against what was seen.

    \b
    Exit code 0: every promise was kept.
              1: one was broken, or the two interruptions did not come about.
              2: the conversation could not be begun, or its files not be written.
    """
    try:
        ctx.exit(0 if _demo(_Asked(**given)) else 1)
    except BargeinError as error:
        click.echo(f"Error: {error}", err=True)
        ctx.exit(2)
    except KeyboardInterrupt:
        click.echo("Interrupted; nothing was written but the trace.", err=True)
        ctx.exit(130)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Asked:
    """The command line, read."""

    out: Path
    wav: Path | None
    as_json: bool
    seed: int
    url: str | None
    api_key: str | None
    model: str | None


def _demo(asked: _Asked) -> bool:
    """Hold the conversation, write the files, tell the result: whether all was kept."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise DeviceError(
            f'the demo needs {", ".join(missing)}; install it with: pip install "bargein[local]"'
        )
    if asked.api_key is not None and asked.url is None:
        raise LocalValueError("api-key: the local server makes its own; give it with --url")
    if asked.model is not None and asked.url is None:
        raise LocalValueError("model: the local server plays a script; give it with --url")
    from bargein.lab import outdir
    from bargein.lab.demo import Call, hold
    from bargein.lab.plan import plan_of

    outdir.prepare(asked.out)
    call = Call(
        plan=plan_of(asked.seed),
        trace=asked.out / "session.trace",
        recording=asked.wav,
        url=asked.url,
        api_key=asked.api_key,
        model=asked.model or MODEL,
    )
    console = _console()
    started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    if not asked.as_json:
        console.print(_opening(asked), soft_wrap=True)
    with _screen(asked, console) as screen:
        held = _run(hold(call, screen))
    return _tell(asked, call, held, console, started)


def _run(conversation: Awaitable[Held]) -> Held:
    async def main() -> Held:
        return await conversation

    return asyncio.run(main())


def _console() -> Console:
    """Standard output; where that is no terminal, wide enough for the table."""
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        return console
    return Console(highlight=False, markup=False, emoji=False, width=_PLAIN_COLUMNS)


def _screen(asked: _Asked, console: Console) -> NoScreen:
    from bargein.lab.screen import LiveScreen, NoScreen, PlainScreen

    if asked.as_json:
        return NoScreen()
    return LiveScreen(console) if console.is_terminal else PlainScreen(console)


def _opening(asked: _Asked) -> str:
    service = _service(asked) if asked.url else "a local server, over a WebSocket"
    return f"A user, a virtual sound card and {service}; half a minute, seed {asked.seed}."


def _service(asked: _Asked) -> str:
    """The service's name, without what a URL may carry in secret."""
    parts = urlsplit(asked.url or "")
    host = parts.netloc.rpartition("@")[2]
    return f"{host}{parts.path}, model {asked.model or MODEL}"


def _tell(asked: _Asked, call: Call, held: Held, console: Console, started: str) -> bool:
    from bargein.audio.files import write_wav
    from bargein.lab import outdir, table
    from bargein.lab.report import as_json, report_of
    from bargein.lab.timeline import timeline

    observed, plan, out = held.observed, call.plan, asked.out
    report = report_of(observed, plan)
    about = {
        "started": started,
        "versions": _versions(),
        "service": _service(asked) if asked.url else "local server, scenario 'demo'",
        "opening": "synthesized" if asked.wav is None else asked.wav.name,
    }
    judged = json.dumps(as_json(report, observed, plan, about), indent=2, ensure_ascii=False)
    write_wav(out / "ear.wav", held.sound, observed.card.rate)
    outdir.write_text(out / "timeline.svg", timeline(observed, report, plan))
    outdir.write_text(out / "report.json", judged + "\n")
    if asked.as_json:
        click.echo(judged)
    else:
        table.show(console, report)
        files = "ear.wav, timeline.svg, session.trace and report.json"
        console.print(f"In {out}: {files}.", soft_wrap=True)
    return report.ok


def _versions() -> dict[str, str]:
    found = {"bargein": __version__, "python": platform.python_version()}
    found |= {name: metadata.version(name) for name in _VERSIONS}
    return {**found, "system": f"{platform.system()} {platform.machine()}"}
