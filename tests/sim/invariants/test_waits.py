"""Who has the floor, and how long is waited."""

from __future__ import annotations

import pytest
from tests.sim.invariants.telling import details
from tests.sim.tale import Tale, begun, created, speech_started, speech_stopped

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.sim.history import Entry
from bargein.units import US_PER_S


@pytest.mark.parametrize("speaks", [True, False])
def test_while_the_user_speaks_the_assistant_does_not_get_the_floor(speaks: bool) -> None:
    tale = begun()
    tale.told(speech_started())
    if not speaks:
        tale.told(speech_stopped())
    tale.write("command", commands.Notify(notices.FloorChanged("assistant")))

    assert details(tale.judged(), "floor") == (
        ["the assistant gets the floor while the user speaks"] if speaks else []
    )


def _connected() -> Tale:
    tale = begun()
    tale.write("command", commands.Notify(notices.Connected(events.Session())))
    return tale


def _dies(tale: Tale, after_s: int) -> None:
    at_us = len(tale.entries) + after_s * US_PER_S
    tale.entries.append(Entry(at_us, "input", inputs.PipeClosed(None, "")))


@pytest.mark.parametrize(("after_s", "broken"), [(16, 1), (14, 0)])
def test_an_update_without_an_answer_is_given_up_in_time(after_s: int, broken: int) -> None:
    tale = _connected()
    tale.write("input", inputs.Asked(1, asks.Update(events.Session())))
    _dies(tale, after_s)

    found = details(tale.judged(), "deadlines")
    assert found == ["ask 1 waited for its update without end"][:broken]


@pytest.mark.parametrize("told", [True, False])
def test_a_create_without_an_answer_is_told_in_time(told: bool) -> None:
    tale = _connected()
    tale.client(events.ResponseCreate())
    if told:
        fault = notices.Fault("theirs", None, "Nothing came.", about="response.create")
        tale.write("command", commands.Notify(fault))
    _dies(tale, 16)

    assert details(tale.judged(), "deadlines") == (
        [] if told else ["the create  waited for its response without end"]
    )


@pytest.mark.parametrize("asked_for", [True, False])
def test_a_reply_that_does_not_end_holds_up_the_next_one_for_seconds_only(asked_for: bool) -> None:
    tale = _connected()
    tale.told(created())
    tale.write("input", inputs.Asked(1, asks.Say("Wait.")))
    if asked_for:
        tale.client(events.ResponseCreate())
    _dies(tale, 8)

    assert details(tale.judged(), "deadlines") == (
        [] if asked_for else ["the reply to ask 1 was never asked for"]
    )
