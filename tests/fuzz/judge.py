"""A server's machine under watch: after each input it is seen whether a promise was broken.

1. `handle` never raises, and its deadline is never in the past.
2. Each response that was created is done once, in a legal order (`ladders`); the engine that was
   started for it is told to stop, or has made its last.
3. What a client asks for is answered once: done, or refused with its `event_id`.
4. The order of the conversation is the one that `previous_item_id` tells.
5. What is held is bounded, and counted rightly.
6. After the end nothing happens.
7. Whatever is sent can be encoded, decodes to itself, has an id of its own, and survives the way
   to the beta dialect and back, but for what beta does not have.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace
from tests.fuzz.ladders import Ladders

from bargein import events
from bargein.events import dialect as dialects
from bargein.events.dialect import Dialect
from bargein.server.model import commands, inputs
from bargein.server.model.ids import Ids
from bargein.server.model.machine import Machine
from bargein.server.model.options import Limits, Options
from bargein.server.model.rules import RULES
from bargein.server.model.vad import EnergyVad

LIMITS = Limits(
    frame_bytes=60_000,
    input_buffer_bytes=40_000,
    silence_kept_ms=100,
    kept_audio_bytes=30_000,
    items=12,
    responses=3,
    waiting_steps=60,
    waiting_events=6,
    waiting_bytes=20_000,
)
MAX_APPEND_BYTES = 32_000
"""The longest sound that a story sends at once: under turn detection a buffer that holds silence
takes it whole before it forgets."""
WALL_TIME_S = 1_785_457_327

ANSWERS = {
    "session.update": "session.updated",
    "input_audio_buffer.commit": "input_audio_buffer.committed",
    "input_audio_buffer.clear": "input_audio_buffer.cleared",
    "conversation.item.create": "conversation.item.added",
    "conversation.item.truncate": "conversation.item.truncated",
    "conversation.item.delete": "conversation.item.deleted",
    "conversation.item.retrieve": "conversation.item.retrieved",
    "response.create": "response.created",
    "response.cancel": "response.done",
}
UNNAMED = {rule.code for rule in RULES.values() if not rule.names_event}
"""Codes of refusals that do not name the event."""

Event = dict[str, Any]


class Judge:
    """Gives inputs to a machine and judges what it does. Raises AssertionError."""

    def __init__(
        self, options: Options, model: str = "gpt-realtime", dialect: Dialect = "ga"
    ) -> None:
        self.options = options
        self.beta = dialect == "beta"
        self.now_us = 0
        self.machine = Machine(
            ids=Ids(itertools.count(1).__next__), detector=EnergyVad(), options=options
        )
        self.ladders = Ladders()
        self.order: list[str] = []
        self.item_ids: list[str] = []
        self.call_ids: list[str] = []
        self.engines: dict[str, bool] = {}
        """By response: whether its engine still works."""
        self.listing: dict[str, bool] = {}
        self.calling: dict[str, bool] = {}
        """By item: whether an MCP server's answer about it is waited for."""
        self.approval_ids: list[str] = []
        self.ended = False
        self._event_ids: set[str] = set()
        self._done_items: set[str] = set()
        self.give(inputs.Opened(model, WALL_TIME_S, dialect=dialect))

    @property
    def at_once(self) -> bool:
        """Whether the answer to an event comes with it."""
        return self.options.processing_us == 0

    def give(self, input: inputs.Input) -> list[Event]:
        """One input; what was sent because of it."""
        was_over = self.ended
        done = self.machine.handle(input, now_us=self.now_us)
        sent = [self._see(command) for command in done]
        told = [event for event in sent if event is not None]
        assert not (was_over and done), f"behind the end: {done}"
        self.ended = self.machine.ended
        deadline_us = self.machine.deadline_us
        assert deadline_us is None or deadline_us > self.now_us, "a deadline in the past"
        if self.ended:
            assert deadline_us is None
            assert self.machine.running_response_ids == ()
            assert not any((self.listing | self.calling).values()), "an MCP server is still asked"
        else:
            self._check_state()
        return told

    def wait(self, us: int) -> None:
        """Let time pass, with a tick at each deadline."""
        end_us = self.now_us + us
        while (due_us := self.machine.deadline_us) is not None and due_us <= end_us:
            self.now_us = due_us
            self.give(inputs.Tick())
        self.now_us = end_us

    def frame(self, frame: str | bytes) -> list[Event]:
        """A frame of the client's; it is answered once."""
        over = self.ended
        sent = self.give(inputs.FrameReceived(frame))
        if self.at_once and not over and not self.ended:
            self._check_answer(frame, sent)
        return sent

    def finish(self) -> None:
        """The engines end, MCP servers answer, time passes, and every response is done."""
        whole = set(self.engines)
        for response_id in sorted(whole):
            self.produced(inputs.Produced(response_id, (), True))
        self.wait(120_000_000)
        while waiting := [each for each, asked in (self.listing | self.calling).items() if asked]:
            for item_id in waiting:
                known = item_id in self.listing
                self.remote_told(
                    inputs.ToolsListed(item_id, None)
                    if known
                    else inputs.ToolReturned(item_id, "seen")
                )
            self.wait(120_000_000)
        if self.approval_ids and not self.ended:  # One that waits for consent waits for ever.
            for response_id in sorted(whole & set(self.ladders.open)):
                self.frame(json.dumps({"type": "response.cancel", "response_id": response_id}))
            self.wait(120_000_000)
        # While it waited, the silence may have been answered with a response.
        assert self.ended or not whole & set(self.ladders.open), "a response without an end"
        if not self.ended:
            self.give(inputs.PipeClosed())
        assert not any(self.engines.values()), "an engine still works"
        self.give(inputs.Tick())

    def _see(self, command: commands.Command) -> Event | None:
        if isinstance(command, commands.SendEvent):
            return self._sent(command.event)
        if isinstance(command, commands.StartEngine):
            assert command.response_id in self.ladders.open
            assert command.response_id not in self.engines, "started twice, or behind its end"
            self.engines[command.response_id] = True
        elif isinstance(command, commands.StopEngine):
            # One that waits for an MCP server's tools has none yet.
            assert self.engines.get(command.response_id, True), "stopped twice"
            self.engines[command.response_id] = False
        elif isinstance(command, commands.ListTools | commands.CallTool):
            asked = self.listing if isinstance(command, commands.ListTools) else self.calling
            assert command.item_id not in self.listing | self.calling, "asked twice"
            asked[command.item_id] = True
        elif isinstance(command, commands.StopRemote):
            asked = self.listing if command.item_id in self.listing else self.calling
            assert asked[command.item_id], "what is not asked is not stopped"
            asked[command.item_id] = False
        elif isinstance(command, commands.ClosePipe):
            assert self.machine.ended
        return None

    def remote_told(self, input: inputs.ToolsListed | inputs.ToolReturned) -> None:
        """An MCP server answers; behind that there is nothing to stop."""
        self.give(input)
        asked = self.listing if isinstance(input, inputs.ToolsListed) else self.calling
        if input.item_id in asked:
            asked[input.item_id] = False

    def produced(self, input: inputs.Produced) -> None:
        """The engine gives more of a response; behind its last there is nothing to stop."""
        known = input.response_id in self.engines
        self.give(input)
        if known and input.final:
            self.engines[input.response_id] = False

    def _sent(self, event: events.ServerEvent) -> Event:
        frame = events.encode(event)
        assert events.decode_server(frame) == event
        _check_beta(event)
        told: Event = json.loads(frame)
        assert told["event_id"] not in self._event_ids, "an id twice"
        self._event_ids.add(told["event_id"])
        self.ladders.see(told)
        match told["type"]:
            case "conversation.item.added":
                self._added(told["item"], told["previous_item_id"])
            case "conversation.item.done":
                item_id = told["item"]["id"]
                assert item_id in self.item_ids and item_id not in self._done_items
                self._done_items.add(item_id)
            case "conversation.item.deleted":
                self.order.remove(told["item_id"])
                # The id may be given to another item from now on.
                self._done_items.discard(told["item_id"])
            case _:
                pass
        return told

    def _added(self, item: Event, previous_id: str | None) -> None:
        assert item["id"] not in self.order, "an item twice"
        at = 0 if previous_id is None else self.order.index(previous_id) + 1
        self.order.insert(at, item["id"])
        if item["id"] not in self.item_ids:
            self.item_ids.append(item["id"])
        if item["type"] == "mcp_approval_request":
            self.approval_ids.append(item["id"])
        if item["type"] == "function_call":
            self.call_ids.append(item["call_id"])

    def _check_state(self) -> None:
        desk = self.machine._desk
        assert desk is not None
        entries = list(desk.conversation)
        assert [entry.id for entry in entries] == self.order
        assert len(entries) <= LIMITS.items
        held = sum(len(chunk) for entry in entries for part in entry.parts for chunk in part.chunks)
        assert held == desk.conversation._sound_bytes <= LIMITS.kept_audio_bytes
        for entry in entries:
            for part in entry.parts:
                assert 0 <= part.kept_samples <= part.made_samples
                if part.truncated:
                    assert part.remembered_text() is None
        assert desk.listening.held_bytes <= LIMITS.input_buffer_bytes + MAX_APPEND_BYTES
        assert desk.listening.held_bytes == sum(map(len, desk.listening._buffer._chunks))
        assert set(self.machine.running_response_ids) == set(self.ladders.open)
        assert len(self.ladders.open) <= LIMITS.responses
        assert len(self.machine._waiting) <= LIMITS.waiting_events

    def _check_answer(self, frame: str | bytes, sent: list[Event]) -> None:
        errors = [event["error"] for event in sent if event["type"] == "error"]
        try:
            asked = json.loads(frame) if isinstance(frame, str) else None
        except (ValueError, RecursionError):
            asked = None
        name = asked.get("type") if isinstance(asked, dict) else None
        event_id = asked.get("event_id") if isinstance(asked, dict) else None
        own_id = event_id if isinstance(event_id, str) and len(event_id) <= 512 else None
        named = [error for error in errors if error["event_id"] is not None]
        assert all(error["event_id"] == own_id for error in named)
        assert len(named) <= 1, "refused twice"
        if name == "input_audio_buffer.append":
            return  # It is not acknowledged, and what is heard in it may be refused.
        answer = ANSWERS.get(name) if isinstance(name, str) else None
        done = sum(1 for event in sent if event["type"] == answer)
        assert done + len(errors) == 1, f"{name} was answered {done} times and {errors}"
        for error in errors:
            assert error["code"] is not None or self.beta, "a fault of the server's own"
            assert error["event_id"] is not None or own_id is None or error["code"] in UNNAMED


def _check_beta(event: events.ServerEvent) -> None:
    frame = dialects.encode_server(event)
    if isinstance(event, events.ConversationItemDone):
        assert frame is None
        return
    assert frame is not None
    back = dialects.decode_server(frame)
    if isinstance(event, events.ResponseFunctionCallArgumentsDone):
        assert isinstance(back, events.ResponseFunctionCallArgumentsDone)
        back = replace(back, name=event.name, extra=UNSET)
    elif hasattr(event, "obfuscation"):
        event = replace(event, obfuscation=UNSET)
    assert back == event
