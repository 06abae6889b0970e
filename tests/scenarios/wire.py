"""Everything the service can say to a machine, in sentences; `rig.Talk` adds the other parties."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from tests.scenarios.watch import Watch

from bargein import events
from bargein.core import commands, inputs
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.units import AudioFormat

C = TypeVar("C")

SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "prefix_padding_ms": 300,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD: dict[str, Any] = {
    "type": "semantic_vad",
    "create_response": True,
    "interrupt_response": True,
}
FALSE_VAD: dict[str, Any] = {
    **SERVER_VAD,
    "create_response": False,
    "interrupt_response": False,
}
"""Turn detection that only tells: it neither cancels nor answers."""


class Wire:
    """A machine, and the service's end of its pipe. `turns` is the turn detection in effect."""

    def __init__(
        self, turns: dict[str, Any] | None, audio: AudioFormat, settings: Settings
    ) -> None:
        self.machine = Machine(settings)
        self.turns = turns
        self.audio = audio
        self.now_us = 1_000_000
        self.inputs: list[tuple[int, inputs.Input]] = []
        self.commands: list[commands.Command] = []
        self.watch = Watch()
        self._events = 0
        self._response = ""
        self._item_response: dict[str, str] = {}
        self._statuses: dict[str, str] = {}
        self._last_item: str | None = None
        self._answered: set[str] = set()

    def give(self, happened: inputs.Input) -> list[commands.Command]:
        """Any input, now. Returns its commands."""
        self.inputs.append((self.now_us, happened))
        self.watch.input(happened)
        done = self.machine.handle(happened, now_us=self.now_us)
        for command in done:
            self.watch.command(command)
        self.commands += done
        deadline_us = self.machine.deadline_us
        assert deadline_us is None or deadline_us > self.now_us, "a deadline is never in the past"
        return done

    def receive(self, type: str, **fields: Any) -> list[commands.Command]:
        """An event of the service, through the codec."""
        self._events += 1
        frame = {"type": type, "event_id": f"event_{self._events}", **fields}
        return self.give(inputs.Received(events.decode_server(json.dumps(frame))))

    def events_sent(self, kind: type[C]) -> list[C]:
        """All events of the kind that were sent so far."""
        return [
            command.event
            for command in self.commands
            if isinstance(command, commands.Send) and isinstance(command.event, kind)
        ]

    def session(self, turns: dict[str, Any] | str | None = "") -> dict[str, Any]:
        """The effective session, as the service shows it."""
        wire = {"type": self.audio.value, "rate": self.audio.rate}
        turns = self.turns if turns == "" else turns
        return {
            "type": "realtime",
            "id": "sess_1",
            "audio": {
                "input": {"format": wire, "turn_detection": turns},
                "output": {"format": wire},
            },
        }

    def response(self, response_id: str, **fields: Any) -> None:
        """`response.created`, of the service's own."""
        self._response = response_id
        body: dict[str, Any] = {"id": response_id, "status": "in_progress", "output": []}
        body |= {"conversation_id": "conv_1", "metadata": None} | fields
        self.receive("response.created", response=body)

    def answer_create(self, response_id: str, **fields: Any) -> None:
        """`response.created` that answers our oldest unanswered `response.create`."""
        event = next(
            event
            for event in self.events_sent(events.ResponseCreate)
            if event.event_id not in self._answered
        )
        assert isinstance(event.response, events.ResponseParams)
        self._answered.add(str(event.event_id))
        if event.response.conversation == "none":
            fields = {"conversation_id": None} | fields
        self.response(response_id, **({"metadata": event.response.metadata} | fields))

    def item(
        self, item_id: str, response_id: str = "", *, held: bool = True, **fields: Any
    ) -> None:
        """An assistant message is begun; `held`: the conversation has it too."""
        response_id = response_id or self._response
        self._item_response[item_id] = response_id
        self._statuses[item_id] = "in_progress"
        item = self._item(item_id)
        previous = fields.pop("previous_item_id", self._last_item)
        self.receive(
            "response.output_item.added", response_id=response_id, output_index=0, item=item
        )
        if held:
            self.receive("conversation.item.added", previous_item_id=previous, item=item)
            self._last_item = item_id

    def _item(self, item_id: str, content: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
        return {
            "id": item_id,
            "type": "message",
            "role": "assistant",
            "status": self._statuses.get(item_id, "completed"),
            "content": list(content),
        }

    def _place(self, item_id: str, index: int) -> dict[str, Any]:
        return {
            "response_id": self._item_response[item_id],
            "item_id": item_id,
            "output_index": 0,
            "content_index": index,
        }

    def part(self, item_id: str, index: int = 0, kind: str = "audio") -> None:
        """`response.content_part.added`."""
        part = (
            {"type": "audio", "transcript": ""} if kind == "audio" else {"type": kind, "text": ""}
        )
        self.receive("response.content_part.added", **self._place(item_id, index), part=part)

    def delta(self, item_id: str, ms: float = 0, index: int = 0, *, samples: int = 0) -> None:
        """Sound of a part, in the session's output format."""
        count = samples or round(ms * self.audio.rate / 1_000)
        sound = events.encode(
            events.ResponseOutputAudioDelta(
                event_id="event_delta",
                delta=bytes(count * self.audio.bytes_per_sample),
                **self._place(item_id, index),
            )
        )
        self.give(inputs.Received(events.decode_server(sound)))

    def words(self, item_id: str, text: str, index: int = 0) -> None:
        """A piece of the transcript."""
        self.receive(
            "response.output_audio_transcript.delta", **self._place(item_id, index), delta=text
        )

    def all_words(self, item_id: str, text: str, index: int = 0) -> None:
        """The whole transcript."""
        self.receive(
            "response.output_audio_transcript.done", **self._place(item_id, index), transcript=text
        )

    def text(self, item_id: str, text: str, index: int = 0) -> None:
        """A piece of a text part."""
        self.receive("response.output_text.delta", **self._place(item_id, index), delta=text)

    def audio_done(self, item_id: str, index: int = 0) -> None:
        """`response.output_audio.done`."""
        self.receive("response.output_audio.done", **self._place(item_id, index))

    def item_done(self, item_id: str, status: str = "completed") -> None:
        """The item is whole, or was given up."""
        self._statuses[item_id] = status
        item = self._item(item_id)
        self.receive("conversation.item.done", previous_item_id=None, item=item)
        self.receive(
            "response.output_item.done",
            response_id=self._item_response[item_id],
            output_index=0,
            item=item,
        )

    def response_done(
        self, response_id: str = "", status: str = "completed", reason: str | None = None
    ) -> None:
        """`response.done` alone."""
        response_id = response_id or self._response
        details = {"type": status, "reason": reason} if reason else None
        items = [item for item, owner in self._item_response.items() if owner == response_id]
        body = {
            "id": response_id,
            "status": status,
            "status_details": details,
            "output": [self._item(item) for item in items],
            "conversation_id": "conv_1",
        }
        self.receive("response.done", response=body)

    def done(self, response_id: str = "", status: str = "completed", reason: str = "") -> None:
        """The end of a response in the order of the wire: its open items, then itself."""
        response_id = response_id or self._response
        for item_id, owner in self._item_response.items():
            if owner == response_id and self._statuses[item_id] == "in_progress":
                self.audio_done(item_id)
                self.item_done(item_id, "completed" if status == "completed" else "incomplete")
        self.response_done(response_id, status, reason or None)

    def cancelled(self, response_id: str = "", reason: str = "turn_detected") -> None:
        """The end of a response that was cancelled."""
        self.done(response_id, "cancelled", reason)

    def truncated(self, item_id: str, ms: int, index: int = 0) -> None:
        """The service's word on a truncate."""
        self.receive(
            "conversation.item.truncated", item_id=item_id, content_index=index, audio_end_ms=ms
        )

    def deleted(self, item_id: str) -> None:
        """The service's word on a delete."""
        self.receive("conversation.item.deleted", item_id=item_id)

    def agree(self) -> None:
        """The service acknowledges every truncate and delete that it has not answered yet."""
        for event in self.events_sent(events.ConversationItemTruncate):
            if event.event_id not in self._answered:
                self._answered.add(str(event.event_id))
                self.truncated(event.item_id, event.audio_end_ms, event.content_index)
        for gone in self.events_sent(events.ConversationItemDelete):
            if gone.event_id not in self._answered:
                self._answered.add(str(gone.event_id))
                self.deleted(gone.item_id)

    def refuse(
        self,
        kind: type[events.ClientEvent] | None,
        message: str,
        code: str | None = None,
        *,
        named: bool = True,
        type: str = "invalid_request_error",
        param: str | None = None,
    ) -> None:
        """An `error` about our latest event of the kind; `named`: it says which."""
        event_id = None
        if kind is not None:
            event_id = self.events_sent(kind)[-1].event_id
            self._answered.add(str(event_id))
        body = {
            "type": type,
            "code": code,
            "message": message,
            "param": param,
            "event_id": event_id if named else None,
        }
        self.receive("error", error=body)

    def refuse_as_shorter(self, has_ms: int, *, named: bool = False) -> None:
        """The refusal of the latest truncate, word for word; the service names no event in it."""
        asked_ms = self.events_sent(events.ConversationItemTruncate)[-1].audio_end_ms
        self.refuse(
            events.ConversationItemTruncate,
            f"Audio content of {has_ms}ms is already shorter than {asked_ms}ms",
            "invalid_value",
            named=named,
        )

    def refuse_as_not_audio(self, *, named: bool = True) -> None:
        """The truncate's item has no audio part as yet."""
        self.refuse(
            events.ConversationItemTruncate,
            "Only model output audio messages can be truncated",
            "unsupported_content_type",
            named=named,
        )

    def refuse_the_cancel(self, *, named: bool = True) -> None:
        """The response had ended."""
        self.refuse(
            events.ResponseCancel,
            "Cancellation failed: no active response found",
            "response_cancel_not_active",
            named=named,
        )

    def refuse_as_active(self, active: str, *, ours: bool = True) -> None:
        """A response is active: our latest create, or the service's own for a turn, is refused."""
        self.refuse(
            events.ResponseCreate if ours else None,
            f"Conversation already has an active response in progress: {active}. "
            "Wait until the response is finished before creating a new one.",
            "conversation_already_has_active_response",
            named=ours,
        )

    # Function calls.

    def call(
        self,
        call_id: str = "c1",
        name: str = "weather",
        arguments: str = "{}",
        *,
        response_id: str = "",
        status: str = "completed",
        held: bool = True,
    ) -> dict[str, Any]:
        """A call of the response is whole, as `output_item.done` says; `held`: the conversation has
        it too. Its item's id is that of the call, in capitals."""
        item = {
            "id": call_id.upper(),
            "type": "function_call",
            "status": status,
            "name": name,
            "call_id": call_id,
            "arguments": arguments,
        }
        if held:
            begun = item | {"status": "in_progress", "arguments": ""}
            previous = self._last_item
            self.receive("conversation.item.added", previous_item_id=previous, item=begun)
            self._last_item = call_id.upper()
        self.receive(
            "response.output_item.done",
            response_id=response_id or self._response,
            output_index=0,
            item=item,
        )
        return item

    def take_items(self) -> None:
        """The service adds every item of ours that it has not answered yet."""
        for event in self.events_sent(events.ConversationItemCreate):
            if event.event_id not in self._answered:
                self._answered.add(str(event.event_id))
                item = json.loads(events.encode(event))["item"]
                place = event.previous_item_id
                previous = None if place == "root" else place
                if not isinstance(place, str):
                    previous, self._last_item = self._last_item, str(event.item.id)
                self.receive("conversation.item.added", previous_item_id=previous, item=item)
                self.receive("conversation.item.done", previous_item_id=previous, item=item)

    # The user, by the service's word.

    def speech_started(self, item_id: str = "U1", at_ms: int = 1_000) -> None:
        """The service hears speech."""
        self.receive("input_audio_buffer.speech_started", audio_start_ms=at_ms, item_id=item_id)

    def speech_ended(self, item_id: str = "U1", at_ms: int = 2_000) -> None:
        """`speech_stopped`, the commit and the user's item."""
        self.receive("input_audio_buffer.speech_stopped", audio_end_ms=at_ms, item_id=item_id)
        self.receive(
            "input_audio_buffer.committed", previous_item_id=self._last_item, item_id=item_id
        )
        self.user_item(item_id)

    def user_item(self, item_id: str, previous: str | None = "", text: str | None = None) -> None:
        """The service holds an item of the user's."""
        content = (
            {"type": "input_audio", "transcript": None}
            if text is None
            else {"type": "input_text", "text": text}
        )
        item = {
            "id": item_id,
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [content],
        }
        previous = self._last_item if previous == "" else previous
        self.receive("conversation.item.added", previous_item_id=previous, item=item)
        self.receive("conversation.item.done", previous_item_id=previous, item=item)
        self._last_item = item_id
