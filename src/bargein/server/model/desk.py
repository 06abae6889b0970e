"""One open session: what each client event does, and what a turn of the user does.

1. A handler changes nothing before it can no longer refuse.
2. The user begins to speak: `speech_started`, then, under `interrupt_response`, the close-out of
   the default conversation's response (protocol.md §4.6 a to c, g). Nothing is truncated: over
   WebSocket that is the client's.
3. The user stops: `speech_stopped`, `committed`, the item, then, under `create_response`, a
   response. If one is running, it is refused with an error that no client event caused
   (protocol.md §4.6 f, scenario 53).
4. Nobody speaks for `idle_timeout_ms` after the last response was played: `timeout_triggered`, and
   the silence is committed and answered like a turn (protocol.md §4.11). Once for each response.
5. A commit by hand never creates a response (protocol.md §4.4).
6. Over WebRTC the server owns the output buffer (`output_buffer`): `speech_started` clears it and
   truncates, whatever `interrupt_response` says and long after `response.done` (protocol.md §4.6 d
   to f). The user is heard on the track.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_never

from bargein import events
from bargein.server.model.commands import Overhear
from bargein.server.model.entries import Entry, Part, entry_of
from bargein.server.model.inputs import Opened
from bargein.server.model.listening import (
    Decided,
    Listening,
    TurnHeard,
    TurnStarted,
    TurnStopped,
)
from bargein.server.model.memory import Conversation
from bargein.server.model.options import Options
from bargein.server.model.outbox import Outbox
from bargein.server.model.output_buffer import OutputBuffer
from bargein.server.model.refusal import RefusedError
from bargein.server.model.rules import refuse
from bargein.server.model.session import SessionState, values_of
from bargein.server.model.speaking import Speaking
from bargein.server.model.transcribing import Transcribing, is_live
from bargein.server.model.vad import Detector
from bargein.units import US_PER_MS, US_PER_S

OF_A_TRANSCRIPTION = (
    events.SessionUpdate,
    events.InputAudioBufferAppend,
    events.InputAudioBufferCommit,
    events.InputAudioBufferClear,
)
"""What a client may send to a session that only listens (protocol.md §2.6)."""


class Desk:
    """The parts of one session, and the table of handlers."""

    def __init__(
        self, opened: Opened, *, outbox: Outbox, detector: Detector, options: Options, now_us: int
    ) -> None:
        outbox.ids.start(wall_time_s=opened.wall_time_s, now_us=now_us)
        outbox.dialect = opened.dialect
        self._outbox = outbox
        self._options = options
        self.expires_us = now_us + options.session_us
        self.session = SessionState(
            session_id=opened.session_id or outbox.ids.mint("sess"),
            model=opened.model,
            kind=opened.kind,
            expires_at=opened.wall_time_s + options.session_us // US_PER_S,
            options=options,
            dialect=opened.dialect,
            pipe=opened.pipe,
        )
        self.conversation = Conversation(
            conversation_id=outbox.ids.mint("conv"),
            limits=options.limits,
            lengths_grid_ms=options.lengths_grid_ms,
        )
        self.transcribing = Transcribing(outbox=outbox, session=self.session, options=options)
        self.listening = Listening(
            ids=outbox.ids,
            detector=detector,
            limits=options.limits,
            overhears=opened.overhears,
            guessed=self.transcribing.guessed,
        )
        self.output_buffer: OutputBuffer | None = None
        if opened.pipe == "webrtc":
            self.output_buffer = OutputBuffer(
                outbox=outbox,
                conversation=self.conversation,
                options=options,
                origin_us=now_us,
            )
        self.speaking = Speaking(
            outbox=outbox,
            session=self.session,
            conversation=self.conversation,
            options=options,
            output_buffer=self.output_buffer,
        )
        self._handlers: Mapping[type, Callable[[Any, int], None]] = {
            events.SessionUpdate: self._session_update,
            events.InputAudioBufferAppend: self._append,
            events.InputAudioBufferCommit: self._commit,
            events.InputAudioBufferClear: self._clear,
            events.OutputAudioBufferClear: self._clear_output,
            events.ConversationItemCreate: self._item_create,
            events.ConversationItemTruncate: self._truncate,
            events.ConversationItemDelete: self._delete,
            events.ConversationItemRetrieve: self._retrieve,
            events.ResponseCreate: self._response_create,
            events.ResponseCancel: self._response_cancel,
        }
        wanted = opened.session or {}
        if wanted:
            self.session.update(wanted)
        self._configure_listening()
        outbox.send(events.SessionCreated(event_id=outbox.event_id(), session=self.session.shown()))
        self.speaking.remote_tools.declare(wanted.get("tools", ()))

    def handle(self, event: events.ClientEvent, now_us: int) -> None:
        """Do what the event asks for. Raises `RefusedError`."""
        if self.session.kind == "transcription" and not isinstance(event, OF_A_TRANSCRIPTION):
            raise refuse("other_session_kind", type=events.type_of(event))
        self._handlers[type(event)](event, now_us)

    def _session_update(self, event: events.SessionUpdate, now_us: int) -> None:
        changes = values_of(event.session)
        tools = changes.get("tools", ())
        self.speaking.remote_tools.check(tools, "session")
        self.session.update(changes, responding=self.speaking.active_id is not None)
        self._configure_listening()
        self._outbox.send(
            events.SessionUpdated(event_id=self._outbox.event_id(), session=self.session.shown())
        )
        self.speaking.remote_tools.declare(tools)

    def _configure_listening(self) -> None:
        dropped = self.listening.configure(
            self.session.turns,
            self.session.input_format,
            live=is_live(self.session.transcription),
        )
        self._drop_turn(dropped)

    def _drop_turn(self, item_id: str | None) -> None:
        """What was overheard of it will be no item."""
        if item_id is not None:
            self.transcribing.forget(item_id)

    def _append(self, event: events.InputAudioBufferAppend, now_us: int) -> None:
        if self.output_buffer is not None and not self._options.appends_beside_track:
            raise refuse("append_beside_track")
        self._follow(self.listening.append(event.audio), now_us)

    def hear(self, audio: bytes, now_us: int) -> None:
        """Sound of the call's track."""
        self._follow(self.listening.append(audio, by_track=True), now_us)

    def _follow(self, decisions: Sequence[Decided], now_us: int) -> None:
        for decided in decisions:
            match decided:
                case TurnStarted():
                    self._turn_started(decided, now_us)
                case TurnHeard():
                    self._turn_heard(decided)
                case TurnStopped():
                    self._turn_stopped(decided, now_us)
                case _:
                    assert_never(decided)

    def _turn_started(self, turn: TurnStarted, now_us: int) -> None:
        self._outbox.send(
            events.InputAudioBufferSpeechStarted(
                event_id=self._outbox.event_id(),
                audio_start_ms=turn.audio_start_ms,
                item_id=turn.item_id,
            )
        )
        clears_first = self._options.clears_before_closing
        if self.output_buffer is not None and clears_first:
            self.output_buffer.clear()
        turns = self.session.turns
        if turns is not None and turns.interrupt_response:
            self.speaking.interrupt(now_us)
        if self.output_buffer is not None and not clears_first:
            self.output_buffer.clear()
        self.speaking.quiet_from_us = None

    @property
    def playing_due_us(self) -> int | None:
        """When the output buffer has something to do."""
        return None if self.output_buffer is None else self.output_buffer.deadline_us

    def play(self, due_us: int) -> None:
        """Do what is due at `playing_due_us`."""
        assert self.output_buffer is not None, "playing_due_us was not None"
        has_run_dry = self.output_buffer.run(due_us)
        if has_run_dry and self.speaking.quiet_from_us is not None:
            self.speaking.quiet_from_us = due_us

    def _clear_output(self, event: events.OutputAudioBufferClear, now_us: int) -> None:
        assert self.output_buffer is not None, "over WebSocket it is refused by its type"
        self.output_buffer.clear_for_client()

    def _turn_heard(self, turn: TurnHeard) -> None:
        format = self.session.input_format
        self.transcribing.start_live(turn.item_id, format)
        self._outbox.command(Overhear(turn.item_id, turn.audio, format, turn.last))

    def _turn_stopped(self, turn: TurnStopped, now_us: int) -> None:
        self._outbox.send(
            events.InputAudioBufferSpeechStopped(
                event_id=self._outbox.event_id(),
                audio_end_ms=turn.audio_end_ms,
                item_id=turn.item_id,
            )
        )
        self.speaking.quiet_from_us = None
        self._end_turn(turn.item_id, turn.audio, now_us)

    @property
    def idle_due_us(self) -> int | None:
        """When the user has been silent for too long."""
        turns, quiet_from_us = self.session.turns, self.speaking.quiet_from_us
        if turns is None or turns.idle_timeout_ms is None or quiet_from_us is None:
            return None
        if self.output_buffer is not None and self.output_buffer.is_playing:
            return None
        if self.listening.speaking_item_id is not None:
            # He began before the response ended, so his turn says how it goes on.
            return None
        return quiet_from_us + turns.idle_timeout_ms * US_PER_MS

    def idle(self, now_us: int) -> None:
        """Do what is due at `idle_due_us`."""
        turns = self.session.turns
        assert turns is not None and turns.idle_timeout_ms is not None, "idle_due_us was not None"
        self.speaking.quiet_from_us = None
        turn = self.listening.time_out(turns.idle_timeout_ms)
        self._outbox.send(
            events.InputAudioBufferTimeoutTriggered(
                event_id=self._outbox.event_id(),
                audio_start_ms=turn.audio_start_ms,
                audio_end_ms=turn.audio_end_ms,
                item_id=turn.item_id,
            )
        )
        self._end_turn(turn.item_id, turn.audio, now_us)

    def _end_turn(self, item_id: str, audio: bytes, now_us: int) -> None:
        try:
            self._commit_item(item_id, audio)
        except RefusedError as error:
            # No event of the client asked for this, although the audio came in one.
            self._drop_turn(item_id)
            self._outbox.refuse(error.refusal, None)
            return
        turns = self.session.turns
        if turns is not None and turns.create_response:
            try:
                self.speaking.create(None, now_us)
            except RefusedError as error:
                self._outbox.refuse(error.refusal, None)

    def _commit(self, event: events.InputAudioBufferCommit, now_us: int) -> None:
        self.conversation.check_room()
        commit = self.listening.commit()
        if commit.heard is not None:
            self._turn_heard(commit.heard)
        self._commit_item(commit.item_id, commit.audio)

    def _commit_item(self, item_id: str, audio: bytes) -> None:
        format = self.session.input_format
        samples = format.samples(len(audio))
        part = Part(
            "input_audio",
            format=format,
            made_samples=samples,
            kept_samples=samples,
            chunks=[audio] if audio else [],
            closed=True,
        )
        entry = Entry(item_id, "message", status="completed", role="user", parts=[part])
        self.conversation.append(entry, by_model=False)
        self._outbox.send(
            events.InputAudioBufferCommitted(
                event_id=self._outbox.event_id(),
                previous_item_id=entry.previous_id,
                item_id=item_id,
            )
        )
        self._show_added(entry)
        self.transcribing.committed(item_id, part)

    def _show_added(self, entry: Entry) -> None:
        item = entry.shown(with_images=self._options.echo_images)
        for event in (events.ConversationItemAdded, events.ConversationItemDone):
            self._outbox.send(
                event(
                    event_id=self._outbox.event_id(),
                    previous_item_id=entry.previous_id,
                    item=item,
                )
            )

    def _clear(self, event: events.InputAudioBufferClear, now_us: int) -> None:
        self._drop_turn(self.listening.clear())
        self._outbox.send(events.InputAudioBufferCleared(event_id=self._outbox.event_id()))

    def _item_create(self, event: events.ConversationItemCreate, now_us: int) -> None:
        given = event.item.id
        item_id = given if isinstance(given, str) and given else self._outbox.ids.mint("item")
        entry = entry_of(event.item, item_id)
        if entry.kind == "function_call" and not entry.call_id:
            entry.call_id = self._outbox.ids.mint_call()
        answer = event.item if isinstance(event.item, events.McpApprovalResponseItem) else None
        if answer is not None:
            self.speaking.check_approval(answer)
        previous = event.previous_item_id
        self.conversation.create(entry, previous if isinstance(previous, str) else None)
        self._show_added(entry)
        if answer is not None:
            self.speaking.approval_given(answer, now_us)

    def _truncate(self, event: events.ConversationItemTruncate, now_us: int) -> None:
        self.conversation.truncate(event.item_id, event.content_index, event.audio_end_ms)
        self._outbox.send(
            events.ConversationItemTruncated(
                event_id=self._outbox.event_id(),
                item_id=event.item_id,
                content_index=event.content_index,
                audio_end_ms=event.audio_end_ms,
            )
        )

    def _delete(self, event: events.ConversationItemDelete, now_us: int) -> None:
        self.conversation.delete(event.item_id)
        self.transcribing.forget(event.item_id)
        self._outbox.send(
            events.ConversationItemDeleted(event_id=self._outbox.event_id(), item_id=event.item_id)
        )

    def _retrieve(self, event: events.ConversationItemRetrieve, now_us: int) -> None:
        item = self.conversation.retrieve(
            event.item_id, transcripts=self._options.retrieved_shows_transcripts
        )
        self._outbox.send(
            events.ConversationItemRetrieved(event_id=self._outbox.event_id(), item=item)
        )

    def _response_create(self, event: events.ResponseCreate, now_us: int) -> None:
        params = event.response
        self.speaking.create(params if isinstance(params, events.ResponseParams) else None, now_us)

    def _response_cancel(self, event: events.ResponseCancel, now_us: int) -> None:
        response_id = event.response_id
        self.speaking.cancel(response_id if isinstance(response_id, str) else None, now_us)
