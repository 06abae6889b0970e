"""What the service says, and whose record it changes.

1. Every server event of the vocabulary has a row in `HANDLERS`; what needs no deed is ignored by
   name, and a test fails when an event is in neither.
2. An event names what it is about by id. What is about a response or an item that is over is
   ignored; what is about one whose beginning we never saw begins it (other vendors leave events
   out, protocol.md §8).
3. The first handler that learns something records it; what follows is `Machine._recompute`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from bargein import events
from bargein.core.commands import Close, UseInputFormat
from bargein.core.faults import Sent
from bargein.core.interruption import Decision, View, decide
from bargein.core.listening import DEFAULT_PREFIX_PADDING_MS, format_of
from bargein.core.notices import (
    Blame,
    Connected,
    Raw,
    Transcript,
    TurnEnded,
    TurnStarted,
    UsageReported,
)
from bargein.core.responses import ATTEMPTS_LIMIT, Create, Reply, Turn
from bargein.core.utterances import SpokenItem
from bargein.deadlines import Timer
from bargein.units import AudioFormat

if TYPE_CHECKING:
    from bargein.core.machine import Machine

Arrived: TypeAlias = events.ServerEvent | events.Unknown | events.Malformed

IGNORED: frozenset[type[Any]] = frozenset(
    {
        events.ConversationCreated,
        events.ConversationItemInputAudioTranscriptionSegment,
        events.InputAudioBufferDtmfEventReceived,
        events.McpListToolsCompleted,
        events.McpListToolsFailed,
        events.McpListToolsInProgress,
        events.OutputAudioBufferCleared,
        events.OutputAudioBufferStarted,
        events.OutputAudioBufferStopped,
        events.RateLimitsUpdated,
        events.ResponseFunctionCallArgumentsDelta,
        events.ResponseFunctionCallArgumentsDone,
        events.ResponseMcpCallArgumentsDelta,
        events.ResponseMcpCallArgumentsDone,
        events.ResponseMcpCallCompleted,
        events.ResponseMcpCallFailed,
        events.ResponseMcpCallInProgress,
    }
)
"""Known, and nothing follows from them here. The application sees them through
`Session.events()`.
"""


class Service:
    """The handlers of the service's events."""

    __slots__ = ("_added_is_told", "_desk", "_m", "_padding_ms")

    def __init__(self, machine: Machine) -> None:
        self._m = machine
        self._desk = machine.desk
        self._padding_ms = DEFAULT_PREFIX_PADDING_MS
        self._added_is_told = False

    def handle(self, event: Arrived) -> None:
        """Anything that arrived; nothing that arrives raises."""
        handler = HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    # The session.

    def session_created(self, event: events.SessionCreated) -> None:
        machine = self._m
        self._configure(event.session)
        if machine.connected:
            return
        if machine.settings.session == events.Session():
            self._connected()
            return
        update = events.SessionUpdate(
            event_id=self._desk.new_id("evt"), session=machine.settings.session
        )
        machine.faults.remember(Sent(update, update.event_id or "", "connect"))
        self._desk.send(update)

    def session_updated(self, event: events.SessionUpdated) -> None:
        self._configure(event.session)
        memory = self._m.faults.oldest(events.SessionUpdate)
        if memory is None:
            return
        self._m.faults.forget(memory)
        self._desk.deadlines.stop(Timer.ACKNOWLEDGED, memory.event_id)
        self._desk.answer(memory.ask_id, event.session)
        if memory.key == "connect":
            self._connected()

    def _connected(self) -> None:
        self._m.connected = True
        self._desk.deadlines.stop(Timer.SESSION, "")
        self._desk.notify(Connected(self._m.effective))

    def _configure(self, session: events.AnySession) -> None:
        machine = self._m
        if not isinstance(session, events.Session):
            return
        before = machine.listening.audio_format
        machine.effective = session
        machine.listening.configure(session)
        audio = session.audio if isinstance(session.audio, events.AudioConfig) else None
        detection = getattr(audio.input, "turn_detection", None) if audio is not None else None
        padding_ms = getattr(detection, "prefix_padding_ms", None)
        self._padding_ms = padding_ms if isinstance(padding_ms, int) else DEFAULT_PREFIX_PADDING_MS
        if machine.listening.audio_format is not before or not machine.connected:
            machine.desk.outbox.use_format(machine.listening.audio_format)
            self._desk.do(UseInputFormat(machine.listening.audio_format))

    # The user's speech.

    def speech_started(self, event: events.InputAudioBufferSpeechStarted) -> None:
        machine = self._m
        listening = machine.listening
        listening.speaking_item = event.item_id
        self._desk.notify(TurnStarted("user", event.item_id))
        service_cancels = listening.service_cancels
        view = View(service_cancels, machine.ledger.sounding)
        if decide(machine.settings.barge_in, view) is Decision.CUT:
            machine.cut(
                "speech",
                service_cancels=service_cancels,
                captured_us=listening.speech_began_us(event.audio_start_ms, self._padding_ms),
            )

    def speech_stopped(self, event: events.InputAudioBufferSpeechStopped) -> None:
        listening = self._m.listening
        listening.speech_items.append(event.item_id)
        self._silent(event.item_id)

    def _silent(self, item_id: str) -> None:
        listening = self._m.listening
        if listening.speaking_item == item_id:
            listening.speaking_item = None
            self._desk.notify(TurnEnded("user", "completed", item_id))

    def timeout_triggered(self, event: events.InputAudioBufferTimeoutTriggered) -> None:
        self._m.listening.speech_items.append(event.item_id)

    def committed(self, event: events.InputAudioBufferCommitted) -> None:
        """A turn that turn detection ended is owed a response, if the service makes them."""
        machine = self._m
        self._silent(event.item_id)
        memory = machine.faults.oldest(events.InputAudioBufferCommit)
        listening = machine.listening
        if event.item_id not in listening.speech_items:
            if memory is not None:
                machine.faults.forget(memory)
            return
        listening.speech_items.remove(event.item_id)
        if listening.create_response and not listening.manual:
            machine.responses.turns.append(Turn(event.item_id))
            self._desk.deadlines.arm(Timer.TURN_ANSWERED, "", self._desk.now_us)

    def cleared(self, event: events.InputAudioBufferCleared) -> None:
        listening = self._m.listening
        memory = self._m.faults.oldest(events.InputAudioBufferClear)
        if memory is not None:
            self._m.faults.forget(memory)
        if listening.speaking_item is not None:
            self._silent(listening.speaking_item)

    def transcription_delta(
        self, event: events.ConversationItemInputAudioTranscriptionDelta
    ) -> None:
        self._user_text(event.item_id, event.content_index, event.delta, final=False)

    def transcription_completed(
        self, event: events.ConversationItemInputAudioTranscriptionCompleted
    ) -> None:
        self._user_text(event.item_id, event.content_index, event.transcript, final=True)

    def _user_text(self, item_id: str, content_index: int, text: str, *, final: bool) -> None:
        self._m.conversation.heard_text(item_id, content_index, "input_audio", text, final=final)
        self._desk.notify(Transcript("user", item_id, text, final, content_index))

    def transcription_failed(
        self, event: events.ConversationItemInputAudioTranscriptionFailed
    ) -> None:
        code = event.error.code if isinstance(event.error.code, str) else None
        self._m.fault("theirs", code, event.error.message, about="input_audio_transcription")

    # The conversation.

    def item_added(
        self, event: events.ConversationItemAdded | events.ConversationItemCreated
    ) -> None:
        machine = self._m
        self._added_is_told = True
        item_id = event.item.id
        if not isinstance(item_id, str):
            return
        machine.conversation.added(item_id, event.item, event.previous_item_id)
        memory = machine.faults.oldest(events.ConversationItemCreate, item_id)
        if memory is not None:
            machine.faults.forget(memory)
            self._desk.deadlines.stop(Timer.ACKNOWLEDGED, memory.event_id)
        spoken = machine.ledger.items.get(item_id)
        if spoken is not None:
            spoken.held = True

    def item_done(self, event: events.ConversationItemDone) -> None:
        item_id = event.item.id
        if isinstance(item_id, str):
            self._m.conversation.done(item_id, event.item)
            self._item_over(item_id, event.item)

    def item_retrieved(self, event: events.ConversationItemRetrieved) -> None:
        item_id = event.item.id
        if isinstance(item_id, str):
            self._m.conversation.done(item_id, event.item)
            memory = self._m.faults.oldest(events.ConversationItemRetrieve, item_id)
            if memory is not None:
                self._m.faults.forget(memory)

    def item_truncated(self, event: events.ConversationItemTruncated) -> None:
        machine = self._m
        machine.conversation.truncated(event.item_id, event.content_index, event.audio_end_ms)
        for memory in machine.faults.open:
            request = memory.event
            if (
                isinstance(request, events.ConversationItemTruncate)
                and request.item_id == event.item_id
                and request.content_index == event.content_index
                and request.audio_end_ms == event.audio_end_ms
            ):
                machine.settlement.closed(memory)
                found = machine.cuts.find(memory)
                if found is not None and memory.part is not None:
                    utterance = found[1].parts[memory.part.content_index]
                    machine.settlement.truncated(utterance, event.audio_end_ms)
                return

    def item_deleted(self, event: events.ConversationItemDeleted) -> None:
        machine = self._m
        machine.conversation.deleted(event.item_id)
        memory = machine.faults.oldest(events.ConversationItemDelete, event.item_id)
        if memory is not None:
            machine.settlement.closed(memory)
        for cut in (*machine.cuts.open, *machine.cuts.settled):
            for item in cut.items:
                if item.item_id == event.item_id:
                    machine.settlement.deleted(item)
        spoken = machine.ledger.items.get(event.item_id)
        if spoken is not None:
            spoken.held = False

    # Responses.

    def response_created(self, event: events.ResponseCreated) -> None:
        machine = self._m
        response = event.response
        if response.id in machine.ended or response.id in machine.responses.replies:
            return
        responses = machine.responses
        create = responses.answered_by(response, default=response.conversation_id is not None)
        if create is not None:
            self._desk.deadlines.stop(Timer.CREATED, create.key)
            asked = machine.faults.oldest(events.ResponseCreate, create.key)
            if asked is not None:
                machine.faults.forget(asked)
        reply = responses.begun(response, self._format_of(response))
        if reply.default:
            self._desk.deadlines.stop(Timer.TURN_ANSWERED, "")
        self._desk.notify(TurnStarted("assistant", None, reply.response_id, reply.ask_ids))
        if reply.cut_id is not None:
            machine.cuts.born(reply)
        elif reply.given_up:
            machine.settlement.cancel([], reply)

    def _format_of(self, response: events.Response | None) -> AudioFormat:
        session = self._m.effective
        default = format_of(_output_format(session.audio), AudioFormat.PCM)
        return format_of(_output_format(response.audio), default) if response else default

    def _reply(self, response_id: str) -> Reply | None:
        machine = self._m
        reply = machine.responses.replies.get(response_id)
        if reply is None and response_id not in machine.ended:
            reply = machine.responses.unknown(response_id, self._format_of(None))
            self._desk.notify(TurnStarted("assistant", None, response_id))
        return reply

    def output_item_added(self, event: events.ResponseOutputItemAdded) -> None:
        reply = self._reply(event.response_id)
        item_id = event.item.id
        message = isinstance(event.item, events.MessageItem)
        if reply is not None and isinstance(item_id, str) and message:
            self._spoken(reply, item_id)

    def _spoken(self, reply: Reply, item_id: str) -> SpokenItem:
        machine = self._m
        new = item_id not in machine.ledger.items
        item = machine.ledger.item(reply.response_id, item_id, in_conversation=reply.default)
        if new:
            item.held = item_id in machine.conversation
            machine.cuts.saw(item, reply)
        return item

    def output_item_done(self, event: events.ResponseOutputItemDone) -> None:
        item_id = event.item.id
        if isinstance(item_id, str):
            self._m.conversation.done(item_id, event.item)
            self._item_over(item_id, event.item)
        call = self._m.calls.seen(event.item, event.response_id)
        if call is not None:
            self._desk.notify(call)

    def _item_over(self, item_id: str, item: events.Item) -> None:
        spoken = self._m.ledger.items.get(item_id)
        if spoken is None:
            return
        spoken.over = True
        spoken.completed = getattr(item, "status", None) == "completed"
        for utterance in spoken.parts.values():
            utterance.audio_over = True

    def content_part_added(self, event: events.ResponseContentPartAdded) -> None:
        reply = self._reply(event.response_id)
        if reply is not None:
            self._spoken(reply, event.item_id)

    def content_part_done(self, event: events.ResponseContentPartDone) -> None:
        self._audio_over(event.item_id, event.content_index)

    def audio_delta(self, event: events.ResponseOutputAudioDelta) -> None:
        reply = self._reply(event.response_id)
        if reply is None:
            return
        item = self._spoken(reply, event.item_id)
        if not self._added_is_told and reply.default:
            # A server that never says `added` holds what it speaks.
            item.held = True
        self._m.ledger.arrived(
            item,
            event.content_index,
            event.delta,
            reply.audio_format,
            cut=reply.cut_id is not None,
        )

    def audio_done(self, event: events.ResponseOutputAudioDone) -> None:
        self._audio_over(event.item_id, event.content_index)

    def _audio_over(self, item_id: str, content_index: int) -> None:
        item = self._m.ledger.items.get(item_id)
        utterance = item.parts.get(content_index) if item is not None else None
        if utterance is not None:
            utterance.audio_over = True

    def transcript_delta(self, event: events.ResponseOutputAudioTranscriptDelta) -> None:
        reply = self._reply(event.response_id)
        if reply is None:
            return
        item = self._spoken(reply, event.item_id)
        index = event.content_index
        item.texts[index] = item.texts.get(index, "") + event.delta
        self._assistant_text(reply, event.item_id, index, "output_audio", event.delta, final=False)

    def transcript_done(self, event: events.ResponseOutputAudioTranscriptDone) -> None:
        reply = self._reply(event.response_id)
        if reply is None:
            return
        item = self._spoken(reply, event.item_id)
        item.texts[event.content_index] = event.transcript
        # Final for the application when it was heard, not when it was made.
        self._m.conversation.heard_text(
            event.item_id, event.content_index, "output_audio", event.transcript, final=True
        )

    def text_delta(self, event: events.ResponseOutputTextDelta) -> None:
        reply = self._reply(event.response_id)
        if reply is None:
            return
        item = self._spoken(reply, event.item_id)
        item.shown = item.shown or (bool(event.delta) and reply.cut_id is None)
        self._assistant_text(
            reply, event.item_id, event.content_index, "output_text", event.delta, final=False
        )

    def text_done(self, event: events.ResponseOutputTextDone) -> None:
        reply = self._reply(event.response_id)
        if reply is None:
            return
        item = self._spoken(reply, event.item_id)
        item.shown = item.shown or (bool(event.text) and reply.cut_id is None)
        self._assistant_text(
            reply, event.item_id, event.content_index, "output_text", event.text, final=True
        )

    def _assistant_text(
        self, reply: Reply, item_id: str, index: int, kind: str, text: str, *, final: bool
    ) -> None:
        if not final:
            reply.texts.append(text)
        self._m.conversation.heard_text(item_id, index, kind, text, final=final)
        if reply.cut_id is None:
            self._desk.notify(Transcript("assistant", item_id, text, final, index))

    def response_done(self, event: events.ResponseDone) -> None:
        machine = self._m
        response = event.response
        reply = self._reply(response.id)
        if reply is None or reply.done:
            return
        for output in response.output:
            item_id = output.id
            if isinstance(item_id, str):
                machine.conversation.done(item_id, output)
                self._item_over(item_id, output)
            call = machine.calls.seen(output, response.id)
            if call is not None:
                self._desk.notify(call)
        machine.finish(reply, response.status or "completed")
        if isinstance(response.usage, events.Usage):
            machine.usage.add(response.usage)
            self._desk.notify(UsageReported(response.id, response.usage))
        details = response.status_details
        error = details.error if isinstance(details, events.StatusDetails) else None
        if isinstance(error, events.StatusError):
            code = error.code if isinstance(error.code, str) else None
            message = error.message if isinstance(error.message, str) else "the response failed"
            machine.fault("theirs", code, message, about="response")

    # What went wrong.

    def error(self, event: events.Error) -> None:
        machine = self._m
        body = event.error
        if self._is_refused_turn(body):
            for turn in machine.responses.turns:
                turn.refused = True
            machine.fault("crossing", None, body.message)
            return
        memory = machine.faults.match(body)
        code = body.code if isinstance(body.code, str) else None
        param = body.param if isinstance(body.param, str) else None
        if memory is None:
            machine.fault("theirs", code, body.message, param=param)
            return
        about = events.type_of(memory.event)
        self._desk.deadlines.stop(Timer.SETTLEMENT, memory.event_id)
        self._desk.deadlines.stop(Timer.ACKNOWLEDGED, memory.event_id)
        blame = self._refused(memory, body)
        self._desk.fail(memory.ask_id, body.message, "refused", code)
        machine.fault(blame, code, body.message, param=param, about=about)
        if memory.key == "connect":
            self._desk.do(Close(1000, "the session was refused"))

    def _is_refused_turn(self, body: events.ErrorBody) -> bool:
        """The service could not answer a turn by itself: a response was active (scenario 53)."""
        about_active = (
            body.code == "conversation_already_has_active_response"
            or "already has an active response" in body.message
        )
        return (
            about_active
            and not isinstance(body.event_id, str)
            and any(not turn.refused for turn in self._m.responses.turns)
        )

    def _refused(self, memory: Sent, body: events.ErrorBody) -> Blame:
        machine = self._m
        match memory.event:
            case events.ConversationItemTruncate() | events.ConversationItemDelete():
                found = machine.cuts.find(memory)
                if found is not None and not memory.by_application:
                    cut, item = found
                    return machine.settlement.refused(cut.sent, memory, item, body)
            case events.ResponseCancel():
                reply = machine.responses.replies.get(memory.key)
                return machine.settlement.cancel_refused(reply, body)
            case events.ResponseCreate():
                return self._create_refused(memory, body)
            case events.ConversationItemCreate():
                machine.conversation.not_coming(memory.key)
            case events.InputAudioBufferCommit():
                return "application" if memory.by_application else "ours"
            case _:
                pass
        return "application" if memory.by_application or memory.ask_id is not None else "theirs"

    def _create_refused(self, memory: Sent, body: events.ErrorBody) -> Blame:
        """Already active: a response of the service's own crossed ours. It is asked for again."""
        responses = self._m.responses
        create = next((sent for sent in responses.sent if sent.key == memory.key), None)
        if create is None:
            return "theirs"
        responses.sent.remove(create)
        self._desk.deadlines.stop(Timer.CREATED, create.key)
        crossed = (
            body.code == "conversation_already_has_active_response"
            or "already has an active response" in body.message
        )
        if create.cut_id is not None:
            return "crossing" if crossed else "theirs"
        if crossed and create.attempts < ATTEMPTS_LIMIT:
            responses.held.insert(0, create)
            if responses.open_default is None:
                # We have not seen the response that is active; it is on its way, or it never comes.
                self._await_active(create)
            return "crossing"
        self._m.end_turn("refused", tuple(create.ask_ids))
        return "application" if create.ask_ids else "theirs"

    def _await_active(self, create: Create) -> None:
        self._m.responses.turns.append(Turn(create.key))
        self._desk.deadlines.arm(Timer.TURN_ANSWERED, "", self._desk.now_us)

    def unknown(self, event: events.Unknown) -> None:
        self._desk.notify(Raw(event.type, dict(event.raw)))

    def malformed(self, event: events.Malformed) -> None:
        self._desk.notify(Raw("malformed", {"reason": event.reason}))


def _output_format(audio: object) -> object:
    return getattr(getattr(audio, "output", None), "format", None)


HANDLERS: dict[type[Any], Callable[[Service, Any], None]] = {
    events.ConversationItemAdded: Service.item_added,
    events.ConversationItemCreated: Service.item_added,
    events.ConversationItemDeleted: Service.item_deleted,
    events.ConversationItemDone: Service.item_done,
    events.ConversationItemInputAudioTranscriptionCompleted: Service.transcription_completed,
    events.ConversationItemInputAudioTranscriptionDelta: Service.transcription_delta,
    events.ConversationItemInputAudioTranscriptionFailed: Service.transcription_failed,
    events.ConversationItemRetrieved: Service.item_retrieved,
    events.ConversationItemTruncated: Service.item_truncated,
    events.Error: Service.error,
    events.InputAudioBufferCleared: Service.cleared,
    events.InputAudioBufferCommitted: Service.committed,
    events.InputAudioBufferSpeechStarted: Service.speech_started,
    events.InputAudioBufferSpeechStopped: Service.speech_stopped,
    events.InputAudioBufferTimeoutTriggered: Service.timeout_triggered,
    events.Malformed: Service.malformed,
    events.ResponseContentPartAdded: Service.content_part_added,
    events.ResponseContentPartDone: Service.content_part_done,
    events.ResponseCreated: Service.response_created,
    events.ResponseDone: Service.response_done,
    events.ResponseOutputAudioDelta: Service.audio_delta,
    events.ResponseOutputAudioDone: Service.audio_done,
    events.ResponseOutputAudioTranscriptDelta: Service.transcript_delta,
    events.ResponseOutputAudioTranscriptDone: Service.transcript_done,
    events.ResponseOutputItemAdded: Service.output_item_added,
    events.ResponseOutputItemDone: Service.output_item_done,
    events.ResponseOutputTextDelta: Service.text_delta,
    events.ResponseOutputTextDone: Service.text_done,
    events.SessionCreated: Service.session_created,
    events.SessionUpdated: Service.session_updated,
    events.Unknown: Service.unknown,
}
