"""The rows of a story: what is joined, what is folded, and what has a row of its own."""

from __future__ import annotations

from tests.sim.tale import (
    ITEM,
    MS,
    PART,
    RESPONSE,
    Tale,
    created,
    delta,
    done,
    error,
    item_done,
    session_updated,
    speech_started,
    truncate,
)

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.inputs import Heard
from bargein.sim.history import Entry, Final, History, Truth
from bargein.sim.invariants.judge import Violation
from bargein.sim.telling.rows import rows


def _told(tale: Tale, *violations: Violation) -> list[str]:
    final = Final(Truth({}, {}, {}, ()), (), ())
    told = rows(History(tale.options, tuple(tale.entries), final), violations)
    return [f"{row.actor}: {row.event}" for row in told]


def _interrupt(tale: Tale) -> None:
    tale.write("input", inputs.Asked(1, asks.Interrupt()))


def test_sound_is_joined_until_something_else_happens() -> None:
    tale = Tale()
    tale.told(created())
    for _ in range(3):
        tale.told(delta(20))
    _interrupt(tale)
    tale.told(delta(20))

    assert _told(tale)[1:] == [
        "service: sends 60.00 ms of A[0] (r1) in 3 deltas until 0.006 -> 0.003 to 0.007",
        "app: interrupts",
        "service: sends 20.00 ms of A[0] -> 0.010",
    ]


def test_what_crosses_an_act_has_a_row_where_it_arrives() -> None:
    tale = Tale()
    tale.told(created())
    tale.server(delta(20))
    _interrupt(tale)
    tale.arrive()

    assert _told(tale)[1:] == [
        "service: sends 20.00 ms of A[0] (r1) -> (see below)",
        "app: interrupts",
        "client: gets 20.00 ms of A[0] (r1)",
    ]


def test_what_crosses_on_the_wire_has_a_row_at_both_ends() -> None:
    tale = Tale()
    tale.told(created())
    cancel = events.ResponseCancel(response_id=RESPONSE)
    number = tale.client(cancel)
    tale.server(done())
    tale.write("server_got", cancel, number)
    tale.arrive()

    assert _told(tale)[1:] == [
        "client: sends response.cancel r1 -> (see below)",
        "service: sends response.done r1: completed -> 0.005",
        "service: gets response.cancel r1",
    ]


def test_what_a_side_does_at_the_time_of_an_arrival_is_no_race() -> None:
    tale = Tale()
    events_of = (item_done(status="incomplete"), done(status="cancelled"))
    tale.entries = [
        *(Entry(0, "server_sent", event, number) for number, event in enumerate(events_of)),
        Entry(9, "client_got", events_of[0], 0),
        Entry(9, "client_sent", events.ConversationItemDelete(item_id=ITEM), 0),
        Entry(9, "client_got", events_of[1], 1),
    ]

    assert _told(tale) == [
        "service: sends response.done r1: cancelled -> 0.009",
        "client: sends item.delete A -> (under way)",
    ]


def test_the_end_of_a_response_tells_of_the_ends_in_it() -> None:
    tale = Tale()
    tale.entries = [Entry(0, "server_sent", item_done(), 0), Entry(0, "server_sent", done(), 1)]
    assert _told(tale) == ["service: sends response.done r1: completed -> (under way)"]

    tale.entries = [Entry(0, "server_sent", item_done(), 0), Entry(9, "server_sent", done(), 1)]
    assert _told(tale) == [
        "service: sends item A completed -> (under way)",
        "service: sends response.done r1: completed -> (under way)",
    ]


def test_the_opening_is_not_told_and_a_change_of_settings_is() -> None:
    tale = Tale()
    tale.told(session_updated(interrupts=True))
    _interrupt(tale)
    tale.told(session_updated(interrupts=False))

    assert _told(tale) == ["app: interrupts", "service: sends session.updated -> 0.004"]


def test_an_act_at_a_moment_says_which_one() -> None:
    tale = Tale()
    tale.entries = [
        Entry(7, "note", "acts at last_delta -42 us"),
        Entry(7, "input", inputs.Asked(1, asks.Interrupt())),
        Entry(8, "note", "acts at created +0 us"),
        Entry(9, "input", inputs.Asked(2, asks.Interrupt())),
    ]

    assert _told(tale) == ["app: interrupts (at last_delta -42 us)", "app: interrupts"]


def test_the_card_tells_what_was_heard_of_all_that_was_not_told_of_before() -> None:
    tale = Tale()
    tale.write("input", inputs.Rendered((Heard(PART, 200 * MS),)))
    tale.write("input", inputs.PlaybackStopped("cut_0_1", ()))
    tale.write("input", inputs.PlaybackStopped("cut_0_1", (Heard(PART, 190 * MS),), 48))
    tale.write("input", inputs.PlaybackStopped("cut_0_2", (), None))

    assert _told(tale) == [
        "card: has stopped for cut1: heard A[0] 200.00 ms",
        "card: corrects cut1: heard A[0] 190.00 ms (within 48 samples)",
        "card: has stopped for cut2 (an estimate)",
    ]


def test_what_a_deadline_makes_the_client_do_is_said_to_come_of_it() -> None:
    tale = Tale()
    tale.write("input", inputs.Tick())
    tale.client(truncate(40))

    assert _told(tale) == [
        "client: its deadline has come: sends item.truncate A[0] to 40 ms -> (under way)"
    ]


def test_each_actor_has_a_name() -> None:
    tale = Tale()
    tale.write("note", "speaks for 80 ms")
    tale.write("input", inputs.Asked(1, asks.Press()))
    tale.write("note", "nothing gets up any more")
    tale.write("input", inputs.PipeClosed())
    tale.write("command", commands.StopPlayback("cut_0_1"))
    tale.told(speech_started())

    assert [line.partition(":")[0] for line in _told(tale)] == [
        "user",
        "user",
        "network",
        "network",
        "client",
        "service",
    ]


def test_an_error_is_told_by_a_code_that_speaks_or_with_its_text() -> None:
    tale = Tale()
    tale.told(error("invalid_value", "Too long."))
    tale.told(error("response_cancel_not_active", "Cancellation failed."))

    assert _told(tale) == [
        "service: sends error invalid_value: Too long. -> 0.001",
        "service: sends error response_cancel_not_active -> 0.003",
    ]


def test_a_violation_has_its_row_where_it_broke_and_what_was_written_down_is_not_told_twice() -> (
    None
):
    tale = Tale()
    tale.write("broken", "handle(Tick) raised KeyError: 3")
    _interrupt(tale)
    one = Violation("I9", "Nothing raises.", "handle(Tick) raised KeyError: 3", 0, 0)
    other = Violation("I1", "Memory is hearing.", f"{ITEM}[0]: heard nothing", -1, 1)
    third = Violation("I1", "Memory is hearing.", "nor there", -1, 1)

    assert _told(tale, one, other, third) == [
        "I9: BROKEN: Nothing raises.\nhandle(Tick) raised KeyError: 3",
        "app: interrupts",
        f"I1: BROKEN: Memory is hearing.\n{ITEM}[0]: heard nothing\nnor there",
    ]
    assert _told(tale)[0] == "client: handle(Tick) raised KeyError: 3"
