"""When workers are replaced, and what they share."""

from __future__ import annotations

import socket
import sys

import pytest

from bargein.errors import LocalValueError
from bargein.server import workers
from bargein.server.serving import bind
from bargein.server.workers import (
    Replacements,
    WorkerEndedError,
    Workers,
    checked_count,
    how_it_ended,
    shared_listeners,
)

READY_THEN_DIES = "import sys; sys.stdin.readline(); print('ready', flush=True)"


def test_so_many_replacements_in_so_long_and_then_more_later() -> None:
    replacements = Replacements(most=2, within_s=60)
    assert [replacements.allows(now) for now in (0, 1, 59)] == [True, True, False]
    assert [replacements.allows(now) for now in (60, 60.5, 61)] == [True, False, True]


@pytest.mark.parametrize("count", [0, -1, 65])
def test_a_count_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(LocalValueError, match=f"workers is {count}: give 1 to 64"):
        checked_count(count)


def test_elsewhere_than_on_linux_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # `sys` is imported there, not exported.
    monkeypatch.setattr(workers.sys, "platform", "darwin")  # type: ignore[attr-defined]
    assert checked_count(1) == 1
    with pytest.raises(LocalValueError, match="only Linux"):
        checked_count(2)


def test_an_end_is_told_in_words() -> None:
    assert [how_it_ended(code) for code in (3, -9, -250)] == [
        "exit code 3",
        "SIGKILL",
        "signal 250",
    ]


def test_the_sockets_share_one_port_that_nobody_else_gets() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with shared_listeners(listener, 3) as sockets:
            assert [each.getsockname()[1] for each in sockets] == [port] * 3
            with pytest.raises(OSError), socket.socket() as other:
                other.bind(("127.0.0.1", port))


async def test_a_worker_that_never_serves_is_an_error_with_its_exit_code() -> None:
    with socket.socket() as listener:
        begun = Workers((sys.executable, "-c", "exit(7)"), b"{}", [listener], tell=print)
        with pytest.raises(WorkerEndedError, match="exit code 7") as caught:
            async with begun.running():
                raise AssertionError("it does not run")
    assert caught.value.code == 7


async def test_workers_that_do_not_stay_alive_are_given_up_after_so_many() -> None:
    told: list[str] = []
    with socket.socket() as listener:
        begun = Workers(
            (sys.executable, "-c", READY_THEN_DIES),
            b"{}",
            [listener],
            tell=told.append,
            replacements=Replacements(most=2),
        )
        async with begun.running():
            await begun.failed.wait()
    assert told[:2] == ["Worker 1 ended by itself (exit code 0) and is replaced."] * 2
    assert "giving up" in told[2]
