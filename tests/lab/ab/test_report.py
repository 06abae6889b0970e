"""The verdict of `bargein ab`, its table, its picture and its page."""

from __future__ import annotations

import io
import json
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from rich.console import Console
from tests.lab.ab.made import SCENARIO, STORY, a_run, came, piece, sent

from bargein.lab.ab.measure import Figures, figures_of
from bargein.lab.ab.page import page
from bargein.lab.ab.picture import picture
from bargein.lab.ab.report import Report, as_json, naive_sentence, sentence
from bargein.lab.ab.scenario import Scenario, Story
from bargein.lab.ab.table import show_story, show_verdict

ABOUT = {
    "service": "a local <server>",
    "started": "2026-11-21T22:00:00+0000",
    "versions": {"bargein": "0.1.0"},
}
SILENT = a_run(
    piece(1_000, 1_010),
    wire=(
        sent(2_003, "conversation.item.truncate", audio_end_ms=1_010),
        came(2_020, "conversation.item.truncated", audio_end_ms=1_010),
        came(2_030, "error", code="<script>", message="x"),
    ),
)
LOUD = piece(1_000, 9_000)


def figures(**given: Any) -> Figures:
    return msgspec.structs.replace(figures_of(SILENT), **given)


def naive(**given: Any) -> Figures:
    return msgspec.structs.replace(figures_of(a_run(LOUD, who="naive")), **given)


ALL = (figures(), naive(), figures(transport="webrtc"), naive(transport="webrtc"))


def report(*told: Figures, scenario: Scenario = SCENARIO) -> Report:
    return Report(scenario=scenario, figures=told or ALL)


def printed(told: Report) -> str:
    out = io.StringIO()
    console = Console(file=out, width=120, color_system=None)
    show_story(console, STORY, told.figures)
    show_verdict(console, told)
    return out.getvalue()


def test_it_stops_where_our_client_does_whatever_the_naive_one_does() -> None:
    assert report().verdict == "stops"
    assert sentence(report()).startswith("bargein is silent 10 ms after each stop")
    assert naive_sentence(report()) == (
        "The naive client goes on for up to 8.0 s over WebSocket and 8.0 s over WebRTC."
    )


@pytest.mark.parametrize(
    ("ours", "verdict", "says"),
    [
        ({"stop_to_silence_ms": 41.0}, "does not stop", "did not stop as it must: report over W"),
        (
            {"record": {"faults": [{"code": "x", "blame": "ours"}]}},
            "does not stop",
            "report over WebSocket",
        ),
        ({"record": {"faults": [{"code": "x", "blame": "theirs"}]}}, "stops", "is silent"),
        ({"unmet": "nothing came"}, "not shown", "report over WebSocket: nothing came."),
    ],
)
def test_a_late_sound_a_fault_of_ours_and_a_story_that_did_not_come_about_are_told(
    ours: dict[str, Any], verdict: str, says: str
) -> None:
    told = report(figures(**ours), *ALL[1:])
    assert told.verdict == verdict
    assert told.ok is (verdict == "stops")
    assert says in sentence(told)


def test_the_json_has_every_figure_and_no_drawing() -> None:
    values = json.loads(json.dumps(as_json(report(), ABOUT)))
    assert (values["format"], values["ok"], values["verdict"]) == ("bargein-ab/1", True, "stops")
    run = values["runs"][0]
    assert (run["stop_to_silence_ms"], run["stops"]) == (10, True)
    assert run["commands"] == ["conversation.item.truncate 1010"]
    assert run["sound"] == "report-websocket-bargein.wav"
    assert "before" not in run
    assert values["scenario"]["stories"][0]["name"] == "report"


def test_the_table_has_both_transports_side_by_side_with_figures_and_events() -> None:
    text = printed(report())
    assert "bargein, WebSocket, from the stop on   bargein, WebRTC, from the stop on" in text
    assert "+3 → item.truncate 1010" in text
    assert "8000 ms" in text and "10 ms" in text


def test_what_a_service_says_commands_no_terminal() -> None:
    told = report(figures(refusals=("\x1b[2J",), unmet=None), *ALL[1:])
    assert "\x1b" not in printed(told)


def test_the_picture_is_whole_and_has_a_lane_for_each_run() -> None:
    root = ElementTree.fromstring(picture(STORY, ALL))
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text in ("WebSocket", "WebRTC")] == [
        "WebSocket",
        "WebRTC",
        "WebSocket",
        "WebRTC",
    ]
    assert any("silent 10 ms after the stop" in text for text in texts)
    assert any("silent 8000 ms after the stop, 8000 ms of sound" in text for text in texts)


def test_the_page_loads_nothing_but_its_sounds_and_runs_nothing() -> None:
    told = page(report(), ABOUT)
    assert "default-src &#x27;none&#x27;; style-src &#x27;sha256-" in told
    assert "http://" not in told.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in told and "<script" not in told and "style=" not in told
    assert told.count("<audio controls") == 4
    assert 'src="report-webrtc-naive.wav"' in told
    assert "a local &lt;server&gt;" in told
    assert "error &lt;script&gt;" in told


def test_words_of_a_scenario_are_text_on_the_page() -> None:
    story = Story(name="report", about="<b>loud</b>", listen_ms=500, stop="button")
    scenario = Scenario(stories=(story,), story="x", about="<i>all</i>")
    told = page(report(scenario=scenario), ABOUT)
    assert "<b>" not in told and "<i>" not in told
