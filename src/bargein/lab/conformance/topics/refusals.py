"""What is refused, and in which words (protocol.md §6.2). Each row is one event; nothing here costs
anything. Rows that need a reply of the server are with the talks that have one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bargein.lab.conformance.question import (
    ANSWER,
    Expected,
    Facts,
    Like,
    OneOf,
    Question,
    Reference,
    refusal,
    refusal_seen,
)
from bargein.lab.conformance.script import Fence, Script, Send, SendRaw, Talk, Until, answered
from bargein.lab.conformance.seen import Seen

_ID = "q_refused"
_NOWHERE = "item_nowhere"
_ITEM = "item_of_refusals"
_TEXT_ITEM = "item_written"


def _sent(*events: Mapping[str, Any], fence: Fence = "clear") -> Any:
    """A script that sends these, the last one with our id, and waits for what comes of it."""

    def script(seen: Seen) -> Script:
        for event in events[:-1]:
            yield Send(event)
        yield Send({**events[-1], "event_id": _ID})
        yield answered(_ID, fence=fence)

    return script


def _raw(frame: str | bytes) -> Any:
    def script(seen: Seen) -> Script:
        yield SendRaw(frame)
        yield Until(lambda seen: _after_raw(seen) is not None, "answer", "clear")

    return script


def _after_raw(seen: Seen) -> Facts | None:
    errors = [frame for frame in seen.received() if frame.kind == "error"]
    if errors:
        error = errors[0].at("error")
        return {
            ANSWER: "refused",
            **{name: error.get(name) for name in ("type", "code", "message", "param")},
        }
    return None


def _judge_raw(seen: Seen) -> Facts | None:
    found = _after_raw(seen)
    if found is not None:
        return found
    if seen.end is not None:
        return {ANSWER: f"closed: {seen.end.code} {seen.end.reason}".rstrip()}
    return {ANSWER: "ignored"} if seen.finished else None


def _judge(seen: Seen) -> Facts | None:
    return refusal_seen(seen, _ID)


def _unnamed(reference: Mapping[str, Expected]) -> Reference:
    return {name: value for name, value in reference.items() if name != "names the event"}


def _question(name: str, asks: str, script: Any, reference: Reference) -> Question:
    talk = Talk(f"refusal: {name}", script, shared=True)
    return Question(f"refusals: {name}", "refusals", asks, "§6.2", talk, _judge, reference)


def _raw_question(name: str, asks: str, frame: str | bytes, reference: Reference) -> Question:
    talk = Talk(f"refusal: {name}", _raw(frame), shared=True)
    judged = _unnamed(reference)
    return Question(f"refusals: {name}", "refusals", asks, "§6.2", talk, _judge_raw, judged)


def _item(**fields: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": fields}


def _message(role: str, kind: str, **fields: Any) -> dict[str, Any]:
    return _item(type="message", role=role, content=[{"type": kind, "text": "A."}], **fields)


def _session(**fields: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **fields}}


def _about(verb: str, item_id: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"conversation.item.{verb}", "item_id": item_id, **fields}


_TRUNCATE = {"content_index": 0, "audio_end_ms": 100}
_LONG_ID = "item_of_more_than_thirty_two_characters"

_FRAMES = (
    _raw_question("not JSON", "A frame that is no JSON.", "{nope", refusal("not_json")),
    _raw_question("no type", "An event without a type.", "{}", refusal("no_type")),
    _raw_question(
        "binary", "A binary frame.", json.dumps({"type": "x"}).encode(), refusal("binary_frame")
    ),
    _question(
        "unknown event",
        "An event that there is not.",
        _sent({"type": "scooby.dooby.doo"}),
        {
            **refusal("wrong_value", value="scooby.dooby.doo", path="type"),
            "message": Like(
                r"Invalid value: 'scooby\.dooby\.doo'\. Supported values are: 'session\.update', "
                r".+ and 'response\.cancel'\.",
                "Invalid value: 'scooby.dooby.doo'. Supported values are: 'session.update', … "
                "and 'response.cancel'.",
            ),
        },
    ),
    _question(
        "clear of a call",
        "A clear of the output buffer, which only a call has.",
        _sent({"type": "output_audio_buffer.clear"}),
        {
            **refusal("wrong_value", value="output_audio_buffer.clear", path="type"),
            "message": Like(
                r"Invalid value: 'output_audio_buffer\.clear'\. Supported values are: .+\.",
                "Invalid value: 'output_audio_buffer.clear'. Supported values are: …",
            ),
        },
    ),
)

_SHAPES = (
    _question(
        "unknown field",
        "A setting that there is not.",
        _sent(_session(bogus_field=1)),
        refusal("unknown", path="session.bogus_field"),
    ),
    _question(
        "no session type",
        "A session.update without the type of the session.",
        _sent({"type": "session.update", "session": {"instructions": "A."}}),
        refusal("missing", path="session.type"),
    ),
    _question(
        "wrong session type",
        "A session.update with a type that there is not.",
        _sent({"type": "session.update", "session": {"type": "session"}}),
        refusal(
            "wrong_value",
            value="session",
            supported="'realtime' and 'transcription'",
            path="session.type",
        ),
    ),
    _question(
        "temperature",
        "A setting of the retired dialect.",
        _sent(_session(temperature=0.8)),
        refusal("unknown", path="session.temperature"),
    ),
    _question(
        "both modalities",
        "Text and sound at once.",
        _sent(_session(output_modalities=["audio", "text"])),
        refusal("modalities", given="['audio', 'text']", path="session.output_modalities"),
    ),
    _question(
        "format as text",
        "A format as a string, as it was once given.",
        _sent(_session(audio={"input": {"format": "pcm16"}})),
        refusal(
            "wrong_type",
            path="session.audio.input.format",
            expected="an object",
            got="a string",
        ),
    ),
    _question(
        "16 kHz",
        "PCM of 16 kHz.",
        _sent(_session(audio={"input": {"format": {"type": "audio/pcm", "rate": 16_000}}})),
        refusal(
            "integer_too_small",
            path="session.audio.input.format.rate",
            limit=24_000,
            value=16_000,
        ),
    ),
    _question(
        "no item",
        "conversation.item.create without an item.",
        _sent({"type": "conversation.item.create"}),
        refusal("missing", path="item"),
    ),
    _question(
        "part of another role",
        "A user's message whose part is called `text`.",
        _sent(_message("user", "text")),
        {
            **refusal("wrong_value", value="text", path="item.content[0].type"),
            "message": Like(
                r"Invalid value: 'text'\. Supported values are: 'input_text' and 'input_audio'\.|"
                r"Invalid value: 'text'\. Supported values are: 'input_text', 'input_audio', "
                r"and 'input_image'\.",
                "Invalid value: 'text'. Supported values are: 'input_text' and 'input_audio'.",
            ),
        },
    ),
    _question(
        "part of an assistant",
        "An assistant's message whose part is called `text`.",
        _sent(_message("assistant", "text")),
        refusal("one_value", value="text", supported="output_text", path="item.content[0].type"),
    ),
    _question(
        "long id",
        "An item whose id has more than 32 characters.",
        _sent(_message("user", "input_text", id=_LONG_ID)),
        refusal("text_too_long", path="item.id", limit=32, length=len(_LONG_ID)),
    ),
    _question(
        "output of another shape",
        "A function's output with `role` and `content`, and without `call_id`: what is missing is "
        "named before what is too much.",
        _sent(_item(type="function_call_output", role="tool", content="A.")),
        refusal("missing", path="item.call_id"),
    ),
    _question(
        "no index",
        "A truncate without content_index.",
        _sent(_about("truncate", _NOWHERE, audio_end_ms=100)),
        refusal("missing", path="content_index"),
    ),
    _question(
        "no length",
        "A truncate without audio_end_ms.",
        _sent(_about("truncate", _NOWHERE, content_index=0)),
        refusal("missing", path="audio_end_ms"),
    ),
    _question(
        "not base64",
        "Sound that is no base64.",
        _sent({"type": "input_audio_buffer.append", "audio": "%%%"}),
        refusal("not_audio", path="audio"),
    ),
    _question(
        "no sound",
        "Sound of no bytes.",
        _sent({"type": "input_audio_buffer.append", "audio": ""}),
        refusal("no_audio", path="audio"),
    ),
)

_STATES = (
    _question(
        "empty commit",
        "A commit without sound.",
        _sent(
            {"type": "input_audio_buffer.clear"},
            {"type": "input_audio_buffer.commit"},
            fence="update",
        ),
        refusal("too_little_to_commit", ms=0.0),
    ),
    _question(
        "nothing to cancel",
        "A cancel while no response is active.",
        _sent({"type": "response.cancel"}),
        refusal("nothing_to_cancel"),
    ),
    _question(
        "truncate nowhere",
        "A truncate of an item that there is not.",
        _sent(_about("truncate", _NOWHERE, **_TRUNCATE)),
        {
            **refusal("truncate_unknown", item_id=_NOWHERE),
            "param": OneOf((None, "item_id")),
        },
    ),
    _question(
        "truncate written words",
        "A truncate of an item that has no sound.",
        _sent(
            _message("assistant", "output_text", id=_TEXT_ITEM),
            _about("truncate", _TEXT_ITEM, **_TRUNCATE),
        ),
        refusal("truncate_not_audio"),
    ),
    _question(
        "truncate the user",
        "A truncate of what the user said.",
        _sent(_message("user", "input_text", id=_ITEM), _about("truncate", _ITEM, **_TRUNCATE)),
        refusal("truncate_not_audio"),
    ),
    _question(
        "same id",
        "An item with the id of another one.",
        _sent(
            _message("user", "input_text", id="item_twice"),
            _message("user", "input_text", id="item_twice"),
        ),
        refusal("item_exists", item_id="item_twice"),
    ),
    _question(
        "behind nothing",
        "An item behind one that there is not.",
        _sent({**_message("user", "input_text"), "previous_item_id": _NOWHERE}),
        refusal("previous_item_unknown", item_id=_NOWHERE),
    ),
    _question(
        "output of no call",
        "A function's output without its call.",
        _sent(_item(type="function_call_output", call_id="call_nowhere", output="A.")),
        refusal("call_unknown", call_id="call_nowhere"),
    ),
    _question(
        "delete nowhere",
        "A delete of an item that there is not.",
        _sent(_about("delete", _NOWHERE)),
        refusal("delete_unknown", item_id=_NOWHERE),
    ),
    _question(
        "retrieve nowhere",
        "A look-up of an item that there is not.",
        _sent(_about("retrieve", _NOWHERE)),
        refusal("retrieve_unknown", item_id=_NOWHERE),
    ),
)


def _both(seen: Seen) -> Script:
    """Something of the right shape that will be refused, and at once something of a wrong one."""
    yield Send({"type": "response.cancel", "event_id": "q_right_shape"})
    yield Send({**_about("truncate", _NOWHERE, audio_end_ms=100), "event_id": "q_wrong_shape"})
    yield Until(lambda seen: len(seen.received("error")) >= 2, "answer", "clear")


def _judge_both(seen: Seen) -> Facts | None:
    errors = seen.received("error")
    if len(errors) < 2:
        return None if not seen.finished else {"refusals": len(errors)}
    first = str(errors[0].at("error", "code"))
    overtakes = first == "missing_required_parameter"
    return {"refusals": 2, "which first": "the fault of shape" if overtakes else "as sent"}


_ORDER = Question(
    "refusals: order",
    "refusals",
    "Two faults at once: does the fault of shape overtake the one of state?",
    "§6.1",
    Talk("refusal: order", _both, shared=True),
    _judge_both,
    {"refusals": 2, "which first": OneOf(("as sent", "the fault of shape"))},
)

QUESTIONS = (*_FRAMES, *_SHAPES, *_STATES, _ORDER)
