"""The shapes of what a beta client may say (protocol.md §2.1, §3.1), made of those of `schema`.

The values are those of GA in their old places, so what changes there changes here. The temperature,
the formats' names and the combinations of modalities are beta's own. What beta never had is absent
and so refused: images, phases, `idle_timeout_ms`, context truncation.
"""

from __future__ import annotations

from collections.abc import Mapping

from bargein.server.model.schema import EVENTS, GA, Vocabulary
from bargein.server.model.validate import (
    Array,
    Decimal,
    Either,
    Modalities,
    Null,
    Record,
    Schema,
    Tagged,
    Text,
)

_FORMAT = Text(choices=("pcm16", "g711_ulaw", "g711_alaw"))
_TEMPERATURE = Decimal(0.6, 1.2)
_NEW_TURN_FIELDS = ("idle_timeout_ms",)


def _inside(schema: Schema | None, name: str) -> Schema:
    """The schema of a field, or of a kind; through null."""
    match schema:
        case Either(by_type=kinds):
            return _inside(kinds["an object"], name)
        case Tagged(records=records):
            return records[name]
        case Record(fields=fields):
            return fields[name]
        case _:
            raise TypeError(f"{name} is in no record")


def _without(schema: Schema, names: tuple[str, ...]) -> Schema:
    """The same without these fields, wherever they stand at its top."""
    match schema:
        case Record(fields=fields, required=required):
            left = {name: each for name, each in fields.items() if name not in names}
            return Record(left, tuple(name for name in required if name not in names))
        case Tagged(tag=tag, records=records, hidden=hidden):
            kinds = {kind: _without(record, names) for kind, record in records.items()}
            return Tagged(tag, {k: r for k, r in kinds.items() if isinstance(r, Record)}, hidden)
        case Either(by_type=kinds):
            return Either({kind: _without(each, names) for kind, each in kinds.items()})
        case _:
            return schema


_SESSIONS = _inside(EVENTS["session.update"], "session")
_SESSION = _inside(_SESSIONS, "realtime")
_WRITING = _inside(_SESSIONS, "transcription")
_OUTPUT = _inside(_inside(_SESSION, "audio"), "output")
_RESPONSE = _inside(EVENTS["response.create"], "response")


def _heard(session: Schema) -> Mapping[str, Schema]:
    """What a session of either kind says of its input."""
    input = _inside(_inside(session, "audio"), "input")
    return {
        "object": _inside(session, "object"),
        "id": _inside(session, "id"),
        "expires_at": _inside(session, "expires_at"),
        "input_audio_format": _FORMAT,
        "input_audio_transcription": _inside(input, "transcription"),
        "input_audio_noise_reduction": _inside(input, "noise_reduction"),
        "turn_detection": _without(_inside(input, "turn_detection"), _NEW_TURN_FIELDS),
    }


_SPOKEN: Mapping[str, Schema] = {
    "modalities": Modalities(beta=True),
    "instructions": _inside(_SESSION, "instructions"),
    "voice": _inside(_OUTPUT, "voice"),
    "output_audio_format": _FORMAT,
    "tools": _inside(_SESSION, "tools"),
    "tool_choice": _inside(_SESSION, "tool_choice"),
    "temperature": _TEMPERATURE,
    "max_response_output_tokens": _inside(_SESSION, "max_output_tokens"),
}
_BETA_SESSION = Record(
    {
        **_SPOKEN,
        **_heard(_SESSION),
        "model": _inside(_SESSION, "model"),
        "speed": _inside(_OUTPUT, "speed"),
        "tracing": _inside(_SESSION, "tracing"),
    }
)
_BETA_WRITING = Record({**_heard(_WRITING), "include": _inside(_WRITING, "include")})
_BETA_RESPONSE = Record(
    {
        **_SPOKEN,
        **{name: _inside(_RESPONSE, name) for name in ("conversation", "metadata", "input")},
    }
)


def _message(role: str) -> Record:
    """A message of beta: no images, and an assistant's text is called text."""
    message = _inside_message(role)
    fields = {name: each for name, each in message.fields.items() if name != "phase"}
    content = fields["content"]
    assert isinstance(content, Array) and isinstance(content.item, Tagged), "parts, by type"
    records = {
        kind.removeprefix("output_"): record
        for kind, record in content.item.records.items()
        if kind != "input_image"
    }
    fields["content"] = Array(Tagged("type", records), content.max_length)
    return Record(fields, message.required)


def _inside_message(role: str) -> Record:
    message = GA.items["message"]
    assert isinstance(message, Tagged), "messages, by role"
    return message.records[role]


_ROLES = ("user", "assistant", "system")
_OLD_ITEMS = ("message", "function_call", "function_call_output")
_MESSAGES = Tagged("role", {role: _message(role) for role in _ROLES})
_ITEMS = {kind: _MESSAGES if kind == "message" else GA.items[kind] for kind in _OLD_ITEMS}
_COMMON = {name: _inside(EVENTS["response.cancel"], name) for name in ("type", "event_id")}
_LATER = ("session.close", "session.input_audio_buffer.append")


def _events() -> Mapping[str, Record | None]:
    own = {
        "session.update": Record({**_COMMON, "session": _BETA_SESSION}, ("session",)),
        "response.create": Record(
            {**_COMMON, "response": Either({"an object": _BETA_RESPONSE, "null": Null()})}
        ),
    }
    known: dict[str, Record | None] = {}
    for name, record in EVENTS.items():
        if name not in _LATER:
            known[name] = own.get(name, record)
        if name == "session.update":
            known["transcription_session.update"] = Record(
                {**_COMMON, "session": _BETA_WRITING}, ("session",)
            )
    return known


BETA = Vocabulary(
    events=_events(),
    items=_ITEMS,
    input_items={**_ITEMS, "item_reference": GA.input_items["item_reference"]},
)
"""By type, in the order in which beta listed them."""
