"""Other servers, as the public record has them (protocol.md §8). Nothing here was measured."""

from __future__ import annotations

from dataclasses import dataclass

from bargein.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class KnownServer:
    """A server as the public record has it. `begin` is what to tell the client, before
    `bargein conform` has measured; None where it is not known enough."""

    name: str
    where: str
    says: str
    begin: Capabilities | None


SERVERS: tuple[KnownServer, ...] = (
    KnownServer(
        "OpenAI",
        "`wss://api.openai.com/v1/realtime`",
        "The reference.",
        Capabilities(),
    ),
    KnownServer(
        "Azure OpenAI",
        "`wss://RESOURCE.openai.azure.com/openai/v1/realtime?model=DEPLOYMENT`",
        "GA. A wrong key is HTTP 401; the key goes into `api-key`, as `connect` does there by "
        "itself. The transcription model is a deployment's name.",
        Capabilities(),
    ),
    KnownServer(
        "Azure OpenAI, preview",
        "`/openai/realtime?api-version=…`, retired in 2026",
        "Beta.",
        Capabilities(dialect="beta"),
    ),
    KnownServer(
        "Azure Voice Live",
        "`/voice-live/realtime`",
        "A mix: `conversation.item.created` and `.done`, beta names of sound, a voice that is an "
        "object.",
        Capabilities(dialect="beta"),
    ),
    KnownServer(
        "xAI Grok voice",
        "`wss://api.x.ai/v1/realtime`",
        "A mix of its own: a tiny session, `conversation.created` and `ping`, no "
        "`conversation.item.done`, sound before words, no truncate, `create_response: false` "
        "ignored, a second `response.create` replaces the first.",
        Capabilities(truncate=False),
    ),
    KnownServer(
        "Qwen, DashScope",
        "`wss://dashscope.aliyuncs.com/api-ws/v1/realtime`",
        "Like beta. 16 kHz in; a cancel may be without `response.done`; closes after 300 s idle.",
        Capabilities(dialect="beta"),
    ),
    KnownServer(
        "speaches",
        "`/v1/realtime`",
        "Beta names, on the way to GA; the texts of refusals are OpenAI's.",
        None,
    ),
    KnownServer(
        "LocalAI",
        "`/v1/realtime`",
        "GA. Unknown events are ignored, codes of refusals are its own, `error.event_id` may be a "
        "placeholder.",
        Capabilities(),
    ),
    KnownServer(
        "Hugging Face speech-to-speech",
        "`ws://HOST:8765/v1/realtime`",
        "A subset of GA: no commit, clear, delete, retrieve; truncate is ignored; no "
        "`response.output_item` and no `response.content_part`.",
        Capabilities(truncate=False, delete=False, acknowledges=False),
    ),
    KnownServer("vLLM", "`ws://HOST/v1/realtime`", "Transcription only, of its own shape.", None),
    KnownServer("Inworld", "`wss://api.inworld.ai/…`", "Like GA.", None),
)
"""protocol.md §8."""
