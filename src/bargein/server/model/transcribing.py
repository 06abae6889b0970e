"""What the user said, in words, as far as somebody asked for it (protocol.md §2.3, §4.12).

1. A transcription belongs to one audio part and runs beside everything else: no response waits for
   it. It ends with one `completed` or one `failed`, or silently with its item. Only what is
   committed from the input buffer has one: the sound of an item that a client creates has none
   (API reference, `….completed`: it is of "audio written to the user audio buffer").
2. Which events there are is the transcription model's manner: `whisper-1` has no deltas; a live
   model has them while the user speaks, under the id that the item will have; all others have
   them after the commit.
3. `completed` and `failed` come after the item they are about, so they wait for the commit.
4. The transcript is remembered for the engine (`Part.heard`). No later event of the item shows it
   (protocol.md §2.5), but for what `Options.retrieved_shows_transcripts` says.
5. Where a turn's end is judged by what is said (`semantic_vad`), an engine that overhears is asked
   when the turn begins, whatever the model and even if nobody wants to see the words: then they go
   with the commit.
6. The length that is paid for is rounded up to whole seconds (protocol.md §4.3); the gpt-4o models
   are paid by the token.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import UNSET

from bargein import events
from bargein.server.model.commands import StartTranscription, StopTranscription
from bargein.server.model.entries import Part
from bargein.server.model.heard import Guess, Heard, Languages, Segment, Words
from bargein.server.model.models import LIVE_MODELS
from bargein.server.model.options import Options
from bargein.server.model.outbox import Outbox
from bargein.server.model.refusal import SERVER_ERROR
from bargein.server.model.session import SessionState
from bargein.server.model.usage import transcription_usage
from bargein.units import AudioFormat

LOGPROBS = "item.input_audio_transcription.logprobs"
CONTENT_INDEX = 0
"""What is committed has one part."""


def is_live(settings: events.Transcription | None) -> bool:
    """Whether this model writes while the user speaks."""
    return settings is not None and settings.model in LIVE_MODELS


@dataclass(slots=True, eq=False)
class _Running:
    """One transcription. `part` is None until the item is committed; `held` are deltas for which
    that is too early; what is not `wanted` is never shown."""

    item_id: str
    settings: events.Transcription
    wanted: bool = True
    part: Part | None = None
    held: list[events.ServerEvent] = field(default_factory=list)
    text: str = ""
    guess: str = ""
    logprobs: list[events.LogProb] = field(default_factory=list)
    languages: Languages | None = None
    segments: int = 0
    ended: bool = False
    fault: events.ErrorBody | None = None


class Transcribing:
    """The transcriptions of one session."""

    def __init__(self, *, outbox: Outbox, session: SessionState, options: Options) -> None:
        self._outbox = outbox
        self._session = session
        self._options = options
        self._running: dict[str, _Running] = {}

    @property
    def running_ids(self) -> tuple[str, ...]:
        """Items whose words are still to come, in the order of their turns."""
        return tuple(self._running)

    def start_live(self, item_id: str, format: AudioFormat) -> None:
        """A turn begins: a live model writes along, and a judge of its end wants the words. Once
        for an item."""
        settings = self._session.transcription
        turns = self._session.turns
        judged = turns is not None and turns.eagerness is not None
        if item_id in self._running or not (judged or is_live(settings)):
            return
        running = self._start(item_id, settings or events.Transcription(), b"", format, live=True)
        running.wanted = settings is not None

    def committed(self, item_id: str, part: Part) -> None:
        """The item is in the conversation and was shown."""
        running = self._running.get(item_id)
        if running is None:
            settings = self._session.transcription
            if settings is None:
                return
            running = self._start(item_id, settings, part.sound(), part.format, live=False)
        if not running.wanted:
            self.forget(item_id)
            return
        running.part = part
        for event in running.held:
            self._outbox.send(event)
        running.held.clear()
        self._settle(running)

    def _start(
        self,
        item_id: str,
        settings: events.Transcription,
        audio: bytes,
        format: AudioFormat,
        *,
        live: bool,
    ) -> _Running:
        running = _Running(item_id, settings)
        limit = self._options.limits.transcriptions
        if len(self._running) >= limit:
            running.ended = True
            running.fault = _fault(
                SERVER_ERROR,
                "too_many_transcriptions",
                f"Cannot transcribe more than {limit} items at once.",
            )
        else:
            self._outbox.command(
                StartTranscription(item_id, CONTENT_INDEX, audio, format, settings, live)
            )
        self._running[item_id] = running
        return running

    def guessed(self, item_id: str) -> str:
        """What was probably said so far in a turn; empty if nobody knows."""
        running = self._running.get(item_id)
        return "" if running is None else running.guess or running.text

    def forget(self, item_id: str) -> None:
        """The item, or the turn that was to become one, is gone."""
        running = self._running.pop(item_id, None)
        if running is not None and not running.ended:
            self._outbox.command(StopTranscription(item_id))

    def stop(self) -> None:
        """The session is over."""
        for item_id in self.running_ids:
            self.forget(item_id)

    def transcribed(self, item_id: str, pieces: tuple[Heard, ...], final: bool) -> None:
        """The engine heard more."""
        running = self._running.get(item_id)
        if running is None or running.ended:
            return
        for piece in pieces:
            self._take(running, piece)
        running.ended = final
        self._settle(running)

    def failed(self, item_id: str, type: str, code: str | None, message: str) -> None:
        """The engine cannot hear it."""
        running = self._running.get(item_id)
        if running is not None and not running.ended:
            running.ended = True
            running.fault = _fault(type, code, message)
            self._settle(running)

    def _take(self, running: _Running, piece: Heard) -> None:
        match piece:
            case Words():
                if piece.text:
                    running.text += piece.text
                    self._delta(running, piece)
            case Guess(text=text):
                running.guess = text
            case Segment():
                running.segments += 1
                self._segment(running, piece)
            case Languages():
                running.languages = piece

    def _delta(self, running: _Running, words: Words) -> None:
        logprobs = tuple(_logprob(token.text, token.logprob) for token in words.tokens)
        running.logprobs += logprobs
        if not running.wanted or running.settings.model == "whisper-1":
            return
        self._send(
            running,
            events.ConversationItemInputAudioTranscriptionDelta(
                event_id=self._outbox.event_id(),
                item_id=running.item_id,
                content_index=CONTENT_INDEX,
                delta=words.text,
                obfuscation=self._outbox.ids.pad(words.text),
                logprobs=logprobs if logprobs and self._shows_logprobs else UNSET,
            ),
        )

    def _send(self, running: _Running, event: events.ServerEvent) -> None:
        """Now, or with the commit."""
        if running.part is None and not is_live(running.settings):
            running.held.append(event)
        else:
            self._outbox.send(event)

    @property
    def _shows_logprobs(self) -> bool:
        return LOGPROBS in self._session.include

    def _segment(self, running: _Running, segment: Segment) -> None:
        if not running.wanted:
            return
        self._send(
            running,
            events.ConversationItemInputAudioTranscriptionSegment(
                event_id=self._outbox.event_id(),
                item_id=running.item_id,
                content_index=CONTENT_INDEX,
                text=segment.text,
                id=f"seg_{running.segments:04}",
                speaker=segment.speaker,
                start=segment.start_s,
                end=segment.end_s,
            ),
        )

    def _settle(self, running: _Running) -> None:
        """End it, if both the engine's part and the conversation's are there."""
        part = running.part
        if part is None or not running.ended:
            return
        del self._running[running.item_id]
        if running.fault is not None:
            self._outbox.send(
                events.ConversationItemInputAudioTranscriptionFailed(
                    event_id=self._outbox.event_id(),
                    item_id=running.item_id,
                    content_index=CONTENT_INDEX,
                    error=running.fault,
                )
            )
            return
        part.heard = running.text.strip()
        show_logprobs = self._shows_logprobs and running.logprobs
        languages = running.languages
        self._outbox.send(
            events.ConversationItemInputAudioTranscriptionCompleted(
                event_id=self._outbox.event_id(),
                item_id=running.item_id,
                content_index=CONTENT_INDEX,
                transcript=part.heard,
                usage=transcription_usage(running.settings, part, part.heard),
                logprobs=tuple(running.logprobs) if show_logprobs else UNSET,
                languages=UNSET
                if languages is None
                else tuple(events.TranscriptionLanguage(code=code) for code in languages.codes),
            )
        )


def _logprob(token: str, logprob: float) -> events.LogProb:
    return events.LogProb(token=token, logprob=logprob, bytes=tuple(token.encode()))


def _fault(type: str, code: str | None, message: str) -> events.ErrorBody:
    """The `error` of a failed transcription: it has no `event_id` (PAI:test_azure_ws)."""
    return events.ErrorBody(type=type, code=code, message=message, param=None)
