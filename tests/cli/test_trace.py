"""`bargein trace`: what is printed, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.trace.sessions import interrupted

from bargein.cli import main
from bargein.core.machine import Machine
from bargein.core.messages import messages
from bargein.core.readable import from_json
from bargein.core.settings import Settings
from bargein.lab import mutation
from bargein.trace import record
from bargein.trace.format import Reader
from bargein.trace.retell import Story


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


def test_the_conversation_is_printed_as_markdown_json_or_messages(path: Path) -> None:
    shown = run("conversation", path)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == (
        "**Assistant** (in progress)\n\n> Once upon a time\n\n"
        "**User** (on its way)\n\n> Tell me a story.\n"
    )
    items = from_json(run("conversation", path, "--json").stdout)
    assert [item.state for item in items] == ["there", "coming"]
    told = json.loads(run("conversation", path, "--messages").stdout)
    assert told == messages(items) != []


def test_of_a_trace_that_lost_inputs_the_conversation_until_there_is_printed(
    path: Path, lines: list[bytes]
) -> None:
    path.write_bytes(b"".join([*lines[:4], record.lost(3), *lines[4:]]))
    result = run("conversation", path)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{path}:5: what follows here cannot be replayed\n"


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


@pytest.mark.parametrize("verb", ["show", "replay", "check", "shorten"])
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


@pytest.mark.parametrize("verb", ["show", "replay", "check", "shorten"])
def test_a_folder_is_no_trace(tmp_path: Path, verb: str) -> None:
    result = run(verb, tmp_path)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path}: Is a directory\n"


@pytest.mark.parametrize("verb", ["show", "replay", "check", "shorten"])
def test_damage_in_the_middle_is_named_by_its_line(
    path: Path, lines: list[bytes], verb: str
) -> None:
    path.write_bytes(b"".join([*lines[:4], b"garbage\n", *lines[4:]]))
    result = run(verb, path)
    assert result.exit_code == 2
    assert f"{path}: line 5 is damaged" in result.stderr


# -- check and shorten ----------------------------------------------------------------------------

REGRESSIONS = sorted((Path(__file__).parent.parent / "regressions").glob("*.trace"))
RECORDED = Path(__file__).parent.parent / "regressions" / "a-story-and-a-question-cut.trace"
CLOCKED = "takes-what-was-given-to-the-player-for-heard"


@pytest.fixture
def by_the_clock() -> Iterator[None]:
    """This version's client takes all that the player was given for heard."""
    [mutant] = mutation.named([CLOCKED])
    with mutation.applied(mutant):
        yield


@pytest.fixture
def broken(tmp_path: Path, by_the_clock: None) -> Path:
    """What such a client would have recorded in a real session."""
    with RECORDED.open("rb") as lines:
        reader = Reader(lines)
        settings = reader.settings()
        story = Story(list(reader), settings, Machine)
    steps = story.tell().steps
    path = tmp_path / "broken.trace"
    path.write_bytes(
        b"".join(
            [
                record.header(settings, reader.header.started, "0"),
                *(record.entry(s.at_us, s.input, s.commands) for s in steps),
                record.end(),
            ]
        )
    )
    return path


@pytest.mark.parametrize("file", REGRESSIONS, ids=lambda file: file.stem)
def test_a_session_that_was_recorded_once_keeps_its_promises_for_ever(file: Path) -> None:
    result = run("check", "--replay", file)
    assert (result.exit_code, result.stderr) == (0, ""), result.output


def test_check_counts_what_it_met_and_names_what_it_cannot_judge() -> None:
    result = run("check", RECORDED)
    assert result.exit_code == 0
    assert "2  cuts" in result.stdout
    assert "not judged: I6: a trace holds no mirror; --replay makes one" in result.stdout
    assert "Every promise that can be judged was kept." in result.stdout


def test_check_names_the_sentence_the_line_and_the_rows_around_it(broken: Path) -> None:
    result = run("check", broken)
    assert result.exit_code == 1
    assert "I1: What the service remembers of each spoken part is what the ear got." in (
        result.stdout
    )
    where = next(row for row in result.stdout.splitlines() if row.startswith(f"{broken}:"))
    number = int(where.rpartition(":")[2])
    assert b"PlaybackStopped" in broken.read_bytes().splitlines()[number - 1]
    assert any(
        row.startswith("  > ") and "PlaybackStopped" in row for row in result.stdout.splitlines()
    )


def test_check_as_json_is_one_object(broken: Path) -> None:
    result = run("check", broken, "--json")
    told = json.loads(result.stdout)
    assert told["met"]["cuts"] == 2
    assert "I1" in {finding["invariant"] for finding in told["findings"]}


def test_check_says_where_inputs_are_missing(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join([*lines[:4], record.lost(3), *lines[4:]]))
    result = run("check", path)
    assert f"{path}:5: inputs are missing" in result.stderr
    assert "not judged: liveness: the trace has no end" in result.stdout


def test_shorten_leaves_a_handful_of_inputs_that_break_the_same_sentence(
    broken: Path, tmp_path: Path
) -> None:
    short = tmp_path / "short.trace"
    result = run("shorten", broken, "--sentence", "I1", "--out", short)
    assert result.exit_code == 0
    assert "none of them can be left out" in result.stdout
    with short.open("rb") as lines:
        reader = Reader(lines)
        left = list(reader)
    before = len(broken.read_bytes().splitlines()) - 2
    assert reader.header.shortened_from == before > 20 * len(left)
    assert run("show", short).exit_code == 0
    assert run("replay", short).exit_code == 0
    checked = run("check", short)
    assert checked.exit_code == 1
    assert "I1: " in checked.stdout
    assert f"shortened from {before} inputs" in checked.stdout


def test_shorten_as_json_tells_the_numbers(broken: Path, tmp_path: Path) -> None:
    result = run("shorten", broken, "--out", tmp_path / "short.trace", "--json")
    told = json.loads(result.stdout)
    assert told["minimal"]
    assert told["inputs"] < told["inputs_before"] / 20


def test_shorten_of_a_sentence_that_is_kept_names_those_that_are_not(broken: Path) -> None:
    result = run("shorten", broken, "--sentence", "I5")
    assert result.exit_code == 2
    assert "--sentence: I5 is not broken here; these are: " in result.stderr
    assert "I1" in result.stderr


def test_shorten_says_that_nothing_breaks() -> None:
    result = run("shorten", RECORDED)
    assert result.exit_code == 0
    assert result.stdout == (
        "This version's machine breaks nothing with these inputs: nothing to shorten.\n"
    )


def test_shorten_says_what_was_broken_as_recorded_and_is_fixed_since(tmp_path: Path) -> None:
    lines = RECORDED.read_bytes().splitlines(keepends=True)
    number = next(i for i, line in enumerate(lines) if b'"StopPlayback"' in line)
    raw = json.loads(lines[number])
    lines[number] = json.dumps(raw | {"out": None, "raised": "ValueError: no"}).encode() + b"\n"
    path = tmp_path / "old.trace"
    path.write_bytes(b"".join(lines))
    result = run("shorten", path)
    assert result.exit_code == 0
    assert f"As recorded, I9 was broken at line {number + 1}" in result.stdout
    assert "raised ValueError: no); it is fixed since." in result.stdout


def test_shorten_does_not_write_where_it_cannot(broken: Path, tmp_path: Path) -> None:
    result = run("shorten", broken, "--out", tmp_path / "nowhere" / "short.trace")
    assert result.exit_code == 2
    assert "--out: " in result.stderr
