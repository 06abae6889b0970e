"""`bargein soak`: the sum of many seeds, and its evidence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bargein.cli import main, soak
from bargein.sim.campaign import Failure, Tally, run_seeds


def test_seeds_in_chunks_and_processes_come_to_the_same_as_one_after_the_other() -> None:
    seeds = range(3, 57)
    grown: list[int] = []
    tally = soak.soak(seeds, 2, lambda sofar: grown.append(sofar.episodes))
    assert tally == run_seeds(seeds)
    assert sorted(grown) == grown and grown[-1] == len(seeds)


def test_the_evidence_names_seeds_hours_and_what_was_met(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["soak", "--episodes", "4", "--jobs", "1", "--json", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    (file,) = tmp_path.iterdir()
    told = json.loads(file.read_bytes())
    assert told["seeds"] == {"first": 0, "last": 3, "run_twice_one_in": 100}
    assert told["episodes"] == 4 and told["counters"] and told["violations"] == []


def test_a_broken_promise_is_a_failure_and_names_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Tally(episodes=1, failures=[Failure(7, "I3", "a sample too many")])
    monkeypatch.setattr(soak, "soak", lambda seeds, jobs, told: broken)
    result = CliRunner().invoke(main, ["soak", "--episodes", "1"])
    assert result.exit_code == 1
    assert "seed 7 broke I3: a sample too many" in result.stdout


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(soak, "soak", None)
    result = CliRunner().invoke(main, ["soak", "--out", str(tmp_path / "file" / "below")])
    assert result.exit_code in (1, 2), result.output
    assert "cannot be written" in result.output
