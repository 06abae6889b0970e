"""A client as one finds them: it truncates the last item by the clock. The checkers must see it."""

from __future__ import annotations

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.commands import Command
from bargein.core.conversation import Conversation
from bargein.core.inputs import Part
from bargein.core.settings import Settings
from bargein.units import US_PER_MS, AudioFormat


class NaiveClient:
    """Plays what comes; at a cut it sends the time since the last item's first sound."""

    def __init__(self, settings: Settings) -> None:
        self.conversation = Conversation()
        self._settings = settings
        self._format = _output_format(settings)
        self._last: Part | None = None
        self._since_us = 0
        self._cuts = 0
        self._now_us = 0

    @property
    def deadline_us(self) -> int | None:
        return None

    def handle(self, input: inputs.Input, *, now_us: int) -> list[Command]:
        self._now_us = now_us
        match input:
            case inputs.Received(event=event):
                return self._received(event)
            case inputs.Asked(ask_id=ask_id, ask=ask):
                return [*self._asked(ask), commands.Answer(ask_id)]
            case inputs.Captured(audio=audio):
                return [commands.SendAudio(audio)]
            case _:
                return []

    def _received(self, event: object) -> list[Command]:
        match event:
            case events.SessionCreated():
                return [commands.Send(events.SessionUpdate(session=self._settings.session))]
            case events.ResponseOutputAudioDelta():
                part = Part(event.response_id, event.item_id, event.content_index)
                if part != self._last:
                    self._last, self._since_us = part, self._now_us
                return [commands.Play(part, event.delta, self._format)]
            case events.ResponseOutputAudioDone():
                part = Part(event.response_id, event.item_id, event.content_index)
                return [commands.FinishPlay(part)]
            case events.InputAudioBufferSpeechStarted():
                return self._cut()
            case events.ConversationItemAdded(item=item, previous_item_id=previous):
                self.conversation.added(str(item.id), item, previous)
                return []
            case _:
                return []

    def _asked(self, ask: asks.Ask) -> list[Command]:
        match ask:
            case asks.Say(text=text, reply=reply):
                said = events.MessageItem(role="user", content=(events.InputText(text=text),))
                made: list[Command] = [*self._cut()] if reply else []
                made.append(commands.Send(events.ConversationItemCreate(item=said)))
                if reply:
                    made.append(commands.Send(events.ResponseCreate()))
                return made
            case asks.Respond(params=params):
                create = (
                    events.ResponseCreate()
                    if params is None
                    else events.ResponseCreate(response=params)
                )
                return [commands.Send(create)]
            case asks.Interrupt():
                return [*self._cut(), commands.Send(events.ResponseCancel())]
            case asks.Leave():
                return [commands.Close()]
            case _:
                return []

    def _cut(self) -> list[Command]:
        if self._last is None:
            return []
        self._cuts += 1
        elapsed_ms = (self._now_us - self._since_us) // US_PER_MS
        truncate = events.ConversationItemTruncate(
            item_id=self._last.item_id,
            content_index=self._last.content_index,
            audio_end_ms=elapsed_ms,
        )
        return [commands.StopPlayback(f"cut{self._cuts}"), commands.Send(truncate)]


def _output_format(settings: Settings) -> AudioFormat:
    audio = settings.session.audio
    output = audio.output if isinstance(audio, events.AudioConfig) else None
    given = output.format if isinstance(output, events.AudioOutputConfig) else None
    return (
        AudioFormat(given.type) if isinstance(given, events.AudioFormatConfig) else AudioFormat.PCM
    )
