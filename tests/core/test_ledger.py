"""The ledger's counts and queue, where several parts and inputs meet."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein.core import asks, commands, inputs
from bargein.core.inputs import Heard, Part
from bargein.core.ledger import WAITING_LIMIT_BYTES, Ledger
from bargein.core.notices import InterruptionSettled, TurnEnded
from bargein.units import AudioFormat

PCM = AudioFormat.PCM


def part(item_id: str, index: int = 0) -> Part:
    return Part("r1", item_id, index)


def test_counts_of_parts_that_nobody_knows_hide_no_others() -> None:
    ledger = Ledger()
    item = ledger.item("r1", "A", in_conversation=True)
    ledger.arrived(item, 0, bytes(4_800), PCM, cut=False)
    ledger.flow()
    ledger.heard((Heard(part("Z"), 10), Heard(part("A"), 100)))
    assert ledger.utterances[part("A")].heard_samples == 100


def test_what_was_given_to_the_player_makes_room_for_what_comes() -> None:
    ledger = Ledger()
    item = ledger.item("r1", "A", in_conversation=True)
    sound = bytes(WAITING_LIMIT_BYTES // 4)
    for _ in range(3):
        for _ in range(2):
            ledger.arrived(item, 0, sound, PCM, cut=False)
        ledger.flow()
    ledger.arrived(item, 0, sound * 4, PCM, cut=False)
    assert ledger.dropped_samples == 0


def test_sound_of_a_cut_response_does_not_wait_for_the_player() -> None:
    """Rule 6: whether its part was known before the cut or is first seen after it."""
    ledger = Ledger()
    item = ledger.item("r1", "A", in_conversation=True)
    known = ledger.arrived(item, 0, bytes(480), PCM, cut=False)
    ledger.silence(known)
    ledger.arrived(item, 0, bytes(480), PCM, cut=True)
    fresh = ledger.arrived(item, 1, bytes(480), PCM, cut=True)
    assert [len(one.waiting) for one in (known, fresh)] == [0, 0]
    assert [one.received_samples for one in (known, fresh)] == [480, 240]
    assert (ledger.flow(), ledger.sounding) == ([], False)


@pytest.mark.parametrize(("before", "after"), [(0, 480), (480, 0), (None, 0), (0, None)])
def test_a_part_that_sounds_through_a_change_of_device_is_counted_by_the_worse(
    before: int | None, after: int | None
) -> None:
    """What the first device was off by, the second one does not put right."""
    talk = Talk(player_margin_samples=before)
    talk.speaking(ms=2_000)
    talk.done()
    talk.give(inputs.DeviceChanged(after, "plugged in"))
    talk.heard("A", 1_900 if None in (before, after) else 1_980)
    assert len(talk.told(TurnEnded)) == 1


def test_a_part_that_begins_behind_a_change_of_device_is_counted_by_the_new_one() -> None:
    talk = Talk(player_margin_samples=None)
    talk.give(inputs.DeviceChanged(0, "plugged in"))
    talk.speaking(ms=2_000)
    talk.done()
    talk.heard("A", 1_900)
    assert talk.told(TurnEnded) == []
    talk.heard("A", 2_000)
    assert len(talk.told(TurnEnded)) == 1


def test_nothing_is_closed_that_has_ended() -> None:
    """Who leaves is answered at the end of the pipe, and there is nothing left to close."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 100)
    talk.ask(asks.Leave())
    talk.give(inputs.PipeClosed(1006, ""))
    assert talk.done_of(commands.Close) == []


def test_while_the_socket_takes_nothing_every_wait_for_an_answer_goes_on() -> None:
    """Two waits come due together; neither may have left yet. The application's own goes on."""
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.heard("A", 700)
    talk.give(inputs.Blocked())
    talk.ask(asks.Interrupt())
    talk.stopped({"A": 700})
    talk.pass_ms(6_000)
    assert talk.told(InterruptionSettled) == []
    talk.give(inputs.Drained())
    assert talk.sent() == ["cancel r1", "truncate A/0 700"]
    talk.pass_ms(2_000)
    talk.cancelled("r1", "client_cancelled")
    (settled,) = talk.told(InterruptionSettled)
    assert settled.exactness == "unconfirmed"
