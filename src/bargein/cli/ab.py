"""Stop the same stories over WebSocket and WebRTC, beside a client that stops wrongly.

What is played, measured and drawn is in `bargein.lab.ab`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.status import Status

from bargein import __version__
from bargein.errors import BargeinError, DeviceError, LocalValueError

if TYPE_CHECKING:
    from bargein.lab.ab.measure import Figures
    from bargein.lab.ab.report import Report
    from bargein.lab.ab.scenario import Scenario, Story
    from bargein.lab.ab.stage import Place, Run

_NEEDED = {"espeakng_loader": "local", "starlette": "local", "uvicorn": "local", "aiortc": "webrtc"}
_VERSIONS = ("websockets", "aiortc", "numpy")
_PLAIN_COLUMNS = 120
_RATE = 24_000


@click.command()
@click.option(
    "--scenario",
    type=click.Path(path_type=Path),
    help="The stories, a TOML file; without one, those that come with the package.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("bargein-ab"),
    show_default=True,
    help="The folder for report.html, report.json and the WAV files; other files in it are left "
    "alone.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON and nothing else.")
@click.option(
    "--url",
    help="Do it with this Realtime service, such as https://api.openai.com/v1, instead of a local "
    "server. It costs what the service asks for some minutes of speech.",
)
@click.option(
    "--api-key",
    help="The key for --url; better in OPENAI_API_KEY, since other users of this machine can see "
    "the command line.",
)
@click.option("--model", help="The model for --url; gpt-realtime if none is given.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Stop the same stories over WebSocket and WebRTC, beside a client that stops wrongly.

    In each story a reply is stopped once: by a button, by talking, by typing, by push-to-talk, or
    when it was made whole and still sounds. It is played over both transports, by this client and
    by a naive one, which truncates and cancels and does nothing else. What the ear heard after the
    stop, what left the service and what it keeps are counted and drawn side by side, and every run
    can be listened to.

    \b
    Exit code 0: this client was silent two frames of 20 ms after each stop.
              1: it was not, or a story did not come about.
              2: no session could be begun, or the files not be read or written.
    """
    try:
        ctx.exit(0 if _ab(**given) else 1)
    except BargeinError as error:
        click.echo(f"Error: {error}", err=True)
        ctx.exit(2)
    except KeyboardInterrupt:
        click.echo("Interrupted; the sound of the stories that were over is written.", err=True)
        ctx.exit(130)


def _ab(
    scenario: Path | None,
    out: Path,
    as_json: bool,
    url: str | None,
    api_key: str | None,
    model: str | None,
) -> bool:
    """Play the stories, write the files, tell the result: whether all stopped."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        extras = ",".join(sorted({_NEEDED[name] for name in missing}))
        raise DeviceError(
            f'this needs {", ".join(missing)}; install it with: pip install "bargein[{extras}]"'
        )
    for name, value in (("api-key", api_key), ("model", model)):
        if value is not None and url is None:
            raise LocalValueError(f"{name}: the local server has its own; give it with --url")
    from bargein.lab import outdir
    from bargein.lab.ab.play import MODEL, play
    from bargein.lab.ab.scenario import load
    from bargein.lab.ab.stage import Place

    loaded = load(scenario)
    outdir.prepare(out)
    place = None if url is None else Place(url, api_key, model or MODEL, False)
    about = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": _versions(),
        "service": "a local server" if place is None else _service(place),
        "scenario_file": "report.toml" if scenario is None else scenario.name,
    }
    console = _console(quiet=as_json)
    console.print(_opening(loaded, about), soft_wrap=True)
    with _Told(console, out, len(loaded.stories)) as told:
        report = asyncio.run(play(loaded, place, told))
    return _tell(report, about, out, console, as_json)


class _Told:
    """Shows each story as it is over, and meanwhile that there is something to wait for; writes
    its sound."""

    def __init__(self, console: Console, out: Path, stories: int) -> None:
        self._console, self._out, self._stories = console, out, stories
        self._status: Status | None = None
        self._number = 0
        self._began_s = 0.0
        self._name = ""

    def __enter__(self) -> _Told:
        if self._console.is_terminal:
            self._status = self._console.status("")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def begins(self, story: Story) -> None:
        self._number += 1
        self._began_s, self._name = time.monotonic(), story.name
        if self._status is None:
            self._console.print(f"{self._number}/{self._stories} {story.name} …", soft_wrap=True)
        self.passes()

    def passes(self) -> None:
        if self._status is not None:
            seconds = time.monotonic() - self._began_s
            self._status.update(
                f"{self._number}/{self._stories} {self._name}, {seconds:.0f} s: two clients over "
                "two transports"
            )

    def ended(self, story: Story, runs: tuple[Run, ...], figures: tuple[Figures, ...]) -> None:
        from bargein.audio.files import write_wav
        from bargein.lab.ab.report import file_of
        from bargein.lab.ab.table import show_story

        for run, told in zip(runs, figures, strict=True):
            write_wav(self._out / file_of(told), run.sound, _RATE)
        show_story(self._console, story, figures)


def _opening(scenario: Scenario, about: dict[str, Any]) -> str:
    count = len(scenario.stories)
    return (
        f"{count} {'story' if count == 1 else 'stories'} with {about['service']}, over WebSocket "
        "and WebRTC, by bargein and by a naive client; some 15 s each."
    )


def _console(*, quiet: bool) -> Console:
    """Standard output, wide enough for the tables; with --json, standard error."""
    console = Console(highlight=False, markup=False, emoji=False, stderr=quiet)
    if console.is_terminal:
        return console
    return Console(highlight=False, markup=False, emoji=False, stderr=quiet, width=_PLAIN_COLUMNS)


def _service(place: Place) -> str:
    """The service's name, without what a URL may carry in secret."""
    parts = urlsplit(place.url)
    host = parts.netloc.rpartition("@")[2]
    return f"{host}{parts.path}, model {place.model}"


def _tell(
    report: Report, about: dict[str, Any], out: Path, console: Console, as_json_: bool
) -> bool:
    from bargein.lab import outdir
    from bargein.lab.ab.page import page
    from bargein.lab.ab.report import as_json
    from bargein.lab.ab.table import show_verdict

    told = json.dumps(as_json(report, about), indent=2, ensure_ascii=False)
    outdir.write_text(out / "report.html", page(report, about))
    outdir.write_text(out / "report.json", told + "\n")
    show_verdict(console, report)
    console.print(f"In {out}: report.html, report.json and the WAV files.", soft_wrap=True)
    if as_json_:
        click.echo(told)
    return report.ok


def _versions() -> dict[str, str]:
    found = {"bargein": __version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in _VERSIONS}
