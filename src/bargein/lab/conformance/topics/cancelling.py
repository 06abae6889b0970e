"""Cancelling, and asking for a response while one is active (protocol.md §4.6, §6.2)."""

from __future__ import annotations

from typing import Any

from bargein.lab.conformance.question import (
    ANSWER,
    Facts,
    OneOf,
    Question,
    Reference,
    refusal,
    refusal_seen,
)
from bargein.lab.conformance.script import (
    CONFIGURED,
    LONG,
    Cost,
    Script,
    Send,
    Talk,
    Until,
    answered,
    configure,
    create,
    over,
    typed,
    wait_for,
)
from bargein.lab.conformance.seen import Frame, Seen, ladder
from bargein.lab.conformance.topics.lengths import spoken_item, truncate, truncated

_ENOUGH_MS = 400
_EARLY_MS = 100


def sounding(seen: Seen) -> bool:
    """Some of a reply has come, or nothing more will."""
    return seen.audio_ms() >= _ENOUGH_MS or seen.first("response.done") is not None


def _cancel(seen: Seen) -> Script:
    yield configure(modality="audio")
    yield CONFIGURED
    yield typed(LONG)
    yield create()
    yield Until(sounding, "reply")
    item_id = spoken_item(seen)
    created = seen.first("response.created")
    if item_id is None or created is None:
        return
    yield truncate("q_early", item_id, _EARLY_MS)
    yield answered("q_early", "conversation.item.truncated", fence="update")
    yield Send(
        {
            "type": "response.cancel",
            "event_id": "q_cancel",
            "response_id": created.about_response,
        }
    )
    yield over(after=seen.frames[-1])
    yield wait_for("response.done")
    # Refused, so it comes last: there are servers that end a session by it.
    yield Send({"type": "response.cancel", "event_id": "q_cancel_again"})
    yield answered("q_cancel_again")


def _twice(seen: Seen) -> Script:
    yield configure(modality="audio")
    yield CONFIGURED
    yield typed(LONG)
    yield create()
    yield Until(sounding, "reply")
    yield create("q_second")
    yield answered("q_second", "response.created", "response.done")
    yield Send({"type": "response.cancel", "event_id": "q_end"})
    yield wait_for("response.done", fence="clear")


CANCEL = Talk("cancel", _cancel, cost=Cost(replies=1, heard_ms=6_000))
TWICE = Talk("two responses", _twice, cost=Cost(replies=1, heard_ms=6_000))


def _cancelled_at(seen: Seen) -> Frame | None:
    """Our cancel, if the response was still open by then."""
    ours = seen.sent("q_cancel")
    done = seen.first("response.done")
    if ours is None or (done is not None and seen.frames.index(done) < seen.frames.index(ours)):
        return None
    return ours


def _close_out(seen: Seen) -> Facts | None:
    ours = _cancelled_at(seen)
    if ours is None:
        return None
    done = seen.first("response.done", after=ours)
    facts = refusal_seen(seen, "q_cancel")
    if done is None:
        refused = facts is not None and facts[ANSWER] == "refused"
        return {ANSWER: f"refused: {facts['code']}" if refused and facts else "nothing"}
    return {ANSWER: "done", **closing(seen, ours, done)}


def closing(seen: Seen, since: Frame, done: Frame) -> Facts:
    """How an open response is brought to its end. What was on its way by then is left out."""
    frames = seen.received(after=since)
    frames = frames[: frames.index(done) + 1]
    steps = [frame for frame in frames if not frame.kind.endswith(".delta")]
    response = done.about_response
    about = [f for f in steps if f.about_response == response]
    item_done = [f for f in about if f.kind == "response.output_item.done"]
    return {
        "order": ladder(about),
        "item": item_done[-1].at("item", "status") if item_done else None,
        "status": done.at("response", "status"),
        "reason": done.at("response", "status_details", "reason"),
        "usage": isinstance(done.at("response", "usage"), dict),
    }


CLOSING: Reference = {
    "order": (
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ),
    "item": "incomplete",
    "status": "cancelled",
    "usage": True,
}


def _again(seen: Seen) -> Facts | None:
    return refusal_seen(seen, "q_cancel_again")


def _early(seen: Seen) -> Facts | None:
    ours = seen.sent("q_early")
    done = seen.first("response.done")
    if ours is None or (done is not None and seen.frames.index(done) < seen.frames.index(ours)):
        return None
    return truncated(seen, "q_early")


def _second(seen: Seen) -> Facts | None:
    ours = seen.sent("q_second")
    if ours is None:
        return None
    before = seen.frames[: seen.frames.index(ours)]
    if any(frame.kind == "response.done" for frame in before):
        return None
    facts = refusal_seen(seen, "q_second")
    if facts is None or facts[ANSWER] == "refused":
        return facts
    if seen.first("response.created", after=ours) is not None:
        return {ANSWER: "a second response is begun"}
    return {ANSWER: "ignored"}


def _question(
    name: str, asks: str, source: str, talk: Talk, judge: Any, reference: Reference
) -> Question:
    return Question(f"cancel: {name}", "cancel", asks, source, talk, judge, reference)


QUESTIONS = (
    _question(
        "unfinished item",
        "Can an item be truncated that is still being made?",
        "§4.8",
        CANCEL,
        _early,
        {ANSWER: "acknowledged", "with our three values": True},
    ),
    _question(
        "cancel",
        "How does a cancel end an open response?",
        "§4.6",
        CANCEL,
        _close_out,
        {ANSWER: "done", **CLOSING, "reason": "client_cancelled"},
    ),
    _question(
        "cancel again",
        "How is a cancel refused that finds nothing?",
        "§6.2",
        CANCEL,
        _again,
        refusal("nothing_to_cancel"),
    ),
    _question(
        "active",
        "What does a second response.create get while one is active?",
        "§6.2",
        TWICE,
        _second,
        {
            **refusal("already_active"),
            "names the event": OneOf((True, False)),
        },
    ),
)
