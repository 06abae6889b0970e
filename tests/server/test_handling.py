"""Long frames on their way into the machine: in pieces, in their place, and charged."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from tests.virtual_loop import run

from bargein import events
from bargein.server.handling import Handling
from bargein.server.longframe import LongFrame, LongReceived
from bargein.server.model.commands import Command, SendEvent
from bargein.server.model.ids import Ids
from bargein.server.model.inputs import FrameReceived, Opened
from bargein.server.model.machine import Machine
from bargein.server.model.options import Limits, Options
from bargein.server.model.vad import EnergyVad
from bargein.server.pacing import Pace

SECOND = bytes(48_000)
APPEND = "input_audio_buffer.append"


class Room:
    """A machine that is open, and what it says. `steps` counts what it was given."""

    def __init__(self, **limits: int) -> None:
        self.machine = Machine(
            ids=Ids(lambda: 7), detector=EnergyVad(), options=Options(limits=Limits(**limits))
        )
        self.pace = Pace()
        self.steps = 0
        self.said: list[events.ServerEvent] = []
        self.handling = Handling(self.machine, self.pace, self._perform, 8_192)
        self.handling.take_now(Opened("gpt-realtime", 0))

    def _perform(self, commands: list[Command]) -> None:
        self.steps += 1
        self.said += [each.event for each in commands if isinstance(each, SendEvent)]

    async def take(self, type: str, *, blocks: int = 1, pipe: int = 0, **fields: Any) -> None:
        text = json.dumps({"type": type, **fields})
        size = -(-len(text) // blocks)
        if blocks == 1:
            await self.handling.take(FrameReceived(text, pipe))
        else:
            cut = [text[at : at + size] for at in range(0, len(text), size)]
            await self.handling.take(LongReceived(LongFrame(cut), pipe))

    @property
    def errors(self) -> list[events.ErrorBody]:
        return [each.error for each in self.said if isinstance(each, events.Error)]


def audio(sound: bytes) -> str:
    return base64.b64encode(sound).decode()


@pytest.mark.parametrize("blocks", [1, 3])
def test_a_long_append_is_heard_in_slices_between_which_the_loop_is_everybody_s(
    blocks: int,
) -> None:
    async def scenario() -> tuple[int, int, int]:
        room, others = Room(), 0

        async def beside() -> None:
            nonlocal others
            while True:
                await asyncio.sleep(0)
                others += 1

        task = asyncio.create_task(beside())
        await room.take(APPEND, blocks=blocks, audio=audio(SECOND))
        task.cancel()
        return room.steps, others, len(room.errors)

    steps, others, errors = run(scenario())
    assert steps > 30 and others >= steps - 2 and not errors


def test_a_long_append_without_turn_detection_is_one() -> None:
    async def scenario() -> int:
        room = Room()
        off = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        await room.take("session.update", session=off)
        before = room.steps
        await room.take(APPEND, blocks=3, audio=audio(SECOND))
        assert not room.errors
        return room.steps - before

    assert run(scenario()) == 1


@pytest.mark.parametrize("blocks", [1, 3])
def test_any_other_long_frame_is_handled_as_it_is(blocks: int) -> None:
    async def scenario() -> None:
        room = Room()
        item = {"id": "x", "type": "message", "role": "user"}
        content = [{"type": "input_text", "text": "y" * 20_000}]
        item_now = {**item, "content": content}
        await room.take("conversation.item.create", blocks=blocks, item=item_now)
        await room.take(APPEND, blocks=blocks, audio=audio(SECOND) + "?", event_id="bad")
        assert [each.id for each in room.machine.memory] == ["x"]
        (error,) = room.errors
        assert error.event_id == "bad"

    run(scenario())


def test_a_buffer_that_is_full_is_told_once() -> None:
    async def scenario() -> None:
        room = Room(input_buffer_bytes=60_000)
        loud = (b"\x00\x40" * 30 + b"\x00\xc0" * 30) * 1_200
        await room.take(APPEND, blocks=3, audio=audio(loud), event_id="mine")
        (error,) = room.errors
        assert error.event_id == "mine"

    run(scenario())


def test_a_frame_beyond_the_limit_is_refused_and_not_decoded() -> None:
    async def scenario() -> None:
        room = Room(frame_bytes=30_000)
        await room.take(APPEND, blocks=3, audio=audio(SECOND))
        (error,) = room.errors
        assert "30000" in error.message

    run(scenario())


def test_the_end_is_told_to_the_machine() -> None:
    async def scenario() -> bool:
        room = Room()
        await room.handling.end()
        return room.machine.ended

    assert run(scenario())
