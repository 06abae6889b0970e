"""A function call and its output (protocol.md §4.5)."""

from __future__ import annotations

from typing import Any

from bargein.lab.conformance.question import Facts, Question, Reference
from bargein.lab.conformance.script import (
    CONFIGURED,
    Cost,
    Script,
    Send,
    Talk,
    configure,
    create,
    over,
    typed,
)
from bargein.lab.conformance.seen import Frame, Seen, ladder

_TOOL = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def _script(seen: Seen) -> Script:
    yield configure(tools=[_TOOL])
    yield CONFIGURED
    yield typed("What is the weather in Lisbon?")
    yield create(tool_choice={"type": "function", "name": "weather"})
    yield over()
    call = _call(seen)
    if call is None:
        return
    output = {
        "type": "function_call_output",
        "call_id": call.at("item", "call_id"),
        "output": '{"sky": "clear"}',
    }
    yield Send({"type": "conversation.item.create", "event_id": "q_output", "item": output})
    yield create("q_answer")
    yield over(after=seen.sent("q_answer"))


TALK = Talk("function call", _script, cost=Cost(replies=2))


def _call(seen: Seen) -> Frame | None:
    items = seen.received("response.output_item.added")
    return next((f for f in items if f.at("item", "type") == "function_call"), None)


def _ladder(seen: Seen) -> Facts | None:
    """Of the call only: a model may say something before it."""
    done = seen.first("response.done")
    if done is None:
        return None
    call = _call(seen)
    if call is None:
        return {"order": ()}
    about = [f for f in seen.until(done) if f.about_item == call.about_item]
    return {"order": ladder(about), "status": done.at("response", "status")}


def _told(seen: Seen) -> Facts | None:
    """The same call stands in three places, the same in each."""
    call, done = _call(seen), seen.first("response.done")
    if call is None or done is None:
        return None
    call_id = call.at("item", "call_id")
    arguments = seen.first("response.function_call_arguments.done")
    items = [f for f in seen.until(done) if f.kind == "response.output_item.done"]
    ended = next((f for f in items if f.at("item", "call_id") == call_id), None)
    outputs = [each for each in done.at("response", "output") if each.get("call_id") == call_id]
    texts = [
        None if arguments is None else arguments.at("arguments"),
        None if ended is None else ended.at("item", "arguments"),
        outputs[0].get("arguments") if outputs else None,
    ]
    return {
        "in arguments.done, item.done, response.done": texts[0] is not None
        and texts[0] == texts[1] == texts[2],
        "name in arguments.done": arguments is not None and arguments.at("name") == "weather",
        "id": str(call_id)[:5],
    }


def _output(seen: Seen) -> Facts | None:
    ours = seen.sent("q_output")
    if ours is None:
        return None
    added = seen.first("conversation.item.added", after=ours)
    done = seen.first("response.done", after=seen.sent("q_answer"))
    return {
        "the output is": None if added is None else added.at("item", "type"),
        "with a status": added is not None and "status" in added.at("item"),
        "and answered": None if done is None else done.at("response", "status"),
    }


def _question(name: str, asks: str, judge: Any, reference: Reference) -> Question:
    return Question(f"tools: {name}", "tools", asks, "§4.5, §2.5", TALK, judge, reference)


QUESTIONS = (
    _question(
        "call",
        "In which order is a function call told?",
        _ladder,
        {
            "order": (
                "response.output_item.added",
                "conversation.item.added",
                "response.function_call_arguments.delta",
                "response.function_call_arguments.done",
                "response.output_item.done",
            ),
            "status": "completed",
        },
    ),
    _question(
        "three places",
        "Is the call told three times, the same each time?",
        _told,
        {
            "in arguments.done, item.done, response.done": True,
            "name in arguments.done": True,
            "id": "call_",
        },
    ),
    _question(
        "output",
        "Is the function's output taken and answered?",
        _output,
        {
            "the output is": "function_call_output",
            "with a status": False,
            "and answered": "completed",
        },
    ),
)
