"""Every refusal of the server, in one table (protocol.md §6.2).

1. What is refused here changes nothing and does not end the session.
2. A row is the error's `code`, its `message` and its `param`; braces are filled in by whoever
   refuses.
3. `error.event_id` names the event that was refused, but for the rows that say otherwise
   (protocol.md §6.1).
4. A row without `source` is one the public record is silent about: the code and text are our
   choice, made to look like their neighbours. A client must not depend on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bargein.server.model.refusal import SERVER_ERROR, Refusal, RefusedError, Rule


def refuse(rule: str, **values: object) -> RefusedError:
    """The refusal of that row, to be raised. `values` fill the braces of its message and its
    param."""
    row = RULES[rule]
    return RefusedError(
        Refusal(
            rule=rule,
            type=row.type,
            code=row.code,
            message=row.message.format(**values),
            param=None if row.param is None else row.param.format(**values),
            names_event=row.names_event,
        )
    )


def in_beta(refusal: Refusal) -> Refusal:
    """The refusal as the beta service told it (protocol.md §6.2)."""
    if refusal.rule not in _BETA:
        return refusal
    code, message = _BETA[refusal.rule]
    return replace(refusal, code=code, message=message or refusal.message)


def _out_of_range(kind: str, side: str, bound: str, sign: str) -> str:
    return (
        f"Invalid '{{path}}': {kind} {side} {bound} value. "
        f"Expected a value {sign} {{limit}}, but got {{value}} instead."
    )


RULES: Mapping[str, Rule] = {
    # The frame.
    "not_json": Rule("invalid_json", "Invalid event: failed to parse JSON value. {reason}"),
    "no_type": Rule("invalid_event", "The 'type' field is missing."),
    "binary_frame": Rule(
        "invalid_event",
        "Expected a text WebSocket message; binary frames are not supported.",
    ),
    "frame_too_long": Rule(
        "invalid_event",
        "Invalid event: too large. Expected at most {limit} bytes, but got {length} instead.",
        source=None,
    ),
    "other_session_kind": Rule(
        "invalid_event",
        "Event '{type}' is not supported in this kind of session.",
        "type",
        source=None,
    ),
    # The shape.
    "missing": Rule(
        "missing_required_parameter", "Missing required parameter: '{path}'.", "{path}"
    ),
    "unknown": Rule("unknown_parameter", "Unknown parameter: '{path}'.", "{path}"),
    "wrong_type": Rule(
        "invalid_type",
        "Invalid type for '{path}': expected {expected}, but got {got} instead.",
        "{path}",
    ),
    "wrong_value": Rule(
        "invalid_value",
        "Invalid value: '{value}'. Supported values are: {supported}.",
        "{path}",
    ),
    "one_value": Rule(
        "invalid_value", "Invalid value: '{value}'. Value must be '{supported}'.", "{path}"
    ),
    "integer_too_small": Rule(
        "integer_below_min_value", _out_of_range("integer", "below", "minimum", ">="), "{path}"
    ),
    "integer_too_big": Rule(
        "integer_above_max_value", _out_of_range("integer", "above", "maximum", "<="), "{path}"
    ),
    "decimal_too_small": Rule(
        "decimal_below_min_value", _out_of_range("decimal", "below", "minimum", ">="), "{path}"
    ),
    "decimal_too_big": Rule(
        "decimal_above_max_value", _out_of_range("decimal", "above", "maximum", "<="), "{path}"
    ),
    "text_too_long": Rule(
        "string_above_max_length",
        "Invalid '{path}': string too long. Expected a string with maximum length {limit}, "
        "but got a string with length {length} instead.",
        "{path}",
    ),
    "array_too_long": Rule(
        "array_above_max_length",
        "Invalid '{path}': array too long. Expected an array with maximum length {limit}, "
        "but got an array with length {length} instead.",
        "{path}",
        source=None,
    ),
    "object_too_big": Rule(
        "object_above_max_properties",
        "Invalid '{path}': too many properties. Expected an object with at most {limit} "
        "properties, but got an object with {length} properties instead.",
        "{path}",
        source=None,
    ),
    "nested_too_deep": Rule(
        "invalid_value",
        "Invalid '{path}': nested too deeply. Expected at most {limit} levels.",
        "{path}",
        source=None,
    ),
    "modalities": Rule(
        "invalid_value",
        "Invalid modalities: {given}. Supported combinations are: ['text'] and {spoken}.",
        "{path}",
    ),
    "not_audio": Rule(
        "invalid_value",
        "Invalid '{path}'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) "
        "but got an invalid value.",
        "{path}",
    ),
    "no_audio": Rule(
        "invalid_value",
        "Invalid '{path}'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) "
        "but got empty bytes.",
        "{path}",
    ),
    "audio_too_long": Rule(
        "invalid_value",
        "Invalid '{path}'. Expected at most {limit} bytes of audio, but got {length} instead.",
        "{path}",
        source=None,
    ),
    "not_an_image_uri": Rule(
        # The texts of the service's other endpoints; no log shows a Realtime session's.
        "invalid_value",
        "Invalid '{path}'. Expected a base64-encoded data URL with an image MIME type (e.g. "
        "'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got {problem}.",
        "{path}",
        source=None,
    ),
    "not_an_image": Rule(
        "invalid_value",
        "Invalid '{path}'. Expected an image of one of the formats PNG and JPEG.",
        "{path}",
        source=None,
    ),
    # The session.
    "session_kind": Rule(
        "invalid_parameter",
        "Passing a {given} session update event to a {kind} session is not allowed.",
    ),
    "no_turn_detection": Rule(
        None, "Turn detection is not supported for this transcription model."
    ),
    "voice_locked": Rule(
        "cannot_update_voice",
        "Cannot update a conversation's voice if assistant audio is present.",
    ),
    "model_fixed": Rule(
        "invalid_parameter",
        "Cannot change the model of a session from '{model}' to '{value}'.",
        "session.model",
        source=None,
    ),
    "speed_fixed": Rule(
        "invalid_parameter",
        "Cannot update a session's speed while a response is in progress.",
        "session.audio.output.speed",
        source=None,
    ),
    "tool_choice_unknown": Rule(
        "invalid_value",
        "Tool choice '{value}' not found in 'tools' parameter.",
        "{path}",
        source=None,
    ),
    "tracing_fixed": Rule(
        "invalid_parameter",
        "Cannot update tracing once it is enabled.",
        "session.tracing",
        source=None,
    ),
    "no_reasoning": Rule(
        # §6.2 has the refusal and that it names neither event nor field; the text is ours.
        "invalid_parameter",
        "Reasoning is not supported by the model '{model}'.",
        names_event=False,
    ),
    "no_parallel_calls": Rule(
        "invalid_parameter",
        "Parallel tool calls are not supported by the model '{model}'.",
        source=None,
    ),
    "session_expired": Rule(
        "session_expired",
        "Your session hit the maximum duration of {minutes} minutes.",
        names_event=False,
    ),
    # The input buffer.
    "too_little_to_commit": Rule(
        "input_audio_buffer_commit_empty",
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of "
        "audio, but buffer only has {ms:.2f}ms of audio.",
    ),
    "input_buffer_full": Rule(
        "input_audio_buffer_full",
        "Error appending to the input audio buffer: it holds {held} bytes of at most {limit}. "
        "Commit or clear it first.",
        source=None,
    ),
    "append_beside_track": Rule(
        "invalid_value",
        "The input audio of this session comes from its audio track: send it there.",
        "type",
        source=None,
    ),
    # Responses.
    "already_active": Rule(
        "conversation_already_has_active_response",
        "Conversation already has an active response in progress: {response_id}. Wait until "
        "the response is finished before creating a new one.",
    ),
    "nothing_to_cancel": Rule(
        "response_cancel_not_active", "Cancellation failed: no active response found"
    ),
    "too_many_responses": Rule(
        "too_many_responses",
        "Cannot run more than {limit} responses at once. Wait until one is finished.",
        source=None,
    ),
    "too_long": Rule("conversation_too_long", "Conversation is too long to create a Response."),
    "referenced_item_unknown": Rule(
        "item_reference_invalid_item_id",
        "Error creating response: the item with id '{item_id}' does not exist.",
        "{path}",
        source=None,
    ),
    # Remote tools. The guide "Realtime with tools" names the causes; the texts are ours.
    "mcp_label_twice": Rule(
        "invalid_value",
        "Duplicate 'server_label' in tools: '{label}'.",
        "{path}.server_label",
        source=None,
    ),
    "mcp_no_address": Rule(
        "missing_required_parameter",
        "Missing required parameter: one of '{path}.server_url', '{path}.connector_id' and "
        "'{path}.tunnel_id' must be provided.",
        "{path}",
        source=None,
    ),
    "mcp_two_addresses": Rule(
        "invalid_value",
        "Only one of '{path}.{first}' and '{path}.{second}' may be provided.",
        "{path}.{second}",
        source=None,
    ),
    "mcp_two_authorizations": Rule(
        "invalid_value",
        "Provide the authorization in '{path}.authorization' and not in the headers.",
        "{path}.headers",
        source=None,
    ),
    "mcp_servers_full": Rule(
        "too_many_mcp_servers",
        "Cannot declare the MCP server '{label}': a session has at most {limit} of them.",
        "{path}.server_label",
        source=None,
    ),
    "mcp_declarations_full": Rule(
        "too_many_mcp_servers",
        "The declarations of the session's MCP servers would take {length} bytes; at "
        "most {limit} fit.",
        source=None,
    ),
    "approval_unknown": Rule(
        "invalid_approval_request_id",
        "Approval request ID '{request_id}' not found among those that wait for an answer.",
        "item.approval_request_id",
        source=None,
    ),
    # Items.
    "item_exists": Rule(
        "item_create_duplicate_item_id",
        "Error adding item: an item with id '{item_id}' already exists.",
    ),
    "previous_item_unknown": Rule(
        "item_create_invalid_previous_item_id",
        "Error adding item: the previous item with id '{item_id}' does not exist.",
    ),
    "call_unknown": Rule(
        "invalid_tool_call_id", "Tool call ID '{call_id}' not found in conversation."
    ),
    "conversation_full": Rule(
        "conversation_full",
        "Error adding item: the conversation holds {limit} items already. Delete some first.",
        source=None,
    ),
    "images_full": Rule(
        "conversation_full",
        "Error adding item: the conversation holds {held} bytes of images already, of at most "
        "{limit}. Delete some first.",
        source=None,
    ),
    "texts_full": Rule(
        "conversation_full",
        "Error adding item: the conversation holds {held} characters of text already, of at most "
        "{limit}. Delete some first.",
        source=None,
    ),
    "truncate_unknown": Rule(
        "item_truncate_invalid_item_id",
        "Error truncating item: the item with id '{item_id}' does not exist.",
    ),
    "truncate_not_audio": Rule(
        "unsupported_content_type", "Only model output audio messages can be truncated"
    ),
    "truncate_no_such_part": Rule(
        "invalid_value",
        "Error truncating item: the item with id '{item_id}' has no content at index {index}.",
        "content_index",
        source=None,
    ),
    "truncate_too_long": Rule(
        "invalid_value",
        "Audio content of {length_ms}ms is already shorter than {asked_ms}ms",
        names_event=False,
        source="§6.1, §6.2",
    ),
    "delete_unknown": Rule(
        "item_delete_invalid_item_id",
        "Error deleting item: the item with id '{item_id}' does not exist.",
    ),
    "retrieve_unknown": Rule(
        "item_retrieve_invalid_item_id",
        "Error retrieving item: the item with id '{item_id}' does not exist.",
    ),
    # The server itself.
    "too_much_waiting": Rule(
        "too_many_events",
        "Too many events are waiting to be handled. Send them more slowly.",
        source=None,
        type=SERVER_ERROR,
    ),
    "internal": Rule(
        None,
        "The server had an error while processing your request. Sorry about that! Please contact "
        "us through our help center at help.openai.com if the error persists. (include session ID "
        "in your message: {session_id}). We recommend you retry your request.",
        names_event=False,
        type=SERVER_ERROR,
    ),
}

_BETA: Mapping[str, tuple[str | None, str | None]] = {
    "already_active": (
        "conversation_already_has_active_response",
        "Conversation already has an active response",
    ),
    "nothing_to_cancel": (None, None),
    "truncate_too_long": (None, None),
    "truncate_not_audio": (None, None),
}
"""What the beta service said otherwise: the code, and the message where that differed too."""
