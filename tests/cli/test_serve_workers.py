"""`bargein serve --workers`: several processes on one port, with one key and one end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.cli.test_serve import line, run, serving
from websockets.sync.client import connect

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="only Linux shares a port")


def children(process: subprocess.Popen[str]) -> set[int]:
    """The workers' process ids."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return set(map(int, listed.split()))


def greets(told: dict[str, str]) -> bool:
    """Whether a new client gets a session."""
    url = f"{told['ws_url']}?model=gpt-realtime"
    headers = {"Authorization": f"Bearer {told['api_key']}"}
    with connect(url, additional_headers=headers, open_timeout=30, compression=None) as socket:
        first: str = json.loads(socket.recv(timeout=30))["type"]
    return first == "session.created"


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def gone(pids: set[int]) -> bool:
    """Whether they all end, given a while."""
    for _ in range(300):
        if not any(map(lives, pids)):
            return True
        time.sleep(0.1)
    return False


def test_workers_share_port_and_key_and_end_together() -> None:
    with serving("--workers", "2", "--json") as process:
        told = json.loads(line(process))
        workers = children(process)
        assert len(workers) == 2
        assert all(greets(told) for _ in range(5))
        for pid in workers:
            assert told["api_key"].encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
            assert told["api_key"].encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert errors.splitlines()[-1] == "Ended." and "Traceback" not in errors
    assert gone(workers)


def test_a_worker_that_is_killed_is_said_and_replaced_and_nobody_is_refused() -> None:
    with serving("--workers", "2", "--json") as process:
        told = json.loads(line(process))
        before = children(process)
        os.kill(min(before), signal.SIGKILL)
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(2)]
        assert any("(SIGKILL) and is replaced." in each for each in said), said
        assert all(greets(told) for _ in range(5))
        after = children(process)
        assert len(after) == 2 and len(before & after) == 1
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert gone(after)


def test_no_worker_outlives_a_parent_that_is_killed() -> None:
    with serving("--workers", "2", "--json") as process:
        line(process)
        workers = children(process)
        process.kill()
        process.wait()
    assert len(workers) == 2 and gone(workers)


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        (("--workers", "0"), 2, "--workers is 0: give 1 to 64"),
        (("--workers", "2", "--trace", "x"), 2, "--trace is one process's"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: tuple[str, ...], code: int, fault: str) -> None:
    ended, errors = run("serve", *arguments)
    assert ended == code and errors.startswith(f"Error: {fault}") and errors.count("\n") == 1


def test_what_is_wrong_with_the_settings_is_said_once() -> None:
    with serving("--workers", "2", "--scenario", "nowhere.toml") as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.count("nowhere.toml: No such file or directory") == 1
    assert "Traceback" not in errors
