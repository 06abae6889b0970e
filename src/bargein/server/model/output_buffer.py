"""The output buffer of a call: sound on its way to the client (protocol.md §1.2.2, §4.6, §5).

1. The server owns it. What was made waits here and leaves in frames of 20 ms, in real time, on a
   grid that begins when the session does; one response behind the other, in the order in which
   they began to sound.
2. A frame is sound of one part. The last one of a part is filled up with silence; a part whose next
   frame is not whole waits for more.
3. `started` is told when a response's first frame leaves, `stopped` when it is done and its last
   frame has sounded: so behind `response.done`. Each `started` has one `stopped` or one `cleared`.
4. A clear drops what has not left. It names the response that was started, and truncates, in
   playing order, each part that has not left whole at what has left of it (protocol.md §4.6 d).
   Nothing is truncated out of band, nor where the client has truncated to less.
5. What a cleared response still makes is neither played nor kept, unless told otherwise
   (`Options.plays_on_after_clear`): of an item, as much is remembered as has left.
6. A client's truncate and a deleted item leave the buffer as it is: the track goes on (S1).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bargein import events
from bargein.server.model.commands import SendMedia, StopMedia
from bargein.server.model.entries import Entry, Part
from bargein.server.model.memory import Conversation
from bargein.server.model.options import Options
from bargein.server.model.outbox import Outbox
from bargein.units import US_PER_MS, US_PER_S, AudioFormat, ms_floor

FRAME_MS = 20
FRAME_US = FRAME_MS * US_PER_MS
_SILENCE = {AudioFormat.PCM: b"\0", AudioFormat.PCMU: b"\xff", AudioFormat.PCMA: b"\xd5"}


@dataclass(slots=True, eq=False)
class _Sounding:
    """What has not left of one part, and how much has."""

    entry: Entry
    part: Part
    content_index: int
    chunks: deque[memoryview] = field(default_factory=deque)
    waiting_bytes: int = 0
    left_samples: int = 0

    @property
    def has_left(self) -> bool:
        """Whether all that there will be of it is gone."""
        return self.part.closed and not self.waiting_bytes

    @property
    def frame_bytes(self) -> int:
        """How much a frame takes of it; 0 while there is not enough for one."""
        format = self.part.format
        size = format.rate * FRAME_US // US_PER_S * format.bytes_per_sample
        if self.waiting_bytes >= size:
            return size
        return self.waiting_bytes if self.part.closed else 0

    def take(self) -> bytes:
        """The next frame, which there is."""
        size = self.frame_bytes
        pieces: list[memoryview] = []
        missing = size
        while missing:
            piece = self.chunks.popleft()
            if len(piece) > missing:
                self.chunks.appendleft(piece[missing:])
                piece = piece[:missing]
            pieces.append(piece)
            missing -= len(piece)
        format = self.part.format
        self.waiting_bytes -= size
        self.left_samples += format.samples(size)
        whole = format.rate * FRAME_US // US_PER_S * format.bytes_per_sample
        return b"".join(pieces) + _SILENCE[format] * (whole - size)


@dataclass(slots=True, eq=False)
class _Reply:
    """A response that sounds or will."""

    response_id: str
    parts: deque[_Sounding] = field(default_factory=deque)
    started: bool = False
    over: bool = False
    """`response.done` was told."""

    @property
    def playable(self) -> _Sounding | None:
        """The part of which the next frame is; None if there is none now."""
        while self.parts and self.parts[0].has_left:
            self.parts.popleft()
        first = self.parts[0] if self.parts else None
        return first if first is not None and first.frame_bytes else None


class OutputBuffer:
    """What one call plays. The time is the outbox's."""

    def __init__(
        self, *, outbox: Outbox, conversation: Conversation, options: Options, origin_us: int
    ) -> None:
        self._outbox = outbox
        self._conversation = conversation
        self._options = options
        self._origin_us = origin_us
        self._free_us = origin_us
        self._replies: deque[_Reply] = deque()
        self._dropped: set[str] = set()
        self._last_id: str | None = None
        self.waiting_bytes = 0
        """Sound that has not left."""
        self.deadline_us: int | None = None
        """When `run` has something to do."""

    @property
    def is_playing(self) -> bool:
        """Whether a response has begun to sound, or has sound that waits, and is not drained."""
        return bool(self._replies)

    def hear(self, response_id: str, entry: Entry, part: Part, audio: bytes) -> bool:
        """More sound of the entry's last part was made. False, and nothing done, where too much
        waits."""
        if response_id in self._dropped:
            if not part.truncated:
                self._cut(entry, part, len(entry.parts) - 1, 0)
            return True
        if self.waiting_bytes + len(audio) > self._options.limits.output_buffer_bytes:
            return False
        reply = next((each for each in self._replies if each.response_id == response_id), None)
        if reply is None:
            reply = _Reply(response_id)
            self._replies.append(reply)
        if not reply.parts or reply.parts[-1].part is not part:
            reply.parts.append(_Sounding(entry, part, len(entry.parts) - 1))
        sounding = reply.parts[-1]
        sounding.chunks.append(memoryview(audio))
        sounding.waiting_bytes += len(audio)
        self.waiting_bytes += len(audio)
        self._plan()
        return True

    def closed(self) -> None:
        """A part is whole: its last frame need not wait for more."""
        self._plan()

    def over(self, response_id: str) -> None:
        """`response.done` was told."""
        self._dropped.discard(response_id)
        for reply in self._replies:
            if reply.response_id == response_id:
                reply.over = True
        self._plan()

    def run(self, due_us: int) -> bool:
        """Do what is due at `deadline_us`. True if with that the buffer has run dry."""
        reply = self._replies[0]
        sounding = reply.playable
        if sounding is None:
            self._replies.popleft()
            if reply.started:
                self._tell(events.OutputAudioBufferStopped, reply.response_id)
            self._plan()
            return not self._replies
        if not reply.started:
            reply.started = True
            self._last_id = reply.response_id
            self._tell(events.OutputAudioBufferStarted, reply.response_id)
        waiting_bytes = sounding.waiting_bytes
        audio = sounding.take()
        self.waiting_bytes -= waiting_bytes - sounding.waiting_bytes
        self._free_us = due_us + FRAME_US
        self._plan()
        more = reply.playable is not None
        self._outbox.command(
            SendMedia(reply.response_id, audio, sounding.part.format, due_us, more)
        )
        return False

    def clear(self) -> bool:
        """Drop what has not left, and tell it. False if there was nothing."""
        if not self._replies:
            return False
        replies, self._replies = self._replies, deque()
        self.waiting_bytes = 0
        self._outbox.command(StopMedia())
        for reply in replies:
            if reply.started:
                self._tell(events.OutputAudioBufferCleared, reply.response_id)
        for reply in replies:
            for each in reply.parts:
                if not each.has_left and (each.left_samples or self._options.truncates_unplayed):
                    self._cut(each.entry, each.part, each.content_index, each.left_samples)
            if not reply.over and not self._options.plays_on_after_clear:
                self._dropped.add(reply.response_id)
        self._plan()
        return True

    def clear_for_client(self) -> None:
        """The client's `output_audio_buffer.clear`."""
        if not self.clear() and self._last_id is not None and self._options.answers_empty_clear:
            self._tell(events.OutputAudioBufferCleared, self._last_id)

    def stop(self) -> None:
        """Forget everything: nobody is there to hear it."""
        self._replies.clear()
        self._dropped.clear()
        self.waiting_bytes = 0
        self._plan()

    def _cut(self, entry: Entry, part: Part, content_index: int, left_samples: int) -> None:
        if self._conversation.find(entry.id) is not entry:
            return
        if part.truncated and part.kept_samples <= left_samples:
            return
        audio_end_ms = ms_floor(left_samples, part.format.rate)
        self._conversation.cut(part, audio_end_ms)
        self._outbox.send(
            events.ConversationItemTruncated(
                event_id=self._outbox.event_id(),
                item_id=entry.id,
                content_index=content_index,
                audio_end_ms=audio_end_ms,
            )
        )

    def _tell(
        self,
        event: type[
            events.OutputAudioBufferStarted
            | events.OutputAudioBufferStopped
            | events.OutputAudioBufferCleared
        ],
        response_id: str,
    ) -> None:
        event_id = self._outbox.ids.mint_media_event()
        self._outbox.send(event(event_id=event_id, response_id=response_id))

    def _plan(self) -> None:
        """Find out when something is to be done next."""
        self.deadline_us = None
        if not self._replies:
            return
        reply, now_us = self._replies[0], self._outbox.now_us
        if reply.playable is not None:
            on_grid_us = now_us + (self._origin_us - now_us) % FRAME_US
            self.deadline_us = max(self._free_us, on_grid_us)
        elif reply.over:
            self.deadline_us = max(self._free_us, now_us)
