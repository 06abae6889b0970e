"""A client that lacks one rule of the ledger is found out, by the invariant that the rule is for.

The rules are those at the head of `core/utterances.py`. A mutant is a patch; the client has no
switch for it. One that lives here means that an invariant is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bargein.core.cuts import Cuts
from bargein.core.responses import Responses
from bargein.core.settlement import Settlement
from bargein.core.utterances import Ledger, SpokenItem, Utterance
from bargein.sim.episode import run
from bargein.units import ms_floor

SEEDS = 120


@dataclass(frozen=True)
class Mutant:
    """What is patched, with what, and the invariant that must break within `SEEDS` seeds."""

    rule: str
    owner: type
    name: str
    patch: Any
    breaks: str


def _received_ms(utterance: Utterance) -> int:
    return ms_floor(utterance.received_samples, utterance.format.rate)


def _given_ms(utterance: Utterance) -> int:
    return ms_floor(utterance.given_samples, utterance.format.rate)


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


def _settles_one_item(self: Cuts, cut: Any) -> None:
    for item in cut.items[:1]:
        item.over = item.over or cut.impatient
        self._settlement.settle(cut.sent, item, exact=cut.exact)


def _plays_what_was_cut(real: Callable[..., Utterance]) -> Callable[..., Utterance]:
    def arrived(self: Ledger, *args: Any, cut: bool) -> Utterance:
        return real(self, *args, cut=False)

    return arrived


def _cancels_always(real: Callable[..., None]) -> Callable[..., None]:
    def take(self: Cuts, *args: Any, service_cancels: bool) -> None:
        real(self, *args, service_cancels=False)

    return take


def _deletes_again(real: Callable[..., None]) -> Callable[..., None]:
    def delete(self: Settlement, sent: list[str], item: SpokenItem) -> None:
        real(self, sent, item)
        item.going = False

    return delete


MUTANTS = (
    Mutant("1 the player says", Utterance, "heard_ms", property(_given_ms), "I1"),
    Mutant("10 heard, not received", Utterance, "heard_ms", property(_received_ms), "I1"),
    Mutant("3 every part", Cuts, "_settle", _settles_one_item, "I1"),
    Mutant("3 those to come", Cuts, "saw", _nothing, "I1"),
    Mutant("4 whole parts alone", SpokenItem, "kept_whole", lambda *a, **k: False, "P4"),
    Mutant("5 deleted once", Settlement, "_delete", _deletes_again(Settlement._delete), "I2"),
    Mutant("6 the cut is not played", Ledger, "silence", _nothing, "I9"),
    Mutant("6 nor what comes of it", Ledger, "arrived", _plays_what_was_cut(Ledger.arrived), "I3"),
    Mutant("7 one at a time", Responses, "open_default", property(_nothing), "I2"),
    Mutant("8 requests are remembered", Cuts, "born", _nothing, "rule 9"),
    Mutant("9 cancelled", Settlement, "cancel", _nothing, "rule 9"),
    Mutant("9 not in vain", Cuts, "_take", _cancels_always(Cuts._take), "I2"),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_a_client_without_the_rule_is_found_out(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutant.owner, mutant.name, mutant.patch)

    broken = (violation.invariant for seed in range(SEEDS) for violation in run(seed).violations)

    assert mutant.breaks in broken
