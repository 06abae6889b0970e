"""A Pipe around another one: a bad line, to try a program on before its users do."""

import asyncio
from collections import deque

from bargein.transports.base import Pipe, PipeEnd


class SlowLine:
    """Everything that is received comes `delay_s` later, in order; what is sent leaves at once."""

    def __init__(self, inner: Pipe, delay_s: float) -> None:
        self._inner, self._delay_s = inner, delay_s
        self._arrived: deque[tuple[float, str | bytes | PipeEnd]] = deque()
        self._something = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._inner.open()
        self._reader = asyncio.create_task(self._read())

    async def send(self, frame: str) -> None:
        await self._inner.send(frame)

    async def receive(self) -> str | bytes | PipeEnd:
        # `receive` may be cancelled at any await, so nothing is taken out before the last one.
        while not self._arrived:
            self._something.clear()
            await self._something.wait()
        due, frame = self._arrived[0]
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        if not isinstance(frame, PipeEnd):  # After the end comes the end again.
            self._arrived.popleft()
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._inner.close(code, reason)
        if self._reader is not None:
            await asyncio.wait((self._reader,))  # It ends with the pipe that it reads.

    async def _read(self) -> None:
        frame: str | bytes | PipeEnd = ""
        while not isinstance(frame, PipeEnd):
            frame = await self._inner.receive()
            due = asyncio.get_running_loop().time() + self._delay_s
            self._arrived.append((due, frame))
            self._something.set()
