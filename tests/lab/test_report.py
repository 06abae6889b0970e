"""The report: rows, the verdict, and what is written of it."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.lab.demo_rig import PLAN, STORY, STORY_HEARD, a_session, span, told_cut

from bargein.core.notices import InterruptionSettled
from bargein.lab.observed import Observed
from bargein.lab.report import as_json, report_of


def unsettled(observed: Observed) -> Observed:
    told = tuple(each for each in observed.told if not isinstance(each.notice, InterruptionSettled))
    return replace(observed, told=told)


def test_a_good_session_is_kept_and_has_a_row_for_each_interruption() -> None:
    report = report_of(a_session(), PLAN)
    assert (report.verdict, report.ok, report.unmet) == ("kept", True, None)
    first, second = report.interruptions
    assert (first.number, first.cut_id, first.askers) == (1, "cut_1", ("speech",))
    assert first.at_ms == 8_400
    assert (first.heard_ms, first.kept_ms, first.drift_ms) == (4_500.458, 4_500.0, -0.458)
    assert first.sent == ("truncate 4500",)
    assert first.commands == ("conversation.item.truncate",)
    assert (first.exactness, first.stop_ms, first.speech_to_silence_ms) == ("exact", 2, 180)
    assert first.heard_text == "Once upon"
    assert (second.heard_ms, second.drift_ms) == (700.0, 0.0)


def test_the_time_to_silence_is_measured_from_the_voice_to_the_ear() -> None:
    first, _ = report_of(a_session(), PLAN).interruptions
    # The user began at 8.2 s; the story's last sample was heard 4500.458 ms after 3.9 s.
    assert first.voice_to_ear_ms == 200.458


def test_an_interruption_that_did_not_settle_is_unconfirmed() -> None:
    report = report_of(unsettled(a_session()), PLAN)
    assert {row.exactness for row in report.interruptions} == {"unconfirmed"}
    assert report.verdict == "broken"


def test_fewer_interruptions_than_planned_show_nothing() -> None:
    good = a_session()
    report = report_of(replace(good, told=good.told[:3]), PLAN)
    assert (report.verdict, report.ok) == ("not shown", False)
    assert report.unmet == "1 of the 2 planned interruptions happened"


def test_an_interruption_of_which_nothing_was_heard_is_not_one_that_was_planned() -> None:
    good = a_session()
    told = (*good.told[:3], *told_cut(12_202, "cut_2", STORY, 0, 0))
    report = report_of(replace(good, spans=good.spans[1:], told=told), PLAN)
    assert report.unmet is not None


def test_what_the_user_says_about_the_plan_comes_first() -> None:
    report = report_of(a_session(unmet="nothing was heard for 20 s"), PLAN)
    assert (report.verdict, report.unmet) == ("not shown", "nothing was heard for 20 s")


def test_a_broken_promise_weighs_more_than_a_plan_that_was_not_met() -> None:
    good = a_session(unmet="the connection ended")
    spans = (span(STORY, 3_900, STORY_HEARD + 1), *good.spans[1:])
    report = report_of(replace(good, spans=spans), PLAN)
    assert (report.verdict, report.unmet) == ("broken", "the connection ended")


def test_the_json_has_all_that_is_needed_to_check_it() -> None:
    observed = a_session()
    written = as_json(report_of(observed, PLAN), observed, PLAN, {"versions": {"bargein": "0"}})
    read = json.loads(json.dumps(written))
    assert read["format"] == "bargein-demo/1"
    assert read["ok"] is True
    assert read["seed"] == 7
    assert read["parameters"] == {
        "block_samples": 480,
        "rate": 24_000,
        "latency_ms": 50.0,
        "on_stop": "drain",
        "listen_ms": [4_000, 600, None],
    }
    assert [each["name"] for each in read["promises"]] == ["P1", "P2", "P3", "P4", "P5", "P6"]
    assert all(each["kept"] for each in read["promises"])
    assert [row["cut_id"] for row in read["interruptions"]] == ["cut_1", "cut_2"]
    assert [each["type"] for each in read["records"]] == [
        "Interruption",
        "InterruptionSettled",
    ] * 2
    assert [part["drift_samples"] for part in read["parts"]] == [-11, 0, 0]
    assert read["kept_from"] == "the server's memory"
    assert read["versions"] == {"bargein": "0"}
    assert read["spoken"][0] == {"text": "Tell me.", "start_ms": 500.0, "end_ms": 2500.0}


def test_without_a_memory_the_json_says_whose_word_it_is() -> None:
    observed = a_session(memory=None)
    written = as_json(report_of(observed, PLAN), observed, PLAN, {})
    assert written["kept_from"] == "acknowledgements"
