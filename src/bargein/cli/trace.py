"""Read the trace of a session: show it, replay it, check it, or shorten one that broke a promise.

A trace is written by `connect(trace=…)`. It holds what was said as text, and neither sound nor
keys.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

import click
import msgspec
from rich.console import Console
from rich.text import Text

from bargein.core.machine import Machine
from bargein.core.messages import messages
from bargein.core.readable import to_json, to_markdown
from bargein.errors import LocalValueError
from bargein.trace.format import JsonObject, Reader
from bargein.trace.replay import Difference, feed, replay
from bargein.trace.show import Kind, rows

_STYLES: Final[dict[Kind, str]] = {
    "remote": "cyan",
    "local": "green",
    "sound": "blue",
    "cut": "bold magenta",
    "fault": "bold red",
    "told": "",
    "dull": "dim",
}


_JUDGING: Final = ("check", "shorten")


class _Group(click.Group):
    """What judges a session needs the simulator, which is loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_JUDGING])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _JUDGING:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module("bargein.cli._trace_check")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.group(name="trace", cls=_Group)
def command() -> None:
    """Show the trace of a session, replay it, print its conversation, check it, shorten it."""


@command.command("show")
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="One JSON object a row.")
@click.option("--all", "unfolded", is_flag=True, help="A row for each input and each command.")
def show_command(file: str, as_json: bool, unfolded: bool) -> None:
    """Print the trace in FILE as a log: what came, what went, what was heard, and when."""
    with _reading(file) as reader:
        head = reader.header
        console = Console(highlight=False, soft_wrap=True, markup=False)
        if not as_json:
            session = {k: v for k, v in head.settings.items() if k != "session"}
            console.print(f"bargein {head.bargein}, started {head.started}, times in seconds")
            console.print(f"settings {_json(session)}", style="dim")
            console.print(f"session {_json(head.settings.get('session', {}))}\n", style="dim")
        for row in rows(reader, unfolded=unfolded):
            if as_json:
                click.echo(msgspec.json.encode(row))
            else:
                console.print(Text(row.text(), style=_STYLES[row.kind]))
        if reader.cut:
            click.echo("The trace has no end: its writer died or is still writing.", err=True)


@command.command("replay")
@click.argument("file", type=click.Path())
@click.pass_context
def replay_command(ctx: click.Context, file: str) -> None:
    """Feed the trace in FILE to this version's machine and name the first difference.

    Exit code 0: it does the same. 1: it does something else. 2: the file cannot be replayed.
    """
    with _reading(file) as reader:
        result = replay(reader, Machine)
    if result.difference is not None:
        _tell(file, result.difference, result.inputs)
        ctx.exit(1)
    click.echo(f"{result.inputs} inputs gave the same {result.commands} commands.")
    if result.lost_at_line is not None:
        click.echo(
            f"{file}:{result.lost_at_line}: inputs are missing; the replay ends here", err=True
        )
        ctx.exit(2)
    if result.cut:
        click.echo("The trace has no end: its writer died or is still writing.", err=True)


@command.command("conversation")
@click.argument("file", type=click.Path())
@click.option("--json", "form", flag_value="json", help="As JSON, with all that is known.")
@click.option("--messages", "form", flag_value="messages", help="As messages for a chat model.")
def conversation_command(file: str, form: str | None) -> None:
    """Print the conversation of the trace in FILE as it was at its end, in Markdown."""
    with _reading(file) as reader:
        machine = Machine(reader.settings())
        ended = feed(reader, machine)
    items = machine.conversation.items
    match form:
        case "json":
            click.echo(to_json(items))
        case "messages":
            click.echo(msgspec.json.format(msgspec.json.encode(messages(items))))
        case _:
            click.echo(to_markdown(items), nl=False)
    if ended is not None:
        click.echo(f"{file}:{ended}: what follows here cannot be replayed", err=True)


def _tell(file: str, found: Difference, inputs: int) -> None:
    click.echo(
        f"{file}:{found.line}: the machine now does something else, at "
        f"{found.at_us / 1e6:.6f} s on its clock, after {inputs - 1} inputs that gave the same."
    )
    click.echo(f"  input     {_json(found.input)}")
    click.echo(f"  command   the {found.index + 1}. of this input")
    click.echo(f"  recorded  {'nothing' if found.recorded is None else _json(found.recorded)}")
    click.echo(f"  now       {'nothing' if found.now is None else _json(found.now)}")


def _json(raw: JsonObject) -> str:
    return msgspec.json.encode(raw).decode()


@contextmanager
def _reading(path: str) -> Iterator[Reader]:
    file = _opened(path)
    with file:
        try:
            yield Reader(file)
        except LocalValueError as error:
            raise LocalValueError(f"{path}: {error}") from error


def _opened(path: str) -> IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise LocalValueError(f"{os.fspath(path)}: {error.strerror}") from error
