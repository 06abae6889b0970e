"""The client's machine alone: one conversation's inputs, given to fresh machines again and again.

1. A machine is deterministic, so input n costs the same work in every replay: its cost is the
   median over the replays, and percentiles are over the inputs. The clock's own cost is left in.
2. A replay that does not give the recorded commands is no measurement.
3. Most inputs are microphone and player; the service's events are told apart beside them.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bargein import events
from bargein.core.inputs import Received
from bargein.core.machine import Machine
from bargein.lab.bench.figures import Effort, Figure, percentile, shown
from bargein.lab.bench.recording import Conversation, Happened

TARGET_US = 20.0
"""Issue 2. A microphone that speaks every 20 ms leaves a thousand times as long."""


def measure(conversation: Conversation, effort: Effort) -> list[Figure]:
    """The median of all inputs, of the service's events, and the 99th percentile of all."""
    happened = conversation.happened
    replays = [_replay(conversation) for _ in range(effort.replays)]
    usual = [statistics.median(costs) for costs in zip(*replays, strict=True)]
    from_service = [isinstance(each.input, Received) for each in happened]
    raw = {"inputs": len(happened), "replays": effort.replays, "us": _by_kind(happened, usual)}

    def figure(name: str, says: str, rounds: Sequence[float], **raw: Any) -> Figure:
        return Figure(
            name=name,
            says=says,
            unit="us",
            target=TARGET_US,
            wanted="at most",
            rounds=tuple(shown(value) for value in rounds),
            raw=raw,
        )

    return [
        figure(
            "handle.median",
            "Machine.handle() per input of a conversation, median",
            [statistics.median(costs) for costs in replays],
            **raw,
        ),
        figure(
            "handle.p99",
            "Machine.handle() per input of a conversation, 99th percentile",
            [percentile(usual, 99)],
            single_replays=[shown(percentile(costs, 99)) for costs in replays],
        ),
        figure(
            "handle.service",
            "Machine.handle() per event of the service, median",
            [
                statistics.median(
                    cost for cost, is_it in zip(costs, from_service, strict=True) if is_it
                )
                for costs in replays
            ],
        ),
    ]


def _replay(conversation: Conversation) -> list[float]:
    """Microseconds of each input."""
    machine = Machine(conversation.settings)
    clock_ns = time.perf_counter_ns
    costs = []
    for each in conversation.happened:
        began_ns = clock_ns()
        commands = machine.handle(each.input, now_us=each.now_us)
        costs.append((clock_ns() - began_ns) / 1_000)
        assert tuple(commands) == each.commands, f"the replay differs at {each.input}"
    return costs


def _by_kind(happened: Sequence[Happened], costs: Sequence[float]) -> dict[str, dict[str, float]]:
    """Costs by the kind of the input, the dearest in sum first."""
    kinds: dict[str, list[float]] = defaultdict(list)
    for each, cost in zip(happened, costs, strict=True):
        kinds[_kind(each)].append(cost)
    ordered = sorted(kinds.items(), key=lambda kind: -sum(kind[1]))
    return {
        kind: {
            "count": len(values),
            "median": shown(statistics.median(values)),
            "p99": shown(percentile(values, 99)),
            "max": shown(max(values)),
        }
        for kind, values in ordered
    }


def _kind(each: Happened) -> str:
    if not isinstance(each.input, Received):
        return type(each.input).__name__
    event = each.input.event
    return "malformed" if isinstance(event, events.Malformed) else events.type_of(event)
