"""The local Realtime server's protocol machine: inputs in, commands out, no clock, no dice, no
network.

1. Everything passes `handle`. It first does what has become due, in the order of time, then the
   input, then what that has made due. `deadline_us` says when it wants a `Tick`; it is never in
   the past.
2. A fault of shape is answered at once. What has the right shape is handled after
   `Options.processing_us`, in order, so the first may overtake the second (protocol.md §6.1, from
   S0).
3. A refusal changes nothing and does not end the session. `handle` never raises, whatever a client
   sends.
4. Every refusal is a row of `rules`; every client event is a row of the table in `desk`.
5. After the client is gone, or the session's time is up, the machine does nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any, TypeGuard, assert_never

import msgspec

from bargein import events
from bargein.errors import LocalValueError
from bargein.events import dialect
from bargein.events.dialect import Dialect
from bargein.server.model.beta_schema import BETA
from bargein.server.model.commands import ClosePipe, Command, StopEngine
from bargein.server.model.desk import Desk
from bargein.server.model.ids import Ids
from bargein.server.model.inputs import (
    EngineFailed,
    EventReceived,
    FrameReceived,
    Input,
    MediaReceived,
    Opened,
    PipeClosed,
    PipeKind,
    Produced,
    Tick,
    ToolReturned,
    ToolsListed,
    Transcribed,
    TranscriptionFailed,
)
from bargein.server.model.memory import RememberedItem
from bargein.server.model.options import Options
from bargein.server.model.outbox import Outbox
from bargein.server.model.refusal import RefusedError
from bargein.server.model.rules import refuse
from bargein.server.model.schema import (
    GA,
    MAX_EVENT_ID,
    OUTPUT_CLEAR,
    Vocabulary,
    check_event,
)
from bargein.server.model.vad import Detector
from bargein.server.model.validate import MAX_AUDIO_BYTES, parse
from bargein.units import US_PER_S

SECONDS_PER_MINUTE = 60
GOING_AWAY = 1001
"""The close code at the end of a session's time (protocol.md §1.1.4)."""


class Machine:
    """One client's session. `detector` judges the frames of this session only: it has a memory."""

    def __init__(self, *, ids: Ids, detector: Detector, options: Options | None = None) -> None:
        self._options = options or Options()
        self._detector = detector
        self._outbox = Outbox(ids, errors_for_all=self._options.errors_on_all_pipes)
        self._desk: Desk | None = None
        self._dialect: Dialect = "ga"
        self._known = self._known_structs = GA
        self._ended = False
        self._due_us: int | None = None
        self._now_us = 0
        self._waiting: deque[tuple[int, events.ClientEvent, int]] = deque()
        self._waiting_bytes = 0

    @property
    def memory(self) -> tuple[RememberedItem, ...]:
        """What the conversation remembers now, in order: a snapshot, made anew for each asking."""
        return () if self._desk is None else self._desk.conversation.items

    @property
    def running_response_ids(self) -> tuple[str, ...]:
        """Responses that are created and not done, in the order of their creation; none once the
        session has ended."""
        return () if self._desk is None else self._desk.speaking.running_ids

    @property
    def let_go_bytes(self) -> int:
        """Sound that was forgotten because of `Limits.kept_audio_bytes`."""
        return 0 if self._desk is None else self._desk.conversation.let_go_bytes

    @property
    def longest_frame(self) -> int:
        """Beyond so many characters a frame is refused."""
        return self._options.limits.frame_bytes

    @property
    def slice_bytes(self) -> int | None:
        """How much audio of an append is heard at one go where turns are detected; None where it
        need not be cut up, or where what waits for its time is counted."""
        if self._desk is None or self._options.processing_us or self._desk.output_buffer:
            return None
        return self._desk.listening.slice_bytes

    @property
    def ended(self) -> bool:
        """Whether the client is gone or was sent away."""
        return self._ended

    @property
    def deadline_us(self) -> int | None:
        """When to give a `Tick`; None if nothing is going to happen by itself."""
        return self._due_us

    def handle(self, input: Input, *, now_us: int) -> list[Command]:
        """Take one input and say what is to be done. Time does not run backwards: an earlier
        `now_us` is the last one."""
        self._now_us = now_us = max(now_us, self._now_us)
        if self._due_us is not None and self._due_us <= now_us:
            self._catch_up(now_us)
        if not self._ended and not isinstance(input, Tick):
            # A tick has come for what is due, and for nothing else.
            self._take(input, now_us)
            self._catch_up(now_us)
        return self._outbox.take()

    def _next_due_us(self) -> int | None:
        if self._ended or self._desk is None:
            return None
        desk = self._desk
        due_us = desk.expires_us
        speaking_us = desk.speaking.deadline_us
        if speaking_us is not None and speaking_us < due_us:
            due_us = speaking_us
        playing_us = desk.playing_due_us
        if playing_us is not None and playing_us < due_us:
            due_us = playing_us
        idle_us = desk.idle_due_us
        if idle_us is not None and idle_us < due_us:
            due_us = idle_us
        if self._waiting and self._waiting[0][0] < due_us:
            due_us = self._waiting[0][0]
        return due_us

    def _take(self, input: Input, now_us: int) -> None:
        self._outbox.at(now_us)
        desk = self._desk
        match input:
            case Opened():
                if desk is None:
                    self._dialect = input.dialect
                    self._known = _vocabulary(input.dialect, input.pipe)
                    self._known_structs = _vocabulary("ga", input.pipe)
                    self._desk = Desk(
                        input,
                        outbox=self._outbox,
                        detector=self._detector,
                        options=self._options,
                        now_us=now_us,
                    )
            case PipeClosed():
                self._end()
            case Tick():
                pass
            case _ if desk is None:
                # A client that is not admitted yet cannot have asked for anything.
                pass
            case FrameReceived(frame=frame, pipe=pipe):
                self._outbox.asker = pipe
                self._receive_frame(frame, pipe, now_us)
                self._outbox.asker = None
            case EventReceived(event=event, pipe=pipe):
                self._outbox.asker = pipe
                self._receive_event(event, pipe, now_us)
                self._outbox.asker = None
            case MediaReceived(audio=audio):
                desk.hear(audio, now_us)
            case Produced(response_id=response_id, steps=steps, final=final):
                desk.speaking.produced(response_id, steps, final, now_us)
            case EngineFailed():
                desk.speaking.failed(
                    input.response_id, input.type, input.code, input.message, now_us
                )
            case Transcribed(item_id=item_id, pieces=pieces, final=final):
                desk.transcribing.transcribed(item_id, pieces, final)
            case TranscriptionFailed():
                desk.transcribing.failed(input.item_id, input.type, input.code, input.message)
            case ToolsListed(item_id=item_id, tools=tools):
                desk.speaking.tools_listed(item_id, tools)
            case ToolReturned(item_id=item_id, result=result):
                desk.speaking.tool_returned(item_id, result, now_us)
            case _:
                assert_never(input)

    def _receive_frame(self, frame: str | bytes, pipe: int, now_us: int) -> None:
        event_id: str | None = None
        try:
            if isinstance(frame, bytes):
                raise refuse("binary_frame")
            limit = self._options.limits.frame_bytes
            if len(frame) > limit:
                raise refuse("frame_too_long", limit=limit, length=len(frame))
            event = events.decode_client(frame)
            if is_plain_append(event):
                event_id = event.event_id
            else:
                raw = parse(frame)
                event_id = _event_id(raw.get("event_id"))
                check_event(raw, self._known)
                if self._dialect == "beta":
                    event = dialect.decode_client(frame)
            self._accept(event, pipe, now_us)
        except RefusedError as error:
            self._outbox.refuse(error.refusal, event_id)

    def _receive_event(self, event: events.ClientEvent, pipe: int, now_us: int) -> None:
        try:
            if not is_plain_append(event):
                # Who gives structs may have built them by hand, and their types hold no limits.
                check_event(_raw(event), self._known_structs)
            self._accept(event, pipe, now_us)
        except RefusedError as error:
            self._outbox.refuse(error.refusal, event.event_id)

    def _accept(
        self, event: events.ClientEvent | events.Unknown | events.Malformed, pipe: int, now_us: int
    ) -> None:
        """Handle an event whose shape is right, now or when its turn comes."""
        if isinstance(event, events.Unknown | events.Malformed):
            # `check_event` lets nothing through that is not in the vocabulary; a test holds the
            # two together.
            raise refuse("internal", session_id=self._session_id)
        delay_us = self._options.processing_us
        if not delay_us:
            self._do(event, now_us)
            return
        size = len(event.audio) if isinstance(event, events.InputAudioBufferAppend) else 0
        limits = self._options.limits
        if (
            len(self._waiting) >= limits.waiting_events
            or self._waiting_bytes + size > limits.waiting_bytes
        ):
            raise refuse("too_much_waiting")
        self._waiting.append((now_us + delay_us, event, pipe))
        self._waiting_bytes += size

    def _do(self, event: events.ClientEvent, now_us: int) -> None:
        assert self._desk is not None, "events are received after `Opened` only"
        try:
            self._desk.handle(event, now_us)
        except RefusedError as error:
            self._outbox.refuse(error.refusal, event.event_id)

    def _catch_up(self, now_us: int) -> None:
        """Do what is due by now, in the order of time; then it is known when to come back."""
        while (due_us := self._next_due_us()) is not None and due_us <= now_us:
            assert self._desk is not None, "there is a deadline"
            self._outbox.at(due_us)
            if self._waiting and self._waiting[0][0] == due_us:
                _, event, self._outbox.asker = self._waiting.popleft()
                if isinstance(event, events.InputAudioBufferAppend):
                    self._waiting_bytes -= len(event.audio)
                self._do(event, due_us)
                self._outbox.asker = None
            elif self._desk.playing_due_us == due_us:
                self._desk.play(due_us)
            elif self._desk.speaking.deadline_us == due_us:
                self._desk.speaking.run(due_us)
            elif self._desk.idle_due_us == due_us:
                self._desk.idle(due_us)
            else:
                self._expire(self._options.session_us)
        self._due_us = due_us

    @property
    def _session_id(self) -> str:
        assert self._desk is not None, "the session is open"
        return self._desk.session.id

    def _expire(self, session_us: int) -> None:
        minutes = session_us // (SECONDS_PER_MINUTE * US_PER_S)
        refusal = refuse("session_expired", minutes=minutes).refusal
        self._outbox.refuse(refusal, None)
        self._outbox.command(ClosePipe(GOING_AWAY, refusal.message))
        self._end()

    def _end(self) -> None:
        if self._desk is not None:
            for response_id in self._desk.speaking.stop():
                self._outbox.command(StopEngine(response_id))
            self._desk.transcribing.stop()
            if self._desk.output_buffer is not None:
                self._desk.output_buffer.stop()
        self._ended = True
        self._waiting.clear()


def _raw(event: events.ClientEvent) -> dict[str, Any]:
    """The event as it would be on the wire. Raises `RefusedError` if it cannot be there."""
    try:
        return parse(events.encode(event))
    except LocalValueError as error:
        raise refuse("not_json", reason=f"{error}.") from None


def is_plain_append(
    event: events.ClientEvent | events.Unknown | events.Malformed, audio_bytes: int | None = None
) -> TypeGuard[events.InputAudioBufferAppend]:
    """Whether the frame was an append with nothing to refuse: then it need not be looked at
    twice. `audio_bytes`: so much audio it has, where that is not decoded yet."""
    return (
        isinstance(event, events.InputAudioBufferAppend)
        and event.extra is msgspec.UNSET
        and 0 < (len(event.audio) if audio_bytes is None else audio_bytes) <= MAX_AUDIO_BYTES
        and (event.event_id is None or len(event.event_id) <= MAX_EVENT_ID)
    )


def _vocabulary(dialect: Dialect, pipe: PipeKind) -> Vocabulary:
    """What the client may say."""
    known = BETA if dialect == "beta" else GA
    if pipe == "websocket":
        return known
    return replace(known, events={**known.events, **OUTPUT_CLEAR})


def _event_id(given: object) -> str | None:
    """The id to name in an error; what is no id is not echoed."""
    return given if isinstance(given, str) and len(given) <= MAX_EVENT_ID else None
