"""One seed is one run (I10): in one process, and in processes that order their sets otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

from bargein.sim.episode import run
from bargein.sim.shrink import trimmed

SEEDS = tuple(range(12))
_PRINT_DIGESTS = f"""
from bargein.sim.episode import run
for seed in {SEEDS}:
    print(run(seed).digest)
"""


def _digests_of_a_process(hash_seed: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PRINT_DIGESTS],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
        text=True,
        timeout=50,
    )
    return done.stdout.split()


def test_a_seed_is_the_same_run_in_every_process() -> None:
    here = [run(seed).digest for seed in SEEDS]

    assert len(set(here)) == len(SEEDS)
    assert _digests_of_a_process("1") == here
    assert _digests_of_a_process("2") == here


def test_two_runs_of_a_seed_and_one_of_its_tape_are_the_same() -> None:
    for seed in SEEDS:
        episode = run(seed)

        assert run(seed).digest == episode.digest
        assert run(trimmed(episode.tape)).digest == episode.digest
        assert run(seed).story() == episode.story()
