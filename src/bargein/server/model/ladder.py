"""One response: the events of its making, in the service's order (protocol.md §4.2 to §4.6).

1. An item opens with `output_item.added`, then `conversation.item.added`; a part with
   `content_part.added`.
2. A part closes with `output_audio.done`, `output_audio_transcript.done` (or `output_text.done`),
   then `content_part.done`; a call with `function_call_arguments.done`; an item with
   `conversation.item.done`, then `output_item.done`.
3. Items close in the order of their output. A message that is open when a call opens stays open
   until the response ends, and the calls behind it wait for it with their closings (protocol.md
   §4.5).
4. A second message closes the first; a second part closes the part before it; a second call the
   call before it.
5. A response that is cut closes all that is open, items as `incomplete` unless they were whole.
6. Out of band there is no `conversation.item.*` (protocol.md §4.10).
7. A score that cannot be played is the engine's fault: `BadScoreError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, assert_never

from bargein import events
from bargein.server.model import closing_parts, score
from bargein.server.model.closing_parts import Place
from bargein.server.model.entries import Entry, Part
from bargein.server.model.memory import Conversation
from bargein.server.model.outbox import Outbox
from bargein.server.model.output_buffer import OutputBuffer
from bargein.units import AudioFormat, us_of_samples


class BadScoreError(Exception):
    """The engine asked for what cannot be said now. Never leaves the machine."""


@dataclass(slots=True, eq=False)
class Output:
    """One item of the response. `whole`: the engine closed it."""

    index: int
    entry: Entry
    whole: bool = False
    closed: bool = False

    @property
    def is_remote(self) -> bool:
        """Whether it is the call of a remote tool."""
        return self.entry.kind == "mcp_call"


@dataclass(slots=True, eq=False)
class Ladder:
    """Plays the actions of a score for one response, apart from its two ends.

    `speaks`: the response may have audio; `phases`: its messages have a `phase`. `conversation` is
    the default one; `in_band` says whether the items belong to it.
    """

    response_id: str
    outbox: Outbox
    conversation: Conversation
    in_band: bool
    speaks: bool
    format: AudioFormat
    phases: bool = False
    output_buffer: OutputBuffer | None = None
    """Of a call: it plays what over WebSocket is sent."""
    outputs: list[Output] = field(default_factory=list)
    has_spoken: bool = False
    called: list[Output] = field(default_factory=list)
    """Remote calls whose arguments are whole, until somebody takes them to be run."""
    _message: Output | None = None
    _part: Part | None = None
    _call: Output | None = None

    @property
    def items(self) -> tuple[events.Item, ...]:
        """The response's `output` as it is now."""
        return tuple(output.entry.shown() for output in self.outputs)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(output.entry for output in self.outputs)

    @property
    def open_part(self) -> Part | None:
        return self._part

    @property
    def open_call(self) -> Entry | None:
        return None if self._call is None else self._call.entry

    @property
    def audio_us(self) -> int:
        """How long the audio sounds that was made."""
        samples = sum(part.made_samples for entry in self.entries for part in entry.parts)
        return us_of_samples(samples, self.format.rate)

    def act(self, action: score.Action) -> None:
        """Do one action. Raises `BadScoreError` and, if an item finds no room, `RefusedError`."""
        match action:
            case score.Sound(audio=audio):
                self._sound(audio)
            case score.SayText(delta=delta):
                self._say(delta)
            case score.Word():
                self._open_part("output_audio").words.append(action)
            case score.OpenMessage(phase=phase):
                self._open_message(phase)
            case score.OpenPart(kind=kind):
                self._begin_part(kind)
            case score.ClosePart():
                self._open_part()
                self._end_part()
            case score.CloseMessage():
                self._end_message()
            case score.OpenCall(name=name, server_label=label):
                if label is None:
                    self._open_call(name)
                else:
                    self._open_remote_call(name, label)
            case score.Arguments(delta=delta):
                self._argue(delta)
            case score.CloseCall():
                self._end_call()
            case score.EndIncomplete() | score.EndFailed() | score.Cost():
                raise BadScoreError("neither an end nor a cost is for the ladder")
            case _:
                assert_never(action)

    def close(self, *, completed: bool) -> None:
        """Close everything that is open, in the order of the output."""
        for output in self.outputs:
            if not output.closed:
                self._close(output, "completed" if completed or output.whole else "incomplete")
        self._message = self._call = None

    def _open_message(self, phase: str | None) -> None:
        if self._message is not None:
            self._end_message()
        entry = Entry(
            id=self.outbox.ids.mint("item"),
            kind="message",
            status="in_progress",
            role="assistant",
            phase=(phase or "final_answer") if self.phases else None,
        )
        self._message = self._open(entry)

    def _open_call(self, name: str) -> None:
        if self._call is not None:
            self._end_call()
        entry = Entry(
            id=self.outbox.ids.mint("item"),
            kind="function_call",
            status="in_progress",
            name=name,
            call_id=self.outbox.ids.mint_call(),
        )
        self._call = self._open(entry)

    def _open_remote_call(self, name: str, server_label: str) -> None:
        if self._call is not None:
            self._end_call()
        if self._message is not None:
            # Its closings cannot wait for the end of the response, which waits for the call.
            self._end_message()
            for output in self.outputs:
                if output.whole and not output.closed and not output.is_remote:
                    self._close(output, "completed")
        entry = Entry(
            id=self.outbox.ids.mint("item"), kind="mcp_call", name=name, server_label=server_label
        )
        self._call = self._open(entry)

    @property
    def waits(self) -> bool:
        """Whether a remote call has no result yet."""
        return any(each.is_remote and each.whole and not each.closed for each in self.outputs)

    def end_open_remote_call(self) -> None:
        """The engine has said all: what it says of a remote call is whole too."""
        if self._call is not None and self._call.is_remote:
            self._end_call()

    def finish(self, output: Output) -> None:
        """A remote call has its result: close its item."""
        self._close(output, "completed")

    def _open(self, entry: Entry) -> Output:
        if self.in_band:
            self.conversation.append(entry, by_model=True)
        output = Output(len(self.outputs), entry)
        self.outputs.append(output)
        outbox = self.outbox
        item = entry.shown()
        outbox.send(
            events.ResponseOutputItemAdded(
                event_id=outbox.event_id(),
                response_id=self.response_id,
                output_index=output.index,
                item=item,
            )
        )
        if self.in_band:
            outbox.send(
                events.ConversationItemAdded(
                    event_id=outbox.event_id(), previous_item_id=entry.previous_id, item=item
                )
            )
        return output

    def _open_part(self, kind: Literal["output_audio"] | None = None) -> Part:
        part = self._part
        if part is None or (kind is not None and part.kind != kind):
            raise BadScoreError(f"there is no open {kind or 'content'} part")
        return part

    def _begin_part(self, kind: Literal["audio", "text"]) -> None:
        if self._message is None:
            raise BadScoreError("a part needs an open message")
        if kind == "audio" and not self.speaks:
            raise BadScoreError("the response's output_modalities are text only")
        if self._part is not None:
            self._end_part()
        entry = self._message.entry
        part = Part("output_audio" if kind == "audio" else "output_text", "", self.format)
        part.sound_let_go = self.conversation.find(entry.id) is not entry
        entry.parts.append(part)
        self._part = part
        self.outbox.send(
            events.ResponseContentPartAdded(
                event_id=self.outbox.event_id(),
                response_id=self.response_id,
                item_id=entry.id,
                output_index=self._message.index,
                content_index=len(entry.parts) - 1,
                part=closing_parts.shown(part),
            )
        )

    def _sound(self, audio: bytes) -> None:
        part = self._open_part("output_audio")
        if not audio or len(audio) % part.format.bytes_per_sample:
            raise BadScoreError(f"{len(audio)} bytes are no whole samples of {part.format.value}")
        assert self._message is not None, "a part is open in a message"
        entry = self._message.entry
        self.conversation.hear(part, audio)
        self.has_spoken = self.in_band
        if self.output_buffer is not None:
            if not self.output_buffer.hear(self.response_id, entry, part, audio):
                raise BadScoreError("it is too far ahead of what is played")
            return
        self.outbox.send(
            events.ResponseOutputAudioDelta(
                event_id=self.outbox.event_id(),
                response_id=self.response_id,
                item_id=entry.id,
                output_index=self._message.index,
                content_index=len(entry.parts) - 1,
                delta=audio,
            )
        )

    def _say(self, delta: str) -> None:
        part = self._open_part()
        assert self._message is not None, "a part is open in a message"
        entry = self._message.entry
        part.text = (part.text or "") + delta
        event = (
            events.ResponseOutputAudioTranscriptDelta
            if part.kind == "output_audio"
            else events.ResponseOutputTextDelta
        )
        self.outbox.send(
            event(
                event_id=self.outbox.event_id(),
                response_id=self.response_id,
                item_id=entry.id,
                output_index=self._message.index,
                content_index=len(entry.parts) - 1,
                delta=delta,
                obfuscation=self.outbox.ids.pad(delta),
            )
        )

    def _argue(self, delta: str) -> None:
        if self._call is None:
            raise BadScoreError("arguments need an open call")
        entry = self._call.entry
        entry.arguments += delta
        if self._call.is_remote:
            self.outbox.send(
                events.ResponseMcpCallArgumentsDelta(
                    event_id=self.outbox.event_id(),
                    response_id=self.response_id,
                    item_id=entry.id,
                    output_index=self._call.index,
                    delta=delta,
                    obfuscation=self.outbox.ids.pad(delta),
                )
            )
            return
        self.outbox.send(
            events.ResponseFunctionCallArgumentsDelta(
                event_id=self.outbox.event_id(),
                response_id=self.response_id,
                item_id=entry.id,
                output_index=self._call.index,
                call_id=entry.call_id,
                delta=delta,
                obfuscation=self.outbox.ids.pad(delta),
            )
        )

    def _end_message(self) -> None:
        if self._message is None:
            raise BadScoreError("there is no open message")
        message, self._message = self._message, None
        message.whole = True
        self._close(message, "completed")

    def _end_call(self) -> None:
        if self._call is None:
            raise BadScoreError("there is no open call")
        call, self._call = self._call, None
        call.whole = True
        if call.is_remote:
            self._tell_remote_arguments(call)
            self.called.append(call)
        elif all(output.closed for output in self.outputs[: call.index]):
            self._close(call, "completed")

    def _close(self, output: Output, status: str) -> None:
        entry = output.entry
        if entry.kind == "message":
            if self._part is not None and entry.parts and entry.parts[-1] is self._part:
                self._end_part(output)
        elif output.is_remote:
            if not output.whole:
                self._tell_remote_arguments(output)
        else:
            self.outbox.send(
                events.ResponseFunctionCallArgumentsDone(
                    event_id=self.outbox.event_id(),
                    response_id=self.response_id,
                    item_id=entry.id,
                    output_index=output.index,
                    call_id=entry.call_id,
                    name=entry.name,
                    arguments=entry.arguments,
                )
            )
        entry.status = status
        output.closed = True
        item = entry.shown()
        if self.in_band:
            self.outbox.send(
                events.ConversationItemDone(
                    event_id=self.outbox.event_id(),
                    previous_item_id=entry.done_previous_id,
                    item=item,
                )
            )
        self.outbox.send(
            events.ResponseOutputItemDone(
                event_id=self.outbox.event_id(),
                response_id=self.response_id,
                output_index=output.index,
                item=item,
            )
        )

    def _tell_remote_arguments(self, call: Output) -> None:
        self.outbox.send(
            events.ResponseMcpCallArgumentsDone(
                event_id=self.outbox.event_id(),
                response_id=self.response_id,
                item_id=call.entry.id,
                output_index=call.index,
                arguments=call.entry.arguments,
            )
        )

    def _end_part(self, output: Output | None = None) -> None:
        output = output or self._message
        part, self._part = self._part, None
        assert part is not None and output is not None, "the caller saw an open part"
        part.closed = True
        if self.output_buffer is not None:
            self.output_buffer.closed()
        place = Place(self.response_id, output.entry.id, output.index, len(output.entry.parts) - 1)
        closing_parts.tell(self.outbox, part, place)
