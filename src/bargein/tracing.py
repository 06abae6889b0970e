"""The file of a trace, while the session runs.

1. Recording an input costs the caller its encoding and nothing else: a thread writes, so that a
   slow disk never holds up the sound. It writes at least twenty times a second; a process that is
   killed loses no more than that, and the line it was cut in is ignored by the reader.
2. What waits for the disk is bounded. Beyond the bound inputs are dropped, counted, and told in the
   file as lost.
3. A disk that fails ends the trace, not the session: `failure` says why.
4. The file is the owner's alone (0600), holds neither sound nor keys, and is never written over: a
   file in its place is renamed to `….previous`. It is synced to the disk when it is closed.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bargein import __version__
from bargein.core.commands import Command
from bargein.core.inputs import Input
from bargein.core.settings import Settings
from bargein.errors import LocalValueError
from bargein.trace import record
from bargein.units import AudioFormat

_WRITE_EVERY_S: Final = 0.05
_WAITING_LIMIT_BYTES: Final = 8 * 1024 * 1024
_write = os.write  # by a name of our own, so that tests can have a disk of their own


class TraceWriter:
    """Writes the trace of one session. `record` every input after the machine handled it.

    To be used from one thread; `close` ends the writing thread. Also a context manager.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        settings: Settings,
        *,
        format_of: Callable[[Input], AudioFormat] = lambda _: AudioFormat.PCM,
        waiting_limit_bytes: int = _WAITING_LIMIT_BYTES,
    ) -> None:
        """Make the file. Raises LocalValueError where that is impossible.

        `format_of` is asked for the format of a reply's sound (`Machine.audio_format_of`).
        """
        self._format_of = format_of
        self.path = Path(path)
        self.failure: str | None = None
        """Why the trace ended early: the disk's own words."""
        self.dropped = 0
        """Inputs that are missing in the file because the disk was too slow."""
        self._limit = waiting_limit_bytes
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._untold = 0
        self._lock = threading.Lock()  # over what waits
        self._disk = threading.Lock()  # over the order of writing
        self._closing = threading.Event()
        try:
            self._file = _open(self.path)
        except OSError as error:
            raise LocalValueError(
                f"trace: {self.path} cannot be written: {error.strerror}; name another file"
            ) from error
        self._append(record.header(settings, time.strftime("%Y-%m-%dT%H:%M:%S%z"), __version__))
        self.flush()
        self._thread = threading.Thread(target=self._run, name="bargein-trace", daemon=True)
        self._thread.start()

    def record(
        self,
        now_us: int,
        input: Input,
        commands: Sequence[Command] | None,
        raised: BaseException | None = None,
    ) -> None:
        """Note an input and what the machine did: its commands, or None and what it raised.

        Never raises, never waits for the disk.
        """
        story = None if raised is None else f"{type(raised).__name__}: {raised}"
        self._append(record.entry(now_us, input, commands, story, self._format_of(input)))

    def flush(self) -> None:
        """Write what waits. Blocks for the disk; for those who end, not for those who talk."""
        with self._disk:
            with self._lock:
                lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
            if lines and self.failure is None:
                try:
                    _write_all(self._file, b"".join(lines))
                except OSError as error:
                    self.failure = error.strerror or str(error)

    def close(self) -> None:
        """Write the rest and the end, sync, and let go of the file. Twice is once."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join()
        self.flush()  # so that there is room for the end
        self._append(record.end())
        self.flush()
        with contextlib.suppress(OSError):  # a pipe or a terminal cannot be synced
            os.fsync(self._file)
        os.close(self._file)

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _append(self, line: bytes) -> None:
        with self._lock:
            if self._waiting_bytes + len(line) > self._limit:
                self._untold += 1
                self.dropped += 1
                return
            if self._untold:
                self._waiting.append(record.lost(self._untold))
                self._untold = 0
            self._waiting.append(line)
            self._waiting_bytes += len(line)

    def _run(self) -> None:
        while not self._closing.wait(_WRITE_EVERY_S):
            if self._waiting:
                self.flush()


def _open(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        if path.is_file() and path.stat().st_size:
            path.replace(path.with_name(path.name + ".previous"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
    file = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0), 0o600)
    if path.is_file():
        path.chmod(0o600)  # an empty file may have been there, open to others
    return file


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[_write(file, rest) :]
