"""In every order of every scene every promise is kept, and the scenes are about what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import pytest

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.button import Button
from bargein.core.cuts import Cuts
from bargein.core.edited import Edited
from bargein.core.edits import Edits
from bargein.core.ledger import Ledger
from bargein.core.settlement import Settlement
from bargein.core.utterances import SpokenItem
from bargein.sim.history import Entry, History
from bargein.sim.orders.enumeration import orders
from bargein.sim.orders.scenes import SCENES

ABOUT_AN_ORDER = {*range(13, 19), 20, 24, 25, 28, 29, 30, 38, 42, 47, 48, 49, 50, 53}
"""The scenarios in which the order of events decides."""

Moment: TypeAlias = Callable[[Entry], bool]


@pytest.mark.parametrize("name", SCENES)
def test_every_order_of_the_scene_is_played_once_and_keeps_every_promise(name: str) -> None:
    visited: set[tuple[int, ...]] = set()
    shares = Fraction(0)
    broken: list[str] = []
    count = 0
    for order in orders(SCENES[name]):
        count += 1
        visited.add(tuple(order.tape.get("order", ())))
        shares += order.share
        if order.violations:
            broken.append(order.story())

    assert not broken, f"{len(broken)} of {count} orders\n{broken[0]}"
    assert len(visited) == count > 1
    # Each order stands for its part of all sequences of fair choices: none is missing, none twice.
    assert shares == 1


def test_every_scenario_about_an_order_is_in_a_scene() -> None:
    met = {number for scene in SCENES.values() for number in scene.scenarios}

    assert met >= ABOUT_AN_ORDER
    assert len(SCENES) >= 40


def test_no_scene_has_more_than_six_events_to_choose_from() -> None:
    assert {scene.events for scene in SCENES.values()} == {6}


# What a scenario is, as moments in the order in which they must be met.


def got(kind: type) -> Moment:
    return lambda entry: entry.kind == "client_got" and isinstance(entry.what, kind)


def sends(kind: type) -> Moment:
    return lambda entry: entry.kind == "client_sent" and isinstance(entry.what, kind)


def at_server(kind: type) -> Moment:
    return lambda entry: entry.kind == "server_got" and isinstance(entry.what, kind)


def from_server(kind: type) -> Moment:
    return lambda entry: entry.kind == "server_sent" and isinstance(entry.what, kind)


def asked(kind: type) -> Moment:
    def is_it(entry: Entry) -> bool:
        return isinstance(entry.what, inputs.Asked) and isinstance(entry.what.ask, kind)

    return is_it


def cut_by(*askers: str) -> Moment:
    def is_it(entry: Entry) -> bool:
        what = entry.what
        told = what.notice if isinstance(what, commands.Notify) else None
        return isinstance(told, notices.Interruption) and set(told.askers) == set(askers)

    return is_it


def answered(entry: Entry) -> bool:
    """An edit is told to be done."""
    return isinstance(entry.what, commands.Answer) and isinstance(entry.what.value, Edited)


def stops(entry: Entry) -> bool:
    return isinstance(entry.what, commands.StopPlayback)


def stopped(entry: Entry) -> bool:
    return isinstance(entry.what, inputs.PlaybackStopped)


SPEECH = got(events.InputAudioBufferSpeechStarted)
SILENCE = got(events.InputAudioBufferSpeechStopped)
CREATED = got(events.ResponseCreated)
DELTA = got(events.ResponseOutputAudioDelta)
DONE = got(events.ResponseDone)
CALL = got(events.ResponseFunctionCallArgumentsDone)
CREATES = sends(events.ResponseCreate)
CANCELS = sends(events.ResponseCancel)
TRUNCATES = sends(events.ConversationItemTruncate)
DELETES = sends(events.ConversationItemDelete)
PUTS = sends(events.ConversationItemCreate)
DELETED = got(events.ConversationItemDeleted)

SCENARIOS: dict[int, tuple[str, tuple[Moment, ...]]] = {
    13: ("next-reply-while-the-old-one-plays", (CREATED, CREATED, stops, stopped, TRUNCATES)),
    14: ("two-askers", (stops, DELTA, DONE)),
    15: ("stragglers", (SPEECH, DELTA, DONE, SILENCE, SPEECH)),
    16: (
        "cancel-crosses-done",
        (from_server(events.ResponseDone), CANCELS, at_server(events.ResponseCancel)),
    ),
    17: ("interrupt-before-created", (CREATES, asked(asks.Interrupt), CREATED, CANCELS)),
    18: ("two-askers", (DELTA, asked(asks.Interrupt), stopped, TRUNCATES)),
    20: ("next-reply-before-the-stop-is-answered", (CREATED, CREATED, TRUNCATES)),
    24: ("edit-of-what-a-cut-deletes", (DELETES, asked(asks.Edit), DELETED, answered)),
    25: ("edit-and-a-message", (asked(asks.Edit), PUTS, from_server(events.ConversationItemAdded))),
    28: ("tool-output-while-the-user-speaks", (CALL, SPEECH, PUTS, SILENCE)),
    29: ("tool-output-before-done", (CALL, PUTS, DONE, CREATES)),
    30: ("call-of-a-cancelled-reply", (CALL, SPEECH, DONE, PUTS)),
    38: (
        "press-and-release",
        (asked(asks.Press), stopped, sends(events.InputAudioBufferCommit), CREATES),
    ),
    42: ("typed-during-speech", (SPEECH, asked(asks.Say), SILENCE)),
    47: ("next-reply-before-the-stop-is-answered", (stops, CREATED, DELTA, stopped)),
    48: ("smaller-late-answer", (stopped, TRUNCATES, stopped, TRUNCATES)),
    49: ("two-askers", (stops, cut_by("interrupt", "speech"))),
    50: ("tool-output-while-the-user-speaks", (SILENCE, CREATED, PUTS)),
    53: ("a-turn-is-refused", (SILENCE, got(events.Error), CREATES)),
}


def happens(history: History, moments: tuple[Moment, ...]) -> bool:
    entries = iter(history.entries)
    return all(any(moment(entry) for entry in entries) for moment in moments)


def test_the_list_of_scenarios_is_whole() -> None:
    assert SCENARIOS.keys() == ABOUT_AN_ORDER


@pytest.mark.parametrize("number", SCENARIOS)
def test_the_scenario_is_among_the_orders_of_its_scene(number: int) -> None:
    name, moments = SCENARIOS[number]

    assert number in SCENES[name].scenarios
    assert any(happens(order.history, moments) for order in orders(SCENES[name]))


# A client without a rule is found out.


@dataclass(frozen=True)
class Mutant:
    """What is patched, with what, and the scene in which the invariant breaks."""

    rule: str
    owner: type
    name: str
    patch: Any
    scene: str
    breaks: str


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


def _settles_one_item(self: Cuts, cut: Any) -> None:
    for item in cut.items[:1]:
        item.over = item.over or cut.impatient
        self._settlement.settle(cut.sent, item, exact=cut.exact)


def _cancels_always(real: Callable[..., None]) -> Callable[..., None]:
    def take(self: Cuts, *args: Any, service_cancels: bool) -> None:
        real(self, *args, service_cancels=False)

    return take


def _waits_for_no_socket(self: Edits) -> bool:
    machine = self._m
    return not (machine.cuts.undecided or machine.after_stop or machine.faults.changing)


MUTANTS = (
    Mutant("3 every part", Cuts, "_settle", _settles_one_item, "several-items", "I1"),
    Mutant("3 those to come", Cuts, "saw", _nothing, "delete-waits-for-done", "I1"),
    Mutant("4 whole parts", SpokenItem, "kept_whole", lambda *a, **k: False, "several-items", "P4"),
    Mutant("6 the cut is not played", Ledger, "silence", _nothing, "two-askers", "I9"),
    Mutant("8 requests", Cuts, "born", _nothing, "interrupt-before-created", "rule 9"),
    Mutant("9 cancelled", Settlement, "cancel", _nothing, "cancel-crosses-done", "rule 9"),
    Mutant(
        "9 not in vain", Cuts, "_take", _cancels_always(Cuts._take), "speech-while-it-is-made", "I2"
    ),
    Mutant("better answers", Settlement, "correct", _nothing, "smaller-late-answer", "I1"),
    Mutant(
        "edits 1 the socket",
        Edits,
        "_may_begin",
        _waits_for_no_socket,
        "edit-with-a-full-socket",
        "I2",
    ),
    Mutant("a press is heard", Button, "listen", _nothing, "press-and-release", "liveness"),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_a_client_without_the_rule_is_found_out(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutant.owner, mutant.name, mutant.patch)

    found = orders(SCENES[mutant.scene])

    assert mutant.breaks in (one.invariant for order in found for one in order.violations)
