"""The house style that no linter checks: what a file, a function and an example may measure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE_LINES = {"src": 400, "examples": 60, "scripts": 400, "tests": 600}
"""A table of cases may be longer than what one must keep in mind at once."""
FUNCTION_LINES = 70

PYTHON = sorted(
    path
    for folder in ("src", "tests", "examples", "scripts")
    for path in ROOT.glob(f"{folder}/**/*.py")
)
NOT_OURS = (".git", ".venv", ".tools", "dist", "build", "__pycache__", "bargein-demo")
TEXTS = {
    ".cfg",
    ".css",
    ".html",
    ".js",
    ".json",
    ".md",
    ".py",
    ".sh",
    ".svg",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
}
SOURCES = {path: path.read_text(encoding="utf-8") for path in PYTHON}
TREES = {path: ast.parse(text) for path, text in SOURCES.items()}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
CITED = re.compile(r"(?<![\w/.-])((?:[\w.-]+/)*[\w-]+\.md)\b|\b([A-Z]{4,})(?:'s| §| section)")
"""A page by its name, or in capitals as people name a page they have at hand."""
HOME_OF_SOMEONE = re.compile(r"(?:/work/|/home/|/Users/|/root/|[A-Z]:\\\\?Users\\)[A-Za-z0-9._-]+")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def texts() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if any(part in NOT_OURS or part.endswith("_cache") for part in parts):
            continue
        if parts[0] == ".hypothesis" or not path.is_file():
            continue
        if path.suffix in TEXTS or not path.suffix:
            yield path


def test_a_file_is_no_longer_than_its_folder_allows() -> None:
    lengths = {named(path): len(text.splitlines()) for path, text in SOURCES.items()}
    allowed = {name: FILE_LINES[name.partition("/")[0]] for name in lengths}
    assert {name: n for name, n in lengths.items() if n > allowed[name]} == {}


def test_what_a_function_does_fits_on_a_screen() -> None:
    found = {
        f"{named(path)}: {node.name}": lines
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, FUNCTIONS) and (lines := lines_of_body(node)) > FUNCTION_LINES
    }
    assert found == {}


def lines_of_body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From the first statement to the last: a signature and a docstring may take their room."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_each_module_begins_by_saying_what_it_is() -> None:
    mute = [
        named(path)
        for path, tree in TREES.items()
        if named(path).startswith("src") and not ast.get_docstring(tree)
    ]
    assert mute == []


def test_no_file_names_a_place_on_someones_machine() -> None:
    found = {
        f"{named(path)}: {place}"
        for path in texts()
        for place in HOME_OF_SOMEONE.findall(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert found == set()


def test_only_pages_that_are_here_are_cited() -> None:
    pages = [named(path) for path in texts() if path.suffix == ".md"]
    known = {
        name
        for page in pages
        for name in (page, page.removeprefix("docs/"), page.rpartition("/")[2])
    }
    found = {
        f"{named(path)}: {one or other}"
        for path in texts()
        if path.suffix in {".py", ".md", ".toml"}
        for one, other in CITED.findall(path.read_text(encoding="utf-8"))
        if one.lstrip("./") not in known
    }
    assert found == set()


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("see other" + ".md, please", ["other" + ".md"]),
        ("(docs/interruption.md)", ["docs/interruption.md"]),
        ("as in PLA" + "N §2", ["PLA" + "N"]),
        ("`name` is PLA" + "N's", ["PLA" + "N"]),
        ("a SECTION of one", []),
    ],
)
def test_a_page_is_known_when_it_is_cited(text: str, cited: list[str]) -> None:
    assert ["".join(each) for each in CITED.findall(text)] == cited


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("see /work" + "/main/x", True),
        ("/ho" + "me/joe/.cache", True),
        ("/Us" + "ers/joe", True),
        ("C:\\Us" + "ers\\joe", True),
        ("the /home page, /usr/bin/python3, /tmp/weights", False),
    ],
)
def test_a_place_on_someones_machine_is_known_when_it_is_seen(text: str, is_one: bool) -> None:
    assert bool(HOME_OF_SOMEONE.search(text)) is is_one


def test_nothing_is_switched_off_or_put_off_without_a_word_why() -> None:
    off = re.compile(r"#\s*(?:type:\s*ignore(?:\[[^]]*\])?|noqa(?::\s*[A-Z0-9, ]+)?)\s*$")
    put_off = re.compile(r"#.*\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    found = [
        f"{named(path)}:{number}: {line.strip()}"
        for path, text in SOURCES.items()
        for number, (above, line) in enumerate(pairwise(["", *text.splitlines()]), 1)
        if put_off.search(line) or (off.search(line) and not above.strip().startswith("#"))
    ]
    assert found == []
