"""A conversation in items, as the machine gives it to an engine."""

from __future__ import annotations

from typing import Any

from bargein import events
from bargein.server.engines.local.functions import Call
from bargein.server.engines.local.mind import Clock, Say, answer

CLOCK = Clock(15, 5, "Saturday, the 21 of November")
PARAMS = events.ResponseParams(instructions="You tell stories.")


def user(text: str) -> events.Item:
    return events.MessageItem(role="user", content=(events.InputText(text=text),))


def spoken(item_id: str) -> events.Item:
    return events.MessageItem(
        id=item_id, role="user", content=(events.InputAudio(audio=b"\0\0", transcript=None),)
    )


def said(text: str) -> events.Item:
    """What was heard of a reply."""
    return events.MessageItem(role="assistant", content=(events.OutputAudio(transcript=text),))


def tool(name: str, required: tuple[str, ...] = (), **properties: Any) -> events.FunctionTool:
    return events.FunctionTool(
        name=name,
        parameters={"type": "object", "properties": properties, "required": list(required)},
    )


def reply(*items: events.Item, params: events.ResponseParams = PARAMS, **given: Any) -> str:
    """The whole text of the mind's reply."""
    made = answer(items, params, **{"clock": CLOCK, **given})
    assert isinstance(made, Say), made
    return " ".join(made.sentences)


def call(*items: events.Item, **params: Any) -> Call:
    made = answer(items, events.ResponseParams(**params), clock=CLOCK)
    assert isinstance(made, Call), made
    return made
