"""Items: created, found, deleted (protocol.md §2.2, §2.5, §6.2). Nothing here costs anything."""

from __future__ import annotations

from typing import Any

from bargein.lab.conformance.question import (
    ANSWER,
    Facts,
    Question,
    Reference,
    refusal,
    refusal_seen,
)
from bargein.lab.conformance.script import Script, Send, Talk, answered, typed, wait_for
from bargein.lab.conformance.seen import Seen

_ITEM = "item_of_conform"
_FIRST = "item_of_conform_first"


def _script(seen: Seen) -> Script:
    yield typed("One.", item_id=_ITEM)
    yield wait_for("conversation.item.added")
    yield Send(
        {
            "type": "conversation.item.create",
            "event_id": "q_root",
            "previous_item_id": "root",
            "item": {
                "id": _FIRST,
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Zero."}],
            },
        }
    )
    yield answered("q_root", "conversation.item.added")
    yield _about("retrieve", "q_retrieve")
    yield answered("q_retrieve", "conversation.item.retrieved")
    yield _about("delete", "q_delete")
    yield answered("q_delete", "conversation.item.deleted")
    # Refused, so it comes last: there are servers that end a session by it.
    yield _about("delete", "q_delete_again")
    yield answered("q_delete_again", "conversation.item.deleted")


def _about(verb: str, event_id: str) -> Send:
    return Send({"type": f"conversation.item.{verb}", "event_id": event_id, "item_id": _ITEM})


TALK = Talk("items", _script)


def _created(seen: Seen) -> Facts | None:
    ours = seen.sent("q_typed")
    if ours is None:
        return None
    added = seen.first("conversation.item.added", after=ours)
    if added is None:
        return {ANSWER: "nothing"}
    return {
        ANSWER: "told",
        "with our id": added.about_item == _ITEM,
        "status": added.at("item", "status"),
        "has `object`": "object" in (added.at("item", raw=True) or {}),
    }


def _root(seen: Seen) -> Facts | None:
    ours = seen.sent("q_root")
    if ours is None:
        return None
    added = [f for f in seen.received("conversation.item.added", ours) if f.about_item == _FIRST]
    if not added:
        return {ANSWER: "nothing"}
    return {ANSWER: "told", "previous_item_id": added[0].at("previous_item_id")}


def _retrieved(seen: Seen) -> Facts | None:
    ours = seen.sent("q_retrieve")
    if ours is None:
        return None
    found = seen.first("conversation.item.retrieved", after=ours)
    if found is None:
        return {ANSWER: _instead(seen, "q_retrieve")}
    return {ANSWER: "retrieved", "text": found.at("item", "content", 0, "text")}


def _deleted(seen: Seen) -> Facts | None:
    ours = seen.sent("q_delete")
    if ours is None:
        return None
    found = seen.first("conversation.item.deleted", after=ours)
    if found is None:
        return {ANSWER: _instead(seen, "q_delete")}
    return {ANSWER: "acknowledged", "item_id": found.at("item_id")}


def _instead(seen: Seen, event_id: str) -> str:
    facts = refusal_seen(seen, event_id)
    if facts is None or facts[ANSWER] != "refused":
        return "nothing"
    return f"refused: {facts['code'] or facts['message']}"


def _gone(seen: Seen) -> Facts | None:
    facts = refusal_seen(seen, "q_delete_again")
    if facts is not None and "deleted" in str(facts[ANSWER]):
        return {ANSWER: "acknowledged once more"}
    return facts


def _question(name: str, asks: str, source: str, judge: Any, reference: Reference) -> Question:
    return Question(f"items: {name}", "items", asks, source, TALK, judge, reference)


QUESTIONS = (
    _question(
        "create",
        "How is an item of ours told?",
        "§2.2, §2.5",
        _created,
        {ANSWER: "told", "with our id": True, "status": "completed", "has `object`": False},
    ),
    _question(
        "root",
        "Can an item be put at the start?",
        "§2.2",
        _root,
        {ANSWER: "told", "previous_item_id": None},
    ),
    _question(
        "retrieve",
        "Can an item be looked up?",
        "§2.2",
        _retrieved,
        {ANSWER: "retrieved", "text": "One."},
    ),
    _question(
        "delete",
        "Is a delete acknowledged?",
        "§2.2",
        _deleted,
        {ANSWER: "acknowledged", "item_id": _ITEM},
    ),
    _question(
        "delete again",
        "How is the delete of an item refused that is gone?",
        "§6.2",
        _gone,
        refusal("delete_unknown", item_id=_ITEM),
    ),
)
