"""The picture: well-formed, and with everything in its place."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from tests.lab.demo_rig import (
    MS,
    PLAN,
    SECOND,
    STORY,
    STORY_HEARD,
    a_session,
    later,
    refusal,
    sent,
    span,
)

from bargein import events
from bargein.lab import palette
from bargein.lab.observed import Observed, Spoken
from bargein.lab.report import report_of
from bargein.lab.timeline import WIDTH, timeline

NAME = "{http://www.w3.org/2000/svg}"


def drawn(observed: Observed) -> ElementTree.Element:
    return ElementTree.fromstring(timeline(observed, report_of(observed, PLAN), PLAN).encode())


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{NAME}text")]


def tips(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{NAME}title")]


def bars(root: ElementTree.Element, tip: str) -> list[ElementTree.Element]:
    """The shapes of the groups whose tip begins so."""
    return [
        shape
        for group in root.iter(f"{NAME}g")
        if (title := group.find(f"{NAME}title")) is not None and (title.text or "").startswith(tip)
        for shape in group.iter(f"{NAME}rect")
    ]


def width(shape: ElementTree.Element) -> float:
    return float(shape.get("width", "nan"))


def test_the_picture_says_what_is_promised_and_what_was_counted() -> None:
    written = texts(drawn(a_session()))
    assert "Interrupted twice: the service remembers what was heard, to the millisecond" in written
    assert (
        "0 samples beyond the stop · |kept − heard| ≤ 0.46 ms · 0 refusals · 0 redundant commands"
        in written
    )
    assert any("blocks of 480 samples (20.0 ms), output latency 50 ms" in text for text in written)
    assert any("a stop drains what it holds · seed 7" in text for text in written)


def test_every_part_has_a_row_with_its_three_lengths() -> None:
    written = texts(drawn(a_session()))
    assert "received 20.00 s · heard 4500.46 ms · kept 4500.00 ms" in written
    assert "received 3.00 s · heard 700.00 ms · kept 700.00 ms" in written
    assert "received 5.00 s · heard 5000.29 ms · kept 5000.29 ms" in written
    assert [text for text in written if text.startswith("reply")] == [
        "reply 1",
        "reply 2",
        "reply 3",
    ]
    assert {"truncate 4500 ms", "truncate 700 ms", "left alone"} <= set(written)


def test_the_bars_are_as_long_as_the_sound() -> None:
    root = drawn(a_session())
    px_per_ms = (WIDTH - 136 - 24) / 22_000
    heard = [width(bar) for bar in bars(root, "heard:")]
    kept = [width(bar) for bar in bars(root, "kept:")]
    received = [width(bar) for bar in bars(root, "received:")]
    assert heard == pytest.approx(
        [4_500.458 * px_per_ms, 700 * px_per_ms, 5_000.3 * px_per_ms], abs=0.02
    )
    assert kept == pytest.approx(
        [4_500 * px_per_ms, 700 * px_per_ms, 5_000.3 * px_per_ms], abs=0.02
    )
    # The story would have sounded far beyond the end of the axis: its bar ends there.
    assert received[0] == pytest.approx((22_000 - 3_900) * px_per_ms, abs=0.02)
    assert received[1] == pytest.approx(3_000 * px_per_ms, abs=0.02)


def test_a_part_with_a_gap_in_it_has_a_bar_for_each_stretch() -> None:
    good = a_session()
    spans = (
        good.spans[0],
        span(SECOND, 11_500, 300 * MS),
        span(SECOND, 11_900, 400 * MS, first=300 * MS),
        good.spans[2],
    )
    assert len(bars(drawn(replace(good, spans=spans)), "heard:")) == 4


def test_the_users_lines_are_written_where_they_were_said() -> None:
    root = drawn(a_session())
    assert {"“Tell me.”", "“Wait.”", "“Bye.”"} <= set(texts(root))
    assert "the user, 8.20 to 10.00 s: Wait." in tips(root)


def test_everything_that_matters_on_the_wire_has_a_mark_with_its_time() -> None:
    found = tips(drawn(a_session()))
    for tip in (
        "8.400 s speech_started",
        "8.403 s conversation.item.truncate 4500",
        "8.410 s conversation.item.truncated 4500",
        "3.010 s response.created",
        "8.401 s response.done cancelled",
        "15.900 s response.done completed",
    ):
        assert tip in found


def test_deletions_cancels_and_refusals_have_marks_too() -> None:
    good = a_session()
    wire = later(
        good.wire,
        sent(16_000, events.ConversationItemDelete(item_id="item_a9")),
        sent(16_100, events.ResponseCancel(response_id="resp_9")),
        refusal(16_200, "Cancellation failed: no active response found"),
    )
    found = tips(drawn(replace(good, wire=wire)))
    assert "16.000 s conversation.item.delete" in found
    assert "16.100 s response.cancel" in found
    assert "16.200 s error: Cancellation failed: no active response found" in found


def test_each_cut_is_a_line_and_a_panel() -> None:
    root = drawn(a_session())
    assert "interruption 1 at 8.400 s, exact" in tips(root)
    written = texts(root)
    assert {"Interruption 1", "Interruption 2"} <= set(written)
    assert "heard 4500.46 ms · sent truncate 4500 · kept 4500.00 ms · exact" in written


def test_a_panel_tells_the_steps_in_their_order_from_the_first_sound() -> None:
    written = texts(drawn(a_session()))
    first = written.index("the user's first sound")
    assert written[first : first + 7] == [
        "the user's first sound",
        "+200.0 ms  speech_started",
        "+200.5 ms  last sound at the ear",
        "+201.0 ms  response.done: cancelled",
        "+202.0 ms  player stopped at 108\u202f011 samples",
        "+203.0 ms  truncate to 4500 ms sent",
        "+210.0 ms  truncated: acknowledged",
    ]


def test_the_news_of_the_speech_is_never_drawn_behind_the_stop_that_it_asked_for() -> None:
    good = a_session()
    late = tuple(
        replace(seen, at_us=seen.at_us + 40_000)
        if isinstance(seen.event, events.InputAudioBufferSpeechStarted)
        else seen
        for seen in good.wire
    )
    assert "+200.0 ms  speech_started" in texts(drawn(replace(good, wire=late)))


def test_a_panel_tells_the_words_that_were_heard_from_those_that_were_not() -> None:
    root = drawn(a_session())
    assert {"time: cut here", "there: never heard"} <= set(tips(root))
    colours = {
        element.text: element.get("fill") for element in root.iter(f"{NAME}text") if element.text
    }
    assert colours["time"] == palette.ASSISTANT
    assert colours["there"] == palette.FAINT


def test_estimated_places_of_words_are_called_so() -> None:
    good = a_session()
    words = tuple(replace(each, exact=False) for each in good.words)
    assert "time: cut here (place estimated)" in tips(drawn(replace(good, words=words)))


def test_a_broken_promise_is_the_headline() -> None:
    good = a_session()
    spans = (span(STORY, 3_900, STORY_HEARD + 1), *good.spans[1:])
    assert "Interrupted twice; broken: P1" in texts(drawn(replace(good, spans=spans)))


def test_a_session_that_shows_nothing_says_so() -> None:
    assert "Not shown: nobody spoke" in texts(drawn(a_session(unmet="nobody spoke")))


def test_an_empty_session_can_be_drawn() -> None:
    empty = a_session(
        end_us=0, spoken=(), wire=(), told=(), stops=(), spans=(), memory=None, words=(),
        unmet="the connection ended",
    )  # fmt: skip
    assert "Not shown: the connection ended" in texts(drawn(empty))


def test_hostile_text_stays_text() -> None:
    spoken = (Spoken("</text><script>\x1b[31m", 500_000, 2_500_000),)
    root = drawn(a_session(spoken=spoken))
    assert not list(root.iter(f"{NAME}script"))
    assert "“</text><script>\ufffd[31m”" in texts(root)


def test_nothing_is_drawn_outside_of_the_picture_at_the_sides() -> None:
    observed = a_session()
    written = timeline(observed, report_of(observed, PLAN), PLAN)
    for x in re.findall(r'<(?:rect|circle|text|line)[^>]* (?:x|cx|x1|x2)="(-?[\d.]+)"', written):
        assert -1 <= float(x) <= WIDTH + 1


def test_the_wave_forms_are_there_and_silence_is_not() -> None:
    root = drawn(a_session())
    paths = [path.get("d", "") for path in root.iter(f"{NAME}path")]
    waves = [path for path in paths if path.endswith("Z")]
    # The microphone and the ear; in the panels the ear sounds up to the cut of the first only.
    assert len(waves) == 3
