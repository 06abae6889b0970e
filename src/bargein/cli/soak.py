"""Check the promises in very many simulated conversations.

What `bargein sim` does for a few, with evidence: how many, how long, what was met, what broke.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from bargein.cli import _coverage
from bargein.cli._seeds import Played, play
from bargein.lab.bench import evidence
from bargein.sim.campaign import TWICE_ONE_IN, Tally
from bargein.sim.episode import run
from bargein.sim.regression import Regression, read, written
from bargein.sim.shrink import shrink
from bargein.units import US_PER_S

_CHECKPOINT_S = 60.0
"""A run that is killed has lost no more than that."""
_LISTED = 20
"""So many violations get a line."""
_UNFINISHED = "soak-unfinished"


@click.command("soak")
@click.option("--episodes", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--first-seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=os.cpu_count() or 1, help="Default: all cores."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the evidence into this folder, as soak-YYYY-MM-DD-COMMIT.json; until the end, "
    f"once a minute, what there is, as {_UNFINISHED}-….json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(episodes: int, first_seed: int, jobs: int, out: Path | None, as_json: bool) -> None:
    """Simulate very many conversations and check what was promised.

    The evidence names the machine, the commit, the seeds, the rate, what was met and what was
    never met, and of the first seed that broke a promise the plainest conversation that breaks it
    alike: its story and its tape. A seed that is named alone: 'bargein sim --seed N'.

    \b
    Exit code 0: every promise was kept.
              1: a promise is broken, or the run was interrupted: the evidence says which.
              2: the call cannot be understood.
    """
    keeper = None if out is None else _Keeper(out, jobs)
    seeds = range(first_seed, first_seed + episodes)
    played = play(seeds, jobs, told=_teller(keeper))
    told = summary(played, jobs)
    if played.tally.failures:
        told["first_violation"] = first_violation(played.tally)
    if as_json:
        click.echo(msgspec.json.encode(told))
    else:
        _print(played, told)
    if keeper is not None:
        click.echo(f"written: {keeper.finish(told)}", err=True)
    if played.tally.failures or played.interrupted:
        sys.exit(1)


class _Keeper:
    """Writes the evidence, and on the way what there is of it."""

    def __init__(self, folder: Path, jobs: int) -> None:
        evidence.prepare(folder)
        self._folder = folder
        self._jobs = jobs
        # The code that runs is that of now, whatever is committed meanwhile.
        self._begun = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": evidence.commit(),
        }
        self._unfinished: Path | None = None
        self._next_s = time.monotonic() + _CHECKPOINT_S

    def take(self, played: Played) -> None:
        """Once a minute, write what there is."""
        if time.monotonic() < self._next_s:
            return
        told = {"begun": self._begun, **summary(played, self._jobs), "complete": False}
        self._replace(evidence.write(self._folder, _UNFINISHED, told))
        self._next_s = time.monotonic() + _CHECKPOINT_S

    def finish(self, told: dict[str, object]) -> Path:
        """Write the evidence in its place."""
        file = evidence.write(self._folder, "soak", {"begun": self._begun, **told})
        self._replace(None)
        return file

    def _replace(self, file: Path | None) -> None:
        if self._unfinished is not None and self._unfinished != file:
            self._unfinished.unlink(missing_ok=True)
        self._unfinished = file


def _teller(keeper: _Keeper | None) -> Callable[[Played], None]:
    """Keeps what there is; and where nobody sees the bar, says once a minute how far it is."""
    seen = sys.stderr.isatty()
    next_s = time.monotonic() + _CHECKPOINT_S

    def told(played: Played) -> None:
        nonlocal next_s
        if keeper is not None:
            keeper.take(played)
        if not seen and time.monotonic() >= next_s:
            next_s = time.monotonic() + _CHECKPOINT_S
            share = 100 * played.tally.episodes // len(played.seeds)
            click.echo(f"{share}%: {played.sentence}: {played.tally.broken} broke", err=True)

    return told


def summary(played: Played, jobs: int) -> dict[str, object]:
    """What the seeds came to, for JSON. `complete`: all of them were played."""
    tally, seeds = played.tally, played.seeds
    return {
        "complete": tally.episodes == len(seeds),
        "seeds": {"first": seeds.start, "last": seeds.stop - 1, "run_twice_one_in": TWICE_ONE_IN},
        "jobs": jobs,
        "episodes": tally.episodes,
        "conversation_hours": round(played.hours, 1),
        "steps": tally.steps,
        "took_s": round(played.took_s, 1),
        "episodes_per_s": round(played.episodes_per_s, 1),
        "times_real_time": round(tally.virtual_us / US_PER_S / max(played.took_s, 0.001)),
        "broken": tally.broken,
        "violations": tally.violations,
        "failures": tally.failures,
        "coverage": _coverage.as_told(tally.coverage),
    }


def first_violation(tally: Tally) -> dict[str, object]:
    """Of the least seed that breaks a promise: the plainest conversation that fails alike."""
    seed = tally.failures[0].seed
    episode = run(seed)
    if not episode.violations:
        # I10 is about two runs of a seed; one alone has nothing to shrink.
        return {"seed": seed, "invariant": tally.failures[0].invariant}
    shown = shrink(episode)
    kept: Regression = read(written(shown))
    return {"seed": seed, **msgspec.structs.asdict(kept), "story": shown.story().splitlines()}


def _print(played: Played, told: dict[str, object]) -> None:
    tally = played.tally
    if tally.episodes:
        for line in _coverage.screen(tally.coverage, tally.episodes):
            click.echo(line)
        click.echo("")
        for line in _coverage.missing(tally.coverage):
            click.echo(line)
    for failure in tally.failures[:_LISTED]:
        click.echo(f"seed {failure.seed} broke {failure.invariant}: {failure.detail}")
    if tally.violations > _LISTED:
        click.echo(f"and {tally.violations - _LISTED:,} more; the evidence lists 1,000")
    if played.interrupted:
        click.echo(f"interrupted: {tally.episodes:,} of {len(played.seeds):,} were played")
    click.echo(f"{played.sentence}: {tally.broken} broke a promise")
