"""The dispatch table of what the service says.

1. Every server event of the vocabulary has a row in `HANDLERS`; what needs no deed is ignored by
   name, and a test fails when an event is in neither.
2. A handler records what it learned in the part that owns it; what follows is recomputed by the
   machine after every input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from bargein import events
from bargein.core.received import errors, items, playback, responses, session, speech

if TYPE_CHECKING:
    from bargein.core.machine import Machine

Arrived: TypeAlias = events.ServerEvent | events.Unknown | events.Malformed

IGNORED: frozenset[type[Any]] = frozenset(
    {
        events.ConversationCreated,
        events.ConversationItemInputAudioTranscriptionSegment,
        events.InputAudioBufferDtmfEventReceived,
        events.McpListToolsCompleted,
        events.McpListToolsInProgress,
        events.RateLimitsUpdated,
        events.ResponseFunctionCallArgumentsDelta,
        events.ResponseFunctionCallArgumentsDone,
        events.ResponseMcpCallArgumentsDelta,
        events.ResponseMcpCallCompleted,
        events.ResponseMcpCallFailed,
        events.ResponseMcpCallInProgress,
    }
)
"""Known, and nothing follows from them here. The application sees them through
`Session.events()`.
"""


def handle(machine: Machine, event: Arrived) -> None:
    """Anything that arrived; nothing that arrives raises."""
    handler = HANDLERS.get(type(event))
    if handler is not None:
        handler(machine, event)


HANDLERS: dict[type[Any], Callable[[Machine, Any], None]] = {
    events.ConversationItemAdded: items.added,
    events.ConversationItemCreated: items.added,
    events.ConversationItemDeleted: items.deleted,
    events.ConversationItemDone: items.done,
    events.ConversationItemInputAudioTranscriptionCompleted: speech.transcription_completed,
    events.ConversationItemInputAudioTranscriptionDelta: speech.transcription_delta,
    events.ConversationItemInputAudioTranscriptionFailed: speech.transcription_failed,
    events.ConversationItemRetrieved: items.retrieved,
    events.ConversationItemTruncated: items.truncated,
    events.Error: errors.error,
    events.InputAudioBufferCleared: speech.cleared,
    events.InputAudioBufferCommitted: speech.committed,
    events.InputAudioBufferSpeechStarted: speech.started,
    events.InputAudioBufferSpeechStopped: speech.stopped,
    events.InputAudioBufferTimeoutTriggered: speech.timeout_triggered,
    events.Malformed: session.malformed,
    events.McpListToolsFailed: items.not_listed,
    events.OutputAudioBufferCleared: playback.cleared,
    events.OutputAudioBufferStarted: playback.started,
    events.OutputAudioBufferStopped: playback.stopped,
    events.ResponseContentPartAdded: responses.content_part_added,
    events.ResponseContentPartDone: responses.content_part_done,
    events.ResponseCreated: responses.created,
    events.ResponseDone: responses.done,
    events.ResponseMcpCallArgumentsDone: responses.remote_arguments_done,
    events.ResponseOutputAudioDelta: responses.audio_delta,
    events.ResponseOutputAudioDone: responses.audio_done,
    events.ResponseOutputAudioTranscriptDelta: responses.transcript_delta,
    events.ResponseOutputAudioTranscriptDone: responses.transcript_done,
    events.ResponseOutputItemAdded: responses.output_item_added,
    events.ResponseOutputItemDone: responses.output_item_done,
    events.ResponseOutputTextDelta: responses.text_delta,
    events.ResponseOutputTextDone: responses.text_done,
    events.SessionCreated: session.created,
    events.SessionUpdated: session.updated,
    events.Unknown: session.unknown,
}
