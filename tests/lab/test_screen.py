"""What is shown while the demo runs."""

from __future__ import annotations

import io

from rich.console import Console
from tests.lab.demo_rig import SECOND, SECOND_HEARD, STORY, STORY_HEARD, told_cut

from bargein.core.notices import (
    Fault,
    FloorChanged,
    Interruption,
    InterruptionSettled,
    Lost,
    TurnEnded,
)
from bargein.lab.screen import LiveScreen, PlainScreen, Scene

CUT = told_cut(8_402, "cut_1", STORY, STORY_HEARD, 0)
NEXT_CUT = told_cut(12_202, "cut_2", SECOND, SECOND_HEARD, 0)


def plain() -> tuple[PlainScreen, io.StringIO]:
    out = io.StringIO()
    return PlainScreen(Console(file=out, width=200, highlight=False)), out


def test_what_the_user_says_is_a_line_at_once() -> None:
    scene = Scene()
    scene.said(400_000, "Tell me.")
    assert scene.lines == [(400_000, "user", "Tell me.")]


def test_the_words_being_heard_become_a_line_when_they_are_cut() -> None:
    scene = Scene()
    scene.heard(1_000_000, STORY, "Once")
    scene.heard(2_000_000, STORY, "Once upon")
    assert (scene.speaking, scene.since_us, scene.lines) == ("Once upon", 1_000_000, [])
    scene.told(3_000_000, CUT[0].notice)
    assert scene.speaking == ""
    assert scene.lines == [
        (1_000_000, "assistant", "Once upon…"),
        (3_000_000, "cut", "1: silent; 4500 ms were heard, 180 ms after the speech"),
    ]


def test_a_reply_that_was_heard_to_its_end_is_a_line_without_a_cut() -> None:
    scene = Scene()
    scene.heard(1_000_000, STORY, "All of it.")
    scene.told(2_000_000, TurnEnded("assistant", response_id=STORY.response_id))
    assert scene.lines == [(1_000_000, "assistant", "All of it.")]


def test_the_end_of_another_reply_ends_nothing() -> None:
    scene = Scene()
    scene.heard(1_000_000, STORY, "Once")
    scene.told(2_000_000, TurnEnded("assistant", response_id="another"))
    assert scene.lines == []


def test_cuts_are_numbered_and_settle_under_their_number() -> None:
    scene = Scene()
    for told in (*CUT, *NEXT_CUT):
        scene.told(told.at_us, told.notice)
    assert [text for _, _, text in scene.lines] == [
        "1: silent; 4500 ms were heard, 180 ms after the speech",
        "1: the service keeps 4500 ms (exact)",
        "2: silent; 700 ms were heard, 180 ms after the speech",
        "2: the service keeps 700 ms (exact)",
    ]


def test_what_is_not_confirmed_and_what_nobody_spoke_into_is_said_otherwise() -> None:
    scene = Scene()
    scene.told(0, Interruption("c", ("interrupt",), (), 5, (), 0, None))
    scene.told(
        0, InterruptionSettled("c", ("interrupt",), (), 5, None, None, "unconfirmed", (), ())
    )
    assert [text for _, _, text in scene.lines] == [
        "1: silent; 5 ms were heard",
        "1: the service did not confirm what it keeps (unconfirmed)",
    ]


def test_faults_and_a_lost_connection_are_shown_and_an_ordinary_end_is_not() -> None:
    scene = Scene()
    scene.told(0, Fault("theirs", None, "quota"))
    scene.told(1, Lost(1_000, ""))
    scene.told(2, Lost(1_011, "gone"))
    assert scene.lines == [
        (0, "fault", "quota (theirs)"),
        (2, "fault", "the connection ended: 1011 gone"),
    ]


def test_plain_lines_are_printed_once_each_with_the_floor_between_them() -> None:
    screen, out = plain()
    with screen:
        screen.said(400_000, "Tell me.")
        screen.told(500_000, FloorChanged("user"))
        screen.heard(1_000_000, STORY, "Once")
        screen.told(8_402_000, CUT[0].notice)
    assert out.getvalue().splitlines() == [
        "  0.40 s  user      Tell me.",
        "  0.50 s  floor     user",
        "  1.00 s  assistant Once…",
        "  8.40 s  cut       1: silent; 4500 ms were heard, 180 ms after the speech",
    ]


def test_nothing_that_a_service_says_commands_the_terminal() -> None:
    screen, out = plain()
    screen.told(0, Fault("theirs", None, "\x1b]0;owned\x07 [bold]x[/bold]"))
    assert "\x1b" not in out.getvalue()
    assert "[bold]x[/bold]" in out.getvalue()


def test_the_live_view_shows_the_floor_and_leaves_the_whole_talk_behind() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None)
    with LiveScreen(console) as screen:
        for number in range(20):
            screen.said(number * 1_000_000, f"line {number}.")
        screen.heard(21_000_000, STORY, "Once upon")
        screen.told(21_000_000, FloorChanged("assistant"))
    shown = out.getvalue()
    assert all(f"line {number}." in shown for number in range(20))
    assert shown.count("line 0.") == 1
    assert "Once upon …" in shown
    assert "● the assistant has the floor" in shown
