"""`bargein soak`: the sum of many seeds, and its evidence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.sim.naive_client import NaiveClient

from bargein.cli import _seeds, main, soak
from bargein.sim.campaign import Tally, run_seeds
from bargein.sim.episode import run
from bargein.sim.shrink import shrink


def test_the_evidence_names_seeds_hours_and_what_was_met(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["soak", "--episodes", "4", "--jobs", "1", "--json", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    (file,) = tmp_path.iterdir()
    told = json.loads(file.read_bytes())
    assert told["complete"] is True
    assert told["seeds"] == {"first": 0, "last": 3, "run_twice_one_in": 100}
    assert told["episodes"] == 4 and told["failures"] == []
    assert "never_met" in told["coverage"]
    assert told["begun"]["commit"] == told["commit"]
    assert told["machine"]["cores"]


def test_a_broken_promise_is_a_failure_and_its_story_and_tape_are_in_the_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def naive(seeds: range, only: str | None = None) -> Tally:
        return run_seeds(seeds, only, make_client=NaiveClient)

    monkeypatch.setattr(_seeds, "run_seeds", naive)
    monkeypatch.setattr(soak, "run", lambda seed: run(seed, make_client=NaiveClient))
    monkeypatch.setattr(soak, "shrink", lambda episode: shrink(episode, make_client=NaiveClient))

    result = CliRunner().invoke(
        main, ["soak", "--episodes", "12", "--jobs", "1", "--out", str(tmp_path)]
    )

    (file,) = tmp_path.iterdir()
    told = json.loads(file.read_bytes())
    first = told["first_violation"]
    assert result.exit_code == 1
    assert f"seed {first['seed']} broke {first['invariant']}" in result.stdout
    assert first["seed"] == min(failure["seed"] for failure in told["failures"])
    assert run(first["tape"], make_client=NaiveClient).violations
    assert any(first["invariant"] in row for row in first["story"])


def test_a_run_that_is_killed_leaves_what_it_had_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks: list[object] = []

    def killed(seeds: range, only: str | None = None) -> Tally:
        chunks.append(seeds)
        if len(chunks) == 3:
            raise SystemExit(137)
        return Tally(episodes=len(seeds))

    monkeypatch.setattr(_seeds, "run_seeds", killed)
    monkeypatch.setattr(soak, "_CHECKPOINT_S", 0.0)

    CliRunner().invoke(main, ["soak", "--episodes", "200", "--jobs", "1", "--out", str(tmp_path)])

    (file,) = tmp_path.iterdir()
    told = json.loads(file.read_bytes())
    assert file.name.startswith("soak-unfinished-")
    assert told["complete"] is False
    assert told["episodes"] == 50


def test_what_there_was_on_the_way_makes_room_for_the_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak, "_CHECKPOINT_S", 0.0)
    arguments = ["soak", "--episodes", "30", "--jobs", "1", "--out", str(tmp_path)]

    result = CliRunner().invoke(main, arguments)

    assert result.exit_code == 0, result.output
    assert [file.name[:7] for file in tmp_path.iterdir()] == ["soak-20"]
    assert "100%: 30 conversations" in result.stderr


def test_an_interrupted_run_is_kept_as_one_that_is_not_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(seeds: range, only: str | None = None) -> Tally:
        raise KeyboardInterrupt

    monkeypatch.setattr(_seeds, "run_seeds", interrupted)

    result = CliRunner().invoke(
        main, ["soak", "--episodes", "60", "--jobs", "1", "--out", str(tmp_path)]
    )

    (file,) = tmp_path.iterdir()
    assert result.exit_code == 1
    assert json.loads(file.read_bytes())["complete"] is False


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(soak, "play", None)
    result = CliRunner().invoke(main, ["soak", "--out", str(tmp_path / "file" / "below")])
    assert result.exit_code in (1, 2), result.output
    assert "cannot be written" in result.output
