"""What became of the mutants, and how it is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median_high

import msgspec

from bargein.sim.mutants.catalogue import Mutant


class Hunt(msgspec.Struct, frozen=True):
    """A mutant under one base seed. `seed` is that of the first conversation that counts against
    it; None if it lived through all `episodes`."""

    mutant: str
    base_seed: int
    episodes: int
    seed: int | None = None
    invariant: str = ""
    detail: str = ""


class Share(msgspec.Struct, frozen=True):
    """How many of so many conversations count against a mutant, by the invariant named first."""

    mutant: str
    episodes: int
    broken: dict[str, int]

    @property
    def percent(self) -> float:
        """Of the conversations."""
        return 100 * sum(self.broken.values()) / self.episodes


class Verdict(msgspec.Struct, frozen=True):
    """All that is known of one mutant."""

    mutant: Mutant
    hunts: tuple[Hunt, ...]
    share: Share | None = None

    @property
    def lives(self) -> bool:
        """Under some base seed nothing noticed it."""
        return any(hunt.seed is None for hunt in self.hunts)

    @property
    def killed_by(self) -> tuple[str, ...]:
        """The invariants that noticed it, the most frequent first."""
        names = [hunt.invariant for hunt in self.hunts if hunt.seed is not None]
        return tuple(sorted(set(names), key=lambda name: (-names.count(name), name)))

    @property
    def after(self) -> int:
        """The median of the conversations played until one counted, over the base seeds."""
        return median_high(hunt.episodes for hunt in self.hunts)


def judged(
    mutants: Iterable[Mutant], hunts: Sequence[Hunt], shares: Sequence[Share]
) -> tuple[Verdict, ...]:
    """The verdicts in the order of the catalogue."""
    return tuple(
        Verdict(
            mutant,
            tuple(
                sorted(
                    (hunt for hunt in hunts if hunt.mutant == mutant.name),
                    key=lambda hunt: hunt.base_seed,
                )
            ),
            next((share for share in shares if share.mutant == mutant.name), None),
        )
        for mutant in mutants
    )


def by_rule(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The ledger first, then the other modules; by number within each."""

    def order(verdict: Verdict) -> tuple[bool, str, int]:
        module, _, number = verdict.mutant.rule.rpartition(" ")
        return module != "ledger", module, int(number)

    return sorted(verdicts, key=order)


def markdown(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """The lines of the table of docs/simulation.md."""
    yield "| rule | the client | noticed by | after | broken |"
    yield "|---|---|---|---:|---:|"
    for verdict in by_rule(verdicts):
        mutant = verdict.mutant
        broken = "" if verdict.share is None else f"{verdict.share.percent:.1f} %"
        noticed = "nobody" if verdict.lives else ", ".join(verdict.killed_by)
        said = mutant.name.replace("-", " ")
        yield f"| {mutant.rule} | {said} | {noticed} | {verdict.after} | {broken} |"
