"""Play many seeds, in one process or in several, and show how far it is: for `sim` and `soak`.

1. Only so many seeds are handed out at a time, so that an interrupt ends at once: what the others
   are doing is dropped, and what was counted is told.
2. Tallies add up in any order, so the sum does not depend on the number of processes.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from bargein.sim.campaign import Tally, run_seeds
from bargein.units import US_PER_S

CHUNK = 25
"""Seeds that a process takes at a time."""
_SECONDS_PER_HOUR = 3_600


@dataclass(slots=True)
class Played:
    """What the seeds came to so far. `interrupted`: Ctrl-C came before all were played."""

    seeds: range
    tally: Tally = field(default_factory=Tally)
    took_s: float = 0.0
    interrupted: bool = False

    @property
    def hours(self) -> float:
        """Hours of conversation."""
        return self.tally.virtual_us / US_PER_S / _SECONDS_PER_HOUR

    @property
    def episodes_per_s(self) -> float:
        """By the wall clock, over all processes."""
        return self.tally.episodes / self.took_s if self.took_s else 0.0

    @property
    def sentence(self) -> str:
        """How many, how long, how fast."""
        return (
            f"{self.tally.episodes:,} conversations, {self.hours:,.1f} hours of them, in "
            f"{self.took_s:,.1f} s ({self.episodes_per_s:,.0f} a second)"
        )


def play(
    seeds: range,
    jobs: int,
    only: str | None = None,
    told: Callable[[Played], None] = lambda _: None,
) -> Played:
    """Play the seeds; `told` gets the sum so far, each time it grows.

    Ctrl-C ends it early, and so does the signal to terminate: the other processes end with it.
    """
    began_s = time.perf_counter()
    played = Played(seeds)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _progress(len(seeds)) as progress:
        task = progress.add_task("conversations", total=len(seeds), rate="", hours="")
        try:
            for part in _tallies(seeds, jobs, only):
                played.tally.add(part)
                played.took_s = time.perf_counter() - began_s
                _show(progress, task, played)
                told(played)
        except KeyboardInterrupt:
            played.interrupted = True
        finally:
            signal.signal(signal.SIGTERM, before)
    played.took_s = time.perf_counter() - began_s
    return played


def _tallies(seeds: range, jobs: int, only: str | None) -> Iterator[Tally]:
    chunks = (seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK))
    if jobs == 1:
        for chunk in chunks:
            yield run_seeds(chunk, only)
        return
    context = multiprocessing.get_context("spawn")
    running: set[Future[Tally]] = set()
    stop = context.Event()
    pool = ProcessPoolExecutor(jobs, context, _begin_process, (stop,))
    try:
        for chunk in chunks:
            running.add(pool.submit(_play_chunk, chunk, only))
            if len(running) > 2 * jobs:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


_stop: Event | None = None
"""In a process of the pool: nobody waits for the rest."""


def _begin_process(stop: Event) -> None:
    """Ctrl-C reaches every process of the terminal; the one that asked them ends them."""
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _play_chunk(seeds: range, only: str | None) -> Tally:
    return run_seeds((seed for seed in seeds if _stop is None or not _stop.is_set()), only)


def _progress(total: int) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[hours]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=total <= CHUNK,
    )


def _show(progress: Progress, task: TaskID, played: Played) -> None:
    progress.update(
        task,
        completed=played.tally.episodes,
        rate=f"{played.episodes_per_s:,.0f}/s",
        hours=f"{played.hours:,.1f} h talked",
    )
