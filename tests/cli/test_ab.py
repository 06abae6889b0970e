"""The command `bargein ab`: its files, its exit codes, its errors."""

from __future__ import annotations

import importlib.util
import json
import wave
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.lab.ab.made import a_run, piece

from bargein.cli import ab, main
from bargein.lab.ab import play
from bargein.lab.ab.scenario import Story
from bargein.lab.ab.stage import Place, Run, Transport, Who

SHORT = """
about = "One short story."
story = "Once upon a time there was a fox who counted the boats that came home."
[[stories]]
name = "short"
about = "the stop button"
listen_ms = 300
stop = "button"
"""


def bargein_ab(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["ab", *arguments], env=environment)


@pytest.fixture
def short(tmp_path: Path) -> str:
    file = tmp_path / "short.toml"
    file.write_text(SHORT)
    return str(file)


def error_of(result: Result) -> str:
    """The one line on stderr of a refused call."""
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()[-1:]
    return line


@pytest.mark.real_time
def test_a_story_over_both_transports_by_both_clients(tmp_path: Path, short: str) -> None:
    """The whole command, with real media over loopback."""
    out = tmp_path / "out"
    result = bargein_ab("--out", str(out), "--scenario", short)
    assert result.exit_code == 0, result.output
    assert "bargein is silent" in result.stdout
    assert "The naive client goes on for up to" in result.stdout
    runs = [f"short-{how}-{who}" for how in ("websocket", "webrtc") for who in ("bargein", "naive")]
    names = {"report.html", "report.json", *(f"{run}.wav" for run in runs)}
    assert {file.name for file in out.iterdir()} == names
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in out.iterdir())
    with wave.open(str(out / "short-webrtc-naive.wav")) as sound:
        assert (sound.getnchannels(), sound.getframerate()) == (2, 24_000)
    report = json.loads((out / "report.json").read_text())
    assert (report["ok"], report["service"]) == (True, "a local server")
    seen = {(run["transport"], run["who"]): run for run in report["runs"]}
    for how in ("websocket", "webrtc"):
        ours, naive = seen[how, "bargein"], seen[how, "naive"]
        assert ours["stop_to_silence_ms"] <= 40
        assert naive["sound_after_ms"] > 500, "the reply goes on behind truncate and cancel"
        assert ours["kept_ms"] is not None and naive["kept_ms"] is not None
        assert naive["commands"][0].startswith("conversation.item.truncate ")
    naive = seen["websocket", "naive"]
    assert naive["heard_ms"] > naive["kept_ms"] + 500, "it is heard, and not remembered"
    assert seen["webrtc", "bargein"]["commands"] == ["response.cancel", "output_audio_buffer.clear"]
    page = (out / "report.html").read_text()
    assert all(f'src="{run}.wav"' in page for run in runs)


def test_a_wrong_scenario_is_one_line_before_anything_is_played(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SHORT.replace('"button"', '"shout"'))
    line = error_of(bargein_ab("--out", str(tmp_path / "out"), "--scenario", str(file)))
    assert line == (
        f"Error: {file}: stories[0].stop is 'shout': give one of 'button', 'voice', 'typed', "
        "'push_to_talk'"
    )
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, short: str) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    line = error_of(bargein_ab("--out", str(file), "--scenario", short))
    assert line == f"Error: out: {file} is a file; name a folder"


@pytest.mark.parametrize("option", ["--api-key", "--model"])
def test_a_key_or_a_model_without_a_url_is_one_line(tmp_path: Path, option: str) -> None:
    line = error_of(bargein_ab("--out", str(tmp_path), option, "x"))
    assert line == (f"Error: {option[2:]}: the local server has its own; give it with --url")


def test_a_service_that_is_not_there_is_one_line_without_the_key(
    tmp_path: Path, short: str
) -> None:
    url = "http://127.0.0.1:9/v1"
    result = bargein_ab(
        *("--out", str(tmp_path), "--scenario", short, "--url", url), OPENAI_API_KEY="sk-secret-7"
    )
    line = error_of(result)
    assert "127.0.0.1:9" in line
    assert "sk-secret-7" not in result.output + result.stderr
    without = bargein_ab(
        "--out", str(tmp_path), "--scenario", short, "--url", url, OPENAI_API_KEY=""
    )
    assert "OPENAI_API_KEY" in error_of(without)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Nothing is played; the reply is heard for so long after the stop."""
    after_ms = {"bargein": 0, "naive": 5_000}

    async def seen(story: Story, transport: Transport, who: Who, *_: object) -> Run:
        heard = piece(1_000, 1_000 + after_ms[who])
        return a_run(heard, story=story, transport=transport, who=who)

    monkeypatch.setattr(play, "run", seen)
    return after_ms


@pytest.mark.usefixtures("made_up")
def test_with_json_nothing_but_the_report_is_on_stdout(tmp_path: Path, short: str) -> None:
    result = bargein_ab("--json", "--out", str(tmp_path / "out"), "--scenario", short)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads((tmp_path / "out" / "report.json").read_text())
    assert "1/1 short" in result.stderr


def test_sound_of_ours_after_the_stop_ends_with_one(
    tmp_path: Path, short: str, made_up: dict[str, int]
) -> None:
    made_up["bargein"] = 60
    result = bargein_ab("--out", str(tmp_path / "out"), "--scenario", short)
    assert result.exit_code == 1
    assert "bargein did not stop as it must: short over WebSocket, short over WebRTC." in (
        result.stdout
    )


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name in ("uvicorn", "aiortc") else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    assert error_of(bargein_ab("--out", str(tmp_path))) == (
        'Error: this needs uvicorn, aiortc; install it with: pip install "bargein[local,webrtc]"'
    )


def test_ctrl_c_is_one_line(tmp_path: Path, short: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def impatient(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(play, "play", impatient)
    result = bargein_ab("--json", "--out", str(tmp_path / "out"), "--scenario", short)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1].startswith("Interrupted; ")


def test_a_foreign_service_is_named_without_its_secrets() -> None:
    place = Place("https://user:secret@host.test/v1?key=secret", "k", "gpt-realtime", False)
    assert ab._service(place) == "host.test/v1, model gpt-realtime"
    assert "secret" not in repr(Place("https://h/v1", "secret", "m", False))
