"""Whose fault a refusal is, in histories told by hand."""

from __future__ import annotations

import pytest
from tests.sim.tale import (
    RESPONSE,
    Tale,
    committed,
    created,
    done,
    error,
    session_updated,
    speaking,
    speech_started,
    speech_stopped,
    truncate,
)  # fmt: skip

from bargein import events
from bargein.core import asks, inputs
from bargein.sim.actors.service import REFUSED_CODE
from bargein.sim.invariants.facts import Facts
from bargein.sim.options import Options

CANCEL = events.ResponseCancel(response_id=RESPONSE)
NOT_ACTIVE = "response_cancel_not_active"
ACTIVE = "conversation_already_has_active_response"


def _blames(facts: Facts) -> list[str]:
    return [refused.blame for refused in facts.refused]


def test_a_cancel_that_passes_the_done_on_the_wire_is_a_crossing() -> None:
    tale = Tale()
    speaking(tale, 100)
    tale.server(done())
    number = tale.client(CANCEL)
    tale.refused(number, NOT_ACTIVE)

    assert _blames(tale.facts()) == ["crossing"]


def test_a_cancel_after_the_done_has_arrived_is_ours() -> None:
    tale = Tale()
    speaking(tale, 100)
    tale.told(done())
    tale.refused(tale.client(CANCEL), NOT_ACTIVE)

    assert _blames(tale.facts()) == ["ours"]


@pytest.mark.parametrize(("interrupts", "blamed"), [(True, "ours"), (False, "crossing")])
def test_a_cancel_after_speech_is_ours_where_the_server_cancels_itself(
    interrupts: bool, blamed: str
) -> None:
    tale = Tale()
    tale.told(session_updated(interrupts=interrupts))
    speaking(tale, 100)
    tale.told(speech_started())
    tale.server(done())
    tale.refused(tale.client(CANCEL), NOT_ACTIVE)

    assert _blames(tale.facts()) == [blamed]


def test_speech_that_is_still_under_way_excuses_the_cancel() -> None:
    tale = Tale()
    tale.told(session_updated(interrupts=True))
    speaking(tale, 100)
    tale.server(speech_started())
    tale.server(done())
    tale.refused(tale.client(CANCEL), NOT_ACTIVE)

    assert _blames(tale.facts()) == ["crossing"]


def test_a_second_cancel_of_one_response_is_ours() -> None:
    tale = Tale()
    speaking(tale, 100)
    first = tale.client(CANCEL)
    tale.server(done(), cause=first)
    tale.refused(tale.client(CANCEL), NOT_ACTIVE)

    assert _blames(tale.facts()) == ["ours"]


def test_a_cancel_without_an_id_is_ours() -> None:
    tale = Tale()
    speaking(tale, 100)
    tale.server(done())
    tale.refused(tale.client(events.ResponseCancel()), NOT_ACTIVE)

    assert _blames(tale.facts()) == ["ours"]


def test_a_create_that_meets_a_response_of_an_unknown_turn_is_a_crossing() -> None:
    tale = Tale()
    heard = tale.client(events.InputAudioBufferAppend(audio=b"\0\0"))
    tale.server(speech_stopped(), cause=heard)
    tale.server(committed(), cause=heard)
    tale.server(created(), cause=heard)
    number = tale.client(events.ResponseCreate())
    tale.refused(number, ACTIVE)

    assert _blames(tale.facts()) == ["crossing"]


@pytest.mark.parametrize(("creates", "blamed"), [(True, "ours"), (False, "crossing")])
def test_a_create_is_ours_once_the_turn_is_over_that_the_server_will_answer(
    creates: bool, blamed: str
) -> None:
    tale = Tale()
    tale.told(session_updated(interrupts=True, creates=creates))
    heard = tale.client(events.InputAudioBufferAppend(audio=b"\0\0"))
    tale.told(speech_stopped(), cause=heard)
    tale.server(committed(), cause=heard)
    tale.server(created(), cause=heard)
    tale.refused(tale.client(events.ResponseCreate()), ACTIVE)

    assert _blames(tale.facts()) == [blamed]


def test_a_second_create_before_the_first_is_answered_is_ours() -> None:
    tale = Tale()
    first = tale.client(events.ResponseCreate())
    second = tale.client(events.ResponseCreate())
    tale.server(created(), cause=first)
    tale.refused(second, ACTIVE)

    assert _blames(tale.facts()) == ["ours"]


def test_the_servers_own_reply_that_it_refuses_is_nobodys_fault() -> None:
    tale = Tale()
    number = tale.client(events.InputAudioBufferAppend(audio=b"\0\0"))
    tale.refused(number, ACTIVE)

    assert _blames(tale.facts()) == ["automatic"]


def test_the_first_refusal_on_an_unknown_grid_is_theirs_and_the_next_one_ours() -> None:
    tale = Tale(Options(lengths_grid_ms=50))
    speaking(tale, 2_680)
    tale.refused(tale.client(truncate(2_670)), "invalid_value")
    tale.refused(tale.client(truncate(2_660)), "invalid_value")

    assert _blames(tale.facts()) == ["theirs", "ours"]


def test_two_truncates_in_one_flight_cannot_learn_from_each_other() -> None:
    tale = Tale(Options(lengths_grid_ms=50))
    speaking(tale, 2_680)
    first, second = tale.client(truncate(2_670)), tale.client(truncate(30, "item_2"))
    tale.refused(first, "invalid_value")
    tale.refused(second, "invalid_value")

    assert _blames(tale.facts()) == ["theirs", "theirs"]


@pytest.mark.parametrize("options", [Options(), Options(lengths_grid_ms=50, declared=True)])
def test_a_truncate_beyond_a_known_length_is_ours(options: Options) -> None:
    tale = Tale(options)
    speaking(tale, 100)
    tale.refused(tale.client(truncate(140)), "invalid_value")

    assert _blames(tale.facts()) == ["ours"]


def test_a_server_that_refuses_truncation_is_asked_once() -> None:
    tale = Tale(Options(obeys_truncate=False))
    speaking(tale, 100)
    tale.refused(tale.client(truncate(10)), REFUSED_CODE)
    tale.refused(tale.client(truncate(5)), REFUSED_CODE)

    assert _blames(tale.facts()) == ["theirs", "ours"]


def test_an_item_that_the_server_does_not_hold_is_ours_to_know() -> None:
    tale = Tale()
    delete = events.ConversationItemDelete(item_id="item_x")
    tale.refused(tale.client(delete), "item_delete_invalid_item_id")

    assert _blames(tale.facts()) == ["ours"]


def test_what_no_message_caused_is_theirs() -> None:
    tale = Tale()
    tale.told(error("session_expired"))

    assert _blames(tale.facts()) == ["theirs"]


def test_a_create_that_is_repeated_beside_the_same_response_is_ours() -> None:
    tale = Tale()
    turn = tale.client(events.InputAudioBufferAppend(audio=b"\0\0"))
    tale.server(created(), cause=turn)
    first = tale.client(events.ResponseCreate())
    code = "conversation_already_has_active_response"
    tale.write("server_sent", error(code), number=90, cause=first)
    tale.write("client_got", error(code), number=90)
    second = tale.client(events.ResponseCreate())
    tale.write("server_sent", error(code), number=91, cause=second)

    assert _blames(tale.facts()) == ["crossing", "ours"]


@pytest.mark.parametrize(
    ("by_itself", "blame"), [(True, "application"), (False, "ours")], ids=["an event", "an edit"]
)
def test_an_item_behind_one_of_the_models_that_is_gone_is_the_applications_own(
    by_itself: bool, blame: str
) -> None:
    tale = Tale()
    speaking(tale, 100)
    part = events.InputText(text="Wait.")
    item = events.MessageItem(id="app_0", role="user", content=(part,))
    create = events.ConversationItemCreate(item=item, previous_item_id="item_1")
    if by_itself:
        tale.write("input", inputs.Asked(1, asks.SendEvent(create)))
    number = tale.client(create)
    tale.refused(number, "item_create_invalid_previous_item_id")

    assert _blames(tale.facts()) == [blame]


@pytest.mark.parametrize(
    ("named", "blame"), [(True, "application"), (False, "ours")], ids=["deleted", "unknown"]
)
def test_an_output_of_a_call_that_the_application_has_deleted_is_its_own(
    named: bool, blame: str
) -> None:
    tale = Tale()
    call = events.FunctionCallItem(id="a", name="weather", call_id="c1", arguments="{}")
    tale.told(events.ConversationItemAdded(event_id="e", previous_item_id=None, item=call))
    if named:
        tale.write("input", inputs.Asked(1, asks.Edit((), ("a",), ("a",))))
        tale.client(events.ConversationItemDelete(item_id="a"))
    output = events.FunctionCallOutputItem(call_id="c1", output="{}")
    create = events.ConversationItemCreate(item=output)
    tale.write("input", inputs.Asked(2, asks.SendEvent(create)))
    tale.refused(tale.client(create), "invalid_tool_call_id")

    assert _blames(tale.facts()) == [blame]
