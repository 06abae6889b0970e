"""How an answer is held against its reference."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bargein.lab.conformance.question import (
    ANSWER,
    Like,
    OneOf,
    Question,
    compared,
    judged,
    matches,
    refusal,
    refusal_seen,
    shown,
)
from bargein.lab.conformance.script import Script, Talk
from bargein.lab.conformance.seen import End, Seen
from bargein.lab.conformance.topics import QUESTIONS
from bargein.lab.conformance.topics.lengths import grid_ms

PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"


def nothing(seen: Seen) -> Script:
    yield from ()


def question(judge: Any) -> Question:
    return Question("a: b", "a", "What?", "§6.2", Talk("t", nothing), judge, {"x": 1})


def seen(*frames: dict[str, Any], finished: bool = True, end: End | None = None) -> Seen:
    """Frames in their order; those with `ours` are sent."""
    made = Seen(finished=finished, end=end)
    for at, frame in enumerate(frames):
        sent = frame.pop("ours", False)
        made.take(at, json.dumps(frame), sent=sent)
    return made


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        (1, 1, True),
        (1, True, False),
        (None, None, True),
        (None, "", False),
        (OneOf((None, "item_id")), "item_id", True),
        (OneOf((None, "item_id")), "x", False),
        (Like("a.+", "a…"), "abc", True),
        (Like("a.+", "a…"), "xabc", False),
        (Like("a.+", "a…"), 7, False),
        (("a", "b"), ("a", "b"), True),
        (("a", "b"), ("b", "a"), False),
    ],
)
def test_a_value_is_as_the_reference_has_it_or_not(expected: Any, got: Any, same: bool) -> None:
    assert matches(expected, got) is same


@pytest.mark.parametrize(
    ("expected", "got", "words"),
    [
        (("a", "b", "c"), ("a", "c"), "without b"),
        (("a", "c"), ("a", "x", "c"), "with x"),
        (("a", "b"), ("a", "x"), "without b; with x"),
        (("a", "b", "c"), ("b", "a", "c"), "in another place: b"),
        (True, False, "no, not yes"),
        (OneOf(("a", "b")), None, "none, not a or b"),
    ],
)
def test_a_difference_is_told_in_words(expected: Any, got: Any, words: str) -> None:
    (found,) = compared({"x": got}, {"x": expected})
    assert found.text == words


def test_where_the_answer_itself_differs_nothing_else_is_told() -> None:
    found = compared({ANSWER: "ignored"}, refusal("not_json"))
    assert [each.fact for each in found] == [ANSWER]


def test_what_the_reference_does_not_name_is_not_compared() -> None:
    assert compared({"x": 1, "pace": "4.2"}, {"x": 1}) == ()


@pytest.mark.parametrize("fault", [KeyError, TypeError, ValueError, AttributeError, IndexError])
def test_frames_that_a_judge_cannot_make_sense_of_are_no_answer(fault: type[Exception]) -> None:
    def judge(_: Seen) -> Any:
        raise fault

    assert judged(question(judge), Seen()).standing == "no answer"
    assert judged(question(lambda _: {"x": 1}), Seen()).standing == "same"
    assert judged(question(lambda _: {"x": 2}), Seen()).standing == "differs"


def test_a_refusal_with_an_open_message_takes_any_text_there() -> None:
    message = refusal("already_active")["message"]
    words = "Conversation already has an active response in progress: resp_1. Wait until the "
    assert matches(message, words + "response is finished before creating a new one.")
    assert not matches(message, "Conversation already has an active response")
    assert "in progress: …. Wait" in shown(message)
    assert refusal("missing", path="item.type") == {
        ANSWER: "refused",
        "type": "invalid_request_error",
        "code": "missing_required_parameter",
        "message": "Missing required parameter: 'item.type'.",
        "param": "item.type",
        "names the event": True,
    }


def error(event_id: str | None, code: str = "c") -> dict[str, Any]:
    return {"type": "error", "error": {"code": code, "event_id": event_id}}


def ours(event_id: str) -> dict[str, Any]:
    return {"type": "x", "event_id": event_id, "ours": True}


def test_a_refusal_belongs_to_the_event_that_it_names_else_to_the_last_one() -> None:
    first_named = seen(ours("a"), ours("b"), error("a", "for a"), error("b", "for b"))
    facts_a, facts_b = (refusal_seen(first_named, each) for each in "ab")
    assert facts_a is not None and facts_b is not None
    assert (facts_a["code"], facts_b["code"]) == ("for a", "for b")
    nameless = seen(ours("a"), error(None, "for a"), ours("b"), error(None, "for b"))
    facts_a, facts_b = (refusal_seen(nameless, each) for each in "ab")
    assert facts_a is not None and facts_b is not None
    assert (facts_a["code"], facts_b["code"]) == ("for a", "for b")
    assert facts_a["names the event"] is False


def test_without_a_refusal_it_was_accepted_ignored_closed_or_not_answered() -> None:
    accepted = {"type": "session.updated"}
    assert refusal_seen(seen(ours("a"), accepted), "a") == {ANSWER: "accepted: session.updated"}
    assert refusal_seen(seen(ours("a")), "a") == {ANSWER: "ignored"}
    closed = seen(ours("a"), finished=False, end=End(1011, "oops"))
    assert refusal_seen(closed, "a") == {ANSWER: "closed: 1011 oops"}
    assert refusal_seen(seen(ours("a"), finished=False), "a") is None
    assert refusal_seen(seen(), "a") is None


@pytest.mark.parametrize(
    ("lengths", "step"),
    [
        ([(2_712, 2_712), (1_795, 1_795)], 1),
        ([(2_700, 2_712), (1_750, 1_795)], 50),
        ([(2_700, 2_712), (1_780, 1_795)], 20),
        ([(2_600, 2_712)], 200),
        ([(2_701, 2_712)], 12),
    ],
)
def test_the_step_of_lengths_is_the_first_usual_one_that_explains_them_all(
    lengths: list[tuple[int, int]], step: int
) -> None:
    assert grid_ms(lengths) == step


def test_names_are_unique_and_their_sections_and_sources_are_there() -> None:
    names = [each.name for each in QUESTIONS]
    assert len(names) == len(set(names)) == 106
    headings = set(re.findall(r"^#+ (§[\d.]+)", PROTOCOL.read_text(), re.MULTILINE))
    for each in QUESTIONS:
        assert each.name.startswith(f"{each.section}: ")
        for source in re.findall(r"§[\d.]+\d", each.source):
            assert source in headings, (each.name, source)


def test_talks_of_one_name_are_one_talk() -> None:
    by_name: dict[str, Talk] = {}
    for each in QUESTIONS:
        assert by_name.setdefault(each.talk.name, each.talk) is each.talk
