"""`bargein sim`: exit codes, stories and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.sim.naive_client import NaiveClient

from bargein.cli import main
from bargein.cli import sim as command_file
from bargein.sim.campaign import Failure, Tally
from bargein.sim.episode import run
from bargein.sim.regression import read
from bargein.sim.shrink import shrink


@pytest.fixture
def naive(monkeypatch: pytest.MonkeyPatch) -> int:
    """The command simulates the naive client; gives a seed with which it fails."""
    monkeypatch.setattr(command_file, "run", lambda source: run(source, make_client=NaiveClient))
    monkeypatch.setattr(
        command_file, "shrink", lambda episode: shrink(episode, make_client=NaiveClient)
    )
    return next(seed for seed in range(50) if run(seed, make_client=NaiveClient).violations)


def test_a_seed_that_keeps_every_promise_is_told_and_ends_well() -> None:
    result = CliRunner().invoke(main, ["sim", "--seed", "3"])

    assert result.exit_code == 0, result.output
    assert "session.created" in result.output
    assert result.output.rstrip().endswith("seed 3: every promise was kept")


def test_json_gives_the_digest_of_the_conversation() -> None:
    result = CliRunner().invoke(main, ["sim", "--seed", "3", "--json"])

    told = json.loads(result.stdout)

    assert result.exit_code == 0
    assert told["violations"] == []
    assert told["digest"] == run(3).digest
    assert told["options"]["turns"] in ("server_vad", "semantic_vad", "manual")


def test_a_seed_that_fails_is_shrunk_told_and_kept_as_a_tape(naive: int, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["sim", "--seed", str(naive), "--keep", str(tmp_path)])

    (file,) = tmp_path.iterdir()
    kept = read(file.read_bytes())

    assert result.exit_code == 1
    assert f"{kept.invariant} BROKEN: " in result.output
    assert kept.detail in result.output
    again = CliRunner().invoke(main, ["sim", "--tape", str(file)])
    assert again.exit_code == 1
    assert kept.detail in again.output


def test_many_seeds_are_counted_into_one_json_object() -> None:
    result = CliRunner().invoke(main, ["sim", "--episodes", "12", "--first-seed", "5", "--json"])

    told = json.loads(result.stdout)

    assert result.exit_code == 0
    assert (told["seeds"], told["episodes"], told["failures"]) == ([5, 16], 12, [])
    assert told["counters"]["responses"] >= 12


def test_many_seeds_are_shared_between_processes() -> None:
    alone = CliRunner().invoke(main, ["sim", "--episodes", "60", "--json"])
    shared = CliRunner().invoke(main, ["sim", "--episodes", "60", "--jobs", "2", "--json"])

    assert json.loads(shared.stdout)["counters"] == json.loads(alone.stdout)["counters"]


def test_failures_among_many_end_badly_and_are_told(
    naive: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = Tally(episodes=50, failures=[Failure(naive, "I1", "gone"), Failure(9_999, "I10", "x")])
    monkeypatch.setattr(command_file, "run_seeds", lambda seeds: tally)
    monkeypatch.setattr(command_file, "_TOLD", 1)

    result = CliRunner().invoke(main, ["sim", "--episodes", "50"])

    assert result.exit_code == 1
    assert "BROKEN" in result.output
    assert "also broken: seed 9999 I10: x" in result.output
    assert "2 broke a promise" in result.output


def test_a_seed_and_a_tape_at_once_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "tape.json"
    file.write_text("{}")

    result = CliRunner().invoke(main, ["sim", "--seed", "1", "--tape", str(file)])

    assert result.exit_code == 2
    assert "give one" in result.output


def test_a_file_that_is_no_tape_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "tape.json"
    file.write_text("{}")

    result = CliRunner().invoke(main, ["sim", "--tape", str(file)])

    assert result.exit_code in (1, 2)
    assert "write it with `bargein sim --keep`" in result.output
    assert "Traceback" not in result.output
