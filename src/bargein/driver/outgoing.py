"""The frames on their way into the pipe, and the one task that writes them.

1. Frames leave in the order they were put; a close comes behind all that was put before it. Where
   nothing waits and the pipe can, a frame is written at once: a task switch for each would cost as
   much as the writing.
2. What waits is bounded by whoever puts: above `limit_characters` it is told to stop, and told to
   go on when all is written.
3. A pipe that takes no frame within `send_s` is closed as lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from bargein.core.commands import Close
from bargein.errors import TransportError
from bargein.transports.base import Pipe, PromptPipe


@dataclass(frozen=True, slots=True)
class _Begun:
    """A frame that the pipe has begun to write; `rest` is what is left of it."""

    rest: Coroutine[Any, Any, None]
    characters: int


class Outgoing:
    """A queue and its writer; `run` is the task's body and has one owner."""

    def __init__(
        self,
        pipe: Pipe,
        *,
        limit_characters: int,
        send_s: float,
        blocked: Callable[[], None],
        drained: Callable[[], None],
    ) -> None:
        self.why_lost = ""
        self._pipe, self._send_s = pipe, send_s
        self._limit_characters = limit_characters
        self._tell_blocked, self._tell_drained = blocked, drained
        self._prompt = pipe if isinstance(pipe, PromptPipe) else None
        self._waiting: deque[str | _Begun | Close] = deque()
        self._characters = 0
        self._something = asyncio.Event()
        self._blocked = False
        self._open = True
        self._loop = asyncio.get_running_loop()
        self._writer: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._since_s: float | None = None
        self._hangs = False

    @property
    def characters(self) -> int:
        """How much waits or is being written."""
        return self._characters

    def put(self, frame: str) -> bool:
        """Queue a frame; False where nothing is written any more."""
        if not self._open:
            return False
        begun: str | _Begun = frame
        if self._prompt is not None and not self._characters and not self._waiting:
            try:
                rest = self._prompt.send_at_once(frame)
            except TransportError:
                self._open = False
                self._something.set()
                return False
            if rest is None:
                return True
            begun = _Begun(rest, len(frame))
        self._waiting.append(begun)
        self._characters += len(frame)
        self._something.set()
        if not self._blocked and self._characters > self._limit_characters:
            self._blocked = True
            self._tell_blocked()
        return True

    def close(self, command: Close) -> None:
        """Close the pipe behind what was put."""
        if self._open:
            self._open = False
            self._waiting.append(command)
            self._something.set()

    async def run(self) -> None:
        """Write until the close or the end of the pipe; which of them, the reader learns."""
        self._writer = asyncio.current_task()
        try:
            while True:
                while not self._waiting:
                    if not self._open:
                        return
                    self._something.clear()
                    await self._something.wait()
                match self._waiting.popleft():
                    case Close(code=code, reason=reason):
                        await self._pipe.close(code, reason)
                        return
                    case str() as frame:
                        sending, characters = self._pipe.send(frame), len(frame)
                    case _Begun(rest=sending, characters=characters):
                        pass
                if not await self._sent(sending):
                    self._open = False
                    return
                self._characters -= characters
                if self._blocked and not self._waiting:
                    self._blocked = False
                    self._tell_drained()
        finally:
            if self._watch is not None:
                self._watch.cancel()
            for left in self._waiting:
                if isinstance(left, _Begun):
                    left.rest.close()

    async def _sent(self, sending: Coroutine[Any, Any, None]) -> bool:
        # One timer watches over all frames: a timer for each would cost a tenth of the sending.
        self._since_s = self._loop.time()
        if self._watch is None:
            self._watch = self._loop.call_later(self._send_s, self._look)
        try:
            await sending
        except TransportError:
            return False
        except asyncio.CancelledError:
            if not self._hangs or (self._writer is not None and self._writer.uncancel()):
                raise
            self.why_lost = f"the socket took nothing for {self._send_s:g} s"
            await self._pipe.close(1001, self.why_lost)
            return False
        finally:
            self._since_s = None
        return True

    def _look(self) -> None:
        self._watch = None
        if self._since_s is None or self._writer is None:
            return
        left_s = self._since_s + self._send_s - self._loop.time()
        if left_s > 0:
            self._watch = self._loop.call_later(left_s, self._look)
        else:
            self._hangs = True
            self._writer.cancel()
