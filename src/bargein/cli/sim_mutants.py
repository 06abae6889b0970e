"""Put errors into the client, one at a time, and see that the simulator notices each.

A mutant is an error that a colleague might make: a rule of the client, left out or turned round.
Conversations are played with it until one breaks a promise that the client without it keeps. A
mutant that lives through all of them means that the promise is not checked, or never at risk, or
that the rule is not needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bargein.lab import mutation, outdir
from bargein.sim.mutants.catalogue import Mutant
from bargein.sim.mutants.verdicts import Hunt, Share, Verdict, judged, markdown

BASE_SEEDS = (1, 2, 3)
"""Where to look, unless told otherwise."""

T = TypeVar("T")


@click.command("mutants")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--base-seed",
    "base_seeds",
    type=click.IntRange(0),
    multiple=True,
    default=BASE_SEEDS,
    show_default=True,
    help="Play the seeds from N x 1,000,000 on. Can be given several times.",
)
@click.option(
    "--episodes",
    type=click.IntRange(1, mutation.SEEDS_PER_BASE),
    default=20_000,
    show_default=True,
    help="After so many conversations a mutant counts as alive.",
)
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option(
    "--share",
    type=click.IntRange(1, mutation.SEEDS_PER_BASE),
    help="Besides, count how many of so many conversations notice each.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the plainest conversation that notices each into this folder, as NAME.json.",
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a table for a document.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    names: tuple[str, ...],
    base_seeds: tuple[int, ...],
    episodes: int,
    jobs: int,
    share: int | None,
    keep: Path | None,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Play with errors in the client until each is noticed; all, or those named.

    Exits with 1 if one lives.
    """
    if as_markdown and as_json:
        raise click.UsageError("--markdown and --json are two ways to print; give one")
    chosen = mutation.named(names)
    if keep is not None:
        outdir.prepare(keep)
    verdicts = _verdicts(chosen, base_seeds, episodes, jobs, share)
    if keep is not None:
        _keep(verdicts, keep, jobs)
    if as_json:
        click.echo(msgspec.json.encode({"episodes": episodes, "mutants": verdicts}))
    elif as_markdown:
        click.echo("\n".join(markdown(verdicts)))
    else:
        for verdict in verdicts:
            click.echo(_line(verdict))
    alive = [verdict.mutant for verdict in verdicts if verdict.lives]
    for mutant in alive:
        click.echo(f"{mutant.name} lives ({mutant.rule}): {mutant.about}", err=True)
    click.echo(f"{len(verdicts) - len(alive)} of {len(verdicts)} were noticed", err=True)
    if alive:
        sys.exit(1)


def _verdicts(
    chosen: tuple[Mutant, ...],
    base_seeds: tuple[int, ...],
    episodes: int,
    jobs: int,
    share: int | None,
) -> tuple[Verdict, ...]:
    bases = tuple(dict.fromkeys(base_seeds))
    work: list[Callable[[], Hunt | Share]] = [
        partial(mutation.hunt, mutant, base, episodes) for mutant in chosen for base in bases
    ]
    if share is not None:
        work += [partial(mutation.share, mutant, bases[0], share) for mutant in chosen]
    hunts: list[Hunt] = []
    shares: list[Share] = []
    for found in _done("mutants", work, jobs):
        if isinstance(found, Hunt):
            hunts.append(found)
        else:
            shares.append(found)
    return judged(chosen, hunts, shares)


def _done(name: str, work: Sequence[Callable[[], T]], jobs: int) -> Iterator[T]:
    """What the work comes to, as it is done."""
    with _progress(name, len(work)) as advance:
        if jobs == 1:
            for job in work:
                yield job()
                advance()
            return
        with ProcessPoolExecutor(jobs) as pool:
            futures = [pool.submit(job) for job in work]
            try:
                for future in as_completed(futures):
                    yield future.result()
                    advance()
            finally:
                # At Ctrl-C, what has not begun never does.
                pool.shutdown(wait=False, cancel_futures=True)


def _keep(verdicts: Iterable[Verdict], folder: Path, jobs: int) -> None:
    work = [
        partial(_keep_one, verdict.mutant, first.seed, folder / f"{verdict.mutant.name}.json")
        for verdict in verdicts
        for first in [min(verdict.hunts, key=lambda hunt: (hunt.seed is None, hunt.episodes))]
        if first.seed is not None
    ]
    for _ in _done("shrinking", work, jobs):
        pass


def _keep_one(mutant: Mutant, seed: int, file: Path) -> None:
    file.write_bytes(mutation.kept(mutant, seed))


def _line(verdict: Verdict) -> str:
    counts = " ".join(
        str(hunt.episodes) if hunt.seed is not None else "-" for hunt in verdict.hunts
    )
    noticed = "LIVES" if verdict.lives else ", ".join(verdict.killed_by)
    broken = "" if verdict.share is None else f"  {verdict.share.percent:5.1f} %"
    mutant = verdict.mutant
    return f"{mutant.rule:<22} {mutant.name:<62} {noticed:<16} after {counts}{broken}"


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[], None]]:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(name, total=total)
        yield lambda: progress.advance(task)
