"""`bargein trace`: what is printed, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.trace.sessions import interrupted

from bargein.cli import main
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.trace import record


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["trace", *map(str, arguments)])


@pytest.fixture
def lines() -> list[bytes]:
    machine = Machine(Settings())
    return [
        record.header(Settings(), "2026-11-21T10:44:41+0000", "0.1.0"),
        *(record.entry(at, each, machine.handle(each, now_us=at)) for at, each in interrupted()),
        record.end(),
    ]


@pytest.fixture
def path(tmp_path: Path, lines: list[bytes]) -> Path:
    path = tmp_path / "session.trace"
    path.write_bytes(b"".join(lines))
    return path


def test_show_prints_a_head_and_a_row_for_each_thing_that_matters(path: Path) -> None:
    result = run("show", path)
    assert result.exit_code == 0
    head, *rest = result.stdout.splitlines()
    assert "started 2026-11-21T10:44:41+0000" in head
    assert any("♪  StopPlayback" in row for row in rest)
    assert any("14 audio deltas" in row for row in rest)
    assert "\x1b" not in result.stdout
    assert result.stderr == ""


def test_show_as_json_prints_an_object_a_row(path: Path) -> None:
    result = run("show", path, "--json")
    found = [json.loads(row) for row in result.stdout.splitlines()]
    assert {"at_us": 0, "line": 2, "arrow": "·"}.items() <= found[0].items()
    assert any(row["what"] == "PlaybackStopped" for row in found)


def test_show_all_folds_nothing(path: Path) -> None:
    result = run("show", path, "--all")
    assert result.stdout.count("response.output_audio.delta") == 14


def test_a_cut_trace_is_shown_as_far_as_it_goes_and_said_to_be_cut(
    path: Path, lines: list[bytes]
) -> None:
    path.write_bytes(b"".join(lines[:5]) + lines[5][:20])
    result = run("show", path)
    assert result.exit_code == 0
    assert "no end" in result.stderr
    assert "session.created" in result.stdout


def test_replay_of_the_same_machine_says_so(path: Path) -> None:
    result = run("replay", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{len(interrupted())} inputs gave the same ")


def test_replay_names_the_first_difference_and_exits_with_1(path: Path, lines: list[bytes]) -> None:
    number = next(i for i, line in enumerate(lines) if b'"StopPlayback"' in line)
    lines[number] = lines[number].replace(b'"StopPlayback"', b'"HoldPlayback"')
    path.write_bytes(b"".join(lines))
    result = run("replay", path)
    assert result.exit_code == 1
    where, was_fed, which, recorded, now = result.stdout.splitlines()
    assert where.startswith(f"{path}:{number + 1}: ")
    assert "speech_started" in was_fed
    assert "command" in which
    assert '"type":"HoldPlayback"' in recorded
    assert '"type":"StopPlayback"' in now


def test_replay_of_a_trace_with_lost_inputs_names_the_line_and_exits_with_2(
    path: Path, lines: list[bytes]
) -> None:
    path.write_bytes(b"".join([*lines[:4], record.lost(3), *lines[4:]]))
    result = run("replay", path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{path}:5: inputs are missing")


@pytest.mark.parametrize("verb", ["show", "replay"])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file or directory"),
        (b"", "not a trace"),
        (b"\x00\xff" * 100, "not a trace"),
        (b'{"bargein_trace":99}\n', "has format 99, this version reads up to 1: update bargein"),
        (b'{"bargein_trace":1}\n', "line 1 is damaged"),
        (b'{"bargein_trace":1,', "not a trace"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line_and_exit_code_2(
    tmp_path: Path, verb: str, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / "odd.trace"
    if content is not None:
        path.write_bytes(content)
    result = run(verb, path)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: {path}: ") and complaint in line


@pytest.mark.parametrize("verb", ["show", "replay"])
def test_a_folder_is_no_trace(tmp_path: Path, verb: str) -> None:
    result = run(verb, tmp_path)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path}: Is a directory\n"


@pytest.mark.parametrize("verb", ["show", "replay"])
def test_damage_in_the_middle_is_named_by_its_line(
    path: Path, lines: list[bytes], verb: str
) -> None:
    path.write_bytes(b"".join([*lines[:4], b"garbage\n", *lines[4:]]))
    result = run(verb, path)
    assert result.exit_code == 2
    assert f"{path}: line 5 is damaged" in result.stderr
