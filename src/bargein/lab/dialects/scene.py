"""One interruption, lived through by the client's machine with a server that is as told. Pure."""

from __future__ import annotations

import base64
import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core import asks, inputs
from bargein.core.commands import Command, Notify, Send, StopPlayback
from bargein.core.machine import Machine
from bargein.core.notices import InterruptionSettled
from bargein.core.settings import Settings
from bargein.events import dialect

_SENT_MS, _HEARD_MS = 1_020, 1_010
_SAMPLES_PER_MS = 24
_LATE_US = 20_000_000
_ITEMS = ("A", "B")


@dataclass(frozen=True, slots=True)
class Effect:
    """One interruption, as the application and the server saw it."""

    sent: tuple[str, ...]
    refused: int
    told: str
    waited_ms: int

    def __str__(self) -> str:
        sent = ", ".join(self.sent) or "nothing"
        refused = f"; {self.refused} refused" if self.refused else ""
        after = f" after {self.waited_ms / 1_000:g} s" if self.waited_ms else " at once"
        return f"{sent}{refused}; {self.told}{after}"


class _Scene:
    """A service that is as `can` says, and the client's machine before it. A reply of two items is
    being made: almost all that came of A was heard, nothing of B."""

    def __init__(self, can: Capabilities, *, known: bool) -> None:
        self._can = can
        self._machine = Machine(Settings())
        self._now_us = 0
        self._coming: deque[inputs.Input] = deque()
        self._sent: list[str] = []
        self._refused = 0
        self._end: InterruptionSettled | None = None
        self._over = False
        self._happens(inputs.PipeOpened(can if known else Capabilities()))
        told_to = can.interrupts != "always"
        detection = {"type": "server_vad", "interrupt_response": told_to}
        session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        self._says("session.created", session=session)
        self._says("response.created", response=_response("in_progress"))
        for item_id in _ITEMS:
            item = _item(item_id, "in_progress")
            self._says("conversation.item.added", item=item, previous_item_id=None)
            self._says("response.output_item.added", item=item, **_PLACE)
            audio = base64.b64encode(bytes(2 * _SAMPLES_PER_MS * _SENT_MS)).decode()
            where = {**_PLACE, "item_id": item_id, "content_index": 0}
            self._says("response.output_audio.delta", delta=audio, **where)

    def talked_over(self) -> Effect:
        """The user speaks over it."""
        self._coming.append(
            _event("input_audio_buffer.speech_started", audio_start_ms=0, item_id="U")
        )
        if self._can.interrupts != "never":
            self._close_out("cancelled")
        self._go_on()
        return self._effect()

    def stopped(self) -> Effect:
        """The application asks for silence."""
        self._happens(inputs.Asked(1, asks.Interrupt()))
        return self._effect()

    def _effect(self) -> Effect:
        """Let time pass until the record is closed."""
        while self._end is None and (due_us := self._machine.deadline_us) is not None:
            assert due_us < _LATE_US, "every wait has its end"
            if not self._can.cancel and not self._over:
                # Nobody ended it, so it is made to its end.
                self._close_out("completed")
                self._go_on()
                continue
            self._now_us = due_us
            self._happens(inputs.Tick())
        assert self._end is not None, "every cut has its record"
        answers = ", ".join(f"{part.item_id} {part.answer}" for part in self._end.parts)
        told = f"{self._end.exactness} ({answers})"
        waited_ms = self._end.settle_latency_us // 1_000
        return Effect(tuple(self._sent), self._refused, told, waited_ms)

    def _happens(self, happened: inputs.Input) -> None:
        self._coming.append(happened)
        self._go_on()

    def _go_on(self) -> None:
        while self._coming:
            happened = self._coming.popleft()
            for command in self._machine.handle(happened, now_us=self._now_us):
                self._do(command)

    def _do(self, command: Command) -> None:
        match command:
            case Notify(notice=InterruptionSettled() as end):
                self._end = end
            case StopPlayback(cut_id=cut_id):
                part = inputs.Part("r", "A", 0)
                heard = inputs.Heard(part, _HEARD_MS * _SAMPLES_PER_MS)
                self._coming.appendleft(inputs.PlaybackStopped(cut_id, (heard,), 0))
            case Send(event=event):
                self._answer(event)
            case _:
                pass

    def _answer(self, event: events.ClientEvent) -> None:
        name = events.type_of(event).rpartition(".")[2]
        match event:
            case events.ResponseCancel():
                self._sent.append(name)
                if self._over:
                    self._refuse("response_cancel_not_active", "Cancellation failed", event)
                elif self._can.cancel:
                    self._close_out("cancelled")
                else:
                    self._refuse("unknown_event", "There is no such event.", event)
            case events.ConversationItemTruncate():
                self._sent.append(f"{name} {event.item_id} to {event.audio_end_ms}")
                self._truncate(event)
            case events.ConversationItemDelete():
                self._sent.append(f"{name} {event.item_id}")
                if not self._can.delete:
                    self._refuse("unknown_event", "There is no such event.", event)
                elif self._can.acknowledges:
                    self._says_next("conversation.item.deleted", item_id=event.item_id)
            case _:
                pass

    def _truncate(self, event: events.ConversationItemTruncate) -> None:
        has_ms = _SENT_MS // self._can.lengths_grid_ms * self._can.lengths_grid_ms
        if not self._can.truncate:
            self._refuse("unknown_event", "There is no such event.", event)
        elif event.audio_end_ms > has_ms:
            words = f"Audio content of {has_ms}ms is already shorter than {event.audio_end_ms}ms"
            self._refuse("invalid_value", words, event)
        elif self._can.acknowledges:
            same = {name: getattr(event, name) for name in ("item_id", "content_index")}
            self._says_next("conversation.item.truncated", audio_end_ms=event.audio_end_ms, **same)

    def _refuse(self, code: str, message: str, event: events.ClientEvent) -> None:
        self._refused += 1
        self._says_next(
            "error",
            error={
                "type": "invalid_request_error",
                "code": code,
                "message": message,
                "param": None,
                "event_id": event.event_id,
            },
        )

    def _close_out(self, status: str) -> None:
        self._over = True
        ended = "incomplete" if status == "cancelled" else "completed"
        for item_id in _ITEMS:
            item = _item(item_id, ended)
            self._says_next("conversation.item.done", item=item, previous_item_id=None)
        self._says_next("response.done", response=_response(status))

    def _says(self, name: str, **fields: Any) -> None:
        self._happens(_event(name, **fields))

    def _says_next(self, name: str, **fields: Any) -> None:
        self._coming.append(_event(name, **fields))


_PLACE = {"response_id": "r", "output_index": 0}


def _event(name: str, **fields: Any) -> inputs.Received:
    frame = json.dumps({"type": name, "event_id": "e", **fields})
    return inputs.Received(dialect.decode_server(frame))


def _response(status: str) -> dict[str, Any]:
    return {"id": "r", "status": status, "output": [], "conversation_id": "c", "metadata": None}


def _item(item_id: str, status: str) -> dict[str, Any]:
    return {
        "id": item_id,
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [],
    }


def effects(can: Capabilities, *, known: bool) -> tuple[Effect, Effect]:
    """The user talks over a reply; the application stops one. `known`: the client was told."""
    return _Scene(can, known=known).talked_over(), _Scene(can, known=known).stopped()
