"""Play simulated conversations and check the promises in each of them.

A seed is one conversation: network, sound card, server and user are drawn from it, and the same
seed is the same conversation on every machine. A seed that breaks a promise is shrunk to the
plainest conversation that still breaks it, and told as a table.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import msgspec
from click.core import ParameterSource

from bargein import __version__
from bargein.cli import _coverage
from bargein.cli._seeds import Played, play
from bargein.errors import LocalValueError
from bargein.sim.campaign import Failure
from bargein.sim.episode import Episode, run
from bargein.sim.features import FEATURES
from bargein.sim.regression import read, written
from bargein.sim.shrink import shrink
from bargein.sim.traces.traced import traced
from bargein.units import US_PER_S

_TOLD = 3
"""Failing seeds that are shrunk and told; the others are listed."""
_LISTED = 20
"""Of the others, so many are listed."""
_REGRESSIONS = Path("tests/regressions")
_ELSEWHERE = Path("bargein-sim")


_COMMANDS = {
    "mutants": "Put errors into the client, and see each noticed.",
    "orders": "Play every order of small scenes.",
}
"""In `sim_NAME.py`, imported only when called for."""


class _Group(click.Group):
    """Plays when it is given no subcommand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"bargein.cli.sim_{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The command line, read."""

    seed: int | None
    tape: Path | None
    episodes: int
    first_seed: int
    jobs: int
    only: str | None
    everything: bool
    trace: Path | None
    keep: Path | None
    as_json: bool

    @property
    def folder(self) -> Path:
        """Where conversations that break a promise go."""
        if self.keep is not None:
            return self.keep
        return _REGRESSIONS if _REGRESSIONS.is_dir() else _ELSEWHERE


@click.group("sim", cls=_Group, invoke_without_command=True)
@click.option("--seed", type=click.IntRange(0), help="Play this one conversation and tell it.")
@click.option(
    "--tape",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Play the conversation in this file and tell it.",
)
@click.option(
    "--episodes", type=click.IntRange(1), default=1_000, show_default=True, help="How many seeds."
)
@click.option(
    "--first-seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Where the seeds begin.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="How many processes."
)
@click.option(
    "--only",
    metavar="FEATURE",
    help="Only worlds with this one unusual feature; 'list' names them all.",
)
@click.option("--all", "everything", is_flag=True, help="In the story, leave nothing out.")
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the client's side of the one conversation as a trace, for 'bargein trace'.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write conversations that break a promise, as tapes that --tape replays; "
    f"without it {_REGRESSIONS} below this folder, or if there is none, ./{_ELSEWHERE}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Simulate conversations full of interruptions and check what was promised.

    With --seed or --tape one conversation is told as a table. Without, many are played, and at the
    end stands what they have met: every rule, race, refusal and kind of cut that is known, how
    often, and loudly what was never met; --json names for each the first seed that met it. Ctrl-C
    ends early and tells what there is.

    \b
    Exit code 0: every promise was kept.
              1: a promise is broken, or the run was interrupted.
              2: the call cannot be understood, or a file cannot be read or written.
    """
    if ctx.invoked_subcommand is not None:
        _refuse_options(ctx)
        return
    asked = _Asked(**given)
    if asked.only == "list":
        _list_features(asked.as_json)
        return
    if asked.only is not None and asked.only not in FEATURES:
        raise click.UsageError(
            f"--only {asked.only}: is no feature; 'bargein sim --only list' names them all"
        )
    if asked.trace is not None and asked.seed is None and asked.tape is None:
        raise click.UsageError("--trace holds one conversation; name it with --seed or --tape")
    if asked.seed is not None and asked.tape is not None:
        raise click.UsageError("--seed and --tape are two ways to name one conversation; give one")
    if asked.tape is not None:
        if asked.only is not None:
            raise click.UsageError("--only: a tape holds its world already; leave it out")
        _tell_one(_replayed(asked.tape), str(asked.tape), asked)
    elif asked.seed is not None:
        _tell_one(run(asked.seed, only=asked.only), f"seed {asked.seed}", asked)
    else:
        _many(range(asked.first_seed, asked.first_seed + asked.episodes), asked)


def _refuse_options(ctx: click.Context) -> None:
    """What stands before the subcommand would be lost on it."""
    for option in ctx.command.params:
        given = ctx.get_parameter_source(option.name or "")
        if given is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{option.opts[0]} stands before '{ctx.invoked_subcommand}' and would be lost; "
                "options of a subcommand stand behind its name"
            )


def _list_features(as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(FEATURES))
        return
    width = max(len(name) for name in FEATURES)
    for name, sentence in FEATURES.items():
        click.echo(f"{name:<{width}}  {sentence}")


def _replayed(tape: Path) -> Episode:
    try:
        return run(read(tape.read_bytes()).tape)
    except LocalValueError as error:
        raise LocalValueError(f"{tape}: is no tape of the simulator: {error}") from error


# -- one conversation --------------------------------------------------------------------------


def _tell_one(episode: Episode, name: str, asked: _Asked) -> None:
    shown = shrink(episode) if episode.violations else episode
    if asked.as_json:
        told = {
            "name": name,
            "only": asked.only,
            "options": msgspec.to_builtins(asdict(episode.options), enc_hook=repr),
            "violations": episode.violations,
            "met": episode.met,
            "digest": episode.digest,
            "story": shown.story(everything=asked.everything).splitlines(),
        }
        click.echo(msgspec.json.encode(told))
    else:
        _tell(name, episode, shown, asked.everything)
    if asked.trace is not None:
        _write_trace(episode, asked.trace)
    if asked.tape is None or asked.keep is not None:
        _keep(shown, name, asked.folder)
    if episode.violations:
        sys.exit(1)


def _tell(name: str, episode: Episode, shown: Episode, everything: bool) -> None:
    if episode.violations:
        click.echo(f"{name}: shrunk to the plainest conversation that fails alike\n")
    click.echo(shown.story(everything=everything))
    click.echo("")
    for violation in shown.violations:
        click.echo(f"{violation.invariant} BROKEN: {violation.sentence}\n   {violation.detail}")
    if not shown.violations:
        click.echo(f"{name}: every promise was kept")


def _keep(episode: Episode, name: str, folder: Path) -> None:
    if not episode.violations:
        return
    stem = "".join(letter if letter.isalnum() else "-" for letter in Path(name).stem)
    file = folder / f"{stem}-{episode.violations[0].invariant.replace(' ', '-')}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(written(episode))
    except OSError as error:
        raise LocalValueError(
            f"keep: {file} cannot be written: {error.strerror or error}; name another folder"
        ) from error
    click.echo(f"kept as {file}", err=True)


def _write_trace(episode: Episode, file: Path) -> None:
    """As it was played, not as it was shrunk; like a live one, its owner's alone."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.writelines(traced(episode, version=__version__))
    except OSError as error:
        raise LocalValueError(
            f"trace: {file} cannot be written: {error.strerror or error}; name another file"
        ) from error


# -- many of them ------------------------------------------------------------------------------


def _many(seeds: range, asked: _Asked) -> None:
    played = play(seeds, asked.jobs, asked.only)
    broken = sorted({failure.seed for failure in played.tally.failures})
    for seed in [] if played.interrupted else broken[:_TOLD]:
        episode = run(seed, only=asked.only)
        # I10 is about two runs; such a seed may keep every other promise.
        shown = shrink(episode) if episode.violations else episode
        if not asked.as_json:
            _tell(f"seed {seed}", episode, shown, everything=False)
        name = f"seed {seed}" if asked.only is None else f"{asked.only} seed {seed}"
        _keep(shown, name, asked.folder)
    if asked.as_json:
        click.echo(msgspec.json.encode(_summary(played, asked)))
    else:
        for line in _lines(played, broken, asked):
            click.echo(line)
    if broken or played.interrupted:
        sys.exit(1)


def _summary(played: Played, asked: _Asked) -> dict[str, object]:
    tally = played.tally
    return {
        "seeds": [played.seeds.start, played.seeds.stop - 1],
        "only": asked.only,
        "interrupted": played.interrupted,
        "episodes": tally.episodes,
        "virtual_s": tally.virtual_us // US_PER_S,
        "took_s": round(played.took_s, 1),
        "episodes_per_s": round(played.episodes_per_s, 1),
        "broken": tally.broken,
        "violations": tally.violations,
        "failures": tally.failures,
        "coverage": _coverage.as_told(tally.coverage),
    }


def _lines(played: Played, broken: list[int], asked: _Asked) -> Iterator[str]:
    tally = played.tally
    if tally.episodes:
        yield from _coverage.screen(tally.coverage, tally.episodes)
        yield ""
        yield from _coverage.missing(tally.coverage, only=asked.only)
    told = set() if played.interrupted else set(broken[:_TOLD])
    rest = [failure for failure in tally.failures if failure.seed not in told]
    for failure in rest[:_LISTED]:
        yield f"also broken: {_failure_line(failure)}"
    if tally.violations - len(tally.failures) + len(rest[_LISTED:]) > 0:
        yield "and more; --json lists the first 1,000"
    if played.interrupted:
        yield f"interrupted: {tally.episodes:,} of {len(played.seeds):,} conversations were played"
    yield f"{played.sentence}: {tally.broken} broke a promise"


def _failure_line(failure: Failure) -> str:
    return f"seed {failure.seed} {failure.invariant}: {failure.detail}"
