"""The user's speech, as the service hears it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from bargein import events
from bargein.core.interruption import Decision, View, decide
from bargein.core.notices import Transcript, TurnEnded, TurnStarted
from bargein.core.responses import Turn
from bargein.deadlines import Timer

if TYPE_CHECKING:
    from bargein.core.machine import Machine


def started(machine: Machine, event: events.InputAudioBufferSpeechStarted) -> None:
    """The user speaks: the policy decides about the reply."""
    listening = machine.listening
    listening.speaking_item = event.item_id
    listening.speech_start_ms = event.audio_start_ms
    owned = machine.buffer.owned
    service_cancels = listening.service_cancels
    if decide(machine.settings.barge_in, View(service_cancels or owned)) is Decision.CUT:
        # Over WebRTC the service counts the sound of its own track, not what was captured.
        began_us = None if owned else listening.speech_began_us(event.audio_start_ms)
        machine.cut("speech", service_cancels=service_cancels, captured_us=began_us)
    # After the cut: the stop is the first command of all.
    machine.desk.notify(TurnStarted("user", event.item_id))


def stopped(machine: Machine, event: events.InputAudioBufferSpeechStopped) -> None:
    """Turn detection heard the end of the turn."""
    listening = machine.listening
    listening.speech_items.append(event.item_id)
    machine.desk.deadlines.arm(Timer.TURN_ANSWERED, "", machine.desk.now_us)
    if listening.speaking_item == event.item_id:
        machine.conversation.spoken(
            event.item_id, max(0, event.audio_end_ms - listening.speech_start_ms)
        )
    _silent(machine, event.item_id)


def _silent(machine: Machine, item_id: str) -> None:
    listening = machine.listening
    if listening.speaking_item == item_id:
        listening.speaking_item = None
        machine.desk.notify(TurnEnded("user", "completed", item_id))


def timeout_triggered(machine: Machine, event: events.InputAudioBufferTimeoutTriggered) -> None:
    """Nobody spoke for long; the silence becomes a turn."""
    machine.conversation.spoken(event.item_id, max(0, event.audio_end_ms - event.audio_start_ms))
    machine.listening.speech_items.append(event.item_id)


def committed(machine: Machine, event: events.InputAudioBufferCommitted) -> None:
    """A turn that turn detection ended is owed a response, if the service makes them."""
    _silent(machine, event.item_id)
    memory = machine.faults.oldest(events.InputAudioBufferCommit)
    listening = machine.listening
    if event.item_id not in listening.speech_items:
        if memory is not None:
            machine.faults.forget(memory)
            if memory.sound_ms is not None:
                machine.conversation.spoken(event.item_id, memory.sound_ms)
        return
    listening.speech_items.remove(event.item_id)
    if listening.create_response and not listening.manual:
        machine.responses.turns.append(Turn(event.item_id))
        machine.desk.deadlines.arm(Timer.TURN_ANSWERED, "", machine.desk.now_us)


def cleared(machine: Machine, event: events.InputAudioBufferCleared) -> None:
    """The input buffer is empty."""
    listening = machine.listening
    memory = machine.faults.oldest(events.InputAudioBufferClear)
    if memory is not None:
        machine.faults.forget(memory)
    if listening.speaking_item is not None:
        _silent(machine, listening.speaking_item)
    listening.speech_items.clear()
    machine.button.cleared()


def transcription_delta(
    machine: Machine, event: events.ConversationItemInputAudioTranscriptionDelta
) -> None:
    """More of what the user said."""
    _user_text(machine, event.item_id, event.content_index, event.delta, final=False)


def transcription_completed(
    machine: Machine, event: events.ConversationItemInputAudioTranscriptionCompleted
) -> None:
    """All of what the user said."""
    if event.usage is not UNSET:
        machine.meter.transcribed(event.item_id, event.content_index, event.usage)
    _user_text(machine, event.item_id, event.content_index, event.transcript, final=True)


def _user_text(
    machine: Machine, item_id: str, content_index: int, text: str, *, final: bool
) -> None:
    if item_id in machine.conversation or final:
        machine.conversation.heard_text(item_id, content_index, "input_audio", text, final=final)
    else:
        machine.conversation.heard_early(item_id, content_index, text)
    machine.desk.notify(Transcript("user", item_id, text, final, content_index))


def transcription_failed(
    machine: Machine, event: events.ConversationItemInputAudioTranscriptionFailed
) -> None:
    """What the user said could not be written down."""
    code = event.error.code if isinstance(event.error.code, str) else None
    machine.fault("theirs", code, event.error.message, about="input_audio_transcription")
