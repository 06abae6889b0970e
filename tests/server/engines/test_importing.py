"""An engine by its import path, and what is said of one that cannot be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bargein.errors import LocalValueError
from bargein.server.engines.base import Engine
from bargein.server.engines.importing import engine_at

MODULE = "an_engine_of_ones_own"
SOURCE = """
from bargein.server.engines.base import Batch, Engine

class Mine(Engine):
    async def respond(self, request):
        yield Batch(())

class Holder:
    Inner = Mine

class Unfinished(Engine):
    pass

class Other:
    pass

class Wanting(Mine):
    def __init__(self, url):
        self.url = url

def make():
    return Mine()

def make_nothing():
    return None

number = 7
"""


@pytest.fixture(autouse=True)
def a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / f"{MODULE}.py").write_text(SOURCE)
    (tmp_path / "needs_another.py").write_text("import there_is_no_such_module\n")
    (tmp_path / "broken_engine.py").write_text("1 / 0\n")
    yield tmp_path
    for name in (MODULE, "needs_another", "broken_engine"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", ["Mine", "Holder.Inner", "make"])
def test_a_class_or_a_function_makes_an_engine_for_each_session(name: str) -> None:
    make = engine_at(f"{MODULE}:{name}")
    one, other = make(), make()
    assert isinstance(one, Engine) and one is not other


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (MODULE, "is no MODULE:NAME"),
        (":Mine", "is no MODULE:NAME"),
        (f"{MODULE}:", "is no MODULE:NAME"),
        ("not_there:Mine", "there is no module 'not_there'"),
        ("needs_another:Mine", "cannot be imported: ModuleNotFoundError.*there_is_no_such"),
        ("broken_engine:Mine", "cannot be imported: ZeroDivisionError"),
        (f"{MODULE}:Yours", "has no 'Yours'"),
        (f"{MODULE}:number", "is a int: name a class"),
        (f"{MODULE}:Other", "Other is not derived from"),
        (f"{MODULE}:Unfinished", r"does not define respond\(\)"),
        (f"{MODULE}:Wanting", "made without arguments.*'url'"),
    ],
)
def test_what_is_wrong_with_a_path_is_said_before_any_session(path: str, why: str) -> None:
    with pytest.raises(LocalValueError, match=why) as caught:
        engine_at(path)
    assert path in str(caught.value)


def test_a_function_that_makes_something_else_is_found_out_by_the_first_session() -> None:
    with pytest.raises(LocalValueError, match="made a NoneType"):
        engine_at(f"{MODULE}:make_nothing")()
