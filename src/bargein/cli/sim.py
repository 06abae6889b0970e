"""Play simulated conversations and check the promises in each of them.

A seed is one conversation: network, sound card, server and user are drawn from it, and the same
seed is the same conversation on every machine. A seed that breaks a promise is shrunk to the
plainest conversation that still breaks it, and told as a table.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bargein.errors import LocalValueError
from bargein.sim.campaign import Failure, Tally, run_seeds
from bargein.sim.episode import Episode, run
from bargein.sim.regression import read, written
from bargein.sim.shrink import shrink
from bargein.units import US_PER_S

_CHUNK = 50
"""Seeds that a process takes at a time."""
_TOLD = 3
"""Failing seeds that are shrunk and told; the others are listed."""


@click.command("sim")
@click.option("--seed", type=click.IntRange(0), help="Play this one conversation and tell it.")
@click.option(
    "--tape", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Replay a file."
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
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option("--all", "everything", is_flag=True, help="In the story, leave nothing out.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write failing conversations into this folder, as tapes that `--tape` replays.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    seed: int | None,
    tape: Path | None,
    episodes: int,
    first_seed: int,
    jobs: int,
    everything: bool,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Simulate conversations full of interruptions and check what was promised.

    Exits with 1 if a promise is broken.
    """
    if seed is not None and tape is not None:
        raise click.UsageError("--seed and --tape are two ways to name one conversation; give one")
    if tape is not None:
        try:
            regression = read(tape.read_bytes())
        except LocalValueError as error:
            raise LocalValueError(f"{tape}: is no tape of the simulator: {error}") from error
        _tell_one(run(regression.tape), str(tape), everything, keep, as_json)
    elif seed is not None:
        _tell_one(run(seed), f"seed {seed}", everything, keep, as_json)
    else:
        _many(range(first_seed, first_seed + episodes), jobs, keep, as_json)


def _tell_one(
    episode: Episode, name: str, everything: bool, keep: Path | None, as_json: bool
) -> None:
    shown = shrink(episode) if episode.violations else episode
    if as_json:
        told = {
            "name": name,
            "options": msgspec.to_builtins(asdict(episode.options), enc_hook=repr),
            "violations": episode.violations,
            "counters": episode.result.counters,
            "digest": episode.digest,
            "story": shown.story(everything=everything).splitlines(),
        }
        click.echo(msgspec.json.encode(told))
    else:
        _tell(name, episode, shown, everything)
    _keep(shown, name, keep)
    if episode.violations:
        sys.exit(1)


def _tell(name: str, episode: Episode, shown: Episode, everything: bool) -> None:
    if episode.violations:
        click.echo(f"{name}: shrunk to the plainest conversation that fails alike\n")
    click.echo(f"options: {shown.options}\n")
    click.echo(shown.story(everything=everything))
    click.echo("")
    for violation in shown.violations:
        click.echo(f"{violation.invariant} BROKEN: {violation.sentence}\n   {violation.detail}")
    if not shown.violations:
        click.echo(f"{name}: every promise was kept")


def _keep(episode: Episode, name: str, folder: Path | None) -> None:
    if folder is None or not episode.violations:
        return
    folder.mkdir(parents=True, exist_ok=True)
    stem = "".join(letter if letter.isalnum() else "-" for letter in Path(name).stem)
    file = folder / f"{stem}-{episode.violations[0].invariant}.json"
    file.write_bytes(written(episode))
    click.echo(f"kept as {file}", err=True)


def _many(seeds: range, jobs: int, keep: Path | None, as_json: bool) -> None:
    began_s = time.perf_counter()
    tally = Tally()
    with _progress(len(seeds)) as progress:
        task = progress.add_task("conversations", total=len(seeds))
        for part in _tallies(seeds, jobs):
            tally.add(part)
            progress.update(task, completed=tally.episodes)
    took_s = time.perf_counter() - began_s
    broken = sorted({failure.seed for failure in tally.failures})
    for seed in broken[:_TOLD]:
        episode = run(seed)
        # I10 is about two runs; such a seed may keep every other promise.
        shown = shrink(episode) if episode.violations else episode
        if not as_json:
            _tell(f"seed {seed}", episode, shown, everything=False)
        _keep(shown, f"seed {seed}", keep)
    if as_json:
        click.echo(msgspec.json.encode(_summary(tally, seeds, took_s)))
    else:
        _print_summary(tally, broken, took_s)
    if broken:
        sys.exit(1)


def _tallies(seeds: range, jobs: int) -> Iterator[Tally]:
    chunks = (seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK))
    if jobs == 1:
        for chunk in chunks:
            yield run_seeds(chunk)
        return
    with ProcessPoolExecutor(jobs) as pool:
        # Only so many chunks are handed out at a time, so that Ctrl-C does not wait for all.
        running: set[Future[Tally]] = set()
        for chunk in chunks:
            running.add(pool.submit(run_seeds, chunk))
            if len(running) > 2 * jobs:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in wait(running).done)


def _progress(total: int) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=total <= _CHUNK,
    )


def _summary(tally: Tally, seeds: range, took_s: float) -> dict[str, object]:
    return {
        "seeds": [seeds.start, seeds.stop - 1],
        "episodes": tally.episodes,
        "virtual_s": tally.virtual_us // US_PER_S,
        "took_s": round(took_s, 1),
        "episodes_per_s": round(tally.episodes / took_s, 1),
        "counters": tally.counters,
        "failures": tally.failures,
    }


def _print_summary(tally: Tally, broken: list[int], took_s: float) -> None:
    for name, count in sorted(tally.counters.items()):
        click.echo(f"{count:>9}  {name}")
    rest = [
        f"{failure.seed} {failure.invariant}: {failure.detail}" for failure in _rest(tally, broken)
    ]
    for line in rest:
        click.echo(f"also broken: seed {line}")
    hours = tally.virtual_us / US_PER_S / 3_600
    click.echo(
        f"{tally.episodes} conversations, {hours:.1f} hours of them, in {took_s:.1f} s "
        f"({tally.episodes / took_s:.0f} a second): {len(broken)} broke a promise"
    )


def _rest(tally: Tally, broken: list[int]) -> list[Failure]:
    told = set(broken[:_TOLD])
    return [failure for failure in tally.failures if failure.seed not in told]
