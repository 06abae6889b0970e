"""A client that lacks a rule is found out: each mutant of the catalogue, by the conversation that
noticed it (`tests/regressions/mutants/`).

`bargein sim mutants` looks for such conversations, and `--keep tests/regressions/mutants` writes
them, which must be done again when the simulated world draws something new.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bargein.lab import mutation
from bargein.sim.episode import run
from bargein.sim.features import FEATURES
from bargein.sim.mutants.catalogue import Mutant
from bargein.sim.regression import read

FOLDER = Path(__file__).parent.parent / "regressions" / "mutants"
LEAST = 25

every_mutant = pytest.mark.parametrize("mutant", mutation.mutants(), ids=lambda mutant: mutant.name)


@every_mutant
def test_a_client_without_the_rule_breaks_a_promise_that_it_keeps_with_it(mutant: Mutant) -> None:
    kept = read((FOLDER / f"{mutant.name}.json").read_bytes())

    with mutation.applied(mutant):
        broken = run(kept.tape).violations
    whole = run(kept.tape).violations

    assert kept.invariant in [violation.invariant for violation in broken], "keep it again"
    assert whole == ()


@every_mutant
def test_it_errs_and_does_not_crash(mutant: Mutant) -> None:
    kept = read((FOLDER / f"{mutant.name}.json").read_bytes())

    assert " raised " not in kept.detail
    assert kept.about == mutant.about


def test_there_are_mutants_of_every_rule_of_the_ledger() -> None:
    assert len(mutation.mutants()) >= LEAST
    rules = {mutant.rule for mutant in mutation.mutants()}
    assert {f"ledger {number}" for number in range(1, 16)} <= rules


def test_no_two_mutants_have_one_name_and_no_tape_is_of_none() -> None:
    names = [mutant.name for mutant in mutation.mutants()]

    assert len(set(names)) == len(names)
    assert {file.stem for file in FOLDER.glob("*.json")} == set(names)


def test_a_world_that_a_mutant_needs_is_one_that_is_drawn() -> None:
    needed = {mutant.only for mutant in mutation.mutants() if mutant.only is not None}

    assert needed <= FEATURES.keys()
