"""The shapes of what a client may send over WebSocket (protocol.md §2.2, §3.2), for `validate`.

The field names are those of the vocabulary in `bargein.events`, and a test compares the two; the
limits are the service's. What only the service makes is absent and so refused: calls of remote
tools, their lists, and requests for approval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bargein.server.model.refusal import listed
from bargein.server.model.rules import refuse
from bargein.server.model.validate import (
    Array,
    Audio,
    Decimal,
    Either,
    Flag,
    Free,
    Image,
    Modalities,
    Null,
    Pairs,
    Plain,
    Record,
    Schema,
    Tagged,
    Text,
    Whole,
    check,
)

MAX_TEXT = 256_000
MAX_ITEM_ID = 32
MAX_EVENT_ID = 512
MAX_WHOLE = 2**31 - 1
"""Of integers to which the service names no limit."""


def _or_null(**by_type: Schema) -> Either:
    names = {name.replace("_", " "): schema for name, schema in by_type.items()}
    return Either({**names, "null": Null()})


_TEXT = Text(MAX_TEXT)
_ID = Text(MAX_EVENT_ID)
_OBJECT = Text(64)

_FORMAT = Tagged(
    "type",
    {
        "audio/pcm": Record({"type": Text(), "rate": Whole(24_000, 24_000)}, ("type",)),
        "audio/pcmu": Record({"type": Text()}, ("type",)),
        "audio/pcma": Record({"type": Text()}, ("type",)),
    },
)
_TURN_FLAGS: Mapping[str, Schema] = {
    "type": Text(),
    "create_response": Flag(),
    "interrupt_response": Flag(),
}
_TURN_DETECTION = Tagged(
    "type",
    {
        "server_vad": Record(
            {
                **_TURN_FLAGS,
                "threshold": Decimal(0, 1),
                "prefix_padding_ms": Whole(0, 60_000),
                "silence_duration_ms": Whole(0, 60_000),
                "idle_timeout_ms": _or_null(an_integer=Whole(5_000, 30_000)),
            }
        ),
        "semantic_vad": Record(
            {**_TURN_FLAGS, "eagerness": Text(choices=("low", "medium", "high", "auto"))}
        ),
    },
)
_TRANSCRIPTION = Record(
    {
        "model": _OBJECT,
        "language": _or_null(a_string=_OBJECT),
        "prompt": _or_null(a_string=_TEXT),
        "delay": _or_null(a_string=_OBJECT),
        "keywords": Array(_TEXT),
        "languages": Array(_OBJECT),
    },
    ("model",),
)
_NOISE_REDUCTION = Record(
    {"type": Text(choices=("near_field", "far_field")), "strength": Decimal(0, 1)}, ("type",)
)
_VOICE = Either({"a string": _OBJECT, "an object": Record({"id": _OBJECT}, ("id",))})
_FUNCTION_TOOL = Record(
    {
        "type": Text(),
        "name": Text(64),
        "description": _TEXT,
        "parameters": Free(only_object=True),
    },
    ("type", "name"),
)
_CONNECTORS = (
    *("connector_dropbox", "connector_gmail", "connector_googlecalendar", "connector_googledrive"),
    *("connector_microsoftteams", "connector_outlookcalendar", "connector_outlookemail"),
    "connector_sharepoint",
)
_TOOL_NAMES = Array(Text(256), 128)
_TOOL_FILTER = Record({"read_only": Flag(), "tool_names": _TOOL_NAMES})
_MCP_TOOL = Record(
    {
        "type": Text(),
        "server_label": Text(256),
        "server_url": Text(2_048),
        "connector_id": Text(choices=_CONNECTORS),
        "tunnel_id": _ID,
        "authorization": Text(16_384),
        "headers": _or_null(an_object=Pairs(64, 256, 16_384)),
        "allowed_tools": _or_null(an_array=_TOOL_NAMES, an_object=_TOOL_FILTER),
        "require_approval": _or_null(
            a_string=Text(choices=("always", "never")),
            an_object=Record({"always": _TOOL_FILTER, "never": _TOOL_FILTER}),
        ),
        "server_description": _TEXT,
        "defer_loading": Flag(),
        "allowed_callers": _or_null(an_array=Array(Text(choices=("direct", "programmatic")), 2)),
    },
    ("type", "server_label"),
)
_TOOLS = Array(Tagged("type", {"function": _FUNCTION_TOOL, "mcp": _MCP_TOOL}), 128)
_TOOL_CHOICE = Either(
    {
        "a string": Text(choices=("none", "auto", "required")),
        "an object": Tagged(
            "type",
            {
                "function": Record({"type": Text(), "name": Text(64)}, ("name",)),
                "mcp": Record(
                    {
                        "type": Text(),
                        "server_label": Text(256),
                        "name": _or_null(a_string=Text(256)),
                    },
                    ("server_label",),
                ),
            },
        ),
    }
)
_REASONING = Record({"effort": Text(choices=("minimal", "low", "medium", "high", "xhigh"))})
_MAX_OUTPUT_TOKENS = Either({"an integer": Whole(1, 4096), "a string": Text(choices=("inf",))})
_PROMPT = Record(
    {
        "id": _ID,
        "version": _or_null(a_string=_ID),
        "variables": _or_null(an_object=Free(only_object=True)),
    },
    ("id",),
)
_TRUNCATION = Either(
    {
        "a string": Text(choices=("auto", "disabled")),
        "an object": Tagged(
            "type",
            {
                "retention_ratio": Record(
                    {
                        "type": Text(),
                        "retention_ratio": Decimal(0, 1),
                        "token_limits": _or_null(
                            an_object=Record({"post_instructions": Whole(0, MAX_WHOLE)})
                        ),
                    },
                    ("retention_ratio",),
                )
            },
        ),
    }
)
_TRACING = _or_null(
    a_string=Text(choices=("auto",)),
    an_object=Record({"workflow_name": _TEXT, "group_id": _TEXT, "metadata": Free()}),
)

# What both a session and a response may say.
_GENERATION: Mapping[str, Schema] = {
    "output_modalities": Modalities(),
    "instructions": Text(),
    "tools": _TOOLS,
    "tool_choice": _TOOL_CHOICE,
    "parallel_tool_calls": Flag(),
    "reasoning": _or_null(an_object=_REASONING),
    "max_output_tokens": _MAX_OUTPUT_TOKENS,
    "prompt": _or_null(an_object=_PROMPT),
}

_INCLUDE = _or_null(an_array=Array(Text(choices=("item.input_audio_transcription.logprobs",))))
_AUDIO_INPUT = Record(
    {
        "format": _FORMAT,
        "transcription": _or_null(an_object=_TRANSCRIPTION),
        "noise_reduction": _or_null(an_object=_NOISE_REDUCTION),
        "turn_detection": _or_null(an_object=_TURN_DETECTION),
    }
)
_SESSION_COMMON: Mapping[str, Schema] = {
    "type": Text(),
    "object": _OBJECT,
    "id": _ID,
    "expires_at": Whole(0, MAX_WHOLE),
    "include": _INCLUDE,
}
_REALTIME_SESSION = Record(
    {
        **_GENERATION,
        **_SESSION_COMMON,
        "model": _OBJECT,
        "tracing": _TRACING,
        "truncation": _TRUNCATION,
        "audio": Record(
            {
                "input": _AUDIO_INPUT,
                "output": Record({"format": _FORMAT, "voice": _VOICE, "speed": Decimal(0.25, 1.5)}),
            }
        ),
    },
)
_SESSION = Tagged(
    "type",
    {
        "realtime": _REALTIME_SESSION,
        "transcription": Record(
            {**_SESSION_COMMON, "audio": Record({"input": _AUDIO_INPUT})},
        ),
    },
)

_ITEM_COMMON: Mapping[str, Schema] = {
    "type": Text(),
    "id": _or_null(a_string=Text(MAX_ITEM_ID)),
    "object": _OBJECT,
    "status": Text(choices=("in_progress", "completed", "incomplete")),
}
_INPUT_TEXT = Record({"type": Text(), "text": _TEXT}, ("text",))
_USER_PARTS = Tagged(
    "type",
    {
        "input_text": _INPUT_TEXT,
        "input_audio": Record(
            {"type": Text(), "audio": Audio(), "transcript": _or_null(a_string=_TEXT)}, ("audio",)
        ),
        "input_image": Record(
            {
                "type": Text(),
                "image_url": Image(),
                "detail": Text(choices=("auto", "low", "high")),
            },
            ("image_url",),
        ),
    },
    # The service's list leaves it out although it takes it (protocol.md §6.2).
    hidden=("input_image",),
)


def _message(parts: Schema) -> Record:
    return Record(
        {
            **_ITEM_COMMON,
            "role": Text(),
            "content": Array(parts),
            "phase": _or_null(a_string=Text(choices=("commentary", "final_answer"))),
        },
        ("content",),
    )


_ITEMS: Mapping[str, Schema] = {
    "message": Tagged(
        "role",
        {
            "user": _message(_USER_PARTS),
            "assistant": _message(
                Tagged("type", {"output_text": Record({"type": Text(), "text": _TEXT}, ("text",))})
            ),
            "system": _message(Tagged("type", {"input_text": _INPUT_TEXT})),
        },
    ),
    "function_call": Record(
        {**_ITEM_COMMON, "name": _OBJECT, "call_id": _ID, "arguments": _TEXT},
        ("name", "arguments"),
    ),
    "function_call_output": Record(
        {**_ITEM_COMMON, "call_id": _ID, "output": _TEXT}, ("call_id", "output")
    ),
    "mcp_approval_response": Record(
        {
            "type": Text(),
            "id": _or_null(a_string=Text(MAX_ITEM_ID)),
            "object": _OBJECT,
            "approval_request_id": _ID,
            "approve": Flag(),
            "reason": _or_null(a_string=_TEXT),
        },
        ("approval_request_id", "approve"),
    ),
}
_INPUT_ITEMS: Mapping[str, Schema] = {
    **_ITEMS,
    "item_reference": Record({"type": Text(), "id": Text(MAX_ITEM_ID), "object": _OBJECT}, ("id",)),
}

_RESPONSE = Record(
    {
        **_GENERATION,
        "audio": Record({"output": Record({"format": _FORMAT, "voice": _VOICE})}),
        "conversation": Text(choices=("auto", "none")),
        "metadata": _or_null(an_object=Pairs(16, 64, 512)),
        "input": Array(Free(only_object=True), 1_000),
    }
)

_COMMON: Mapping[str, Schema] = {"type": Text(), "event_id": _or_null(a_string=Text(MAX_EVENT_ID))}
_ITEM_NAMED = Record({**_COMMON, "item_id": _ID}, ("item_id",))

EVENTS: Mapping[str, Record | None] = {
    "session.update": Record({**_COMMON, "session": _SESSION}, ("session",)),
    "session.close": None,
    "input_audio_buffer.append": Record({**_COMMON, "audio": Audio()}, ("audio",)),
    "session.input_audio_buffer.append": None,
    "input_audio_buffer.commit": Record(_COMMON),
    "input_audio_buffer.clear": Record(_COMMON),
    "conversation.item.create": Record(
        {
            **_COMMON,
            "item": Free(only_object=True),
            "previous_item_id": _or_null(a_string=_ID),
        },
        ("item",),
    ),
    "conversation.item.truncate": Record(
        {
            **_COMMON,
            "item_id": _ID,
            "content_index": Whole(0, MAX_WHOLE),
            "audio_end_ms": Whole(0, MAX_WHOLE),
        },
        ("item_id", "content_index", "audio_end_ms"),
    ),
    "conversation.item.delete": _ITEM_NAMED,
    "conversation.item.retrieve": _ITEM_NAMED,
    "response.create": Record({**_COMMON, "response": _or_null(an_object=_RESPONSE)}),
    "response.cancel": Record({**_COMMON, "response_id": _or_null(a_string=_ID)}),
}
"""By type, in the order in which the service lists them (protocol.md §2.2). None: it belongs to
another kind of session."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a client may say, the items it may create, and give as `input` of a response."""

    events: Mapping[str, Record | None]
    items: Mapping[str, Schema]
    input_items: Mapping[str, Schema]


GA = Vocabulary(EVENTS, _ITEMS, _INPUT_ITEMS)
# Only where the server owns the output buffer (protocol.md §1.2.3).
OUTPUT_CLEAR: Mapping[str, Record] = {"output_audio_buffer.clear": Record(_COMMON)}


def check_event(event: dict[str, Plain], known: Vocabulary = GA) -> None:
    """Raises `RefusedError` for the first fault of a client event's shape."""
    if "type" not in event:
        raise refuse("no_type")
    name = event["type"]
    check(name, Text(), "type")
    if name not in known.events:
        supported = listed(tuple(known.events))
        raise refuse("wrong_value", path="type", value=name[:200], supported=supported)
    record = known.events[name]
    if record is None:
        raise refuse("other_session_kind", type=name)
    check(event, record, "")
    if name == "conversation.item.create":
        _check_item(event["item"], known.items, "item")
    elif name == "response.create" and event.get("response"):
        for index, item in enumerate(event["response"].get("input", ())):
            _check_item(item, known.input_items, f"response.input[{index}]")


def _check_item(item: dict[str, Plain], kinds: Mapping[str, Schema], path: str) -> None:
    """An item: two tags decide its shape, `type` and then, for a message, `role`."""
    if "type" not in item:
        raise refuse("missing", path=f"{path}.type")
    check(item["type"], Text(choices=tuple(kinds)), f"{path}.type")
    check(item, kinds[item["type"]], path)
