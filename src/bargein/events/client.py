"""What the client says (protocol.md section 2.2).

`session.close` and `session.input_audio_buffer.append` belong to translation sessions, which have
no turns and nothing to interrupt; they are not part of this vocabulary.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import UNSET

from .base import ClientShape, Maybe, Shape
from .config import AnySession, AudioConfig, Prompt, Reasoning, Tool, ToolChoice
from .items import Item


class SessionUpdate(ClientShape, frozen=True, kw_only=True, tag="session.update"):
    """Absent fields of the session keep their value; on any error nothing is changed."""

    session: AnySession


class InputAudioBufferAppend(
    ClientShape, frozen=True, kw_only=True, tag="input_audio_buffer.append"
):
    """`audio` is raw samples in the session's input format, at most 15 MiB."""

    audio: bytes


class InputAudioBufferCommit(
    ClientShape, frozen=True, kw_only=True, tag="input_audio_buffer.commit"
):
    pass


class InputAudioBufferClear(ClientShape, frozen=True, kw_only=True, tag="input_audio_buffer.clear"):
    pass


class OutputAudioBufferClear(
    ClientShape, frozen=True, kw_only=True, tag="output_audio_buffer.clear"
):
    """For WebRTC and SIP; over WebSocket the service refuses it."""


class ConversationItemCreate(
    ClientShape, frozen=True, kw_only=True, tag="conversation.item.create"
):
    """`previous_item_id` absent or null appends; `"root"` puts the item first."""

    previous_item_id: Maybe[str] = UNSET
    item: Item


class ConversationItemTruncate(
    ClientShape, frozen=True, kw_only=True, tag="conversation.item.truncate"
):
    """Keeps the first `audio_end_ms` of the audio of one part; its transcript is removed."""

    item_id: str
    content_index: int
    audio_end_ms: int


class ConversationItemDelete(
    ClientShape, frozen=True, kw_only=True, tag="conversation.item.delete"
):
    item_id: str


class ConversationItemRetrieve(
    ClientShape, frozen=True, kw_only=True, tag="conversation.item.retrieve"
):
    item_id: str


class ResponseParams(Shape, frozen=True, kw_only=True):
    """Overrides of the session for one response.

    `conversation` is auto, or none for a response outside of it; `input` replaces the
    conversation as what the model sees.
    """

    output_modalities: Maybe[tuple[str, ...]] = UNSET
    instructions: Maybe[str] = UNSET
    audio: Maybe[AudioConfig] = UNSET
    tools: Maybe[tuple[Tool, ...]] = UNSET
    tool_choice: Maybe[ToolChoice] = UNSET
    parallel_tool_calls: Maybe[bool] = UNSET
    reasoning: Maybe[Reasoning] = UNSET
    prompt: Maybe[Prompt] = UNSET
    max_output_tokens: Maybe[int | str] = UNSET
    conversation: Maybe[str] = UNSET
    metadata: Maybe[dict[str, str]] = UNSET
    input: Maybe[tuple[Item, ...]] = UNSET


class ResponseCreate(ClientShape, frozen=True, kw_only=True, tag="response.create"):
    response: Maybe[ResponseParams] = UNSET


class ResponseCancel(ClientShape, frozen=True, kw_only=True, tag="response.cancel"):
    """Without `response_id`: the open response of the default conversation."""

    response_id: Maybe[str] = UNSET


ClientEvent: TypeAlias = (
    SessionUpdate
    | InputAudioBufferAppend
    | InputAudioBufferCommit
    | InputAudioBufferClear
    | OutputAudioBufferClear
    | ConversationItemCreate
    | ConversationItemTruncate
    | ConversationItemDelete
    | ConversationItemRetrieve
    | ResponseCreate
    | ResponseCancel
)
