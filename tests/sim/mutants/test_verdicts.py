"""What became of the mutants, and the table of it."""

from __future__ import annotations

from bargein.sim.mutants.catalogue import Mutant
from bargein.sim.mutants.verdicts import Hunt, Share, by_rule, judged, markdown


def mutant(name: str, rule: str) -> Mutant:
    return Mutant(name=name, rule=rule, module="m", before="a", after="b", about="It errs.")


FIRST, SECOND = mutant("deletes-twice", "ledger 5"), mutant("tells-twice", "calls 1")
HUNTS = [
    Hunt("deletes-twice", 2, 9, 2_000_008, "I2", "refused"),
    Hunt("deletes-twice", 1, 4, 1_000_003, "I1", "kept"),
    Hunt("deletes-twice", 3, 7, 3_000_006, "I1", "kept"),
    Hunt("tells-twice", 1, 3, 1_000_002, "I7", "twice"),
    Hunt("tells-twice", 2, 100),
]


def test_a_mutant_lives_if_it_lives_under_one_base_seed() -> None:
    first, second = judged([FIRST, SECOND], HUNTS, [])

    assert (first.lives, second.lives) == (False, True)


def test_the_invariant_that_notices_most_often_is_named_first() -> None:
    [verdict] = judged([FIRST], HUNTS, [])

    assert verdict.killed_by == ("I1", "I2")
    assert [hunt.base_seed for hunt in verdict.hunts] == [1, 2, 3]
    assert verdict.after == 7


def test_the_ledgers_rules_come_first_and_by_number() -> None:
    rules = ["calls 1", "ledger 12", "ledger 5"]
    verdicts = judged([mutant("m", rule) for rule in rules], [], [])

    assert [verdict.mutant.rule for verdict in by_rule(verdicts)] == [
        "ledger 5",
        "ledger 12",
        "calls 1",
    ]


def test_the_table_has_a_row_for_each_with_the_share_where_it_was_counted() -> None:
    shares = [Share("deletes-twice", 200, {"I1": 20, "I2": 3})]

    assert list(markdown(judged([FIRST, SECOND], HUNTS, shares)))[2:] == [
        "| ledger 5 | deletes twice | I1, I2 | 7 | 11.5 % |",
        "| calls 1 | tells twice | nobody | 100 |  |",
    ]
