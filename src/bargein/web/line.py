"""One page's line: a WebSocket of JSON and of sound, with an end to everything that waits.

1. What waits for a page is bounded. One that does not read is cut off; nobody else notices.
2. What a page sends is bounded, and what is no message of ours ends the line (1003).
3. A line that is over takes what it is told and forgets it: who tells need not ask.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from bargein.web.messages import MOST_OFFER, FromPage, ToPage, decode, encode

MOST_WAITING_BYTES = 32 * 1024 * 1024
"""Ten minutes of sound: what is made of a reply before it is heard."""
MOST_MESSAGE = 2 * MOST_OFFER
WRITE_DEADLINE_S = 20.0
NOT_OURS, TOO_BIG, GONE = 1003, 1009, 1001


class Line:
    """Of one page. `main`: its sound is the call's."""

    def __init__(self, socket: WebSocket, *, main: bool) -> None:
        self.main = main
        self._socket = socket
        self._waiting: deque[str | bytes] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._over = False
        self._code = 1000

    @property
    def over(self) -> bool:
        """Nothing reaches the page any more."""
        return self._over

    def tell(self, message: ToPage) -> None:
        """Put a message on its way."""
        self._put(encode(message))

    def sound(self, part: int, pcm: bytes) -> None:
        """Put sound of a part on its way."""
        self._put(part.to_bytes(4, "little") + pcm)

    def end(self, code: int = 1000) -> None:
        """Take no more; what waits is still written."""
        if not self._over:
            self._over, self._code = True, code
            self._changed.set()

    async def hold(self, heard: Callable[[FromPage | bytes], None]) -> None:
        """Carry until the page is gone or the line was ended. `heard` gets what the page says."""
        reader = asyncio.create_task(self._read(heard), name="page reader")
        writer = asyncio.create_task(self._write(), name="page writer")
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.end()
            reader.cancel()
            if not writer.done():
                await asyncio.wait({writer}, timeout=WRITE_DEADLINE_S)
            writer.cancel()
            told = await asyncio.gather(reader, writer, return_exceptions=True)
        for one in told:
            if isinstance(one, Exception):
                raise one

    async def _read(self, heard: Callable[[FromPage | bytes], None]) -> None:
        while not self._over:
            try:
                message = await self._socket.receive()
            except WebSocketDisconnect:
                break
            if message["type"] == "websocket.disconnect":
                break
            text, sound = message.get("text"), message.get("bytes")
            if len(text or sound or "") > MOST_MESSAGE:
                self.end(TOO_BIG)
            elif text is None:
                heard(sound or b"")
            else:
                try:
                    said = decode(text)
                except ValueError:
                    self.end(NOT_OURS)
                else:
                    heard(said)
        self.end(GONE)

    async def _write(self) -> None:
        try:
            async with asyncio.timeout(None) as patience:
                while self._waiting or not self._over:
                    patience.reschedule(None)
                    if not self._waiting:
                        self._changed.clear()
                        await self._changed.wait()
                        continue
                    frame = self._waiting.popleft()
                    self._waiting_bytes -= len(frame)
                    patience.reschedule(asyncio.get_running_loop().time() + WRITE_DEADLINE_S)
                    if isinstance(frame, str):
                        await self._socket.send_text(frame)
                    else:
                        await self._socket.send_bytes(frame)
                await self._socket.close(self._code)
        except (WebSocketDisconnect, RuntimeError, TimeoutError):
            # Gone meanwhile (Starlette says so by either), or it does not read.
            self._waiting.clear()

    def _put(self, frame: str | bytes) -> None:
        if self._over:
            return
        if self._waiting_bytes + len(frame) > MOST_WAITING_BYTES:
            self._waiting.clear()
            self.end(GONE)
            return
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        self._changed.set()
