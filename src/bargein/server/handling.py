"""One session's inputs on their way into its machine, the long ones so that nobody else is held up.

1. The machine has one user at a time. Everything that it does is charged to the session (`pacing`).
2. A long append is decoded and heard in slices (`slicing`). Any other long frame is handled in a
   thread: the loop has the interpreter again between the steps of that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from bargein import events
from bargein.server.longframe import LongFrame, LongReceived
from bargein.server.model.commands import Command, SendEvent
from bargein.server.model.inputs import EventReceived, FrameReceived, Input, PipeClosed
from bargein.server.model.machine import Machine
from bargein.server.pacing import Pace
from bargein.server.slicing import LongAppend
from bargein.units import US_PER_S


class Handling:
    """`perform` does what the machine commands; a frame of text that is longer than `inline_bytes`
    is a long one."""

    def __init__(
        self,
        machine: Machine,
        pace: Pace,
        perform: Callable[[list[Command]], None],
        inline_bytes: int,
    ) -> None:
        self._machine = machine
        self._pace = pace
        self._perform = perform
        self._inline_bytes = inline_bytes
        self._in_thread: asyncio.Future[tuple[list[Command], float]] | None = None

    async def take(self, input: Input | LongReceived) -> None:
        """Handle one input, which may take its time. One caller at a time."""
        match input:
            case LongReceived():
                await self._take_long(input)
            case FrameReceived(frame=str(frame), pipe=pipe) if len(frame) > self._inline_bytes:
                await self._take_long(LongReceived(LongFrame((frame,)), pipe))
            case FrameReceived(frame=bytes(frame)) if len(frame) > self._inline_bytes:
                await self._handle_in_thread(lambda: input)
            case _:
                self.take_now(input)

    def take_now(self, input: Input) -> bool:
        """Handle a short one; whether the session goes on and nothing was refused."""
        with self._pace:
            commands = self._machine.handle(input, now_us=_now_us())
            self._perform(commands)
        return not (self._machine.ended or any(map(_refuses, commands)))

    async def end(self) -> None:
        """Tell the machine that it is over. Its last commands have nobody left to do them."""
        if self._in_thread is not None:
            await asyncio.wait({self._in_thread})  # A thread cannot be cancelled.
        self._machine.handle(PipeClosed(), now_us=_now_us())

    async def _take_long(self, received: LongReceived) -> None:
        frame, pipe = received.frame, received.pipe
        parts = await self._parts_of_append(frame)
        if parts is None:
            await self._handle_in_thread(lambda: FrameReceived(frame.whole(), pipe))
            return
        for event in parts:
            if not self.take_now(EventReceived(event, pipe)):
                return  # One refusal is enough: the buffer is full.
            await self._pace.give_way()

    async def _parts_of_append(
        self, frame: LongFrame
    ) -> Iterator[events.InputAudioBufferAppend] | None:
        """The append in a long frame; None where the machine must see the frame."""
        if len(frame) > self._machine.longest_frame:
            return None
        append = LongAppend(frame)
        while append.is_going_on:
            with self._pace:
                append.decode_on()
            await self._pace.give_way()
        return append.parts(self._machine.slice_bytes)

    async def _handle_in_thread(self, made: Callable[[], Input]) -> None:
        now_us = _now_us()
        work = asyncio.to_thread(
            self._pace.measured, lambda: self._machine.handle(made(), now_us=now_us)
        )
        self._in_thread = asyncio.ensure_future(work)
        commands, used_s = await asyncio.shield(self._in_thread)
        self._in_thread = None
        self._pace.charge(used_s)
        with self._pace:
            self._perform(commands)


def _refuses(command: Command) -> bool:
    return isinstance(command, SendEvent) and isinstance(command.event, events.Error)


def _now_us() -> int:
    return round(asyncio.get_running_loop().time() * US_PER_S)
