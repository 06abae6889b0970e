"""Responses outside of the conversation (protocol.md §4.10)."""

from __future__ import annotations

from typing import Any

from bargein.lab.conformance.question import Facts, Question, Reference
from bargein.lab.conformance.script import (
    CONFIGURED,
    SHORT,
    Cost,
    Script,
    Talk,
    configure,
    create,
    over,
)
from bargein.lab.conformance.seen import Seen, ladder

_INPUT = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": SHORT}],
}


def _create(event_id: str, about: str) -> Any:
    return create(
        event_id,
        conversation="none",
        metadata={"about": about},
        input=[_INPUT],
        output_modalities=["text"],
    )


def _script(seen: Seen) -> Script:
    yield configure()
    yield CONFIGURED
    yield _create("q_one", "one")
    yield over()


def _two(seen: Seen) -> Script:
    yield configure()
    yield CONFIGURED
    yield _create("q_one", "one")
    yield _create("q_two", "two")
    yield over(count=2)


ONE = Talk("out of band", _script, cost=Cost(replies=1))
TWO = Talk("two out of band", _two, cost=Cost(replies=2))


def _ladder(seen: Seen) -> Facts | None:
    created, done = seen.first("response.created"), seen.first("response.done")
    if created is None or done is None:
        return None
    frames = [*seen.received(after=seen.sent("q_one"))]
    response = done.at("response")
    return {
        "order": ladder(frames[: frames.index(done) + 1]),
        "conversation_id": "null" if response.get("conversation_id", 0) is None else "not null",
        "metadata": created.at("response", "metadata", "about"),
        "status": response.get("status"),
    }


def _both(seen: Seen) -> Facts | None:
    if seen.sent("q_two") is None:
        return None
    done = [f.at("response", "metadata", "about") for f in seen.received("response.done")]
    completed = [f.at("response", "status") for f in seen.received("response.done")]
    if not done:
        return None
    return {
        "done": tuple(sorted(str(each) for each in done)),
        "status": tuple(sorted({str(each) for each in completed})),
    }


def _question(name: str, asks: str, talk: Talk, judge: Any, reference: Reference) -> Question:
    return Question(f"out of band: {name}", "out of band", asks, "§4.10", talk, judge, reference)


QUESTIONS = (
    _question(
        "order",
        "In which order is a response told that is in no conversation?",
        ONE,
        _ladder,
        {
            "order": (
                "response.created",
                "response.output_item.added",
                "response.content_part.added",
                "response.output_text.delta",
                "response.output_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.done",
            ),
            "conversation_id": "null",
            "metadata": "one",
            "status": "completed",
        },
    ),
    _question(
        "two",
        "Can two of them be asked for at once?",
        TWO,
        _both,
        {"done": ("one", "two"), "status": ("completed",)},
    ),
)
