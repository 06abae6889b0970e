"""Scenario files are read strictly: every fault names the place, the value and the way out."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from bargein.errors import LocalValueError
from bargein.server.engines.scenario import (
    USUAL,
    Ending,
    Gap,
    Manner,
    Output,
    Reply,
    Scenario,
    builtin_scenarios,
    load_scenario,
)
from bargein.server.engines.tables import RemoteFault, RemoteServerTable, RemoteToolTable

HELLO: dict[str, Any] = {"outputs": [{"say": "Hello."}]}


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({}, "the top of the file: object missing required field `replies`"),
        ({"replies": []}, "replies has none that may answer anything"),
        ({"replies": [{**HELLO, "when": "hi"}]}, "replies has none that may answer anything"),
        ({"replies": "Hello."}, "replies is 'Hello.': expected `array`, got `str`"),
        (
            {"replies": [{"outputs": [{"say": "x", "delta_ms": 3}]}]},
            "replies[0].outputs[0]: object contains unknown field `delta_ms`; known here: after_ms",
        ),
        ({"replies": [HELLO], "spead": 3}, "the top of the file: object contains unknown field"),
        (
            {"replies": [HELLO, {"words_per_minute": "fast"}]},
            "replies[1].words_per_minute is 'fast': expected `int`, got `str`",
        ),
        ({"replies": [{"speed": 0}]}, "replies[0]: speed is 0.0: give 0.1 to 1000"),
        ({"replies": [{"delta_samples": 0}]}, "delta_samples is 0: give 1 to"),
        ({"replies": [HELLO], "speed": float("nan")}, "speed is nan: give 0.1 to 1000"),
        ({"replies": [{"outputs": [{}]}]}, "an output has nothing: give it one of 'say'"),
        (
            {"replies": [{"outputs": [{"say": "x", "call": "y"}]}]},
            "an output has ['say', 'call']: give it one of",
        ),
        ({"replies": [{"outputs": [{"parts": [{}]}]}]}, "a part has nothing: give it one of"),
        (
            {"replies": [{"outputs": [{"say": "x", "arguments": {}}]}]},
            "arguments need a 'call'",
        ),
        (
            {"replies": [{"outputs": [{"write": "x", "gaps": [{"at_ms": 1, "for_ms": 1}]}]}]},
            "gaps are in the audio: give them beside 'say'",
        ),
        (
            {"replies": [{"outputs": [{"say": "x", "phase": "prelude"}]}]},
            "replies[0].outputs[0].phase is 'prelude': give one of 'commentary', 'final_answer'",
        ),
        (
            {"replies": [{"ending": {"status": "incomplete"}}]},
            "status is 'incomplete' and reason is None",
        ),
        (
            {"replies": [{"ending": {"status": "gone"}}]},
            "replies[0].ending.status is 'gone': give one of 'failed', 'incomplete'",
        ),
        ({"replies": [{"when": "("}]}, "when is '(', no regular expression"),
        ({"replies": [{"when": "a", "after_call": "b"}]}, "give one of them"),
    ],
)
def test_a_fault_names_its_place_and_the_way_out(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(LocalValueError) as raised:
        Scenario.of(values, source="mine.toml")
    assert str(raised.value).startswith("mine.toml: ")
    assert fault in str(raised.value)


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"replies = [", "not TOML: "), (b"name = '\xff'", "byte 8 is no UTF-8; save it as UTF-8")],
)
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(LocalValueError) as raised:
        load_scenario(path)
    assert str(raised.value).startswith(f"{path}: {fault}")


def test_a_file_that_is_not_there_is_told_with_the_names_that_are() -> None:
    with pytest.raises(LocalValueError, match=r"nowhere\.toml: No such file.*storyteller"):
        load_scenario("nowhere.toml")


def test_a_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'speed = 8\n[[replies]]\nuser = "Hi"\nspeed = 2\n[[replies.outputs]]\nsay = "Hello."\n'
        '[[replies.outputs]]\ncall = "weather"\narguments = { city = "Paris" }\n'
    )
    (reply,) = load_scenario(path).replies
    assert reply.user == "Hi"
    assert reply.calls == ("weather",)
    assert reply.outputs[1].arguments == {"city": "Paris"}


def test_a_reply_stands_above_its_scenario_and_that_above_what_is_usual() -> None:
    scenario = Scenario.of({"speed": 8, "voice": "de", "replies": [{"speed": 2}, HELLO]})
    first, second = (scenario.manner_of(reply) for reply in scenario.replies)
    assert (first.speed, first.voice, first.delta_samples) == (2, "de", USUAL.delta_samples)
    assert second.speed == 8


def test_what_is_usual_leaves_only_the_voice_open() -> None:
    left_open = [name for name in Manner.__struct_fields__ if getattr(USUAL, name) is None]
    assert left_open == ["voice"]


def test_the_builtin_scenarios_can_be_read() -> None:
    assert "storyteller" in builtin_scenarios()
    for name in builtin_scenarios():
        assert load_scenario(name).name == name


REMOTE = (RemoteServerTable, RemoteToolTable, RemoteFault)


def test_the_troubles_show_every_key() -> None:
    """The file says that it does, and stands in for a reference."""
    file = resources.files("bargein.server.engines") / "scenarios" / "trouble.toml"
    text = file.read_text(encoding="utf-8")
    for table in (Scenario, Reply, Output, Gap, Ending, *REMOTE):
        for name in table.__struct_fields__:
            assert re.search(rf"\b{name}\b", text), f"{table.__name__}.{name}"
