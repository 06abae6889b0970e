"""The simulator: whole episodes, from the draw of their options to the verdict, in one process.

1. The seeds are always the same ones, so the episodes are, and two measurements differ by the
   machine only; a change of the dice or of the machines shows beside it in `steps`.
2. CPU time counts, not the wall's: other work on the machine takes the processor, not our time.
3. Judging and coverage are in it: an episode that nobody looks at proves nothing.
"""

from __future__ import annotations

import time

from bargein.lab.bench.figures import Effort, Figure, shown
from bargein.sim.campaign import run_seeds
from bargein.units import US_PER_S

TARGET_PER_S = 150.0
"""Issue 4. A million episodes are then an hour on two cores."""
_WARM_UP = 5


def measure(effort: Effort) -> list[Figure]:
    """Episodes in a second of CPU time, which is what one core gives."""
    seeds = range(1, effort.simulation_seeds + 1)
    run_seeds(seeds[:_WARM_UP])
    rates: list[float] = []
    for _ in range(effort.simulation_rounds):
        began_s = time.process_time()
        tally = run_seeds(seeds)
        rates.append(tally.episodes / (time.process_time() - began_s))
    return [
        Figure(
            name="simulation.episodes",
            says="simulated conversations, judged, per CPU second of one core",
            unit="1/s",
            target=TARGET_PER_S,
            wanted="at least",
            rounds=tuple(shown(rate) for rate in rates),
            raw={
                "seeds": [seeds[0], seeds[-1]],
                "virtual_s_per_episode": shown(tally.virtual_us / tally.episodes / US_PER_S),
                "steps_per_episode": shown(tally.steps / tally.episodes),
                "broken": tally.broken,
            },
        )
    ]
