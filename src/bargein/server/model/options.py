"""What can be set of the server's machine, with the values that a stranger's client meets."""

from __future__ import annotations

from dataclasses import dataclass, field

from bargein.errors import LocalValueError
from bargein.units import US_PER_MS, US_PER_S


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may hold. Beyond it there is a refusal, or, for sound that is kept,
    forgetting."""

    frame_bytes: int = 24 * 1024 * 1024
    """One frame: 15 MiB of audio as base64 and some room."""
    input_buffer_bytes: int = 32 * 1024 * 1024
    """Audio appended and not committed."""
    silence_kept_ms: int = 30_000
    """Under turn detection, how much audio before a turn stays in the input buffer."""
    kept_audio_bytes: int = 64 * 1024 * 1024
    """Sound of the conversation's items; beyond it the oldest is let go (its length is not)."""
    image_bytes: int = 64 * 1024 * 1024
    """Images of the conversation's items, as they are written; beyond it an item is refused."""
    text_characters: int = 32 * 1024 * 1024
    """Text of the items that a client made and of what MCP servers answered, many times what a
    model is told; beyond it an item is refused, and a tool's list or output fails."""
    items: int = 5_000
    """Items in the conversation."""
    responses: int = 16
    """Responses at once, in and out of the conversation."""
    transcriptions: int = 64
    """Items whose words are being made out at once."""
    mcp_servers: int = 128
    """MCP servers that are known by their labels: as many as one update may bring."""
    mcp_bytes: int = 8 * 1024 * 1024
    """What their declarations take together, as JSON."""
    output_buffer_bytes: int = 64 * 1024 * 1024
    """Sound that waits to leave over WebRTC; beyond it the response fails."""
    waiting_steps: int = 500_000
    """Steps of an engine's score that wait for their time."""
    waiting_events: int = 10_000
    """Client events that wait for `processing_us`."""
    waiting_bytes: int = 32 * 1024 * 1024
    """Audio in those events."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise LocalValueError(f"limits.{name} is {getattr(self, name)}: give 1 or more")


@dataclass(frozen=True, slots=True)
class Options:
    """How the server behaves where services differ or take their time."""

    processing_us: int = 0
    """From the arrival of an event whose shape is right until it is handled; order is kept. Faults
    of shape are answered at once, so they overtake (protocol.md §6.1, from S0)."""
    lengths_grid_ms: int = 1
    """The server rounds the lengths that it compares with `audio_end_ms` down to this (scenario
    54)."""
    rate_limits_after_us: int = 43 * US_PER_MS
    """From `response.done` to `rate_limits.updated` (protocol.md §5)."""
    retrieved_shows_transcripts: bool = False
    """Whether `conversation.item.retrieved` shows what was transcribed of the user's audio. The
    documentation's example shows null, and no other event of an item shows it (protocol.md §2.5,
    §4.9); that a retrieved item does not either is inferred."""
    session_us: int = 3_600 * US_PER_S
    """How long a session may last (protocol.md §1.1.4)."""
    context_tokens: int | None = None
    """How much the model may be told at once, in tokens; None: what its kind is told to have
    (protocol.md §3.3 names no figure)."""
    forgets_left_out: bool = False
    """Whether items that no longer fit the context are deleted, without an event. The record says
    that they are dropped silently, and not whether they can still be retrieved."""
    any_voice: bool = False
    """Whether a voice may have any name. Without it, a name that the service's package does not
    list is refused like any wrong value; no log shows one."""
    any_transcription_model: bool = False
    """Whether a transcription model may have any name, as a deployment has at Azure. Without it, a
    name that the service's package does not list is refused like any wrong value; no log shows
    one."""
    speed_in_response: bool = False
    """Whether `audio.output.speed` may change while a response is in progress. The documentation
    says that it may not, and not what happens then."""
    checks_tool_choice: bool = True
    """Whether a `tool_choice` that names no tool of the session or response is refused, as other
    endpoints of the service do."""
    parallel_calls_need_reasoning: bool = False
    """Whether `parallel_tool_calls` is refused of a model that has no reasoning. The documentation
    says that only those that have it support it (protocol.md §3.2), and no log shows a refusal, as
    one does of `reasoning`."""
    echo_images: bool = True
    """Whether the events that show an item carry its images. That they do is inferred (protocol.md
    §4.14); `retrieved` has them in any case."""
    clears_before_closing: bool = True
    """Over WebRTC, whether the output buffer is cleared and its items truncated before the response
    that the user interrupts is closed out, or behind its `response.done`. No log shows one that is
    still being made (protocol.md §4.6 e)."""
    truncates_unplayed: bool = True
    """Whether a clear of the output buffer truncates items of which nothing has left, at 0. No log
    shows a response of several items. Without it they are remembered whole."""
    plays_on_after_clear: bool = False
    """Whether what a response makes after a clear is played. Under `interrupt_response: false`
    generation goes on (protocol.md §4.6 f); what becomes of its sound is not told."""
    answers_empty_clear: bool = False
    """Whether `output_audio_buffer.clear` is answered when nothing plays, with the response that
    played last. The record is silent."""
    appends_beside_track: bool = False
    """Whether `input_audio_buffer.append` is heard where a track carries the sound. OpenAI's answer
    is not known (protocol.md §1.2.3); without this it is refused."""
    errors_on_all_pipes: bool = False
    """Whether an error is told to a call and all its sidebands, or only to the one whose event it
    answers. The record is silent."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        least = {"processing_us": 0, "lengths_grid_ms": 1, "rate_limits_after_us": 0}
        for name, value in {**least, "session_us": US_PER_S, "context_tokens": 1}.items():
            given = getattr(self, name)
            if given is not None and given < value:
                raise LocalValueError(f"{name} is {getattr(self, name)}: give {value} or more")
