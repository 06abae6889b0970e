"""CPU of live sessions, in real time over real WebSockets, against the bare loop of `bare.py`.

1. One server, in a process of its own, serves all rounds: for one session `bargein serve`, for a
   crowd the recorded side of a conversation (`replay_server`). Each round is a process of its own
   too; ours and the bare one alternate, and each begins as often as it comes second.
2. Both have the same conversation: the same microphone (a file, 20 ms chunks in real time) speaks
   at the same times, so the server hears, answers and is interrupted alike; the same virtual card
   plays. The card and the microphone are simulated in the same process and are in both costs.
3. How alike the work was is checked, not assumed: where the two played or sent sound in amounts
   that differ by more than a tenth, there is no figure but an error.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from bargein.errors import DeviceError
from bargein.lab.bench import replay_server
from bargein.lab.bench.figures import Effort, Figure, percentile, shown, spread
from bargein.lab.bench.live_child import Cost, Round
from bargein.lab.bench.recording import Conversation
from bargein.lab.bench.user import track, utterances

TARGET = 1.2
"""Issue 2."""
_ALIKE = 0.1
_START_S = 60.0
_OVERHEAD_S = 120.0
_SERVE = ("-c", "from bargein.cli import main; main()", "serve", "--port", "0", "--json")
_REPLAY = ("-m", "bargein.lab.bench.replay_server")
_CHILD = ("-m", "bargein.lab.bench.live_child")
_WHO: tuple[Literal["bargein", "bare"], ...] = ("bargein", "bare")

Told = Callable[[str], None]


def measure(effort: Effort, told: Told) -> list[Figure]:
    """One session: its CPU."""
    with _server(_SERVE) as server:
        pairs = _rounds(server, 1, effort.live_s, effort.live_rounds, told)
    says = "client CPU of one live session against a bare websockets + msgspec loop"
    return [_cpu_figure("live.cpu", says, pairs, 1, effort.live_s)]


def measure_crowd(conversation: Conversation, effort: Effort, told: Told) -> list[Figure]:
    """Many sessions in one process: their CPU. How late the loop is stands beside it without a
    target, because other work on the machine decides it more than the client does."""
    sessions, seconds = effort.crowd_sessions, effort.crowd_s
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "conversation.json"
        replay_server.write(conversation, file)
        with _server((*_REPLAY, str(file))) as server:
            pairs = _rounds(server, sessions, seconds, effort.crowd_rounds, told)
    says = f"client CPU of {sessions} live sessions in one process against as many bare loops"
    return [_cpu_figure("crowd.cpu", says, pairs, sessions, seconds)]


def _cpu_figure(
    name: str, says: str, pairs: list[tuple[Cost, Cost]], sessions: int, seconds: int
) -> Figure:
    def per_session(cost: Cost) -> float:
        return cost.cpu_s * 1_000 / cost.seconds / sessions

    lags = {
        "bargein": [shown(percentile(ours.lags_ms, 99)) for ours, _ in pairs if ours.lags_ms],
        "bare": [shown(percentile(bare.lags_ms, 99)) for _, bare in pairs if bare.lags_ms],
    }
    return Figure(
        name=name,
        says=says,
        unit="times the CPU",
        target=TARGET,
        wanted="at most",
        rounds=tuple(shown(per_session(ours) / per_session(bare)) for ours, bare in pairs),
        raw={
            "sessions": sessions,
            "seconds": seconds,
            "utterances": utterances(seconds),
            "cpu_ms_per_session_second": {
                "bargein": spread([per_session(ours) for ours, _ in pairs]),
                "bare": spread([per_session(bare) for _, bare in pairs]),
            },
            "played_samples": {
                "bargein": [ours.played_samples for ours, _ in pairs],
                "bare": [bare.played_samples for _, bare in pairs],
            },
            "loop_lag_p99_ms": lags,
        },
    )


def _rounds(
    server: Mapping[str, str], sessions: int, seconds: int, rounds: int, told: Told
) -> list[tuple[Cost, Cost]]:
    """Ours and the bare one of each round."""
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "user.pcm"
        track(seconds + 5).astype("<i2").tofile(file)
        for number in range(rounds):
            costs: dict[str, Cost] = {}
            for who in _WHO if number % 2 == 0 else _WHO[::-1]:
                told(f"round {number + 1} of {rounds}: {who}, {sessions} × {seconds} s")
                todo = Round(
                    who=who,
                    base_url=server["base_url"],
                    ws_url=server["ws_url"],
                    sessions=sessions,
                    seconds=seconds,
                    track=str(file),
                    lag=sessions > 1,
                )
                costs[who] = _child(todo, server["api_key"])
            _check_alike(costs["bargein"], costs["bare"])
            pairs.append((costs["bargein"], costs["bare"]))
    return pairs


def _child(todo: Round, api_key: str) -> Cost:
    done = subprocess.run(
        (sys.executable, *_CHILD),
        input=msgspec.json.encode(todo),
        capture_output=True,
        env={**os.environ, "OPENAI_API_KEY": api_key},
        timeout=todo.seconds + _OVERHEAD_S,
    )
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise DeviceError(f"a round of {todo.who} failed: {words[-1] if words else 'no words'}")
    return msgspec.json.decode(done.stdout, type=Cost)


def _check_alike(ours: Cost, bare: Cost) -> None:
    least, most = sorted((ours.played_samples, bare.played_samples))
    if least == 0 or most / least > 1 + _ALIKE:
        raise DeviceError(
            f"the two clients did not do the same work: {ours.played_samples} and "
            f"{bare.played_samples} samples were played; measure again on a quieter machine"
        )


@contextlib.contextmanager
def _server(arguments: Sequence[str]) -> Iterator[dict[str, str]]:
    """A server in a process of its own: what it printed of itself."""
    with subprocess.Popen(
        (sys.executable, *arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise DeviceError('the server did not start; try "bargein serve"')
            yield json.loads(line)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_START_S)
            except subprocess.TimeoutExpired:
                process.kill()
