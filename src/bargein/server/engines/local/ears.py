"""The ears of one server: a bounded pool of child processes that turn speech into words.

1. Whatever the format, a child hears 16-bit PCM at 16 kHz. A turn that is overheard is decoded
   while it is spoken, so its words are there soon after its end; one that comes whole, at once.
2. A child hears one turn at a time. Where more speak than there are children, turns wait with
   their sound; a turn to which nothing is added for a while gives its child away and is heard from
   its beginning later.
3. A child that dies is replaced, and its turn heard once more; one that misses the deadline is
   killed, and its turn fails. Children end with their input: they cannot outlive this process.
4. Of a turn the first minute is listened to. The rest is not kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bargein.audio.formats import bytes_of, decode, samples_of
from bargein.audio.resample import Resampler
from bargein.errors import BargeinError, DeviceError
from bargein.server.engines.local import belief, grammar
from bargein.units import AudioFormat

log = logging.getLogger(__name__)

RATE = 16_000
MISSING = 'there are no local ears: pip install "bargein[local]" brings pocketsphinx'
_FIRST_MEANS = {
    True: "51.5,4.7,3.4,24.0,-4.4,1.8,-0.5,-5.6,-1.9,-3.6,5.9,-0.2,1.5",
    False: "31.9,18.6,-24.5,39.9,-16.5,-0.8,11.7,-19.6,12.4,-7.9,0.2,7.4,-7.3",
}
"""Where the recogniser's averages begin, for the whole band and for the telephone's, for which its
model was not made: what they came to on the speech of six and of four voices (flite, espeak-ng).
With the model's own beginning it hears a tenth less of the one and a fourth less of the other."""
_CHILD = Path(__file__).with_name("ear_child.py")
_CHUNK_BYTES = RATE * 2 // 10
"""So much goes to a child at once: 100 ms."""
_TRIES = 2
_GONE = (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
"""How a child's end shows itself: a broken pipe, half an answer, or no answer of its kind."""


@dataclass(frozen=True, slots=True)
class EarLimits:
    """What the ears bear."""

    children: int = 2
    turn_s: float = 60.0
    """Of a turn so much is listened to."""
    start_deadline_s: float = 60.0
    """How long a child may take to load its model."""
    deadline_s: float = 20.0
    """How long a child may take to say what was said, from the end of the turn."""
    idle_s: float = 3.0
    """A turn to which nothing is added for so long gives its child away."""


class EarsError(BargeinError):
    """The words of a turn could not be had."""


class _ChildGoneError(Exception):
    """The child died, or said what no child says."""


class Turn:
    """What one user says at one time. `push` its sound, `finish` it, and ask for its `words`."""

    def __init__(self, format: AudioFormat, means: str, limit_bytes: int) -> None:
        self.format = format
        self.means = means
        """The speaker's voice, as the recogniser averages it; better once the turn was heard."""
        self.chunks: list[bytes] = []
        self.finished = asyncio.Event()
        self.changed = asyncio.Event()
        self.result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._resampler = Resampler(format.rate, RATE)
        self._room_bytes = limit_bytes
        self._waiting = bytearray()

    def push(self, audio: bytes) -> None:
        """More of the turn, in its format; any number of whole samples. Never waits."""
        if self.finished.is_set() or self._room_bytes <= 0:
            return
        # What would be dropped afterwards need not be resampled; a second more fills the filter.
        room = (self._room_bytes // 2 * self.format.rate // RATE) + self.format.rate
        audio = audio[: room * self.format.bytes_per_sample]
        linear = decode(audio, self.format)
        self._add(bytes_of(self._resampler.push(samples_of(linear))))

    def finish(self) -> None:
        """The turn is whole. Any number of times."""
        if self.finished.is_set():
            return
        if self._room_bytes > 0:
            self._add(bytes_of(self._resampler.flush()))
        if self._waiting:
            self.chunks.append(bytes(self._waiting))
        self.finished.set()
        self.changed.set()

    def _add(self, pcm: bytes) -> None:
        self._waiting += pcm[: self._room_bytes]
        self._room_bytes -= len(pcm)
        while len(self._waiting) >= _CHUNK_BYTES:
            self.chunks.append(bytes(self._waiting[:_CHUNK_BYTES]))
            del self._waiting[:_CHUNK_BYTES]
            self.changed.set()

    async def words(self) -> str:
        """What was said, lower case; nothing if no words were. Raises `EarsError`."""
        return await asyncio.shield(self.result)


class Ears:
    """The pool. Whoever listens is a user of it from `join` to `leave`; the children end with the
    last user, so a server without sessions has none."""

    def __init__(self, limits: EarLimits | None = None, *, program: Path = _CHILD) -> None:
        """`program` is what the children run. Raises `DeviceError` without pocketsphinx."""
        if importlib.util.find_spec("pocketsphinx") is None:
            raise DeviceError(MISSING)
        self.limits = limits or EarLimits()
        self.replaced = 0
        """Children that died or were killed."""
        self._program = program
        self._users = 0
        self._room = asyncio.Semaphore(self.limits.children)
        self._idle: list[_Child] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self) -> None:
        """One user more. The first child loads its model now, so that it is ready to hear."""
        self._users += 1
        if not self._idle and not self._tasks:
            self._start(self._load())

    async def leave(self) -> None:
        """One user less."""
        self._users -= 1
        if not self._users:
            await self._close()

    def listen(self, format: AudioFormat, means: str = "") -> Turn:
        """Begin to hear a turn. `means` are those of an earlier turn of the same speaker."""
        means = means or _FIRST_MEANS[format.rate >= RATE]
        turn = Turn(format, means, round(self.limits.turn_s * RATE) * 2)
        self._start(self._hear(turn))
        return turn

    async def _close(self) -> None:
        """End the children and what still listens."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        children, self._idle = self._idle, []
        await asyncio.gather(*(child.end() for child in children))

    @property
    def child_ids(self) -> tuple[int, ...]:
        """The processes that wait for a turn."""
        return tuple(child.pid for child in self._idle)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="ears")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _load(self) -> None:
        async with self._room:
            try:
                self._idle.append(await self._new_child())
            except (_ChildGoneError, TimeoutError):
                log.exception("an ear does not start")

    async def _hear(self, turn: Turn) -> None:
        tries = 0
        try:
            while not turn.result.done():
                async with self._room:
                    try:
                        await self._hear_with_a_child(turn)
                    except _ChildGoneError as error:
                        tries += 1
                        if tries == _TRIES:
                            raise EarsError("the recogniser died twice on this turn") from error
                    except TimeoutError as error:
                        raise EarsError("the recogniser missed its deadline") from error
                if not turn.result.done():
                    await turn.finished.wait()
        except EarsError as error:
            _fail(turn, error)
        finally:
            if not turn.result.done():
                _fail(turn, EarsError("the ears were closed"))
            turn.chunks.clear()

    async def _hear_with_a_child(self, turn: Turn) -> None:
        """Set the turn's result; or leave it open, if the turn stands still."""
        child = self._idle.pop() if self._idle else await self._new_child()
        try:
            await self._converse(child, turn)
        except BaseException as error:
            # It may be in the middle of anything: also if only this task is cancelled.
            self.replaced += 1
            await child.kill()
            raise _as_gone(error) from error
        self._idle.append(child)

    async def _converse(self, child: _Child, turn: Turn) -> None:
        child.say(b"B", turn.means.encode())
        told = 0
        moving = True
        while moving:
            for chunk in turn.chunks[told:]:
                await child.give(chunk, self.limits.deadline_s)
                told += 1
            if told == len(turn.chunks) and turn.finished.is_set():
                break
            moving = await _within(turn.changed, self.limits.idle_s)
            turn.changed.clear()
        child.say(b"E", b"")
        heard = await child.hear(self.limits.deadline_s)
        if not moving or belief.is_believed(heard):
            child.say(b"N", b"")
            words = heard["grammar"]
        else:
            child.say(b"F", b"")
            words = (await child.hear(self.limits.deadline_s))["free"]
        if moving:
            turn.means = heard["means"]
            turn.result.set_result(words)

    async def _new_child(self) -> _Child:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", str(self._program), stdin=PIPE, stdout=PIPE, env=environment
        )
        child = _Child(process)
        try:
            setting = {"grammar": grammar.jsgf(), "words": grammar.words()}
            child.say(b"G", json.dumps(setting).encode())
            await child.hear(self.limits.start_deadline_s)
        except BaseException as error:
            self.replaced += 1
            await child.kill()
            raise _as_gone(error) from error
        return child


class _Child:
    """One process; raises `OSError`, `ValueError` or `IncompleteReadError` once it is gone."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None and process.stdout is not None, "both are pipes"
        self._process = process
        self._to, self._from = process.stdin, process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, kind: bytes, body: bytes) -> None:
        self._to.write(kind + len(body).to_bytes(4, "little") + body)

    async def give(self, pcm: bytes, deadline_s: float) -> None:
        self.say(b"A", pcm)
        async with asyncio.timeout(deadline_s):
            await self._to.drain()

    async def hear(self, deadline_s: float) -> dict[str, Any]:
        async with asyncio.timeout(deadline_s):
            await self._to.drain()
            line = await self._from.readuntil(b"\n")
        told = json.loads(line)
        if not isinstance(told, dict):
            raise ValueError(f"the child said {told!r}")
        return told

    async def end(self) -> None:
        """Close its input and wait a little for its end."""
        with contextlib.suppress(OSError):
            self._to.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._process.wait()
                return
        await self.kill()

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        with contextlib.suppress(OSError):
            self._to.close()
        await self._process.wait()


def _fail(turn: Turn, error: EarsError) -> None:
    turn.result.set_exception(error)
    turn.result.exception()  # It is told to whoever asks, and to nobody if nobody does.


def _as_gone(error: BaseException) -> BaseException:
    """What a fault means for the child. A missed deadline is an `OSError` too, but no end."""
    if isinstance(error, TimeoutError) or not isinstance(error, _GONE):
        return error
    return _ChildGoneError(str(error))


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
