"""The file of a trace: the owner's alone, never in the way, whole up to the last flush."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import IO

import pytest
from tests.trace.sessions import interrupted

from bargein import tracing
from bargein.core import inputs
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.errors import LocalValueError
from bargein.trace.format import Entry, Reader
from bargein.trace.replay import replay
from bargein.tracing import TraceWriter


def read(path: Path) -> tuple[list[Entry], bool]:
    """The entries, and whether the trace was cut."""
    with path.open("rb") as file:
        reader = Reader(file)
        return list(reader), reader.cut


def test_a_session_that_was_recorded_replays_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "session.trace"
    machine = Machine(Settings(pre_roll_ms=200))
    with TraceWriter(path, machine.settings) as trace:
        for now_us, each in interrupted():
            trace.record(now_us, each, machine.handle(each, now_us=now_us))
    with path.open("rb") as file:
        found = replay(Reader(file), Machine)
    assert (found.difference, found.cut, found.inputs) == (None, False, len(interrupted()))


def test_the_file_is_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    empty = tmp_path / "was-open-to-others.trace"
    empty.touch(0o644)
    before = os.umask(0)
    try:
        for path in (tmp_path / "new.trace", empty):
            TraceWriter(path, Settings()).close()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_the_trace_of_the_session_before_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "session.trace"
    for wait_us in (1, 2):
        with TraceWriter(path, Settings()) as trace:
            trace.record(wait_us, inputs.Tick(), [])
    assert read(path)[0][0].at_us == 2
    assert read(tmp_path / "session.trace.previous")[0][0].at_us == 1


def test_what_was_flushed_is_readable_while_the_session_runs(tmp_path: Path) -> None:
    path = tmp_path / "session.trace"
    with TraceWriter(path, Settings()) as trace:
        assert read(path) == ([], True)
        trace.record(1, inputs.Tick(), [])
        trace.flush()
        entries, cut = read(path)
        assert (len(entries), cut) == (1, True)
    assert read(path)[1] is False


def test_lines_reach_the_file_without_being_asked_to(tmp_path: Path) -> None:
    path = tmp_path / "session.trace"
    with TraceWriter(path, Settings()) as trace:
        trace.record(1, inputs.Tick(), [])
        waiting = threading.Event()
        while not read(path)[0]:  # the test's own time limit ends a wait that is in vain
            waiting.wait(0.005)


def test_closing_ends_the_thread_and_closing_twice_is_closing_once(tmp_path: Path) -> None:
    before = threading.active_count()
    trace = TraceWriter(tmp_path / "session.trace", Settings())
    assert threading.active_count() == before + 1
    trace.close()
    trace.close()
    assert threading.active_count() == before
    size = trace.path.stat().st_size
    trace.record(1, inputs.Tick(), [])
    trace.flush()
    assert trace.path.stat().st_size == size


class Disk:
    """Stands in for `os.write`: blocks until it is let go, or fails."""

    def __init__(self, failure: OSError | None = None) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self.failure = failure

    def __call__(self, file: int, data: memoryview) -> int:
        self.entered.set()
        self.go.wait()
        if self.failure is not None:
            raise self.failure
        return os.write(file, data[:100])  # a disk may take less than it is given


def test_a_disk_that_hangs_holds_nothing_up_and_what_does_not_fit_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "session.trace"
    trace = TraceWriter(path, Settings(), waiting_limit_bytes=2_000)
    disk = Disk()
    monkeypatch.setattr(tracing, "_write", disk)
    trace.record(0, inputs.Tick(), [])
    disk.entered.wait()
    for now_us in range(1, 1_001):
        trace.record(now_us, inputs.Tick(), [])
    assert 900 < trace.dropped < 1_000
    disk.go.set()
    trace.close()
    entries, cut = read(path)
    assert not cut
    *kept, lost = entries
    assert [entry.at_us for entry in kept] == list(range(1_001 - trace.dropped))
    assert lost.line.lost == trace.dropped


def test_a_full_disk_ends_the_trace_and_not_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = TraceWriter(tmp_path / "session.trace", Settings())
    disk = Disk(OSError(errno.ENOSPC, "No space left on device"))
    disk.go.set()
    monkeypatch.setattr(tracing, "_write", disk)
    trace.record(1, inputs.Tick(), [])
    trace.flush()
    assert trace.failure == "No space left on device"
    monkeypatch.undo()
    trace.record(2, inputs.Tick(), [])
    trace.close()
    assert read(trace.path) == ([], True)


@pytest.mark.parametrize("place", ["nowhere/session.trace", "."])
def test_a_file_that_cannot_be_made_is_refused_by_name(tmp_path: Path, place: str) -> None:
    with pytest.raises(LocalValueError, match=r"trace: .*cannot be written: .*; name another"):
        TraceWriter(tmp_path / place, Settings())


def test_a_pipe_can_take_a_trace(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    received = list[bytes]()

    def drain() -> None:
        file: IO[bytes]
        with fifo.open("rb") as file:
            received.append(file.read())

    reader = threading.Thread(target=drain)
    reader.start()
    TraceWriter(fifo, Settings()).close()
    reader.join()
    assert received[0].count(b"\n") == 2
