"""Check the promises in very many simulated conversations.

What `bargein sim` does for a few, with evidence: how many, how long, what was met, what broke.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bargein.lab.bench import evidence
from bargein.sim.campaign import TWICE_ONE_IN, Tally, run_seeds
from bargein.units import US_PER_S

_SECONDS_PER_HOUR = 3_600
_CHUNK = 50
"""Seeds that a process takes at a time."""


@click.command("soak")
@click.option("--episodes", type=click.IntRange(1), default=100_000, show_default=True)
@click.option("--first-seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=os.cpu_count() or 1, help="Default: all cores."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the evidence into this folder, as soak-YYYY-MM-DD-COMMIT.json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(episodes: int, first_seed: int, jobs: int, out: Path | None, as_json: bool) -> None:
    """Simulate very many conversations and check what was promised.

    Exits with 1 if a promise is broken; `bargein sim --seed N` then tells the story of the seed.
    """
    if out is not None:
        evidence.prepare(out)
    seeds = range(first_seed, first_seed + episodes)
    began_s = time.perf_counter()
    with _progress() as progress:
        task = progress.add_task("conversations", total=episodes)
        tally = soak(seeds, jobs, lambda sofar: progress.update(task, completed=sofar.episodes))
    told = summary(tally, seeds, jobs, time.perf_counter() - began_s)
    if as_json:
        click.echo(msgspec.json.encode(told))
    else:
        _print(tally, told)
    if out is not None:
        click.echo(f"written: {evidence.write(out, 'soak', told)}", err=True)
    if tally.failures:
        sys.exit(1)


def soak(seeds: range, jobs: int, told: Callable[[Tally], None]) -> Tally:
    """Run the seeds in `jobs` processes; `told` gets the sum so far, each time it grows."""
    tally = Tally()
    for part in _tallies(seeds, jobs):
        tally.add(part)
        told(tally)
    return tally


def _tallies(seeds: range, jobs: int) -> Iterator[Tally]:
    context = multiprocessing.get_context("spawn")
    running: set[Future[Tally]] = set()
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for start in range(0, len(seeds), _CHUNK):
            running.add(pool.submit(run_seeds, seeds[start : start + _CHUNK]))
            # Only so many are handed out at a time, so that Ctrl-C does not wait for all.
            if len(running) > 2 * jobs:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in wait(running).done)


def summary(tally: Tally, seeds: range, jobs: int, took_s: float) -> dict[str, object]:
    """What the seeds came to, for JSON. `counters` says how often each thing was met."""
    return {
        "seeds": {"first": seeds.start, "last": seeds.stop - 1, "run_twice_one_in": TWICE_ONE_IN},
        "jobs": jobs,
        "episodes": tally.episodes,
        "conversation_hours": round(tally.virtual_us / US_PER_S / _SECONDS_PER_HOUR, 1),
        "steps": tally.steps,
        "took_s": round(took_s, 1),
        "episodes_per_s": round(tally.episodes / took_s, 1),
        "times_real_time": round(tally.virtual_us / US_PER_S / took_s),
        "counters": dict(sorted(tally.counters.items())),
        "violations": tally.failures,
    }


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _print(tally: Tally, told: dict[str, object]) -> None:
    for name, count in sorted(tally.counters.items()):
        click.echo(f"{count:>11}  {name}")
    for failure in tally.failures:
        click.echo(f"seed {failure.seed} broke {failure.invariant}: {failure.detail}")
    broken = len({failure.seed for failure in tally.failures})
    click.echo(
        f"{told['episodes']} conversations, {told['conversation_hours']} hours of them, in "
        f"{told['took_s']} s ({told['episodes_per_s']} a second): {broken} broke a promise"
    )
