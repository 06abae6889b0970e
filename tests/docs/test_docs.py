"""The documentation says what is so: its code runs, its commands and links exist, its tables are
those of the code."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import msgspec
import pytest

from bargein import errors
from bargein.capabilities import Capabilities
from bargein.cli import main
from bargein.cli.serve import command as serve_command
from bargein.client.connecting import connect
from bargein.client.session import Session
from bargein.core import commands, inputs, notices
from bargein.deadlines import Timer
from bargein.driver.limits import Limits
from bargein.lab.ab import scenario as ab_scenario
from bargein.server import admission, websocket
from bargein.server.engines import scenario
from bargein.server.engines.base import Engine
from bargein.server.limits import HostLimits
from bargein.server.model import score
from bargein.server.model.commands import StartEngine
from bargein.server.model.options import Limits as SessionLimits
from bargein.server.model.rules import RULES
from bargein.server.serving import Server, serve_local
from bargein.sim.invariants.judge import INVARIANTS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "bargein"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *DOCS]
LANGUAGES = {"", "console", "python", "toml"}

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_INLINE_COMMAND = re.compile(r"`bargein (?P<rest>[a-z][^`]*)`")


def every_page(test: Any) -> Any:
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)(test)


def text_of(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def fences(page: Path, language: str) -> Iterator[tuple[str, str]]:
    """The blocks of that language, each with the line of text before it."""
    text = page.read_text()
    for match in _FENCE.finditer(text):
        if match["language"] == language:
            yield text[: match.start()].rstrip().rpartition("\n")[2], match["body"]


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The headings' anchors, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(text: str) -> list[list[str]]:
    """The cells of every row of every table."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def check_command_line(line: str) -> None:
    """Raises for a command or an option that does not exist. Values are not looked at."""
    program, *words = shlex.split(line)
    match program:
        case "bargein":
            check_bargein(words)
        case "make":
            targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert [word for word in words if "=" not in word and word not in targets] == []
        case "pip":
            assert words[0] == "install"
            project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
            for extra in re.findall(r"bargein\[(\w+)\]", " ".join(words)):
                assert extra in project["optional-dependencies"]
        case "pytest" | "python":
            assert [word for word in words if word.startswith("examples/")]
            for word in words:
                assert not word.startswith("examples/") or (ROOT / word).is_file(), word
        case _:
            pytest.fail(f"nothing checks {line!r}: write how, or leave it out")


def check_bargein(words: list[str], *, in_a_sentence: bool = False) -> None:
    """A command line, or what a sentence names of one: a command, perhaps an option."""
    command: click.Command = main
    context = click.Context(command, info_name="bargein")
    while isinstance(command, click.Group) and (words or not in_a_sentence):
        if command.invoke_without_command and (not words or words[0].startswith("-")):
            break
        assert words, "a command of a group is named"
        name, *words = words
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name!r}"
        command, context = found, click.Context(found, info_name=name, parent=context)
    if in_a_sentence:
        assert {word for word in words if word.startswith("--")} <= options_of(command)
    else:
        command.make_parser(context).parse_args(list(words))


def options_of(command: click.Command) -> set[str]:
    found = {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    }
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            found |= options_of(inner)
    return found


@every_page
def test_every_block_has_a_language_that_something_checks(page: Path) -> None:
    assert {match["language"] for match in _FENCE.finditer(page.read_text())} <= LANGUAGES
    assert page.read_text().count("```") == 2 * len(_FENCE.findall(page.read_text()))


@every_page
def test_every_python_block_is_a_part_of_an_example_that_runs(page: Path) -> None:
    tests = "".join(file.read_text() for file in (ROOT / "tests").glob("*/test_*examples.py"))
    for before, body in fences(page, "python"):
        named = re.fullmatch(r"<!-- (examples/\w+\.py) -->", before)
        assert named, f"name the example in a comment before the block:\n{body}"
        file = ROOT / named[1]
        assert f"\n{body}" in f"\n{file.read_text()}", f"{named[1]} has no such lines:\n{body}"
        assert f'"{file.stem}' in tests, f"no test runs {named[1]}"


@every_page
def test_every_command_line_parses(page: Path) -> None:
    for _, body in fences(page, "console"):
        for line in body.splitlines():
            if line.startswith("$ "):
                check_command_line(line.removeprefix("$ ").partition(" # ")[0])


@every_page
def test_every_command_in_the_text_exists(page: Path) -> None:
    for match in _INLINE_COMMAND.finditer(prose(page)):
        check_bargein(shlex.split(match["rest"]), in_a_sentence=True)


@every_page
def test_every_option_in_the_text_exists(page: Path) -> None:
    assert set(_OPTION.findall(page.read_text())) <= options_of(main) | {"--help", "--version"}


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(prose(page)):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}"


def test_a_command_line_with_an_option_that_does_not_exist_is_noticed() -> None:
    for line in ("bargein serve --prot 1", "bargein swerve", "make coffee"):
        with pytest.raises((AssertionError, click.UsageError)):
            check_command_line(line)


def test_the_toml_of_a_scenario_is_one() -> None:
    blocks = [body for page in PAGES for _, body in fences(page, "toml")]
    assert blocks
    for body in blocks:
        if "[[stories]]" in body:
            assert ab_scenario.parse(body.encode(), "docs").stories
        else:
            assert scenario.Scenario.of(tomllib.loads(body)).replies


def test_every_key_of_the_file_of_ab_is_told_with_its_default() -> None:
    text = text_of("ab.md")
    for table in (ab_scenario.Scenario, ab_scenario.Story):
        for field in msgspec.structs.fields(table):
            told = re.search(rf"^\| `{field.name}` \|(.*)\|$", text, re.MULTILINE)
            assert told, field.name
            if isinstance(field.default, int | float) and not isinstance(field.default, bool):
                assert f"{field.default:g}" in told[1]


def test_every_room_and_module_is_in_the_drawing_and_nothing_else() -> None:
    drawing = "".join(body for _, body in fences(ROOT / "docs" / "design.md", ""))
    for entry in SOURCE.iterdir():
        if entry.is_dir() and not entry.name.startswith("_"):
            assert f"{entry.name}/" in drawing
        elif entry.suffix == ".py":
            assert entry.name in drawing
    for folder in re.findall(r"^├─ (\w+)/|^└─ (\w+)/", drawing, re.MULTILINE):
        assert (SOURCE / "".join(folder)).is_dir()
    for module in (SOURCE / "core").glob("[a-z]*.py"):
        assert re.search(rf"\b{module.stem}\b", drawing), f"core/{module.name}"


def test_every_input_and_command_of_the_machine_is_explained() -> None:
    text = text_of("own_loop.md")
    for kind in (*get_args(inputs.Input), *get_args(commands.Command)):
        assert re.search(rf"`{kind.__name__}\(", text), kind.__name__


def test_every_input_and_command_stands_in_the_drawing_of_the_machine() -> None:
    text = text_of("design.md")
    for kind in (*get_args(inputs.Input), *get_args(commands.Command)):
        assert re.search(rf"\b{kind.__name__}\b", text), kind.__name__


def test_every_word_and_field_of_the_records_is_explained() -> None:
    text = text_of("interruption.md")
    first = {row[0] for row in rows(text)}
    for word in (*get_args(notices.Exactness), *get_args(notices.Blame)):
        assert f"`{word}`" in first, word
    for word in get_args(notices.Asker):
        assert f"`{word}`" in text, word
    known = {"response_id", "item_id", "content_index", "rate"}
    for record in (notices.PartRecord, notices.Interruption, notices.InterruptionSettled):
        for name in {*record.__struct_fields__} - known - {"parts"}:
            assert f"`{name}`" in text, name
    for name in Capabilities.__struct_fields__:
        assert re.search(rf"Capabilities\([^)]*\b{name}=", text), name


def test_every_error_class_has_a_row() -> None:
    first = {row[0] for row in rows(text_of("errors.md"))}
    for name, value in vars(errors).items():
        if inspect.isclass(value) and issubclass(value, errors.BargeinError):
            assert f"`{name}`" in first, name


def test_the_tree_of_errors_is_the_one_of_the_module() -> None:
    text = text_of("errors.md")
    for name, value in vars(errors).items():
        if inspect.isclass(value) and issubclass(value, errors.BargeinError):
            assert re.search(rf"^[│ ├└─]*{name}\b", text, re.MULTILINE), name


def test_every_blame_and_every_dropped_thing_has_a_row() -> None:
    first = {row[0] for row in rows(text_of("errors.md"))}
    dropped = get_type_hints(notices.Dropped)["what"]
    assert get_args(dropped)
    for word in (*get_args(notices.Blame), *get_args(dropped)):
        assert f"`{word}`" in first, word


def test_every_refusal_of_the_service_has_its_row_code_and_mark() -> None:
    told = {row[1]: row[0] for row in rows(text_of("errors.md")) if len(row) == 4}
    for name, rule in RULES.items():
        row = f"`{name}`" if rule.source else f"`{name}` *"
        assert row in told, f"{row} is missing"
        assert told[row] == (f"`{rule.code}`" if rule.code else "(none)"), name


def test_every_refusal_of_admission_has_a_row() -> None:
    codes = {row[1].strip("`") for row in rows(text_of("errors.md")) if len(row) == 4}
    refused = [
        call
        for module in (admission, websocket)
        for call in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in ("_bad_request", "NotAdmitted")
    ]
    named = {
        word.value
        for call in refused
        for word in call.args[:2]
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
        if " " not in word.value
    }
    assert len(named) > 4
    assert named <= codes, named - codes


def test_every_limit_of_the_client_is_told_with_its_default() -> None:
    ours, _, _ = text_of("security.md").partition("## The local server")
    told = {row[0].strip("`"): row[1] for row in rows(ours) if len(row) == 3}
    for field in fields(Limits()):
        assert told[field.name].startswith(in_words(field.name, getattr(Limits(), field.name)))


def test_every_limit_of_the_server_that_is_named_has_its_default() -> None:
    _, _, servers = text_of("security.md").partition("## The local server")
    told = {row[0]: row[1] for row in rows(servers) if len(row) == 3}
    values = {
        field.name: getattr(limits, field.name)
        for limits in (HostLimits(), SessionLimits())
        for field in fields(limits)
    }
    named = {name: row for row in told for name in re.findall(r"`(\w+)`", row)}
    assert len(named) > 8
    for name, row in named.items():
        assert told[row].startswith(in_words(name, values[name])), name


def in_words(name: str, value: float) -> str:
    if name.endswith("_bytes"):
        return f"{int(value) // 2**20} MiB"
    if name.endswith("_characters"):
        return f"{int(value) // 1024} Ki"
    if name.endswith("_ms"):
        return f"{int(value) // 1000} s"
    return f"{value:g} s" if name.endswith("_s") else f"{value:g}"


def test_every_option_of_serve_is_told_with_its_default() -> None:
    told = {row[0].strip("`"): row[1] for row in rows(text_of("server.md")) if len(row) == 3}
    for option in serve_command.params:
        assert isinstance(option, click.Option)
        (name,) = [each for each in option.opts if each.startswith("--")]
        assert name in told, name
        if option.is_flag:
            assert told[name] == ("on" if option.default is True else "off")
        elif isinstance(option.default, str | int) and not option.multiple:
            assert told[name] == str(option.default)


def test_every_step_and_every_method_of_an_engine_is_told() -> None:
    first = " ".join(row[0] for row in rows(text_of("engines.md")))
    for action in get_args(score.Action):
        fields = ", ".join(action.__struct_fields__)
        assert f"`{action.__name__}({fields})`" in first, action.__name__
    for name in ("respond", "transcribe", "overhear", "close"):
        assert hasattr(Engine, name) and f"`{name}(" in first
    for name in StartEngine.__struct_fields__:
        assert f"`{name}`" in first, name


def test_every_argument_of_serve_local_and_what_it_gives_is_told() -> None:
    text = text_of("server.md")
    for name in inspect.signature(serve_local).parameters:
        assert f"`{name}`" in text, name
    for name in ("url", "ws_url", "port", "api_key", "sessions"):
        assert hasattr(Server, name) or name in Server.__slots__
        assert f"`{name}`" in text, name


def test_every_key_of_a_scenario_is_told() -> None:
    text = text_of("server.md")
    tables = (scenario.Scenario, scenario.Reply, scenario.Output, scenario.Ending, scenario.Gap)
    for table in tables:
        for key in table.__struct_fields__:
            assert f"`{key}`" in text, f"{table.__name__}.{key}"


def test_every_manner_is_told_with_its_default() -> None:
    told = {row[0].strip("`"): row[1] for row in rows(text_of("server.md")) if len(row) == 4}
    for key in scenario.Manner.__struct_fields__:
        usual = getattr(scenario.USUAL, key)
        assert key in told, key
        assert usual is None or told[key] == str(usual), key


def test_every_built_in_scenario_is_named() -> None:
    for name in scenario.builtin_scenarios():
        assert f"`{name}`" in text_of("server.md"), name


def test_every_invariant_is_told_in_its_own_words() -> None:
    told = {(row[0], row[1]) for row in rows(text_of("simulation.md")) if len(row) == 2}
    for invariant in INVARIANTS:
        assert (invariant.name, invariant.sentence) in told, invariant.name


def test_the_waits_that_are_told_are_the_machines() -> None:
    text = text_of("interruption.md") + text_of("errors.md")
    for timer, words in {
        Timer.STOP_ANSWER: "200 ms",
        Timer.ITEM_OVER: "(1 s at most)",
        Timer.SETTLEMENT: "2 s at most",
        Timer.RESPONSE_OVER: "(5 s at most",
        Timer.CREATED: "no `response.created` came within 15 s",
        Timer.SESSION: "did not begin the session within 15 s",
    }.items():
        assert words in text
        number, unit = re.findall(r"(\d+) (m?s)\b", words)[0]
        assert timer.lasts_us == int(number) * (1_000 if unit == "ms" else 1_000_000), timer


def test_the_readme_leads_to_every_page() -> None:
    linked = set(_LINK.findall(PAGES[0].read_text()))
    assert {f"docs/{page.name}" for page in DOCS} <= linked


def test_every_section_of_the_protocol_that_the_source_cites_is_there() -> None:
    headings = set(re.findall(r"^#+ §([\d.]+)", text_of("protocol.md"), re.MULTILINE))
    cited: set[str] = set()
    for file in SOURCE.rglob("*.py"):
        text = re.sub(r"\s+", " ", file.read_text())
        for places in re.findall(
            r"protocol\.md,? ((?:(?:§|sections? |to |and |, )*[\d.]+)+)", text
        ):
            cited |= {number.rstrip(".") for number in re.findall(r"[\d.]+", places)}
    cited |= {
        number for rule in RULES.values() for number in re.findall(r"[\d.]+", rule.source or "")
    }
    assert "6.2" in cited and "2.4" in cited
    assert cited <= headings, sorted(cited - headings)


def test_every_notice_and_every_call_of_a_session_is_on_its_page() -> None:
    text = text_of("session.md")
    for notice in get_args(notices.Notice):
        assert f"`{notice.__name__}`" in text, notice
    for name in vars(Session):
        if not name.startswith("_"):
            assert re.search(rf"`{name}[`(]", text), name
    for name in inspect.signature(connect).parameters:
        assert f"`{name}`" in text or name == "model", name
