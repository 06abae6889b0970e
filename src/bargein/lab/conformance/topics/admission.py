"""Who is let in, and how the others are told (protocol.md §1.1.3)."""

from __future__ import annotations

from bargein.lab.conformance.asking import UNKNOWN_MODEL
from bargein.lab.conformance.question import (
    ANSWER,
    REFUSED,
    Expected,
    Facts,
    Like,
    Question,
)
from bargein.lab.conformance.script import Script, Talk, Until
from bargein.lab.conformance.seen import Seen

_SOURCE = "§1.1.3"


def _ended_or_begun(seen: Seen) -> Script:
    """The refusal is the first frame and the close comes with it; else the session begins."""
    yield Until(lambda seen: bool(seen.received()), "answer")
    if seen.first("error") is not None:
        yield Until(lambda _: False, "answer")


def _judge(seen: Seen) -> Facts | None:
    if seen.status not in (None, 101):
        return {ANSWER: f"HTTP {seen.status} at the upgrade"}
    first = next(iter(seen.received()), None)
    if first is None:
        return None if seen.end is None else {ANSWER: f"closed at once with {seen.end.code}"}
    if first.kind != "error":
        return {ANSWER: "admitted"}
    return {
        ANSWER: REFUSED,
        "type": first.at("error", "type"),
        "code": first.at("error", "code"),
        "message": first.at("error", "message"),
        "frames": len(seen.received()),
        "close": None if seen.end is None else f"{seen.end.code} {seen.end.reason}".rstrip(),
    }


def _question(
    name: str, asks: str, talk: Talk, message: Expected, close: int, code: str | None
) -> Question:
    reason = "invalid_request_error" if code is None else f"invalid_request_error.{code}"
    reference: dict[str, Expected] = {
        ANSWER: REFUSED,
        "type": "invalid_request_error",
        "code": code,
        "message": message,
        "frames": 1,
        "close": f"{close} {reason}",
    }
    return Question(f"admission: {name}", "admission", asks, _SOURCE, talk, _judge, reference)


QUESTIONS = (
    _question(
        "no key",
        "What does a client get that sends no key?",
        Talk("no key", _ended_or_begun, key="none", begins=False),
        "Missing bearer or basic authentication in header",
        3000,
        None,
    ),
    _question(
        "wrong key",
        "What does a client get that sends a wrong key?",
        Talk("wrong key", _ended_or_begun, key="wrong", begins=False),
        Like(
            r"Incorrect API key provided: \S+\. .+",
            "Incorrect API key provided: <masked>. <where to find one>",
        ),
        3000,
        "invalid_api_key",
    ),
    _question(
        "no model",
        "What does a client get that names no model?",
        Talk("no model", _ended_or_begun, model="none", begins=False),
        Like(
            r"You must provide a model parameter, for example wss?://\S+\?model=\S+",
            "You must provide a model parameter, for example wss://…?model=…",
        ),
        4000,
        "missing_model",
    ),
    _question(
        "unknown model",
        "What does a client get that names a model that is none?",
        Talk("unknown model", _ended_or_begun, model="unknown", begins=False),
        Like(
            rf'Model "{UNKNOWN_MODEL}" is not supported in realtime mode.*',
            f'Model "{UNKNOWN_MODEL}" is not supported in realtime mode…',
        ),
        4000,
        "invalid_model",
    ),
    _question(
        "unknown intent",
        "What does a client get whose intent is none?",
        Talk(
            "unknown intent",
            _ended_or_begun,
            model="none",
            query={"intent": "conform"},
            begins=False,
        ),
        "Invalid intent conform",
        4000,
        "invalid_intent",
    ),
    _question(
        "beta header",
        "What does a client get that asks for the beta dialect?",
        Talk(
            "beta header",
            _ended_or_begun,
            headers={"OpenAI-Beta": "realtime=v1"},
            begins=False,
        ),
        Like(".+", "any text (the record has none)"),
        4000,
        "beta_api_shape_disabled",
    ),
)
