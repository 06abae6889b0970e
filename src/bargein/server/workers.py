"""Several server processes on one port: `bargein serve --workers N`.

1. Each worker listens on a socket of its own, and the kernel deals the connections out among them
   by a hash of their addresses (`SO_REUSEPORT`). The sockets are the parent's: while a worker is
   replaced, those who connect wait in its socket's queue and are not refused.
2. A worker lives as long as its standard input is open, so that none outlives its parent, whatever
   happens to that.
3. A worker that dies is said and replaced; one that cannot keep a replacement alive ends them all.
4. Settings, and with them the key, go through the worker's standard input: what stands on a command
   line or in an environment can be read by others.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bargein.errors import DeviceError, LocalValueError, TransportError

READY = b"ready\n"
MOST = 64
_START_S = 60.0
_END_S = 15.0


@dataclass(slots=True)
class Replacements:
    """How often workers may be replaced: `most` times within any `within_s` seconds."""

    most: int = 5
    within_s: float = 60.0
    _at: deque[float] = field(default_factory=deque)

    def allows(self, now: float) -> bool:
        """Whether one more may be replaced now; it counts as done."""
        while self._at and self._at[0] <= now - self.within_s:
            self._at.popleft()
        if len(self._at) >= self.most:
            return False
        self._at.append(now)
        return True


class WorkerEndedError(DeviceError):
    """A worker ended before it served; it has said why. `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a worker did not start ({how_it_ended(code)})")
        self.code = code


def checked_count(count: int) -> int:
    """The number of workers. Raises `LocalValueError`."""
    if not 1 <= count <= MOST:
        raise LocalValueError(f"workers is {count}: give 1 to {MOST}")
    if count > 1 and sys.platform != "linux":
        raise LocalValueError(
            "workers: only Linux deals connections out among processes; start one server a port"
        )
    return count


@contextlib.contextmanager
def shared_listeners(listener: socket.socket, count: int) -> Iterator[list[socket.socket]]:
    """`count` sockets on the address that `listener` has taken alone, and lets go here.

    Taken alone first, so that two servers never share a port by mistake.
    """
    family, kind, protocol = listener.family, listener.type, listener.proto
    address = listener.getsockname()
    listener.close()
    with contextlib.ExitStack() as closing:
        sockets: list[socket.socket] = []
        for _ in range(count):
            one = closing.enter_context(socket.socket(family, kind, protocol))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            try:
                one.bind(address)
            except OSError as error:
                raise TransportError(
                    f"port {address[1]} cannot be shared: {error.strerror or error}"
                ) from error
            sockets.append(one)
        yield sockets


class Workers:
    """The processes. `failed` is set once they cannot be kept alive."""

    def __init__(
        self,
        command: Sequence[str],
        settings: bytes,
        listeners: Sequence[socket.socket],
        *,
        tell: Callable[[str], None],
        replacements: Replacements | None = None,
    ) -> None:
        self._command = command
        self._settings = settings
        self._listeners = listeners
        self._tell = tell
        self._replacements = replacements or Replacements()
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ending = False
        self.failed = asyncio.Event()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that run now, in the order of the workers."""
        return tuple(process.pid for _, process in sorted(self._processes.items()))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All of them serve when the block begins, none is left behind it. Raises
        `WorkerEndedError` if one ends before it serves."""
        keepers: list[asyncio.Task[None]] = []
        try:
            # The first one alone: what is wrong with the settings is said once.
            await self._start(0)
            await asyncio.gather(*(self._start(i) for i in range(1, len(self._listeners))))
            keepers += [
                asyncio.create_task(self._keep(index), name=f"worker {index + 1}")
                for index in range(len(self._listeners))
            ]
            yield
        finally:
            self._ending = True
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            await asyncio.gather(*map(self._end, list(self._processes.values())))

    async def _start(self, index: int) -> None:
        listener = self._listeners[index]
        process = await asyncio.create_subprocess_exec(
            *self._command,
            str(listener.fileno()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(listener.fileno(),),
        )
        self._processes[index] = process
        assert process.stdin is not None and process.stdout is not None, "both are pipes"
        process.stdin.write(self._settings + b"\n")
        try:
            async with asyncio.timeout(_START_S):
                answer = await process.stdout.readline()
        except TimeoutError:
            process.kill()
            answer = b""
        if answer != READY:
            raise WorkerEndedError(await process.wait())

    async def _keep(self, index: int) -> None:
        """Replace this worker whenever it ends by itself."""
        now = asyncio.get_running_loop().time
        while True:
            code = await self._processes[index].wait()
            why = f"Worker {index + 1} ended by itself ({how_it_ended(code)})"
            if not self._replacements.allows(now()):
                self._tell(
                    f"{why}, as {self._replacements.most} others did just before: giving up."
                )
                self.failed.set()
                return
            self._tell(f"{why} and is replaced.")
            with contextlib.suppress(WorkerEndedError):  # Then the next round says so.
                await self._start(index)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None, "it is a pipe"
        process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def how_it_ended(code: int) -> str:
    """An exit code of `subprocess` in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
