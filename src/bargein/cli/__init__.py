"""The command `bargein`: one file a subcommand, imported only when it is called for.

1. A file of this folder that has no `_` in its name is a subcommand of its name and has a click
   command called `command`; its help in `bargein --help` is the first line of the file's docstring,
   which is read without importing the file. `sim_mutants.py` is a subcommand of `sim`; files that
   begin with `_` are what several commands share.
2. What this library raises on purpose is told in one line on stderr, with exit code 2 for what the
   caller can change in the call and 1 for the rest. There is no traceback for it.
3. What is to be read by a machine goes to stdout, everything else to stderr.
"""

from __future__ import annotations

import ast
import importlib
from importlib import resources
from typing import Any

import click

from bargein import __version__
from bargein.errors import BargeinError, LocalProtocolError


class _LazyGroup(click.Group):
    """Knows its subcommands by the names of the files."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        files = (entry.name for entry in resources.files(__package__).iterdir())
        return sorted(
            name.removesuffix(".py") for name in files if name.endswith(".py") and "_" not in name
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"{__package__}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _headline(name)) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BargeinError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(2 if isinstance(error, LocalProtocolError) else 1)


def _headline(name: str) -> str:
    """The first line of a subcommand's file."""
    source = (resources.files(__package__) / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bargein")
def main() -> None:
    """Exact interruption for the OpenAI Realtime API.

    `bargein COMMAND --help` tells what a command does and how.
    """
