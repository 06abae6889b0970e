"""`bargein sim mutants`: what is printed, what is kept, and what the exit code says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bargein.cli.sim_mutants import command
from bargein.lab import mutation
from bargein.sim.episode import run
from bargein.sim.mutants.catalogue import Mutant
from bargein.sim.regression import read

NOTICED = "settles-only-the-first-item"


def mutants(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_a_mutant_that_is_noticed_is_told_with_the_invariant_and_the_conversations() -> None:
    told = mutants(NOTICED, "--base-seed", "1", "--episodes", "100")

    assert told.exit_code == 0
    assert told.stdout.startswith("ledger 3")
    assert "I1" in told.stdout
    assert "1 of 1 were noticed" in told.stderr


def test_one_that_lives_is_named_and_the_exit_code_is_1() -> None:
    told = mutants(NOTICED, "--base-seed", "1", "--episodes", "1")

    assert told.exit_code == 1
    assert "LIVES" in told.stdout
    assert f"{NOTICED} lives (ledger 3): " in told.stderr


def test_what_is_kept_breaks_with_the_error_and_not_without(tmp_path: Path) -> None:
    mutants(NOTICED, "--base-seed", "1", "--episodes", "100", "--keep", str(tmp_path))

    [file] = tmp_path.iterdir()
    kept = read(file.read_bytes())
    [mutant] = mutation.named([NOTICED])
    assert (file.stem, kept.about) == (NOTICED, mutant.about)
    assert run(kept.tape).violations == ()
    with mutation.applied(mutant):
        assert run(kept.tape).violations


def test_json_says_all_and_the_table_is_for_a_document() -> None:
    arguments = (NOTICED, "--base-seed", "1", "--episodes", "100", "--share", "20")
    told = json.loads(mutants(*arguments, "--json").stdout)
    table = mutants(*arguments, "--markdown").stdout.splitlines()

    [verdict] = told["mutants"]
    assert (verdict["mutant"]["name"], verdict["share"]["episodes"]) == (NOTICED, 20)
    assert [hunt["base_seed"] for hunt in verdict["hunts"]] == [1]
    assert table[0].startswith("| rule |")
    assert table[2].startswith("| ledger 3 | settles only the first item | I1 |")


def test_two_ways_to_print_are_refused() -> None:
    assert mutants(NOTICED, "--json", "--markdown").exit_code == 2


def test_several_processes_say_what_one_says(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (NOTICED, "--base-seed", "1", "--base-seed", "2", "--episodes", "60")

    assert mutants(*arguments, "--jobs", "2").stdout == mutants(*arguments).stdout


def test_all_mutants_are_meant_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    two: tuple[Mutant, ...] = mutation.mutants()[:2]
    monkeypatch.setattr(mutation, "mutants", lambda: two)

    told = mutants("--base-seed", "1", "--episodes", "1")

    assert len(told.stdout.splitlines()) == len(two)
