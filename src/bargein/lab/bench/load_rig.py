"""The processes of the load benches: a server on one core, and clients on another."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import msgspec

from bargein.errors import DeviceError
from bargein.lab.bench.load_server import Measured, Serving

_SERVER = ("-m", "bargein.lab.bench.load_server")
_EMPTY_S, _LOOK_S = 3.0, 0.2
_END_S = 20.0


class Running:
    """A server that runs. `core` is where its clients shall run, None for anywhere."""

    def __init__(self, process: subprocess.Popen[bytes], where: Serving, core: int | None) -> None:
        self._process = process
        self.where = where
        self.core = core

    def measured(self) -> Measured:
        """What it did since the last time."""
        assert self._process.stdin is not None and self._process.stdout is not None, "pipes"
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Measured)

    def left_mib(self) -> float:
        """Its memory when all have gone for a while."""
        due_s = time.monotonic() + _END_S
        while self.measured().sessions and time.monotonic() < due_s:
            time.sleep(_LOOK_S)
        time.sleep(_EMPTY_S)
        return self.measured().rss_kib / 1024

    def round(self, client: str, task: msgspec.Struct) -> tuple[Measured, bytes]:
        """What it measured while the client did its task, and what that told at its end. Raises
        `DeviceError` where it failed."""
        with begun(client, task) as process:
            assert process.stdout is not None, "it is a pipe"
            process.stdout.readline()
            self.measured()
            line = process.stdout.readline()
            measured = self.measured()
        if not line:
            raise DeviceError("the users of a round of load failed; what they said stands above")
        return measured, line


@contextlib.contextmanager
def begun(client: str, task: msgspec.Struct) -> Iterator[subprocess.Popen[bytes]]:
    """The module of that name in a process of its own, with its task on its standard input."""
    with subprocess.Popen(
        (sys.executable, "-m", client), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None, "it is a pipe"
        process.stdin.write(msgspec.json.encode(task))
        process.stdin.close()
        yield process


@contextlib.contextmanager
def running() -> Iterator[Running]:
    """Start a server on one core; clients will run on another, where there is one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    mine, theirs = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    arguments = () if mine is None else (str(mine),)
    with subprocess.Popen(
        (sys.executable, *_SERVER, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None, "both are pipes"
        try:
            line = process.stdout.readline()
            if not line:
                raise DeviceError('the server did not start; try "bargein serve"')
            yield Running(process, msgspec.json.decode(line, type=Serving), theirs)
        finally:
            process.stdin.close()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
