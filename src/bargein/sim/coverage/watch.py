"""The table of who looks at what, and what an episode has met in the end.

1. Every entry of the log is looked at once, in order, by who is interested in its kind and type.
2. Nothing here judges, and nothing here raises on what a broken client does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from bargein import events
from bargein.core import commands, inputs, notices
from bargein.sim.coverage import buffers, edits, replies, stops, turns
from bargein.sim.coverage.refusals import refusals_met
from bargein.sim.coverage.scene import Scene
from bargein.sim.coverage.tally import Met
from bargein.sim.features import features_of
from bargein.sim.history import Entry, History, Kind
from bargein.sim.invariants.facts import Refused

Look: TypeAlias = Callable[[Scene, Any, Entry], None]


def _notice(scene: Scene, command: commands.Notify, entry: Entry) -> None:
    look = _NOTICES.get(command.notice.__class__)
    if look is not None:
        look(scene, command.notice, entry)


_NOTICES: Mapping[type, Look] = {
    notices.Interruption: stops.told,
    notices.InterruptionSettled: stops.settled,
    notices.Transcript: stops.words,
    notices.TurnStarted: turns.turn_began,
    notices.TurnEnded: turns.turn_over,
    notices.ToolCalled: turns.called,
    notices.Dropped: turns.dropped,
}
_LOOKS: Mapping[Kind, Mapping[type, Look]] = {
    "server_sent": {
        events.ResponseCreated: replies.begins,
        events.ResponseOutputItemAdded: replies.item_begins,
        events.ResponseOutputAudioDelta: replies.sounds,
        events.ResponseOutputItemDone: replies.item_ends,
        events.ResponseDone: replies.ends,
        events.InputAudioBufferSpeechStarted: turns.speech_under_way,
    },
    "server_got": {
        events.ResponseCreate: replies.create_arrives,
        events.ResponseCancel: replies.cancel_arrives,
    },
    "client_sent": {
        events.ResponseCreate: replies.create,
        events.ResponseCancel: replies.cancel,
        events.ConversationItemTruncate: stops.truncate,
        events.ConversationItemDelete: stops.delete,
        events.InputAudioBufferAppend: turns.append,
        events.InputAudioBufferCommit: turns.commit,
        events.InputAudioBufferClear: turns.clear,
        events.OutputAudioBufferClear: buffers.clear,
        events.SessionUpdate: turns.update,
    },
    "client_got": {
        events.ResponseCreated: replies.created,
        events.ResponseOutputItemAdded: replies.item_added,
        events.ResponseOutputAudioDelta: replies.sound,
        events.ResponseOutputTextDelta: replies.text,
        events.ResponseOutputAudioTranscriptDone: replies.transcript,
        events.ResponseOutputItemDone: replies.item_done,
        events.ResponseDone: replies.done,
        events.Error: replies.refused,
        events.ConversationItemAdded: turns.item_added,
        events.ConversationItemTruncated: buffers.truncated,
        events.ConversationItemDeleted: stops.deleted,
        events.InputAudioBufferSpeechStarted: turns.speech,
        events.InputAudioBufferSpeechStopped: turns.speech_over,
        events.InputAudioBufferCommitted: turns.committed,
        events.SessionUpdated: turns.configured,
        events.OutputAudioBufferStarted: buffers.started,
        events.OutputAudioBufferCleared: buffers.cleared,
        events.OutputAudioBufferStopped: buffers.stopped,
    },
    "input": {
        inputs.Rendered: stops.rendered,
        inputs.Starved: stops.starved,
        inputs.PlaybackStopped: stops.stopped,
        inputs.PlaybackHeld: stops.held,
        inputs.Asked: edits.asked,
        inputs.Captured: turns.captured,
        inputs.MediaArrived: buffers.media,
        inputs.Blocked: turns.blocked,
        inputs.Drained: turns.drained,
        inputs.PipeClosed: turns.pipe_closed,
    },
    "command": {
        commands.Notify: _notice,
        commands.StopPlayback: stops.stop,
        commands.HoldPlayback: stops.hold,
        commands.ResumePlayback: stops.resume,
        commands.Close: turns.closes,
        commands.Answer: edits.answered,
    },
    "note": {},
    "broken": {},
}


_LOOK_OF = {kind: table.get for kind, table in _LOOKS.items()}


def watch(history: History, refused: Iterable[Refused]) -> Met:
    """What the episode has met. `refused` is what the judge says of the server's errors."""
    scene, look_of = Scene(history.options), _LOOK_OF
    for entry in history.entries:
        kind, what = entry.kind, entry.what
        if kind == "client_got" or kind == "input":
            # The client has done all that followed from the ask.
            scene.asking = None
        look = look_of[kind](what.__class__)
        if look is not None:
            look(scene, what, entry)
    for cut in scene.cuts.values():
        if cut.answered and cut.told is None:
            scene.races["all heard while stopping"] += 1
            scene.rules["cuts: nothing was interrupted"] += 1
    refusals = refusals_met(refused)
    # Whose doing a refusal is, is the judge's to say.
    absorbed = [name for name in refusals if not name.endswith(": ours")]
    scene.rules["faults 4: absorbed"] += sum(refusals[name] for name in absorbed)
    features = dict.fromkeys(features_of(history.options), 1)
    return Met(features, _met(scene.rules), _met(scene.races), refusals, _met(scene.kinds))


def _met(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}
