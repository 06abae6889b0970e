"""Questions, their references, and how an answer is held against one. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, TypeAlias

from bargein.lab.conformance.script import Talk
from bargein.lab.conformance.seen import Seen
from bargein.lab.conformance.seen import ladder as ladder_of
from bargein.server.model.rules import RULES


@dataclass(frozen=True, slots=True)
class Like:
    """Any text that the pattern matches whole; `shown` stands for it where people read."""

    pattern: str
    shown: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """Any of these: the record has them all, or leaves it open."""

    values: tuple[Value, ...]


Value: TypeAlias = str | int | bool | tuple[str, ...] | None
Expected: TypeAlias = Value | Like | OneOf
Facts: TypeAlias = Mapping[str, Value]
Reference: TypeAlias = Mapping[str, Expected]
Standing = Literal["same", "differs", "no answer"]

ANSWER = "answer"
"""The fact that makes all others moot where it differs."""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to know about a server.

    The judge reads what was seen of `talk` and gives the facts; None where the talk did not get so
    far. Facts that the reference does not name are told and not compared.
    """

    name: str
    section: str
    asks: str
    source: str
    talk: Talk
    judge: Callable[[Seen], Facts | None]
    reference: Reference


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that is not as the reference has it, in words."""

    fact: str
    expected: str
    got: str
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the result."""

    question: Question
    facts: Facts | None
    differences: tuple[Difference, ...]

    @property
    def standing(self) -> Standing:
        if self.facts is None:
            return "no answer"
        return "differs" if self.differences else "same"


def judged(question: Question, seen: Seen) -> Outcome:
    """The question's row. What a judge cannot make sense of is no answer: the frames are a
    stranger's."""
    try:
        facts = question.judge(seen)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError):
        facts = None
    if facts is None:
        return Outcome(question, None, ())
    return Outcome(question, facts, compared(facts, question.reference))


def compared(facts: Facts, reference: Reference) -> tuple[Difference, ...]:
    """Fact by fact, in the reference's order."""
    found = [
        _difference(fact, expected, facts.get(fact))
        for fact, expected in reference.items()
        if not matches(expected, facts.get(fact))
    ]
    moot = [each for each in found if each.fact == ANSWER]
    return tuple(moot or found)


def matches(expected: Expected, got: Value) -> bool:
    """Whether the answer is the reference's. A boolean is no number."""
    match expected:
        case Like(pattern=pattern):
            return isinstance(got, str) and re.fullmatch(pattern, got, re.DOTALL) is not None
        case OneOf(values=values):
            return any(matches(value, got) for value in values)
        case _:
            return type(expected) is type(got) and expected == got


def shown(value: Expected) -> str:
    """A value as people read it."""
    match value:
        case Like(shown=text):
            return text
        case OneOf(values=values):
            return " or ".join(shown(each) for each in values)
        case True:
            return "yes"
        case False:
            return "no"
        case None:
            return "none"
        case tuple():
            return " → ".join(value) or "nothing"
        case _:
            return str(value)


def _difference(fact: str, expected: Expected, got: Value) -> Difference:
    if isinstance(expected, tuple) and isinstance(got, tuple):
        text = _order(expected, got)
    else:
        text = f"{shown(got)}, not {shown(expected)}"
    return Difference(fact, shown(expected), shown(got), text)


def _order(expected: tuple[str, ...], got: tuple[str, ...]) -> str:
    """What is missing, what is more, and what stands elsewhere."""
    missing = _without(expected, got)
    more = _without(got, expected)
    words = []
    if missing:
        words.append(f"without {', '.join(missing)}")
    if more:
        words.append(f"with {', '.join(more)}")
    if not words:
        moved = [
            f"{', '.join(expected[start:end])}"
            for tag, start, end, _, _ in SequenceMatcher(None, expected, got).get_opcodes()
            if tag in ("delete", "replace")
        ]
        words.append(f"in another place: {'; '.join(moved)}")
    return "; ".join(words)


def _without(these: tuple[str, ...], those: tuple[str, ...]) -> list[str]:
    left = list(those)
    found = []
    for each in these:
        if each in left:
            left.remove(each)
        else:
            found.append(each)
    return found


REFUSED = "refused"


def refusal(
    rule: str, *, names_event: bool | None = None, **values: str | float
) -> dict[str, Expected]:
    """The reference of a refusal: the row of that name in the server's table of protocol.md §6.2.

    A brace of the message that is not among `values` stands for any text.
    """
    row = RULES[rule]
    names = re.findall(r"\{(\w+)(?::[^}]*)?\}", row.message)
    message: Expected
    if all(name in values for name in names):
        message = row.message.format(**values)
    else:
        message = _open_message(row.message, values)
    return {
        ANSWER: REFUSED,
        "type": row.type,
        "code": row.code,
        "message": message,
        "param": None if row.param is None else row.param.format(**values),
        "names the event": row.names_event if names_event is None else names_event,
    }


def _open_message(message: str, values: Mapping[str, str | float]) -> Like:
    pattern, text = "", ""
    for literal, name in re.findall(r"([^{]*)(?:\{(\w+)[^}]*\})?", message):
        value = str(values[name]) if name in values else None
        pattern += re.escape(literal) + (re.escape(value) if value is not None else ".+")
        text += literal + (value if value is not None else "…")
        if not name:
            pattern = pattern.removesuffix(".+")
            text = text.removesuffix("…")
    return Like(pattern, text)


def refusal_seen(seen: Seen, event_id: str) -> Facts | None:
    """What came of our event with that id, as the facts of a refusal."""
    ours = seen.sent(event_id)
    if ours is None:
        return None
    window = seen.answers_to(ours)
    named = [e for e in seen.received("error", ours) if e.at("error", "event_id") == event_id]
    nameless = [e for e in window if e.kind == "error" and e.at("error", "event_id") is None]
    if named or nameless:
        error = (named or nameless)[0]
        return {
            ANSWER: REFUSED,
            "type": error.at("error", "type"),
            "code": error.at("error", "code"),
            "message": error.at("error", "message"),
            "param": error.at("error", "param"),
            "names the event": error.at("error", "event_id") == event_id,
        }
    others = ladder_of(window)
    if others:
        return {ANSWER: f"accepted: {', '.join(others)}"}
    if seen.end is not None:
        return {ANSWER: f"closed: {seen.end.code} {seen.end.reason}".rstrip()}
    return {ANSWER: "ignored"} if seen.finished else None
