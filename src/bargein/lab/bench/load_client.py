"""The users of the load benches: `python -m bargein.lab.bench.load_client`.

It reads a `Task` as JSON from standard input, opens the sessions, and writes a line when they
stand, and its `Done` after the time. Each user has a live microphone, 20 ms at a time, speaks and
interrupts at moments of its own; others ask for an answer every so often, and how long each takes
is kept. They ask at times of their own, whether they were answered or not: a server that is slow is
asked as often as one that is quick. A hostile client is such a process by itself, so that it does
not hold up the users in their own process; it goes on until it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec
import numpy as np

from bargein.lab.bench.figures import percentile
from bargein.lab.bench.load_server import keep_to
from bargein.lab.bench.load_wire import CHUNK_MS, RATE, Wire, event, frame, microphone
from bargein.server.engines.espeak import speak

CYCLE_S = 20.0
SAYS_AT_S = (("Tell me a story, please.", 1.5), ("Wait, go on with the other one.", 9.0))
"""What every user says in each cycle, beginning anywhere in it."""
_ASK = event("input_audio_buffer.clear")
_ANSWER = b'{"type":"input_audio_buffer.cleared"'
_ASK_EVERY_S = 0.0473
"""No multiple of it is one of the microphones' 20 ms, so asks drift through all that others do."""
_LAST_ANSWERS_S = 5.0
_BIG_BYTES = 15 * 1024 * 1024
_MOST_WAITING_BYTES = 4 * 1024 * 1024


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. `core` is where to run, None for anywhere; `asking` sessions, of their own and
    silent, ask for answers; `hostile` names what a client does that is alone here."""

    ws_url: str
    api_key: str
    core: int | None
    sessions: int
    warm_s: float
    seconds: float
    asking: int = 0
    hostile: str | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """`late_*`: how late the microphones' chunks were written. `audio_s`: the replies' sound."""

    seconds: float
    cpu_s: float
    late_p99_ms: float
    late_max_ms: float
    audio_s: float
    answers_ms: list[float]
    lost: int


def track() -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """One cycle of what a user says."""
    sound = np.zeros(round(CYCLE_S * RATE), np.int16)
    for text, at_s in SAYS_AT_S:
        spoken = speak(text, voice="en-us+m3").pcm
        begin = round(at_s * RATE)
        sound[begin : begin + len(spoken)] = spoken
    return sound


class _Users:
    """All that have a microphone, on one timer."""

    def __init__(self, wires: list[Wire]) -> None:
        self._wires = wires
        self._frames = microphone(track())
        self.late_ms: list[float] = []

    async def speak(self) -> None:
        loop = asyncio.get_running_loop()
        count, sessions = len(self._frames), max(1, len(self._wires))
        # Spread over the cycle, and within each chunk's time as well.
        phases = [index * count // sessions for index in range(sessions)]
        slots = [index * CHUNK_MS / 1_000 / sessions for index in range(sessions)]
        began_s, tick = loop.time(), 0
        while True:
            for wire, phase, slot in zip(self._wires, phases, slots, strict=False):
                due_s = began_s + tick * CHUNK_MS / 1_000 + slot
                if (wait_s := due_s - loop.time()) > 0.001:
                    await asyncio.sleep(wait_s)
                self.late_ms.append((loop.time() - due_s) * 1_000)
                wire.write(self._frames[(tick + phase) % count])
            tick += 1
            await asyncio.sleep(0)


class _Asking:
    """A session that asks at its times and keeps how long each answer took."""

    def __init__(self) -> None:
        self.wire = Wire(self._hear)
        self._asked_s: deque[float] = deque()
        self._answers_ms: list[float] = []
        self._answered = asyncio.Event()

    def _hear(self, head: bytes, size: int) -> None:
        if head.startswith(_ANSWER):
            self._answers_ms.append((time.perf_counter() - self._asked_s.popleft()) * 1_000)
            self._answered.set()

    async def ask(self, first_s: float, seconds: float) -> list[float]:
        """Ask from `first_s` on. An answer that does not come counts as one that took as long as
        was waited."""
        due_s, end_s = first_s, first_s + seconds
        while due_s < end_s:
            await asyncio.sleep(due_s - time.perf_counter())
            self._asked_s.append(time.perf_counter())
            self.wire.write(_ASK)
            due_s += _ASK_EVERY_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_ANSWERS_S):
                while self._asked_s and not self.wire.is_lost:
                    self._answered.clear()
                    await self._answered.wait()
        return self._answers_ms + [_LAST_ANSWERS_S * 1_000] * len(self._asked_s)


async def _flood(wire: Wire, data: bytes) -> None:
    """Write this as fast as the server takes it."""
    while not wire.is_lost:
        if wire.waiting_bytes < _MOST_WAITING_BYTES:
            wire.write(data)
        await asyncio.sleep(0.001)


async def _never_reads(wire: Wire) -> None:
    wire.write(
        event("session.update", session={"type": "realtime", "output_modalities": ["audio"]})
    )
    while not wire.is_lost:
        wire.write(event("response.create", response={"conversation": "none"}))
        await asyncio.sleep(0.05)


async def _big_appends(wire: Wire) -> None:
    await _flood(wire, event("input_audio_buffer.append", audio="A" * (_BIG_BYTES * 4 // 3)))


async def _chunky_appends(wire: Wire) -> None:
    await _flood(wire, event("input_audio_buffer.append", audio="A" * 90_000))


async def _garbage(wire: Wire) -> None:
    await _flood(wire, frame(b"{!") * 8_192)


async def _crowd_of_responses(wire: Wire) -> None:
    await _flood(wire, event("response.create", response={"conversation": "none"}) * 16)


async def _goes_at_once(wire: Wire) -> None:
    """Whoever attacks comes back."""
    wire.close()


HOSTILE: dict[str, Callable[[Wire], Awaitable[None]]] = {
    "never reads": _never_reads,
    "appends of 15 MiB": _big_appends,
    "appends of 68 KiB at full speed": _chunky_appends,
    "garbage at full speed": _garbage,
    "responses out of band at full speed": _crowd_of_responses,
    "connections at full speed": _goes_at_once,
}


async def _attack(task: Task, hostile: str) -> None:
    """Be hostile, and come back whenever the server has had enough."""
    while True:
        wire = Wire(lambda head, size: None, silent=hostile == "never reads")
        try:
            await wire.open(task.ws_url, task.api_key)
            wire.send_in_small_pieces()
            await HOSTILE[hostile](wire)
        except OSError:
            await asyncio.sleep(0.1)
        finally:
            wire.close()


async def _run(task: Task) -> Done:
    wires = [Wire(lambda head, size: None) for _ in range(task.sessions)]
    asking = [_Asking() for _ in range(task.asking)]
    for wire in (*wires, *(each.wire for each in asking)):
        await wire.open(task.ws_url, task.api_key)
    users = _Users(wires)
    running = [asyncio.create_task(users.speak())] if wires else []
    await asyncio.sleep(task.warm_s)
    users.late_ms.clear()
    heard = sum(wire.audio_bytes for wire in wires)
    sys.stdout.write("began\n")
    sys.stdout.flush()
    began_s, cpu_s = time.perf_counter(), time.process_time()
    spread_s = _ASK_EVERY_S / max(1, task.asking)
    answers = [
        asyncio.create_task(each.ask(began_s + index * spread_s, task.seconds))
        for index, each in enumerate(asking)
    ]
    await asyncio.sleep(task.seconds)
    seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    heard = sum(wire.audio_bytes for wire in wires) - heard
    answers_ms = [answer for each in answers for answer in await each]
    for running_task in running:
        if running_task.done():
            running_task.result()
        running_task.cancel()
    done = Done(
        seconds=seconds,
        cpu_s=cpu_s,
        late_p99_ms=percentile(users.late_ms or [0.0], 99),
        late_max_ms=max(users.late_ms, default=0.0),
        audio_s=heard * 3 / 4 / 2 / RATE,
        answers_ms=answers_ms,
        lost=sum(wire.is_lost for wire in wires) + sum(each.wire.is_lost for each in asking),
    )
    for wire in (*wires, *(each.wire for each in asking)):
        wire.close()
    return done


def main() -> None:
    """Do the task on standard input."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    if task.hostile is not None:
        keep_to(task.core, shielded=False)
        asyncio.run(_attack(task, task.hostile))
    keep_to(task.core)
    sys.stdout.write(msgspec.json.encode(asyncio.run(_run(task))).decode() + "\n")


if __name__ == "__main__":
    main()
