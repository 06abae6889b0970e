"""The catalogue says what is wrong in a file of it, and where a mutant's place is."""

from __future__ import annotations

import pytest

from bargein.errors import LocalValueError
from bargein.sim.mutants.catalogue import Mutant, mutated, read

FILE = """
module = "bargein.core.calls"

[[mutants]]
name = "tells-twice"
rule = "calls 1"
about = "It told a call twice."
before = 'once'
after = 'twice'
"""


def mutant(before: str, after: str) -> Mutant:
    return Mutant(name="m", rule="calls 1", module="m", before=before, after=after, about="")


def test_a_file_names_its_module_once_and_its_mutants_with_their_rules() -> None:
    assert read(FILE.encode(), source="calls.toml") == (
        Mutant(
            name="tells-twice",
            rule="calls 1",
            module="bargein.core.calls",
            before="once",
            after="twice",
            about="It told a call twice.",
        ),
    )


def test_a_mutant_may_name_the_world_that_it_needs() -> None:
    [mutant] = read(FILE.replace("about", 'only = "dies"\nabout').encode(), source="calls.toml")

    assert mutant.only == "dies"


@pytest.mark.parametrize(
    ("there", "instead", "named"),
    [
        ("tells-twice", "Tells twice", "name: 'Tells twice'"),
        ("calls 1", "the first", "rule: 'the first' of tells-twice"),
        ("about = ", "sentence = ", "unknown field `sentence`"),
        ("module = ", "module ", "calls.toml"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(there: str, instead: str, named: str) -> None:
    with pytest.raises(LocalValueError, match=r"calls\.toml") as refused:
        read(FILE.replace(there, instead).encode(), source="calls.toml")

    assert named in str(refused.value)


def test_the_error_stands_where_the_rule_stood() -> None:
    assert mutated(mutant("b", "c"), "a b d") == "a c d"


@pytest.mark.parametrize(("source", "places"), [("a d", 0), ("a b b", 2)])
def test_a_mutant_needs_exactly_one_place(source: str, places: int) -> None:
    with pytest.raises(LocalValueError, match=f"occurs {places} times"):
        mutated(mutant("b", "c"), source)


def test_a_mutant_that_writes_what_is_there_is_refused() -> None:
    with pytest.raises(LocalValueError, match="changes nothing"):
        mutated(mutant("b", "b"), "a b d")
