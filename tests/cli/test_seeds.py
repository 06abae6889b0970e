"""Many seeds in several processes: the sum is the same."""

from __future__ import annotations

import os
import signal

from bargein.cli._seeds import Played, play
from bargein.sim.campaign import run_seeds


def test_seeds_in_chunks_and_processes_come_to_the_same_as_one_after_the_other() -> None:
    seeds = range(3, 33)
    grown: list[int] = []

    played = play(seeds, 2, told=lambda sofar: grown.append(sofar.tally.episodes))

    assert played.tally == run_seeds(seeds)
    assert sorted(grown) == grown and grown[-1] == len(seeds)
    assert not played.interrupted


def test_the_rate_is_by_the_clock() -> None:
    played = Played(range(9))
    assert played.episodes_per_s == 0
    played.tally.episodes, played.took_s, played.tally.virtual_us = 300, 1.5, 7_200_000_000

    assert played.episodes_per_s == 200
    assert played.sentence == "300 conversations, 2.0 hours of them, in 1.5 s (200 a second)"


def test_the_signal_to_terminate_ends_it_like_an_interrupt_and_is_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)

    played = play(range(200), 1, told=lambda _: os.kill(os.getpid(), signal.SIGTERM))

    assert played.interrupted
    assert 0 < played.tally.episodes < 200
    assert signal.getsignal(signal.SIGTERM) is before
