"""Refusals that one frame to a new session provokes: the row of the table, the frame, and what must
come.

The tests of the machine and those over a real socket read the same cases.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Refused:
    """A client event without its `event_id`, and the code, param and message of its error."""

    code: str | None
    param: str | None
    message: str
    frame: dict[str, Any]


FRAMES: dict[str, Refused] = {}


def says(row: str, code: str | None, param: str | None, message: str, **frame: Any) -> None:
    FRAMES[row] = Refused(code, param, message, frame)


def session(**fields: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **fields}}


def user_image(image_url: str) -> dict[str, Any]:
    part = {"type": "input_image", "image_url": image_url}
    return {"type": "message", "role": "user", "content": [part]}


def user_audio(audio: str) -> dict[str, Any]:
    part = {"type": "input_audio", "audio": audio}
    return {"type": "message", "role": "user", "content": [part]}


says(
    "other_session_kind",
    "invalid_event",
    "type",
    "Event 'session.close' is not supported in this kind of session.",
    type="session.close",
)
says(
    "missing",
    "missing_required_parameter",
    "content_index",
    "Missing required parameter: 'content_index'.",
    type="conversation.item.truncate",
    item_id="x",
)
says(
    "unknown",
    "unknown_parameter",
    "session.temperature",
    "Unknown parameter: 'session.temperature'.",
    **session(temperature=0.8),
)
says(
    "wrong_type",
    "invalid_type",
    "session.audio.input.format",
    "Invalid type for 'session.audio.input.format': expected an object, but got a string instead.",
    **session(audio={"input": {"format": "pcm16"}}),
)
says(
    "wrong_value",
    "invalid_value",
    "session.reasoning.effort",
    "Invalid value: 'bogus'. Supported values are: 'minimal', 'low', 'medium', 'high', and "
    "'xhigh'.",
    **session(reasoning={"effort": "bogus"}),
)
says(
    "one_value",
    "invalid_value",
    "item.content[0].type",
    "Invalid value: 'text'. Value must be 'output_text'.",
    type="conversation.item.create",
    item={"type": "message", "role": "assistant", "content": [{"type": "text", "text": "a"}]},
)
says(
    "integer_too_small",
    "integer_below_min_value",
    "session.audio.input.format.rate",
    "Invalid 'session.audio.input.format.rate': integer below minimum value. "
    "Expected a value >= 24000, but got 16000 instead.",
    **session(audio={"input": {"format": {"type": "audio/pcm", "rate": 16000}}}),
)
says(
    "integer_too_big",
    "integer_above_max_value",
    "session.max_output_tokens",
    "Invalid 'session.max_output_tokens': integer above maximum value. "
    "Expected a value <= 4096, but got 5000 instead.",
    **session(max_output_tokens=5000),
)
says(
    "decimal_too_small",
    "decimal_below_min_value",
    "session.audio.output.speed",
    "Invalid 'session.audio.output.speed': decimal below minimum value. "
    "Expected a value >= 0.25, but got 0.1 instead.",
    **session(audio={"output": {"speed": 0.1}}),
)
says(
    "decimal_too_big",
    "decimal_above_max_value",
    "session.audio.input.turn_detection.threshold",
    "Invalid 'session.audio.input.turn_detection.threshold': decimal above maximum value. "
    "Expected a value <= 1, but got 1.5 instead.",
    **session(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 1.5}}}),
)
says(
    "text_too_long",
    "string_above_max_length",
    "item.id",
    "Invalid 'item.id': string too long. Expected a string with maximum length 32, but got a "
    "string with length 39 instead.",
    type="conversation.item.create",
    item={"type": "message", "role": "user", "content": [], "id": "i" * 39},
)
says(
    "array_too_long",
    "array_above_max_length",
    "session.tools",
    "Invalid 'session.tools': array too long. Expected an array with maximum length 128, but got "
    "an array with length 129 instead.",
    **session(tools=[{"type": "function", "name": "f"}] * 129),
)
says(
    "object_too_big",
    "object_above_max_properties",
    "response.metadata",
    "Invalid 'response.metadata': too many properties. Expected an object with at most 16 "
    "properties, but got an object with 17 properties instead.",
    type="response.create",
    response={"metadata": {str(key): "v" for key in range(17)}},
)
says(
    "nested_too_deep",
    "invalid_value",
    "session.tools[0].parameters",
    "Invalid 'session.tools[0].parameters': nested too deeply. Expected at most 64 levels.",
    **session(
        tools=[
            {
                "type": "function",
                "name": "f",
                "parameters": json.loads('{"a":' * 70 + "1" + "}" * 70),
            }
        ]
    ),
)
says(
    "modalities",
    "invalid_value",
    "session.output_modalities",
    "Invalid modalities: ['audio', 'text']. Supported combinations are: ['text'] and ['audio'].",
    **session(output_modalities=["audio", "text"]),
)
says(
    "not_audio",
    "invalid_value",
    "item.content[0].audio",
    "Invalid 'item.content[0].audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) "
    "but got an invalid value.",
    type="conversation.item.create",
    item=user_audio("***"),
)
says(
    "no_audio",
    "invalid_value",
    "audio",
    "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got empty "
    "bytes.",
    type="input_audio_buffer.append",
    audio="",
)
says(
    "session_kind",
    "invalid_parameter",
    None,
    "Passing a transcription session update event to a realtime session is not allowed.",
    type="session.update",
    session={"type": "transcription"},
)
says(
    "model_fixed",
    "invalid_parameter",
    "session.model",
    "Cannot change the model of a session from 'gpt-realtime' to 'gpt-realtime-2'.",
    **session(model="gpt-realtime-2"),
)
says(
    "no_reasoning",
    "invalid_parameter",
    None,
    "Reasoning is not supported by the model 'gpt-realtime'.",
    **session(reasoning={"effort": "low"}),
)
says(
    "nothing_to_cancel",
    "response_cancel_not_active",
    None,
    "Cancellation failed: no active response found",
    type="response.cancel",
)
says(
    "referenced_item_unknown",
    "item_reference_invalid_item_id",
    "response.input[0].id",
    "Error creating response: the item with id 'x' does not exist.",
    type="response.create",
    response={"input": [{"type": "item_reference", "id": "x"}]},
)
says(
    "previous_item_unknown",
    "item_create_invalid_previous_item_id",
    None,
    "Error adding item: the previous item with id 'x' does not exist.",
    type="conversation.item.create",
    item={"type": "message", "role": "user", "content": []},
    previous_item_id="x",
)
says(
    "call_unknown",
    "invalid_tool_call_id",
    None,
    "Tool call ID 'call-x' not found in conversation.",
    type="conversation.item.create",
    item={"type": "function_call_output", "call_id": "call-x", "output": "1"},
)
says(
    "truncate_unknown",
    "item_truncate_invalid_item_id",
    None,
    "Error truncating item: the item with id 'x' does not exist.",
    type="conversation.item.truncate",
    item_id="x",
    content_index=0,
    audio_end_ms=0,
)
for _row, _code, _message in (
    ("delete", "item_delete_invalid_item_id", "Error deleting item"),
    ("retrieve", "item_retrieve_invalid_item_id", "Error retrieving item"),
):
    says(
        f"{_row}_unknown",
        _code,
        None,
        f"{_message}: the item with id 'yo' does not exist.",
        type=f"conversation.item.{_row}",
        item_id="yo",
    )

says(
    "not_an_image_uri",
    "invalid_value",
    "item.content[0].image_url",
    "Invalid 'item.content[0].image_url'. Expected a base64-encoded data URL with an image MIME "
    "type (e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got an invalid base64-encoded "
    "value.",
    type="conversation.item.create",
    item=user_image("data:image/png;base64,***"),
)
says(
    "not_an_image",
    "invalid_value",
    "item.content[0].image_url",
    "Invalid 'item.content[0].image_url'. Expected an image of one of the formats PNG and JPEG.",
    type="conversation.item.create",
    item=user_image("data:image/png;base64,AA=="),
)
says(
    "tool_choice_unknown",
    "invalid_value",
    "session.tool_choice",
    "Tool choice 'weather' not found in 'tools' parameter.",
    **session(tool_choice={"type": "function", "name": "weather"}),
)


def mcp(**fields: Any) -> dict[str, Any]:
    return {"type": "mcp", "server_label": "rain", **fields}


_URL = "https://mcp.example.org"
says(
    "mcp_label_twice",
    "invalid_value",
    "session.tools[1].server_label",
    "Duplicate 'server_label' in tools: 'rain'.",
    **session(tools=[mcp(server_url=_URL), mcp(server_url=_URL)]),
)
says(
    "mcp_no_address",
    "missing_required_parameter",
    "session.tools[0]",
    "Missing required parameter: one of 'session.tools[0].server_url', "
    "'session.tools[0].connector_id' and 'session.tools[0].tunnel_id' must be provided.",
    **session(tools=[mcp()]),
)
says(
    "mcp_two_addresses",
    "invalid_value",
    "response.tools[0].tunnel_id",
    "Only one of 'response.tools[0].server_url' and 'response.tools[0].tunnel_id' may be provided.",
    type="response.create",
    response={"tools": [mcp(server_url=_URL, tunnel_id="t")]},
)
says(
    "mcp_two_authorizations",
    "invalid_value",
    "session.tools[0].headers",
    "Provide the authorization in 'session.tools[0].authorization' and not in the headers.",
    **session(tools=[mcp(server_url=_URL, authorization="a", headers={"AUTHORIZATION": "b"})]),
)
says(
    "approval_unknown",
    "invalid_approval_request_id",
    "item.approval_request_id",
    "Approval request ID 'x' not found among those that wait for an answer.",
    type="conversation.item.create",
    item={"type": "mcp_approval_response", "approval_request_id": "x", "approve": True},
)
