"""The command `bargein demo`: its files, its exit codes, its errors."""

from __future__ import annotations

import importlib.util
import json
import wave
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from tests.virtual_loop import run

from bargein.cli import demo, main
from bargein.lab import demo as lab_demo
from bargein.lab.demo import Held


def bargein_demo(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["demo", *arguments], env=environment)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo on a clock that jumps."""

    def virtually(conversation: Coroutine[Any, Any, Held]) -> Held:
        return run(conversation)

    monkeypatch.setattr(demo, "_run", virtually)


def error_of(result: Result) -> str:
    """The one line on stderr of a refused call."""
    assert result.exit_code == 2, result.output
    assert result.stdout == "" or "half a minute" in result.stdout
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.usefixtures("no_waiting")
def test_it_writes_its_files_tells_the_verdict_and_ends_with_nought(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    result = bargein_demo("--out", str(tmp_path), "--seed", "3")
    assert result.exit_code == 0, result.output
    assert "Every promise kept: what the server remembers is what the ear heard." in result.stdout
    assert "cut       1: silent;" in result.stdout
    names = {"ear.wav", "timeline.svg", "session.trace", "report.json", "mine.txt"}
    assert {file.name for file in tmp_path.iterdir()} == names
    for name in names - {"mine.txt"}:
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600, name
    with wave.open(str(tmp_path / "ear.wav")) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (2, 2, 24_000)
        assert sound.getnframes() / 24_000 > 20
    assert ElementTree.parse(tmp_path / "timeline.svg").getroot().tag.endswith("svg")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["ok"], report["seed"]) == (True, 3)
    assert set(report["versions"]) >= {"bargein", "python", "websockets", "numpy"}
    assert report["service"] == "local server, scenario 'demo'"


@pytest.mark.usefixtures("no_waiting")
def test_with_json_nothing_but_the_report_is_on_stdout(tmp_path: Path) -> None:
    result = bargein_demo("--out", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((tmp_path / "report.json").read_text())
    assert result.stderr == ""


@pytest.mark.usefixtures("no_waiting")
def test_a_broken_promise_ends_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = lab_demo.hold

    async def forgetful(*arguments: Any) -> Held:
        held = await honest(*arguments)
        memory = held.observed.memory
        assert memory is not None
        parts = tuple(
            replace(part, kept_samples=part.kept_samples + 2_400) for part in memory.parts
        )
        observed = replace(held.observed, memory=replace(memory, parts=parts))
        return replace(held, observed=observed)

    monkeypatch.setattr(lab_demo, "hold", forgetful)
    result = bargein_demo("--out", str(tmp_path))
    assert result.exit_code == 1
    assert "Broken: P2, P6." in result.stdout
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] == "broken"


@pytest.mark.usefixtures("no_waiting")
def test_interruptions_that_do_not_come_about_end_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = lab_demo.hold

    async def hasty(*arguments: Any) -> Held:
        held = await honest(*arguments)
        return replace(held, observed=replace(held.observed, unmet="the user ran out of time"))

    monkeypatch.setattr(lab_demo, "hold", hasty)
    result = bargein_demo("--out", str(tmp_path))
    assert result.exit_code == 1
    assert "Nothing is shown by this: the user ran out of time." in result.stdout


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    assert error_of(bargein_demo("--out", str(file))) == (
        f"Error: out: {file} is a file; name a folder"
    )
    assert "cannot be written" in error_of(bargein_demo("--out", "/proc/self"))


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"", "is empty"), (b"not a sound at all" * 50, "cannot be read")],
)
def test_a_recording_that_is_none_is_one_line(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    file = tmp_path / "mine.wav"
    if content is not None:
        file.write_bytes(content)
    line = error_of(bargein_demo("--out", str(tmp_path / "out"), "--wav", str(file)))
    assert str(file) in line
    assert why in line


def test_a_url_without_a_key_is_one_line(tmp_path: Path) -> None:
    line = error_of(
        bargein_demo("--out", str(tmp_path), "--url", "http://127.0.0.1:9/v1", OPENAI_API_KEY="")
    )
    assert "OPENAI_API_KEY" in line


def test_a_service_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    line = error_of(
        bargein_demo(
            "--out", str(tmp_path), "--url", "http://127.0.0.1:9/v1", OPENAI_API_KEY="sk-secret-1"
        )
    )
    assert line.startswith("Error: ")
    assert "127.0.0.1:9" in line
    assert "sk-secret-1" not in line


def test_a_url_that_is_none_is_one_line(tmp_path: Path) -> None:
    line = error_of(bargein_demo("--out", str(tmp_path), "--url", "nonsense", "--api-key", "k"))
    assert line == "Error: url: give http(s)://host/v1 or ws(s)://host/v1/realtime"


def test_a_key_without_a_url_is_one_line(tmp_path: Path) -> None:
    line = error_of(bargein_demo("--out", str(tmp_path), "--api-key", "sk-secret-2"))
    assert line == "Error: api-key: the local server makes its own; give it with --url"
    line = error_of(bargein_demo("--out", str(tmp_path), "--model", "gpt-nope"))
    assert line == "Error: model: the local server plays a script; give it with --url"


def test_a_port_that_cannot_be_had_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def refused(self: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refused)
    line = error_of(bargein_demo("--out", str(tmp_path)))
    assert "cannot be listened on: Permission denied" in line


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name in ("uvicorn", "soundfile") else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    line = error_of(bargein_demo("--out", str(tmp_path)))
    assert line == (
        'Error: the demo needs soundfile, uvicorn; install it with: pip install "bargein[local]"'
    )


def test_the_query_of_a_url_is_written_nowhere(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/v1/realtime?sig=hidden"
    result = bargein_demo("--out", str(tmp_path), "--url", url, OPENAI_API_KEY="sk-x")
    assert result.exit_code == 2
    assert "hidden" not in result.output


def test_ctrl_c_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def impatient(*arguments: Any) -> Held:
        raise KeyboardInterrupt

    monkeypatch.setattr(lab_demo, "hold", impatient)
    result = bargein_demo("--out", str(tmp_path), "--json")
    assert result.exit_code == 130
    assert result.stderr.splitlines() == ["Interrupted; nothing was written but the trace."]


def test_the_help_names_every_exit_code() -> None:
    result = bargein_demo("--help")
    assert result.exit_code == 0
    for text in ("Exit code 0", "1: one was broken", "2: the conversation could not be begun"):
        assert text in result.stdout


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("https://user:secret@127.0.0.1:9/v1?key=secret", "127.0.0.1:9/v1, model gpt-realtime"),
        ("wss://example.test/v1", "example.test/v1, model gpt-realtime"),
    ],
)
def test_a_foreign_service_is_named_with_its_port_and_without_its_secrets(
    url: str, named: str
) -> None:
    asked = demo._Asked(
        out=Path("x"), wav=None, as_json=False, seed=1, url=url, api_key="k", model=None
    )
    assert demo._service(asked) == named
