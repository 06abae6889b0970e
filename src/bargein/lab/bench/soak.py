"""Very many simulated conversations, on all cores, with every promise checked in each."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from bargein.sim.campaign import Tally, run_seeds

CHUNK = 50
"""Seeds that a process takes at a time."""


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
        for start in range(0, len(seeds), CHUNK):
            running.add(pool.submit(run_seeds, seeds[start : start + CHUNK]))
            # Only so many are handed out at a time, so that Ctrl-C does not wait for all.
            if len(running) > 2 * jobs:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in wait(running).done)
