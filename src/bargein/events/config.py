"""The session, and what it is made of (API reference, `RealtimeSessionCreateRequest`).

One set of structs serves the partial session of `session.update` and the whole one that the service
shows: in the first an absent field keeps its value and `null` clears it. Limits and defaults are in
protocol.md section 3.2; they are the service's rules and are not checked here.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import UNSET

from bargein.masking import MASK, shown_address

from .base import Maybe, Shape, UnknownShape


class UnknownVariant(UnknownShape, frozen=True, kw_only=True):
    """A part of the configuration of a kind outside the vocabulary."""


class AudioFormatConfig(Shape, frozen=True, kw_only=True):
    """`type` is audio/pcm (with `rate` 24000), audio/pcmu or audio/pcma."""

    type: Maybe[str] = UNSET
    rate: Maybe[int] = UNSET


class Transcription(Shape, frozen=True, kw_only=True):
    model: Maybe[str] = UNSET
    language: Maybe[str] = UNSET
    prompt: Maybe[str] = UNSET
    delay: Maybe[str] = UNSET
    keywords: Maybe[tuple[str, ...]] = UNSET
    languages: Maybe[tuple[str, ...]] = UNSET


class NoiseReduction(Shape, frozen=True, kw_only=True):
    """`type` is near_field or far_field."""

    type: Maybe[str] = UNSET
    strength: Maybe[float] = UNSET


class ServerVad(Shape, frozen=True, kw_only=True, tag_field="type", tag="server_vad"):
    """Turns by the loudness of speech; `idle_timeout_ms` null means the service never asks."""

    threshold: Maybe[float] = UNSET
    prefix_padding_ms: Maybe[int] = UNSET
    silence_duration_ms: Maybe[int] = UNSET
    idle_timeout_ms: Maybe[int] = UNSET
    create_response: Maybe[bool] = UNSET
    interrupt_response: Maybe[bool] = UNSET


class SemanticVad(Shape, frozen=True, kw_only=True, tag_field="type", tag="semantic_vad"):
    """Turns by the meaning of what was said; `eagerness` is low, medium, high or auto."""

    eagerness: Maybe[str] = UNSET
    create_response: Maybe[bool] = UNSET
    interrupt_response: Maybe[bool] = UNSET


TurnDetection: TypeAlias = ServerVad | SemanticVad | UnknownVariant


class AudioInputConfig(Shape, frozen=True, kw_only=True):
    """`turn_detection` null means that turns are made by hand."""

    format: Maybe[AudioFormatConfig] = UNSET
    transcription: Maybe[Transcription] = UNSET
    noise_reduction: Maybe[NoiseReduction] = UNSET
    turn_detection: Maybe[TurnDetection] = UNSET


class VoiceId(Shape, frozen=True, kw_only=True):
    """A voice of the account's own; the built-in ones are plain text."""

    id: str


class AudioOutputConfig(Shape, frozen=True, kw_only=True):
    """`speed` belongs to the session; the service refuses it in `response.create`."""

    format: Maybe[AudioFormatConfig] = UNSET
    voice: Maybe[str | VoiceId] = UNSET
    speed: Maybe[float] = UNSET


class AudioConfig(Shape, frozen=True, kw_only=True):
    input: Maybe[AudioInputConfig] = UNSET
    output: Maybe[AudioOutputConfig] = UNSET


class FunctionTool(Shape, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """`parameters` is a JSON Schema. The fields are flat, not nested under `function`."""

    name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    parameters: Any = UNSET


class McpToolFilter(Shape, frozen=True, kw_only=True):
    read_only: Maybe[bool] = UNSET
    tool_names: Maybe[tuple[str, ...]] = UNSET


class McpApprovalFilter(Shape, frozen=True, kw_only=True):
    always: Maybe[McpToolFilter] = UNSET
    never: Maybe[McpToolFilter] = UNSET


class McpTool(Shape, frozen=True, kw_only=True, tag_field="type", tag="mcp"):
    """One of `server_url`, `connector_id` and `tunnel_id` says where the tools are."""

    server_label: str
    server_url: Maybe[str] = UNSET
    connector_id: Maybe[str] = UNSET
    tunnel_id: Maybe[str] = UNSET
    authorization: Maybe[str] = UNSET
    headers: Maybe[dict[str, str]] = UNSET
    allowed_tools: Maybe[tuple[str, ...] | McpToolFilter] = UNSET
    require_approval: Maybe[str | McpApprovalFilter] = UNSET
    server_description: Maybe[str] = UNSET
    defer_loading: Maybe[bool] = UNSET
    allowed_callers: Maybe[tuple[str, ...]] = UNSET

    def __repr__(self) -> str:
        """Without what it is reached with: credentials are in no log, and an address may hold one
        anywhere but in its host."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        for name in ("authorization", "headers"):
            given[name] = MASK if given[name] else given[name]
        if isinstance(self.server_url, str):
            given["server_url"] = shown_address(self.server_url)
        shown = ", ".join(f"{name}={each!r}" for name, each in given.items() if each is not UNSET)
        return f"McpTool({shown})"


Tool: TypeAlias = FunctionTool | McpTool | UnknownVariant


class ToolChoiceFunction(Shape, frozen=True, kw_only=True, tag_field="type", tag="function"):
    name: str


class ToolChoiceMcp(Shape, frozen=True, kw_only=True, tag_field="type", tag="mcp"):
    server_label: str
    name: Maybe[str] = UNSET


ToolChoice: TypeAlias = str | ToolChoiceFunction | ToolChoiceMcp | UnknownVariant
"""auto, none or required, or one tool."""


class Reasoning(Shape, frozen=True, kw_only=True):
    """`effort` is minimal, low, medium, high or xhigh; models of the 2.x line only."""

    effort: Maybe[str] = UNSET


class Tracing(Shape, frozen=True, kw_only=True):
    workflow_name: Maybe[str] = UNSET
    group_id: Maybe[str] = UNSET
    metadata: Any = UNSET


class TruncationLimits(Shape, frozen=True, kw_only=True):
    post_instructions: Maybe[int] = UNSET


class RetentionRatio(Shape, frozen=True, kw_only=True, tag_field="type", tag="retention_ratio"):
    retention_ratio: float
    token_limits: Maybe[TruncationLimits] = UNSET


class Prompt(Shape, frozen=True, kw_only=True):
    """A stored prompt. A variable is a text, or an `input_text`, `input_image` or `input_file`."""

    id: str
    version: Maybe[str] = UNSET
    variables: Maybe[dict[str, Any]] = UNSET


class Session(Shape, frozen=True, kw_only=True, tag_field="type", tag="realtime"):
    """A speech-to-speech session. `object`, `id` and `expires_at` (unix seconds) are the service's.

    A session without a `type` (other vendors) is read as this one.
    """

    object: Maybe[str] = UNSET
    id: Maybe[str] = UNSET
    model: Maybe[str] = UNSET
    output_modalities: Maybe[tuple[str, ...]] = UNSET
    instructions: Maybe[str] = UNSET
    tools: Maybe[tuple[Tool, ...]] = UNSET
    tool_choice: Maybe[ToolChoice] = UNSET
    parallel_tool_calls: Maybe[bool] = UNSET
    reasoning: Maybe[Reasoning] = UNSET
    max_output_tokens: Maybe[int | str] = UNSET
    tracing: Maybe[str | Tracing] = UNSET
    truncation: Maybe[str | RetentionRatio | UnknownVariant] = UNSET
    prompt: Maybe[Prompt] = UNSET
    expires_at: Maybe[int] = UNSET
    audio: Maybe[AudioConfig] = UNSET
    include: Maybe[tuple[str, ...]] = UNSET


class TranscriptionSession(Shape, frozen=True, kw_only=True, tag_field="type", tag="transcription"):
    """A session that only listens and writes down."""

    object: Maybe[str] = UNSET
    id: Maybe[str] = UNSET
    expires_at: Maybe[int] = UNSET
    audio: Maybe[AudioConfig] = UNSET
    include: Maybe[tuple[str, ...]] = UNSET


AnySession: TypeAlias = Session | TranscriptionSession | UnknownVariant
