"""The order in which things leave when the socket cannot keep up.

1. While the socket takes, everything leaves at once, in the order it was decided.
2. While it does not, truncate, cancel, delete and output clear wait in front, in their own order:
   they overtake microphone audio, which is what fills the queue. Everything else keeps its place
   behind the audio before it, so a commit closes exactly the audio that was captured before it.
3. `input_audio_buffer.clear` throws away the audio that waits before it, back to the last waiting
   commit: the service would have thrown it away on arrival.
4. Audio that waits is bounded; the oldest goes first and is counted. Audio that a waiting commit
   closes is not exempt: a commit with a gap is better than a session that lags behind for ever.
   Only the last 100 ms of a turn are, without which the service would refuse it.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

from bargein import events
from bargein.core.commands import Command, Send, SendAudio
from bargein.core.listening import LEAST_COMMIT_MS
from bargein.units import AudioFormat, samples_floor

OVERTAKING = (
    events.ConversationItemTruncate,
    events.ResponseCancel,
    events.ConversationItemDelete,
    events.OutputAudioBufferClear,
)


class Outbox:
    """Holds what cannot leave yet. `put` and `put_audio` return what leaves now."""

    __slots__ = (
        "_audio_samples",
        "_blocked",
        "_first",
        "_format",
        "_limit_ms",
        "_rest",
        "_shut",
        "dropped",
        "sound_apart",
    )

    def __init__(self, microphone_limit_ms: int) -> None:
        self._limit_ms = microphone_limit_ms
        self._format = AudioFormat.PCM
        self._blocked = False
        self._shut = False
        self._first: deque[Send] = deque()
        self._rest: deque[Send | SendAudio] = deque()
        self._audio_samples = 0
        self.sound_apart = False
        """Sound has a channel of its own, and waits for no event."""
        self.dropped = 0
        """Samples thrown away since this was last read and set to 0."""

    @property
    def blocked(self) -> bool:
        """Whether the socket takes nothing now."""
        return self._blocked

    @property
    def closed(self) -> bool:
        """Whether nothing leaves any more."""
        return self._shut

    def use_format(self, audio_format: AudioFormat) -> None:
        """Count waiting audio in this format from now on; what waits in another one is dropped."""
        if audio_format is not self._format:
            self._discard_audio(back_to_commit=False)
            self._format = audio_format

    def put(self, event: events.ClientEvent) -> list[Command]:
        """The event's turn: now, or when the socket takes again."""
        if self._shut:
            return []
        if not self._blocked:
            return [Send(event)]
        if isinstance(event, OVERTAKING):
            self._first.append(Send(event))
            return []
        if isinstance(event, events.InputAudioBufferClear):
            self._discard_audio(back_to_commit=True)
        self._rest.append(Send(event))
        return []

    def put_audio(self, audio: bytes) -> list[Command]:
        """Microphone audio: now, or when the socket takes again, or never if it waits too long."""
        if self._shut:
            return []
        if not self._blocked or self.sound_apart:
            return [SendAudio(audio)]
        self._rest.append(SendAudio(audio))
        self._audio_samples += self._format.samples(len(audio))
        limit = samples_floor(self._limit_ms, self._format.rate)
        while self._audio_samples > limit and (samples := self._drop_oldest()):
            self.dropped += samples
        return []

    def block(self) -> None:
        """The socket takes nothing from here on. After the end there is nothing that could wait."""
        self._blocked = not self._shut

    def drain(self) -> list[Command]:
        """The socket takes again: all that waited, in its order."""
        self._blocked = False
        waiting: list[Command] = [*self._first, *self._rest]
        self._first.clear()
        self._rest.clear()
        self._audio_samples = 0
        return waiting

    def withdraw_cancel(self, response_id: str) -> events.ResponseCancel | None:
        """The response is over: a cancel of it that still waits would only be refused."""
        for waiting in self._first:
            event = waiting.event
            if isinstance(event, events.ResponseCancel) and event.response_id == response_id:
                self._first.remove(waiting)
                return event
        return None

    def withdraw_item(self, item_id: str) -> events.ConversationItemCreate | None:
        """An item that still waits is not wanted any more."""
        for waiting in self._rest:
            event = waiting.event if isinstance(waiting, Send) else None
            if isinstance(event, events.ConversationItemCreate) and event.item.id == item_id:
                self._rest.remove(waiting)
                return event
        return None

    def shut(self) -> None:
        """The pipe has ended, or is about to: nothing waits, and nothing leaves any more."""
        self.drain()
        self._shut = True

    def _drop_oldest(self) -> int:
        """Samples of the oldest piece that no commit needs; 0 if there is none."""
        for index, waiting in enumerate(self._rest):
            if isinstance(waiting, SendAudio) and not self._is_needed(index):
                del self._rest[index]
                samples = self._format.samples(len(waiting.audio))
                self._audio_samples -= samples
                return samples
        return 0

    def _is_needed(self, index: int) -> bool:
        """Without this piece, too little would be left for the commit that closes it, or will."""
        wanted = samples_floor(LEAST_COMMIT_MS, self._format.rate)
        for waiting in islice(self._rest, index + 1, None):
            if isinstance(waiting, SendAudio):
                wanted -= self._format.samples(len(waiting.audio))
                if wanted <= 0:
                    return False
            elif isinstance(waiting.event, events.InputAudioBufferCommit):
                break
        return True

    def _discard_audio(self, *, back_to_commit: bool) -> None:
        kept: deque[Send | SendAudio] = deque()
        gone = True
        while self._rest:
            waiting = self._rest.pop()
            if isinstance(waiting, Send):
                if back_to_commit and isinstance(waiting.event, events.InputAudioBufferCommit):
                    gone = False
                kept.appendleft(waiting)
            elif gone:
                self._audio_samples -= self._format.samples(len(waiting.audio))
            else:
                kept.appendleft(waiting)
        self._rest = kept
