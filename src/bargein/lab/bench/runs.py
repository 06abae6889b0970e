"""All benches by name, in the order in which they are run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from typing import Final

from bargein.lab.bench import calls, decoding, endurance, handling, hour, live, load, simulation
from bargein.lab.bench.figures import Effort, Figure
from bargein.lab.bench.recording import Conversation, record

Told = Callable[[str], None]


class Setting:
    """What benches share: the effort, whom to tell of progress, one recorded conversation."""

    def __init__(self, effort: Effort, told: Told) -> None:
        self.effort, self.told = effort, told

    @cached_property
    def conversation(self) -> Conversation:
        """Recorded when the first bench asks for it."""
        seconds = self.effort.conversation_s
        self.told(f"recording a conversation of {seconds} s")
        return record(seconds)


BENCHES: Final[dict[str, Callable[[Setting], list[Figure]]]] = {
    "decode": lambda given: decoding.measure(given.conversation, given.effort),
    "handle": lambda given: handling.measure(given.conversation, given.effort),
    "live": lambda given: live.measure(given.effort, given.told),
    "crowd": lambda given: live.measure_crowd(given.conversation, given.effort, given.told),
    "memory": lambda given: hour.measure(given.effort, given.told),
    "day": lambda given: endurance.measure_day(given.effort, given.told),
    "drops": lambda given: endurance.measure_drops(given.effort, given.told),
    "load": lambda given: load.measure(given.effort, given.told),
    "calls": lambda given: calls.measure(given.effort, given.told),
    "simulation": lambda given: simulation.measure(given.effort),
}


def run(names: Collection[str], effort: Effort, told: Told) -> Iterator[Figure]:
    """The figures of these benches, each when it is there. `told` gets a line of progress."""
    setting = Setting(effort, told)
    for name, bench in BENCHES.items():
        if name in names:
            told(name)
            yield from bench(setting)
