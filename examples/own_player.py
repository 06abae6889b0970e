"""A Player that feeds a telephone line by UDP: 20 ms of 8 kHz sound a frame, paced by the loop."""

import asyncio
from collections import Counter, deque

from bargein.audio.base import Changed, Held, Mark, Rendered, ReportSink, Stopped, Within
from bargein.errors import LocalValueError

RATE, FRAME, FRAME_S, LIMIT = 8_000, 160, 0.02, 600 * 8_000


class LinePlayer:
    def __init__(self, line: asyncio.DatagramTransport) -> None:
        self.accuracy = Within(FRAME)  # A frame has left before the far end has heard it.
        self._line, self._held, self._last = line, False, Stopped("", {})
        self._queue: deque[tuple[Mark, bytes]] = deque()  # Single samples: simple, and enough.
        self._sent: Counter[Mark] = Counter()  # The samples that left; no clock is asked.
        self._dead: deque[Mark] = deque(maxlen=256)

    def attach(self, report: ReportSink) -> None:
        self._loop, self._sink = asyncio.get_running_loop(), report
        self._timer = self._loop.call_later(FRAME_S, self._frame)

    def play(self, mark: Mark, pcm: bytes, rate: int) -> None:
        if rate != RATE or len(pcm) % 2:
            raise LocalValueError(f"rate: {rate}, {len(pcm)} bytes; give whole samples at {RATE}")
        if mark not in self._dead:
            self._queue.extend((mark, pcm[at : at + 2]) for at in range(0, len(pcm), 2))
            if len(self._queue) > LIMIT:  # What is heard of a mark stays a prefix: no more of it.
                self._dead.append(mark)
                self._loop.call_soon(self._sink, Changed(self.accuracy, "the queue is full"))

    def finish(self, mark: Mark) -> None: ...  # There is no resampler that holds sound back.

    def hold(self, cut_id: str) -> None:
        self._held = True
        self._loop.call_soon(self._sink, Held(cut_id, dict(self._sent)))

    def resume(self) -> None:
        self._held = False

    def stop(self, cut_id: str) -> None:
        if cut_id != self._last.cut_id:
            self._last = Stopped(cut_id, dict(self._sent), FRAME)
            self._dead.extend({*self._sent, *(mark for mark, _ in self._queue)})
            self._queue, self._sent, self._held = deque(), Counter(), False
        self._loop.call_soon(self._sink, self._last)  # Never from inside the call.

    def close(self) -> None:
        self._timer.cancel()

    def _frame(self) -> None:
        self._timer = self._loop.call_at(self._timer.when() + FRAME_S, self._frame)
        if self._queue and not self._held:
            frame = [self._queue.popleft() for _ in range(min(FRAME, len(self._queue)))]
            self._line.sendto(b"".join(sample for _, sample in frame).ljust(2 * FRAME, b"\0"))
            self._sent.update(mark for mark, _ in frame)
            self._loop.call_soon(self._sink, Rendered({m: self._sent[m] for m, _ in frame}))
