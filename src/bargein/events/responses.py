"""A response of the model: the object, and the events that tell of its making (protocol.md sections
2.3 and 2.4), with fields in the order of the recorded wire."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from .base import Index, LenientText, Maybe, ServerShape, Shape
from .config import AudioConfig
from .items import Item, Part


class CachedTokensDetails(Shape, frozen=True, kw_only=True):
    text_tokens: Maybe[int] = UNSET
    audio_tokens: Maybe[int] = UNSET
    image_tokens: Maybe[int] = UNSET


class InputTokenDetails(Shape, frozen=True, kw_only=True):
    text_tokens: Maybe[int] = UNSET
    audio_tokens: Maybe[int] = UNSET
    image_tokens: Maybe[int] = UNSET
    cached_tokens: Maybe[int] = UNSET
    cached_tokens_details: Maybe[CachedTokensDetails] = UNSET


class OutputTokenDetails(Shape, frozen=True, kw_only=True):
    text_tokens: Maybe[int] = UNSET
    audio_tokens: Maybe[int] = UNSET


class Usage(Shape, frozen=True, kw_only=True):
    """What a response cost: 100 ms of heard and 50 ms of spoken audio are one token each."""

    total_tokens: Maybe[int] = UNSET
    input_tokens: Maybe[int] = UNSET
    output_tokens: Maybe[int] = UNSET
    input_token_details: Maybe[InputTokenDetails] = UNSET
    output_token_details: Maybe[OutputTokenDetails] = UNSET


class StatusError(Shape, frozen=True, kw_only=True):
    type: Maybe[str] = UNSET
    code: Maybe[str] = UNSET
    message: Maybe[str] = UNSET


class StatusDetails(Shape, frozen=True, kw_only=True):
    """Why a response ended: `reason` if it was cancelled or is incomplete, `error` if it failed.

    The reasons are turn_detected, client_cancelled, max_output_tokens and content_filter.
    """

    type: Maybe[str] = UNSET
    reason: Maybe[str] = UNSET
    error: Maybe[StatusError] = UNSET


class Response(Shape, frozen=True, kw_only=True):
    """`status` is in_progress, completed, cancelled, failed or incomplete.

    `conversation_id` is null for a response outside the conversation. `metadata` is what
    `response.create` gave. xAI sends a text as `status_details`.
    """

    object: Maybe[str] = UNSET
    id: LenientText
    status: LenientText
    status_details: Maybe[StatusDetails | str] = UNSET
    output: Annotated[tuple[Item, ...], Meta(extra={"lenient": ()})]
    conversation_id: Maybe[str] = UNSET
    output_modalities: Maybe[tuple[str, ...]] = UNSET
    max_output_tokens: Maybe[int | str] = UNSET
    audio: Maybe[AudioConfig] = UNSET
    usage: Maybe[Usage] = UNSET
    metadata: Maybe[dict[str, str]] = UNSET


class ResponseCreated(ServerShape, frozen=True, kw_only=True, tag="response.created"):
    response: Response


class ResponseDone(ServerShape, frozen=True, kw_only=True, tag="response.done"):
    response: Response


class ResponseOutputItemAdded(
    ServerShape, frozen=True, kw_only=True, tag="response.output_item.added"
):
    response_id: str
    output_index: Index
    item: Item


class ResponseOutputItemDone(
    ServerShape, frozen=True, kw_only=True, tag="response.output_item.done"
):
    response_id: str
    output_index: Index
    item: Item


class ResponseContentPartAdded(
    ServerShape, frozen=True, kw_only=True, tag="response.content_part.added"
):
    response_id: str
    item_id: str
    output_index: Index
    content_index: Index
    part: Part | UnsetType = UNSET


class ResponseContentPartDone(
    ServerShape, frozen=True, kw_only=True, tag="response.content_part.done"
):
    response_id: str
    item_id: str
    output_index: Index
    content_index: Index
    part: Part | UnsetType = UNSET


class ResponseOutputTextDelta(
    ServerShape, frozen=True, kw_only=True, tag="response.output_text.delta"
):
    response_id: str
    item_id: str
    output_index: Index
    content_index: Index
    delta: str
    obfuscation: Maybe[str] = UNSET


class ResponseOutputTextDone(
    ServerShape, frozen=True, kw_only=True, tag="response.output_text.done"
):
    response_id: str
    item_id: str
    output_index: Index
    content_index: Index
    text: LenientText


class ResponseOutputAudioDelta(
    ServerShape, frozen=True, kw_only=True, tag="response.output_audio.delta"
):
    """`delta` is samples in the response's output format."""

    response_id: str
    item_id: str
    output_index: Index
    content_index: Index
    delta: bytes


class ResponseOutputAudioDone(
    ServerShape, frozen=True, kw_only=True, tag="response.output_audio.done"
):
    """Ends the part's audio; a cancelled response sends it too."""

    response_id: str
    item_id: str
    output_index: Index
    content_index: Index


class ResponseOutputAudioTranscriptDelta(
    ServerShape, frozen=True, kw_only=True, tag="response.output_audio_transcript.delta"
):
    response_id: str
    item_id: str
    output_index: Index
    content_index: Index
    delta: str
    obfuscation: Maybe[str] = UNSET


class ResponseOutputAudioTranscriptDone(
    ServerShape, frozen=True, kw_only=True, tag="response.output_audio_transcript.done"
):
    response_id: str
    item_id: str
    output_index: Index
    content_index: Index
    transcript: LenientText


class ResponseFunctionCallArgumentsDelta(
    ServerShape, frozen=True, kw_only=True, tag="response.function_call_arguments.delta"
):
    response_id: str
    item_id: str
    output_index: Index
    call_id: LenientText
    delta: str
    obfuscation: Maybe[str] = UNSET


class ResponseFunctionCallArgumentsDone(
    ServerShape, frozen=True, kw_only=True, tag="response.function_call_arguments.done"
):
    response_id: str
    item_id: str
    output_index: Index
    call_id: LenientText
    name: LenientText
    arguments: LenientText


class ResponseMcpCallArgumentsDelta(
    ServerShape, frozen=True, kw_only=True, tag="response.mcp_call_arguments.delta"
):
    response_id: str
    item_id: str
    output_index: Index
    delta: str
    obfuscation: Maybe[str] = UNSET


class ResponseMcpCallArgumentsDone(
    ServerShape, frozen=True, kw_only=True, tag="response.mcp_call_arguments.done"
):
    response_id: str
    item_id: str
    output_index: Index
    arguments: LenientText


class ResponseMcpCallInProgress(
    ServerShape, frozen=True, kw_only=True, tag="response.mcp_call.in_progress"
):
    item_id: str
    output_index: Index


class ResponseMcpCallCompleted(
    ServerShape, frozen=True, kw_only=True, tag="response.mcp_call.completed"
):
    item_id: str
    output_index: Index


class ResponseMcpCallFailed(ServerShape, frozen=True, kw_only=True, tag="response.mcp_call.failed"):
    item_id: str
    output_index: Index


ResponseEvent: TypeAlias = (
    ResponseCreated
    | ResponseDone
    | ResponseOutputItemAdded
    | ResponseOutputItemDone
    | ResponseContentPartAdded
    | ResponseContentPartDone
    | ResponseOutputTextDelta
    | ResponseOutputTextDone
    | ResponseOutputAudioDelta
    | ResponseOutputAudioDone
    | ResponseOutputAudioTranscriptDelta
    | ResponseOutputAudioTranscriptDone
    | ResponseFunctionCallArgumentsDelta
    | ResponseFunctionCallArgumentsDone
    | ResponseMcpCallArgumentsDelta
    | ResponseMcpCallArgumentsDone
    | ResponseMcpCallInProgress
    | ResponseMcpCallCompleted
    | ResponseMcpCallFailed
)
