"""The file of `bargein ab`: what it holds, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bargein.errors import LocalValueError
from bargein.lab.ab.scenario import load, parse

WHOLE = """
story = "Once upon a time."
[[stories]]
name = "one"
listen_ms = 500
stop = "button"
"""


def told(text: str) -> str:
    with pytest.raises(LocalValueError) as refused:
        parse(text.encode(), "mine.toml")
    return str(refused.value)


def test_the_shipped_one_has_the_reports_story_and_every_way_to_stop() -> None:
    scenario = load(None)
    report = scenario.stories[0]
    assert (report.ask, report.listen_ms, report.stop) == ("tell me a story", 2_449, "button")
    assert {each.stop for each in scenario.stories} == {
        "button",
        "voice",
        "typed",
        "push_to_talk",
    }
    assert any(each.after_done for each in scenario.stories)


def test_the_local_server_tells_the_story_and_then_the_answer() -> None:
    scenario = parse(WHOLE.encode(), "mine.toml")
    said = [output.say for reply in scenario.played().replies for output in reply.outputs]
    assert said == ["Once upon a time.", scenario.answer]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("listen_ms = 500", "listen_ms = 5"), "stories[0]: listen_ms is 5:"),
        (("listen_ms = 500", "listen_ms = 5"), "give 100 to 60000"),
        (("listen_ms = 500", 'listen_ms = "x"'), "stories[0].listen_ms is 'x'"),
        (('"button"', '"shout"'), "give one of 'button', 'voice', 'typed', 'push_to_talk'"),
        (('"button"', '"voice"'), "words is None: give what is said or typed"),
        (('"button"', '"button"\nwords = "hey"'), "words is 'hey': a button says nothing"),
        (('"one"', '"../one"'), "name is '../one': give up to 40 small letters"),
        (('"one"', '"one"\nask = " "'), "ask is ' '"),
        (("listen_ms = 500", "listn_ms = 500"), "known here: about, after_done, ask, listen_ms"),
        (("story =", "stry ="), "known here: about, answer, instructions, speed"),
        (('"Once upon a time."', '" "'), "story is ' ': give what the server says"),
        (("[[stories]]", "speed = 0\n[[stories]]"), "speed is 0"),
        (("[[stories]]", "[stories]"), "stories"),
        (("story =", "story"), "not TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_its_value_and_the_way_out(
    change: tuple[str, str], why: str
) -> None:
    text = told(WHOLE.replace(*change))
    assert text.startswith("mine.toml: ")
    assert why in text


def test_two_stories_of_one_name_would_write_one_file() -> None:
    stories = WHOLE.partition("[[stories]]")[2]
    assert "two stories have the name 'one'" in told(f"{WHOLE}[[stories]]{stories}")


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalValueError, match=r"nowhere\.toml: No such file"):
        load(tmp_path / "nowhere.toml")
    with pytest.raises(LocalValueError, match="byte 0 is no UTF-8"):
        parse(b"\xff", "mine.toml")
