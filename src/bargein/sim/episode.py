"""One episode: the whole world from a seed or a tape, until it is quiet, then judged.

One seed or tape gives one run: `digest` is over everything that happened.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from bargein.core.machine import Machine
from bargein.sim.actors.client import MakeClient
from bargein.sim.choices import Choices, SeedSource, Source, Tape, TapeSource
from bargein.sim.coverage.tally import Met
from bargein.sim.coverage.watch import watch
from bargein.sim.history import History
from bargein.sim.invariants.facts import Refused
from bargein.sim.invariants.judge import Violation
from bargein.sim.options import Options, draw_options
from bargein.sim.stage import Stage
from bargein.sim.telling.story import tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the episode came to."""

    violations: tuple[Violation, ...]
    refused: tuple[Refused, ...]
    """The server's errors, each with the blame for it."""
    virtual_us: int
    steps: int


@dataclass(frozen=True)
class Episode:
    """A run and all that is known of it."""

    options: Options
    tape: Tape
    history: History
    result: Result

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Invariants that did not hold."""
        return self.result.violations

    @cached_property
    def met(self) -> Met:
        """Which rules, races, refusals and kinds of cuts it has met."""
        return watch(self.history, self.result.refused)

    @cached_property
    def digest(self) -> str:
        """Over all that happened, in order, with its times."""
        summary = hashlib.sha256()
        for entry in self.history.entries:
            summary.update(repr(entry).encode())
        summary.update(repr(self.history.final).encode())
        return summary.hexdigest()

    def story(self, *, everything: bool = False) -> str:
        """The episode as a table of time, actor and event."""
        return tell(self.history, self.violations, everything=everything)


def run(
    source: int | str | Tape | Source,
    *,
    make_client: MakeClient = Machine,
    options: Options | None = None,
    only: str | None = None,
    stop_at_first: bool = False,
) -> Episode:
    """Run one episode: of a seed, a tape, or whatever else draws. Without `options` they are
    drawn, too, and with `only` one feature is on and all others are off (`features.py`). With
    `stop_at_first` the world ends with the first violation, and its end is not judged.

    Raises `LocalValueError` where `only` names no feature.
    """
    if isinstance(source, int | str):
        source = SeedSource(source)
    elif isinstance(source, dict):
        source = TapeSource(source)
    choices = Choices(source)
    drawn = draw_options(choices, only) if options is None else options
    stage = Stage(drawn, choices, make_client, stop_at_first=stop_at_first)
    history = stage.play()
    return Episode(
        options=drawn,
        tape=choices.tape,
        history=history,
        result=Result(
            violations=tuple(stage.judge.violations),
            refused=tuple(stage.judge.facts.refused),
            virtual_us=stage.world.now_us,
            steps=stage.world.steps,
        ),
    )
