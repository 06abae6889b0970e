"""An error is put into the real module, seen by everybody who holds a reference, and taken out."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from bargein.errors import LocalValueError
from bargein.lab import mutation
from bargein.sim.mutants.catalogue import Mutant

SOURCE = '''\
"""A module to err in."""

from __future__ import annotations

LIMIT = 3


def doubled(number: int) -> int:
    return number * 2


def counted(number: int, limit: int = LIMIT) -> int:
    return min(number, limit)


class Box:
    def __init__(self, content: int) -> None:
        self.content = content

    @property
    def half(self) -> int:
        return self.content // 2

    @staticmethod
    def third(content: int) -> int:
        return content // 3
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "to_err_in.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("to_err_in")
    del sys.modules["to_err_in"]


def mutant(before: str, after: str) -> Mutant:
    return Mutant(
        name="it-errs", rule="calls 1", module="to_err_in", before=before, after=after, about=""
    )


def test_who_held_the_function_before_sees_the_error_and_then_no_more(module: ModuleType) -> None:
    held = module.doubled

    with mutation.applied(mutant("number * 2", "number * 3")):
        within = held(2)

    assert (within, held(2)) == (6, 4)


@pytest.mark.parametrize(
    ("before", "after", "within"),
    [("self.content // 2", "self.content", (12, 4)), ("content // 3", "content", (6, 12))],
)
def test_properties_and_static_methods_can_err(
    module: ModuleType, before: str, after: str, within: tuple[int, int]
) -> None:
    box = module.Box(12)

    with mutation.applied(mutant(before, after)):
        assert (box.half, box.third(12)) == within

    assert (box.half, box.third(12)) == (6, 4)


def test_the_error_is_taken_out_when_what_runs_within_raises(module: ModuleType) -> None:
    with pytest.raises(ZeroDivisionError), mutation.applied(mutant("number * 2", "number // 0")):
        module.doubled(2)

    assert module.doubled(2) == 4


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("limit: int = LIMIT", "limit: int = 4"),
        ("    @staticmethod\n", ""),
        ("def doubled", "def trebled"),
    ],
)
def test_what_stands_outside_of_a_body_cannot_err(
    module: ModuleType, before: str, after: str
) -> None:
    with (
        pytest.raises(LocalValueError, match="more than the body of a function"),
        mutation.applied(mutant(before, after)),
    ):
        pass


@pytest.mark.parametrize(
    ("before", "after", "how"),
    [
        ("number * 2", "(number * 2)", "changes no code"),
        ("number * 2", "number *", "no Python"),
        ("number * 4", "number * 3", "occurs 0 times"),
        ("return number * 2", "return [__class__ for _ in 'a'][0]", "it names __class__"),
    ],
)
def test_an_error_that_is_none_is_refused(
    module: ModuleType, before: str, after: str, how: str
) -> None:
    with pytest.raises(LocalValueError, match=how), mutation.applied(mutant(before, after)):
        pass


def test_a_mutant_of_an_unknown_name_is_refused_with_some_that_are_known() -> None:
    known = mutation.mutants()[0].name

    with pytest.raises(LocalValueError, match=r"no-such: no mutant has this name; there are \S+"):
        mutation.named(["no-such"])
    assert [mutant.name for mutant in mutation.named([known])] == [known]
    assert mutation.named([]) == mutation.mutants()


def test_a_hunt_ends_with_the_first_conversation_that_only_the_error_breaks() -> None:
    [found] = mutation.named(["settles-only-the-first-item"])

    hunted = mutation.hunt(found, 1, 100)

    assert hunted.seed == 1_000_000 + hunted.episodes - 1
    assert hunted.invariant == "I1"


def test_what_lives_is_told_without_a_seed() -> None:
    [found] = mutation.named(["settles-only-the-first-item"])

    assert mutation.hunt(found, 1, 1).seed is None
    assert mutation.share(found, 1, 1).broken == {}
