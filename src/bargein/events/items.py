"""Conversation items and their content parts (API reference, `RealtimeConversationItem`).

Inside items, the model's parts are `output_audio` and `output_text`; inside
`response.content_part.*` the same parts are called `audio` and `text` (protocol.md section 2.5).
Items of other vendors, and the example of `conversation.item.retrieved` in the documentation, use
the short names too, so both are accepted in both places.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import UNSET, Meta

from .base import LenientText, Maybe, Shape, UnknownShape
from .config import AudioFormatConfig


class InputText(Shape, frozen=True, kw_only=True, tag_field="type", tag="input_text"):
    text: LenientText


class InputAudio(Shape, frozen=True, kw_only=True, tag_field="type", tag="input_audio"):
    """`audio` is in the session's input format; the service shows it in `retrieved` only."""

    audio: Maybe[bytes] = UNSET
    transcript: Maybe[str] = UNSET
    format: Maybe[AudioFormatConfig | str] = UNSET


class InputImage(Shape, frozen=True, kw_only=True, tag_field="type", tag="input_image"):
    """`image_url` is a data URI of a PNG or JPEG; `detail` is auto, low or high."""

    image_url: Maybe[str] = UNSET
    detail: Maybe[str] = UNSET


class OutputText(Shape, frozen=True, kw_only=True, tag_field="type", tag="output_text"):
    text: LenientText


class OutputAudio(Shape, frozen=True, kw_only=True, tag_field="type", tag="output_audio"):
    """`audio` is in the response's output format; the service shows it in `retrieved` only."""

    audio: Maybe[bytes] = UNSET
    transcript: Maybe[str] = UNSET
    format: Maybe[AudioFormatConfig | str] = UNSET


class TextPart(Shape, frozen=True, kw_only=True, tag_field="type", tag="text"):
    text: LenientText


class AudioPart(Shape, frozen=True, kw_only=True, tag_field="type", tag="audio"):
    audio: Maybe[bytes] = UNSET
    transcript: Maybe[str] = UNSET
    format: Maybe[AudioFormatConfig | str] = UNSET


class UnknownPart(UnknownShape, frozen=True, kw_only=True):
    """A content part of a type outside the vocabulary."""


Part: TypeAlias = TextPart | AudioPart | OutputText | OutputAudio | UnknownPart
ContentPart: TypeAlias = (
    InputText
    | InputAudio
    | InputImage
    | OutputText
    | OutputAudio
    | TextPart
    | AudioPart
    | UnknownPart
)
Content: TypeAlias = Annotated[tuple[ContentPart, ...], Meta(extra={"lenient": ()})]


class ItemShape(Shape, frozen=True, kw_only=True, tag_field="type"):
    """`id` may be chosen by whoever creates the item: at most 32 characters."""

    id: Maybe[str] = UNSET
    object: Maybe[str] = UNSET


class MessageItem(ItemShape, frozen=True, kw_only=True, tag="message"):
    """`role` is user, assistant or system; `status` is in_progress, completed or incomplete.

    `phase` (commentary or final_answer) is on assistant messages of the 2.x models.
    """

    status: Maybe[str] = UNSET
    role: str
    content: Content
    phase: Maybe[str] = UNSET


class FunctionCallItem(ItemShape, frozen=True, kw_only=True, tag="function_call"):
    """`arguments` is JSON text, empty until the call is complete."""

    status: Maybe[str] = UNSET
    name: LenientText
    call_id: Maybe[str] = UNSET
    arguments: LenientText


class FunctionCallOutputItem(ItemShape, frozen=True, kw_only=True, tag="function_call_output"):
    call_id: str
    output: LenientText
    status: Maybe[str] = UNSET


class McpError(Shape, frozen=True, kw_only=True):
    """`type` is protocol_error, tool_execution_error or http_error; the second has no code."""

    type: Maybe[str] = UNSET
    code: Maybe[int] = UNSET
    message: Maybe[str] = UNSET


class McpCallItem(ItemShape, frozen=True, kw_only=True, tag="mcp_call"):
    server_label: LenientText
    name: LenientText
    arguments: LenientText
    approval_request_id: Maybe[str] = UNSET
    output: Maybe[str] = UNSET
    error: Maybe[McpError | str] = UNSET


class McpListedTool(Shape, frozen=True, kw_only=True):
    name: str
    description: Maybe[str] = UNSET
    input_schema: Any = UNSET
    annotations: Any = UNSET


class McpListToolsItem(ItemShape, frozen=True, kw_only=True, tag="mcp_list_tools"):
    server_label: LenientText
    tools: Annotated[tuple[McpListedTool, ...], Meta(extra={"lenient": ()})]


class McpApprovalRequestItem(ItemShape, frozen=True, kw_only=True, tag="mcp_approval_request"):
    server_label: LenientText
    name: LenientText
    arguments: LenientText


class McpApprovalResponseItem(ItemShape, frozen=True, kw_only=True, tag="mcp_approval_response"):
    approval_request_id: str
    approve: bool
    reason: Maybe[str] = UNSET


class ItemReference(ItemShape, frozen=True, kw_only=True, tag="item_reference"):
    """Names an item of the conversation by its `id`, in `input` of `response.create` only."""


class UnknownItem(UnknownShape, frozen=True, kw_only=True):
    """An item of a type outside the vocabulary."""


Item: TypeAlias = (
    MessageItem
    | FunctionCallItem
    | FunctionCallOutputItem
    | McpCallItem
    | McpListToolsItem
    | McpApprovalRequestItem
    | McpApprovalResponseItem
    | ItemReference
    | UnknownItem
)
