"""The log of frames tells what was said and keeps neither sound nor secrets."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from bargein.errors import LocalValueError
from bargein.server.framelog import FrameLog, shown


def test_each_frame_is_a_line_with_its_time_session_and_sender(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    with FrameLog(path) as log:
        log.note("session-1", "client", '{"type":"response.create"}')
        log.note("session-1", "server", '{"type":"response.created"}')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["session"], line["from"], line["frame"]["type"]) for line in lines] == [
        ("session-1", "client", "response.create"),
        ("session-1", "server", "response.created"),
    ]
    assert 0 <= lines[0]["t_us"] <= lines[1]["t_us"]


def test_the_file_is_its_owners_only_even_if_it_was_there(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_text("old")
    path.chmod(0o644)
    FrameLog(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == ""


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        (
            {"type": "input_audio_buffer.append", "audio": "AAAA"},
            {"type": "input_audio_buffer.append", "audio": "(4 characters of base64)"},
        ),
        (
            {"type": "response.output_audio.delta", "delta": "AAAAAAAA"},
            {"type": "response.output_audio.delta", "delta": "(8 characters of base64)"},
        ),
        (
            {"type": "response.output_text.delta", "delta": "Hello"},
            {"type": "response.output_text.delta", "delta": "Hello"},
        ),
        (
            {"item": {"content": [{"audio": "AAAA", "transcript": "Hi"}]}},
            {"item": {"content": [{"audio": "(4 characters of base64)", "transcript": "Hi"}]}},
        ),
        (
            {"session": {"tools": [{"authorization": "Bearer x", "headers": {"a": "b"}}]}},
            {"session": {"tools": [{"authorization": "[masked]", "headers": {"a": "[masked]"}}]}},
        ),
        (
            {"item": {"content": [{"text": "my key is sk-proj-Abc123Def456Ghi789"}]}},
            {"item": {"content": [{"text": "my key is [masked]"}]}},
        ),
        (
            {
                "session": {
                    "tools": [{"server_url": "https://joe:hunter22@a.example/?token=x1&v=1"}]
                }
            },
            {"session": {"tools": [{"server_url": "https://[masked]@a.example/[masked]"}]}},
        ),
        ({"new": {"Password": "hunter22"}}, {"new": {"Password": "[masked]"}}),
        ({"session": {"audio": {"input": None}}}, {"session": {"audio": {"input": None}}}),
    ],
)
def test_sound_is_a_size_and_a_secret_is_gone(frame: dict[str, Any], kept: dict[str, Any]) -> None:
    assert shown(json.dumps(frame)) == kept


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        (b"\x00\x01", {"binary_bytes": 2}),
        ("sk-secret", {"no_json_characters": 9}),
        ('"sk-secret"', {"no_object_characters": 11}),
        ("[" * 100_000, {"no_json_characters": 100_000}),
    ],
)
def test_what_is_no_event_is_only_counted(frame: str | bytes, kept: dict[str, Any]) -> None:
    assert shown(frame) == kept


def test_what_is_nested_deeply_is_cut() -> None:
    deep = '{"a":' * 200 + "1" + "}" * 200
    assert "(deeper)" in json.dumps(shown(deep))


def test_a_log_that_can_no_longer_be_written_counts_what_is_missing(tmp_path: Path) -> None:
    log = FrameLog(tmp_path / "frames.jsonl")
    log.close()
    log.note("session-1", "client", "{}")
    assert log.missing == 1


def test_a_full_disk_stops_the_log_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    log = FrameLog(Path("/dev/full"))
    for _ in range(3):
        log.note("session-1", "client", "{}")
    assert log.missing == 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalValueError, match="give a file that can be written"):
        FrameLog(tmp_path / "nowhere" / "frames.jsonl")
