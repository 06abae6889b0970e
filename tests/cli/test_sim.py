"""`bargein sim`: exit codes, stories and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.sim.naive_client import NaiveClient

from bargein.cli import _seeds, main
from bargein.cli import sim as command_file
from bargein.sim.campaign import Failure, Tally, run_seeds
from bargein.sim.episode import run
from bargein.sim.features import FEATURES
from bargein.sim.regression import read
from bargein.sim.shrink import shrink


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, so that nothing is written into the project."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def naive(monkeypatch: pytest.MonkeyPatch) -> int:
    """The command simulates the naive client; gives a seed with which it fails."""
    monkeypatch.setattr(
        command_file, "run", lambda source, only=None: run(source, make_client=NaiveClient)
    )
    monkeypatch.setattr(
        command_file, "shrink", lambda episode: shrink(episode, make_client=NaiveClient)
    )
    return next(seed for seed in range(50) if run(seed, make_client=NaiveClient).violations)


def test_a_seed_that_keeps_every_promise_is_told_and_ends_well() -> None:
    result = CliRunner().invoke(main, ["sim", "--seed", "3"])

    assert result.exit_code == 0, result.output
    assert "response.created" in result.output
    assert result.output.rstrip().endswith("seed 3: every promise was kept")


def test_json_gives_the_digest_of_the_conversation() -> None:
    result = CliRunner().invoke(main, ["sim", "--seed", "3", "--json"])

    told = json.loads(result.stdout)

    assert result.exit_code == 0
    assert told["violations"] == []
    assert told["digest"] == run(3).digest
    assert told["options"]["turns"] in ("server_vad", "semantic_vad", "manual")


def test_a_seed_that_fails_is_shrunk_told_and_kept_as_a_tape(naive: int, elsewhere: Path) -> None:
    result = CliRunner().invoke(main, ["sim", "--seed", str(naive), "--keep", "kept"])

    (file,) = (elsewhere / "kept").iterdir()
    kept = read(file.read_bytes())

    assert result.exit_code == 1
    assert f"{kept.invariant} BROKEN: " in result.output
    assert kept.detail in result.output
    again = CliRunner().invoke(main, ["sim", "--tape", str(file)])
    assert again.exit_code == 1
    assert kept.detail in again.output


def test_a_tape_goes_to_the_regressions_where_there_are_any(naive: int, elsewhere: Path) -> None:
    regressions = elsewhere / "tests" / "regressions"
    regressions.mkdir(parents=True)

    CliRunner().invoke(main, ["sim", "--seed", str(naive)])
    regressions.rename(elsewhere / "gone")
    CliRunner().invoke(main, ["sim", "--seed", str(naive)])

    assert len(list((elsewhere / "gone").iterdir())) == 1
    assert len(list((elsewhere / "bargein-sim").iterdir())) == 1


def test_what_is_replayed_is_not_kept_again(naive: int, elsewhere: Path) -> None:
    CliRunner().invoke(main, ["sim", "--seed", str(naive), "--keep", "kept"])
    (file,) = (elsewhere / "kept").iterdir()

    CliRunner().invoke(main, ["sim", "--tape", str(file)])

    assert not (elsewhere / "bargein-sim").exists()


def test_a_folder_that_cannot_be_written_is_told_in_a_line(naive: int, elsewhere: Path) -> None:
    (elsewhere / "file").write_text("in the way")

    result = CliRunner().invoke(main, ["sim", "--seed", str(naive), "--keep", "file/below"])

    assert result.exit_code == 2
    assert "name another folder" in result.output


def test_many_seeds_are_counted_into_one_json_object() -> None:
    result = CliRunner().invoke(main, ["sim", "--episodes", "12", "--first-seed", "5", "--json"])

    told = json.loads(result.stdout)

    assert result.exit_code == 0
    assert (told["seeds"], told["episodes"], told["failures"]) == ([5, 16], 12, [])
    coverage = told["coverage"]
    assert coverage["rules"]["listening 1: turns are detected"]["episodes"] >= 1
    assert set(coverage["never_met"]) == {"features", "rules", "races", "refusals", "cuts"}


def test_what_was_met_is_a_screen_of_100_columns_and_what_was_not_is_loud() -> None:
    result = CliRunner().invoke(main, ["sim", "--episodes", "12", "--first-seed", "5"])

    screen, _, loud = result.output.partition("never met among")
    assert result.exit_code == 0, result.output
    assert all(len(line) <= 100 for line in result.output.splitlines())
    for title in ("features of the world", "rules:", "races:", "refusals:", "cuts, "):
        assert f"\n{title}" in screen
    assert "death while stopping" in screen and "death while stopping" in loud
    assert loud.rstrip().endswith("a second): 0 broke a promise")


def test_with_one_feature_only_such_worlds_are_played() -> None:
    result = CliRunner().invoke(main, ["sim", "--episodes", "5", "--only", "g711", "--json"])

    features = json.loads(result.stdout)["coverage"]["features"]
    assert {name for name in features if features[name]["episodes"]} == {"g711"}


def test_one_conversation_can_have_one_feature_too() -> None:
    result = CliRunner().invoke(main, ["sim", "--seed", "5", "--only", "g711", "--json"])

    assert json.loads(result.stdout)["met"]["features"] == {"g711": 1}


def test_the_features_are_listed_with_what_they_are() -> None:
    listed = CliRunner().invoke(main, ["sim", "--only", "list"])
    told = CliRunner().invoke(main, ["sim", "--only", "list", "--json"])

    assert json.loads(told.stdout) == dict(FEATURES)
    assert [line.split()[0] for line in listed.output.splitlines()] == list(FEATURES)


def test_a_feature_that_there_is_not_is_refused_and_the_list_named() -> None:
    result = CliRunner().invoke(main, ["sim", "--only", "wings"])

    assert result.exit_code == 2
    assert "--only list" in result.output


def test_options_before_a_subcommand_are_refused_instead_of_lost() -> None:
    result = CliRunner().invoke(main, ["sim", "--episodes", "5", "mutants"])

    assert result.exit_code == 2
    assert "--episodes stands before 'mutants'" in result.output


@pytest.mark.parametrize("name", ["mutants", "orders"])
def test_its_subcommands_are_there_and_no_commands_of_their_own(name: str) -> None:
    result = CliRunner().invoke(main, ["sim", name, "--help"])

    assert result.exit_code == 0, result.output
    assert f"main sim {name}" in result.output
    assert name in CliRunner().invoke(main, ["sim", "--help"]).output
    assert f"sim_{name}" not in CliRunner().invoke(main, ["--help"]).output


def test_an_interrupt_ends_at_once_and_tells_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    chunks: list[object] = []

    def interrupted(seeds: range, only: str | None = None) -> Tally:
        chunks.append(seeds)
        if len(chunks) == 2:
            raise KeyboardInterrupt
        return run_seeds(seeds, only)

    monkeypatch.setattr(_seeds, "run_seeds", interrupted)

    result = CliRunner().invoke(main, ["sim", "--episodes", "200"])

    assert result.exit_code == 1
    assert "interrupted: 25 of 200 conversations were played" in result.output
    assert "25 conversations" in result.output.splitlines()[-1]


def test_failures_among_many_end_badly_and_are_told(
    naive: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [Failure(naive, "I1", "gone"), Failure(9_999, "I10", "x")]
    tally = Tally(episodes=20, broken=2, violations=2, failures=failures)
    monkeypatch.setattr(_seeds, "run_seeds", lambda seeds, only: tally)
    monkeypatch.setattr(command_file, "_TOLD", 1)

    result = CliRunner().invoke(main, ["sim", "--episodes", "20"])

    assert result.exit_code == 1
    assert "BROKEN" in result.output
    assert "also broken: seed 9999 I10: x" in result.output
    assert "2 broke a promise" in result.output


def test_a_conversation_can_be_written_as_a_trace_that_replays(elsewhere: Path) -> None:
    result = CliRunner().invoke(main, ["sim", "--seed", "3", "--trace", "sim.trace"])
    replayed = CliRunner().invoke(main, ["trace", "replay", "sim.trace"])

    assert result.exit_code == 0, result.output
    assert replayed.exit_code == 0, replayed.output
    assert (elsewhere / "sim.trace").stat().st_mode & 0o777 == 0o600


def test_a_trace_of_many_is_refused() -> None:
    result = CliRunner().invoke(main, ["sim", "--trace", "sim.trace"])

    assert result.exit_code == 2
    assert "name it with --seed or --tape" in result.output


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
