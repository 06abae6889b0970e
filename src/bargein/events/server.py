"""What the service says besides its responses (protocol.md section 2.3), and the union of it all.

Fields are in the order of the recorded wire.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta

from .base import Index, LenientText, Maybe, ServerShape, Shape
from .config import AnySession, UnknownVariant
from .items import Item
from .responses import InputTokenDetails, ResponseEvent


class ErrorBody(Shape, frozen=True, kw_only=True):
    """`event_id` is the client event at fault, `param` the path of its field, if there is one."""

    type: Maybe[str] = UNSET
    code: Maybe[str] = UNSET
    message: LenientText
    param: Maybe[str] = UNSET
    event_id: Maybe[str] = UNSET


class Conversation(Shape, frozen=True, kw_only=True):
    id: Maybe[str] = UNSET
    object: Maybe[str] = UNSET


class LogProb(Shape, frozen=True, kw_only=True):
    """`bytes` are the UTF-8 bytes of the token, as numbers."""

    token: str
    logprob: float
    bytes: Maybe[tuple[int, ...]] = UNSET


class TranscriptionLanguage(Shape, frozen=True, kw_only=True):
    code: str


class TokensUsage(Shape, frozen=True, kw_only=True, tag_field="type", tag="tokens"):
    total_tokens: Maybe[int] = UNSET
    input_tokens: Maybe[int] = UNSET
    input_token_details: Maybe[InputTokenDetails] = UNSET
    output_tokens: Maybe[int] = UNSET


class DurationUsage(Shape, frozen=True, kw_only=True, tag_field="type", tag="duration"):
    seconds: float


TranscriptionUsage: TypeAlias = TokensUsage | DurationUsage | UnknownVariant


class RateLimit(Shape, frozen=True, kw_only=True):
    name: Maybe[str] = UNSET
    limit: Maybe[int] = UNSET
    remaining: Maybe[int] = UNSET
    reset_seconds: Maybe[float] = UNSET


RateLimits: TypeAlias = Annotated[tuple[RateLimit, ...], Meta(extra={"lenient": ()})]


class Error(ServerShape, frozen=True, kw_only=True, tag="error"):
    error: ErrorBody


class SessionCreated(ServerShape, frozen=True, kw_only=True, tag="session.created"):
    session: AnySession


class SessionUpdated(ServerShape, frozen=True, kw_only=True, tag="session.updated"):
    """Shows the whole effective session."""

    session: AnySession


class ConversationCreated(ServerShape, frozen=True, kw_only=True, tag="conversation.created"):
    """In the schema, never seen from OpenAI; xAI sends it."""

    conversation: Conversation


class ConversationItemCreated(
    ServerShape, frozen=True, kw_only=True, tag="conversation.item.created"
):
    """The older name of `conversation.item.added`; still in the schema."""

    previous_item_id: Maybe[str] = UNSET
    item: Item


class ConversationItemAdded(ServerShape, frozen=True, kw_only=True, tag="conversation.item.added"):
    previous_item_id: Maybe[str] = UNSET
    item: Item


class ConversationItemDone(ServerShape, frozen=True, kw_only=True, tag="conversation.item.done"):
    """For items made by the model, `previous_item_id` may be null by mistake; trust `added`."""

    previous_item_id: Maybe[str] = UNSET
    item: Item


class ConversationItemRetrieved(
    ServerShape, frozen=True, kw_only=True, tag="conversation.item.retrieved"
):
    """The item with its audio."""

    item: Item


class ConversationItemTruncated(
    ServerShape, frozen=True, kw_only=True, tag="conversation.item.truncated"
):
    """Echoes the request, or tells of the service's own truncation."""

    item_id: str
    content_index: Index
    audio_end_ms: int


class ConversationItemDeleted(
    ServerShape, frozen=True, kw_only=True, tag="conversation.item.deleted"
):
    item_id: str


class ConversationItemInputAudioTranscriptionDelta(
    ServerShape, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.delta"
):
    item_id: str
    content_index: Index
    delta: LenientText
    obfuscation: Maybe[str] = UNSET
    logprobs: Maybe[tuple[LogProb, ...]] = UNSET


class ConversationItemInputAudioTranscriptionCompleted(
    ServerShape,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.completed",
):
    item_id: str
    content_index: Index
    transcript: LenientText
    usage: Maybe[TranscriptionUsage] = UNSET
    logprobs: Maybe[tuple[LogProb, ...]] = UNSET
    languages: Maybe[tuple[TranscriptionLanguage, ...]] = UNSET


class ConversationItemInputAudioTranscriptionFailed(
    ServerShape, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.failed"
):
    item_id: str
    content_index: Index
    error: ErrorBody


class ConversationItemInputAudioTranscriptionSegment(
    ServerShape,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.segment",
):
    """One speaker's words; `start` and `end` in seconds of the item's audio."""

    item_id: str
    content_index: Index
    text: LenientText
    id: LenientText
    speaker: LenientText
    start: float
    end: float


class InputAudioBufferCommitted(
    ServerShape, frozen=True, kw_only=True, tag="input_audio_buffer.committed"
):
    previous_item_id: Maybe[str] = UNSET
    item_id: str


class InputAudioBufferCleared(
    ServerShape, frozen=True, kw_only=True, tag="input_audio_buffer.cleared"
):
    pass


class InputAudioBufferSpeechStarted(
    ServerShape, frozen=True, kw_only=True, tag="input_audio_buffer.speech_started"
):
    """`audio_start_ms` counts all audio of the session, prefix padding included."""

    audio_start_ms: int
    item_id: str


class InputAudioBufferSpeechStopped(
    ServerShape, frozen=True, kw_only=True, tag="input_audio_buffer.speech_stopped"
):
    audio_end_ms: int
    item_id: str


class InputAudioBufferTimeoutTriggered(
    ServerShape, frozen=True, kw_only=True, tag="input_audio_buffer.timeout_triggered"
):
    audio_start_ms: int
    audio_end_ms: int
    item_id: str


class InputAudioBufferDtmfEventReceived(
    ServerShape, frozen=True, kw_only=True, tag="input_audio_buffer.dtmf_event_received"
):
    """A key pressed on a telephone, at `received_at` unix seconds. It alone has no `event_id`."""

    event: str
    received_at: int


class OutputAudioBufferStarted(
    ServerShape, frozen=True, kw_only=True, tag="output_audio_buffer.started"
):
    response_id: str


class OutputAudioBufferStopped(
    ServerShape, frozen=True, kw_only=True, tag="output_audio_buffer.stopped"
):
    response_id: str


class OutputAudioBufferCleared(
    ServerShape, frozen=True, kw_only=True, tag="output_audio_buffer.cleared"
):
    response_id: str


class McpListToolsInProgress(
    ServerShape, frozen=True, kw_only=True, tag="mcp_list_tools.in_progress"
):
    item_id: str


class McpListToolsCompleted(ServerShape, frozen=True, kw_only=True, tag="mcp_list_tools.completed"):
    item_id: str


class McpListToolsFailed(ServerShape, frozen=True, kw_only=True, tag="mcp_list_tools.failed"):
    item_id: str


class RateLimitsUpdated(ServerShape, frozen=True, kw_only=True, tag="rate_limits.updated"):
    """After `response.done`."""

    rate_limits: RateLimits


ServerEvent: TypeAlias = (
    ResponseEvent
    | Error
    | SessionCreated
    | SessionUpdated
    | ConversationCreated
    | ConversationItemCreated
    | ConversationItemAdded
    | ConversationItemDone
    | ConversationItemRetrieved
    | ConversationItemTruncated
    | ConversationItemDeleted
    | ConversationItemInputAudioTranscriptionDelta
    | ConversationItemInputAudioTranscriptionCompleted
    | ConversationItemInputAudioTranscriptionFailed
    | ConversationItemInputAudioTranscriptionSegment
    | InputAudioBufferCommitted
    | InputAudioBufferCleared
    | InputAudioBufferSpeechStarted
    | InputAudioBufferSpeechStopped
    | InputAudioBufferTimeoutTriggered
    | InputAudioBufferDtmfEventReceived
    | OutputAudioBufferStarted
    | OutputAudioBufferStopped
    | OutputAudioBufferCleared
    | McpListToolsInProgress
    | McpListToolsCompleted
    | McpListToolsFailed
    | RateLimitsUpdated
)
