"""The bench of the simulator: what it counts, not how fast it was."""

from __future__ import annotations

import pytest

from bargein.lab.bench import simulation
from bargein.lab.bench.figures import Effort
from bargein.sim.campaign import run_seeds


def test_the_figure_counts_the_episodes_of_its_seeds() -> None:
    [figure] = simulation.measure(Effort(simulation_rounds=2, simulation_seeds=3))
    tally = run_seeds(range(1, 4))

    assert (figure.target, figure.wanted, figure.unit) == (150.0, "at least", "1/s")
    assert len(figure.rounds) == 2 and all(rate > 0 for rate in figure.rounds)
    assert figure.raw["seeds"] == [1, 3]
    assert figure.raw["steps_per_episode"] * 3 == pytest.approx(tally.steps, rel=1e-3)
    assert figure.raw["virtual_s_per_episode"] * 3e6 == pytest.approx(tally.virtual_us, rel=1e-3)
    assert figure.raw["broken"] == len(tally.failures)
