"""Ask a Realtime server how it behaves, and hold its answers against what is known of OpenAI's.

What is asked, and what an answer should be, is in `bargein.lab.conformance`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import parse_qs, urlsplit

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bargein import __version__
from bargein.client.config import socket_url
from bargein.client.servers import key_variable, usual_auth
from bargein.errors import LocalValueError
from bargein.secret import Secret
from bargein.transports.websocket import Auth, place

if TYPE_CHECKING:
    from bargein.lab.conformance.question import Question
    from bargein.lab.conformance.result import Result
    from bargein.lab.conformance.script import Talk

MODEL = "gpt-realtime"
_PLAIN_COLUMNS = 120
_LIMIT_TIMES = 15
"""All talks together may take so many times as long as one wait for a reply."""
_ANSWER_SHARE = 4
_LEAST_ANSWER_S = 1.0
_INSTALL = 'pip install "bargein[webrtc]"'
_TOKENS_HEARD_PER_S, _TOKENS_SPOKEN_PER_S = 20, 10
"""Of the model's sound, and of ours (protocol.md §2.4)."""


@click.command()
@click.argument("url", required=False)
@click.option(
    "--api-key",
    help="The key; better in OPENAI_API_KEY (or AZURE_OPENAI_API_KEY, at Azure), since other users "
    "of this machine can see the command line. Without any, none is sent.",
)
@click.option("--model", help=f"The model, if URL names none; {MODEL} if none is given.")
@click.option(
    "--auth",
    type=click.Choice(get_args(Auth)),
    help="Where the key goes. At Azure 'api-key' if nothing is said, elsewhere 'header'.",
)
@click.option(
    "--dialect",
    type=click.Choice(["ga", "beta"]),
    default="ga",
    show_default=True,
    help="What to speak. A server that shows a flat session is spoken to in beta anyway.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="SECTION",
    help="Ask the questions of this section; may be repeated. See --list.",
)
@click.option("--list", "listing", is_flag=True, help="List the questions, and ask none.")
@click.option("--all", "every_row", is_flag=True, help="Show also what is as the reference.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the result as a page with pictures: one file that needs no other.",
)
@click.option(
    "--capabilities",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what a client must know of this server: the file that "
    "bargein.connect(capabilities=...) takes.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1, max=600),
    default=20.0,
    show_default=True,
    help="Seconds to wait for a reply of the model. An answer of the protocol has a quarter of it, "
    f"all questions together {_LIMIT_TIMES} times as long.",
)
@click.option("--yes", is_flag=True, help="Do not ask before it costs something.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Ask a Realtime server how it behaves, and hold its answers against what is known of OpenAI's.

    URL is a base such as https://api.openai.com/v1, or a whole address such as
    wss://RESOURCE.openai.azure.com/openai/v1/realtime?model=DEPLOYMENT. Some dozen short
    conversations are held there: who is let in, how a session begins, in which order turns are
    told, who interrupts and how, what is refused and in which words. The reference is
    docs/protocol.md.

    \b
    Exit code 0: every answer is as the reference.
              1: something differs or was not answered, or the server cannot be reached.
              2: the call cannot be.
    """
    asked = _Asked(**given)
    if asked.listing:
        _list(asked.questions())
        return
    if asked.url is None:
        raise click.UsageError("Missing argument 'URL'.")
    try:
        ctx.exit(0 if _conform(asked, asked.url) else 1)
    except LocalValueError as error:
        click.echo(f"Error: {error}", err=True)
        ctx.exit(2)
    except KeyboardInterrupt:
        click.echo("Interrupted; nothing was written.", err=True)
        ctx.exit(130)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Asked:
    """The command line, read."""

    url: str | None
    api_key: str | None
    model: str | None
    auth: Auth | None
    dialect: Literal["ga", "beta"]
    only: tuple[str, ...]
    listing: bool
    every_row: bool
    as_json: bool
    report: Path | None
    capabilities: Path | None
    timeout: float
    yes: bool

    def questions(self) -> tuple[Question, ...]:
        """Those that are to be asked. Raises `click.UsageError` for a section that there is not."""
        from bargein.lab.conformance.topics import QUESTIONS, SECTIONS

        for section in self.only:
            if section not in SECTIONS:
                raise click.UsageError(
                    f"--only: there is no section {section!r}; give one of {', '.join(SECTIONS)}"
                )
        if importlib.util.find_spec("aiortc") is None and not self.listing:
            return self._without_calls()
        return tuple(each for each in QUESTIONS if not self.only or each.section in self.only)

    def _without_calls(self) -> tuple[Question, ...]:
        """Where no call can be made from here. Raises `LocalValueError` if they were asked for."""
        from bargein.lab.conformance.topics import QUESTIONS
        from bargein.lab.conformance.topics.calls import SECTION

        if SECTION in self.only:
            raise LocalValueError(f"only: {SECTION!r} needs {_INSTALL}")
        click.echo(f"Calls over WebRTC are not asked about: that needs {_INSTALL}.", err=True)
        return tuple(
            each
            for each in QUESTIONS
            if each.section != SECTION and (not self.only or each.section in self.only)
        )


def _conform(asked: _Asked, url: str) -> bool:
    from bargein.lab import outdir
    from bargein.lab.conformance.asking import Asker
    from bargein.lab.conformance.learned import as_file, calls_of
    from bargein.lab.conformance.line import Place
    from bargein.lab.conformance.result import as_json, result_of, talks_of
    from bargein.lab.conformance.table import show

    address = socket_url(url, asked.model or MODEL)
    auth = asked.auth or usual_auth(address)
    key = asked.api_key or os.environ.get(key_variable(address))
    where = Place(
        address,
        Secret(key) if key else None,
        auth,
        asked.dialect,
        reply_s=asked.timeout,
        answer_s=max(_LEAST_ANSWER_S, asked.timeout / _ANSWER_SHARE),
        limit_s=_LIMIT_TIMES * asked.timeout,
    )
    for file in (asked.report, asked.capabilities):
        if file is not None:
            outdir.prepare(file.absolute().parent)
    questions = asked.questions()
    talks = talks_of(questions)
    about = {
        "asked": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "server": place(address),
        "model": _model(address),
        "bargein": __version__,
    }
    _may_cost(asked, address, talks)
    with _progress(talks, quiet=asked.as_json) as progress:
        seen = asyncio.run(Asker(where).hold(talks, progress))
    result = result_of(questions, seen, asked.dialect)
    if asked.report is not None:
        from bargein.lab.conformance.report import page

        outdir.write_text(asked.report, page(result, about))
    if asked.capabilities is not None:
        outdir.write_text(
            asked.capabilities, as_file(result.learned, about, calls_of(result.outcomes))
        )
    if asked.as_json:
        click.echo(json.dumps(as_json(result, about), indent=2, ensure_ascii=False))
    else:
        console = _console()
        console.print(f"{about['server']}, model {about['model']}", style="bold")
        console.print()
        show(console, result, every_row=asked.every_row)
        _told(asked, result)
    return result.conforms


def _told(asked: _Asked, result: Result) -> None:
    for file in (asked.report, asked.capabilities):
        if file is not None:
            click.echo(f"Written: {file}", err=True)
    if not any(seen.started for seen in result.seen.values()):
        click.echo("No session began: is the key right, and the model?", err=True)


def _model(address: str) -> str:
    names = parse_qs(urlsplit(address).query)
    return next(iter(names.get("model", [])), "(none)")


def _may_cost(asked: _Asked, address: str, talks: tuple[Talk, ...]) -> None:
    """Say what it costs roughly, where it may cost, and ask."""
    from bargein.lab.conformance.result import cost_of

    host = urlsplit(address).hostname or ""
    cost = cost_of(talks)
    if host in ("localhost", "127.0.0.1", "::1") or not (cost.replies or cost.spoken_ms):
        return
    heard = round(cost.heard_ms / 1_000 * _TOKENS_HEARD_PER_S, -2)
    spoken = round(cost.spoken_ms / 1_000 * _TOKENS_SPOKEN_PER_S, -1)
    click.echo(
        f"{host} is asked for {cost.replies} replies, most of them cut short: roughly "
        f"{heard:.0f} tokens of sound made, {spoken:.0f} of sound heard, and a few thousand of "
        "text. What that costs is between you and the service.",
        err=True,
    )
    if asked.yes:
        return
    if not sys.stdin.isatty():
        raise LocalValueError("yes: nobody can be asked here; give --yes")
    if not click.confirm("Go on?", err=True):
        raise LocalValueError("yes: it was not wanted; nothing was sent")


@contextlib.contextmanager
def _progress(talks: tuple[Talk, ...], *, quiet: bool) -> Iterator[Any]:
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=len(talks))
        begun = 0

        def tell(talk: Talk) -> None:
            nonlocal begun
            progress.update(task, completed=begun, description=f"{talk.name:<30}")
            begun += 1

        yield tell


def _console() -> Console:
    """Standard output; where that is no terminal, wide enough for the table."""
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        return console
    return Console(highlight=False, markup=False, emoji=False, width=_PLAIN_COLUMNS)


def _list(questions: tuple[Question, ...]) -> None:
    for question in questions:
        click.echo(f"{question.name:<36} {question.source:<12} {question.asks}")
