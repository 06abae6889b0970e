"""What is asked for: which reply answers it, and what nobody may take away."""

from __future__ import annotations

import pytest
from tests.sim.invariants.telling import details, playing
from tests.sim.tale import MS, PART, RESPONSE, Tale, begun, committed, created, speech_started

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.inputs import Heard
from bargein.core.responses import METADATA_KEY

ASIDE = events.ResponseParams(conversation="none")


def _asks(tale: Tale, ask_id: int, ask: asks.Ask, value: str | None = None) -> None:
    tale.write("input", inputs.Asked(ask_id, ask))
    tale.write("command", commands.Answer(ask_id, value))


def _create(key: str, params: events.ResponseParams | None = None) -> events.ResponseCreate:
    conversation = "none" if params is ASIDE else "auto"
    return events.ResponseCreate(
        response=events.ResponseParams(conversation=conversation, metadata={METADATA_KEY: key})
    )


def _started(tale: Tale, *ask_ids: int, response_id: str = RESPONSE) -> None:
    notice = notices.TurnStarted("assistant", None, response_id, ask_ids)
    tale.write("command", commands.Notify(notice))


def _added(item_id: str) -> events.ConversationItemAdded:
    item = events.MessageItem(id=item_id, role="user", content=(events.InputText(text="Wait."),))
    return events.ConversationItemAdded(event_id="e", previous_item_id=None, item=item)


@pytest.mark.parametrize("names_it", [True, False])
def test_a_reply_answers_what_waited_when_it_began(names_it: bool) -> None:
    tale = begun()
    _asks(tale, 7, asks.Respond(), "create_7")
    tale.told(created())
    _started(tale, *([7] if names_it else []))

    assert details(tale.judged(), "rule 13") == (
        [] if names_it else [f"{RESPONSE} has begun and does not answer ask 7, which waited"]
    )


def test_what_was_sent_before_is_answered_by_its_own_reply() -> None:
    tale = begun()
    _asks(tale, 7, asks.Respond(), "create_7")
    tale.client(_create("create_7"))
    tale.told(created())
    _started(tale)

    assert details(tale.judged(), "rule 13") == []


@pytest.mark.parametrize("there", [True, False])
def test_a_typed_message_is_answered_by_a_reply_that_began_behind_it(there: bool) -> None:
    tale = begun()
    _asks(tale, 7, asks.Say("Wait."), "item_7")
    if there:
        tale.told(_added("item_7"))
    tale.told(created())
    _started(tale, 7)

    assert details(tale.judged(), "rule 13") == (
        [] if there else [f"{RESPONSE} answers ask 7 and began before its message"]
    )


@pytest.mark.parametrize("heard_ms", [1_000, 400])
def test_an_owed_reply_is_asked_for_in_silence(heard_ms: int) -> None:
    tale = playing()
    tale.told(committed())
    tale.write("input", inputs.Rendered((Heard(PART, heard_ms * MS),)))
    number = tale.client(_create("debt"))
    tale.told(created("resp_2"), cause=number)
    _started(tale, response_id="resp_2")

    sounded = ["resp_2 was owed and asked for while another reply sounded"]
    assert details(tale.judged(), "rule 13") == ([] if heard_ms == 1_000 else sounded)


@pytest.mark.parametrize("cut", [True, False])
def test_nothing_is_owed_to_a_turn_that_was_cut(cut: bool) -> None:
    tale = begun()
    tale.told(committed())
    if cut:
        tale.told(speech_started())
    number = tale.client(_create("debt"))
    tale.told(created(), cause=number)
    _started(tale)

    owed = [f"{RESPONSE} was owed to a turn that was cut, and asked for"]
    assert details(tale.judged(), "rule 13") == (owed if cut else [])


@pytest.mark.parametrize("given_up", [2, 3])
def test_beside_a_reply_that_is_given_up_the_others_are_still_wanted(given_up: int) -> None:
    tale = begun()
    for ask_id in (2, 3):
        _asks(tale, ask_id, asks.Respond(), f"create_{ask_id}")
    _asks(tale, 4, asks.CancelReply(given_up))
    tale.write(
        "command", commands.Notify(notices.TurnEnded("assistant", "superseded", ask_ids=(3,)))
    )

    assert details(tale.judged(), "rule 15") == (
        [] if given_up == 3 else ["ask 2 was given up, and (3,) with it"]
    )


@pytest.mark.parametrize("asked", [True, False])
def test_nothing_is_cancelled_that_nobody_has_cut(asked: bool) -> None:
    tale = begun()
    tale.told(created())
    if asked:
        tale.write("input", inputs.Asked(1, asks.Interrupt()))
    tale.client(events.ResponseCancel(response_id=RESPONSE))

    cancelled = [f"{RESPONSE} is cancelled, and nobody has cut it"]
    assert details(tale.judged(), "rule 15") == ([] if asked else cancelled)


@pytest.mark.parametrize("sent", [True, False])
def test_a_reply_out_of_band_waits_for_nobody(sent: bool) -> None:
    tale = begun()
    _asks(tale, 5, asks.Respond(ASIDE), "create_5")
    if sent:
        tale.client(_create("create_5", ASIDE))
    tale.told(created())

    assert details(tale.judged(), "rule 15") == (
        [] if sent else ["ask 5 is out of band, and waits"]
    )


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_reply_out_of_band_that_was_given_up_is_cancelled_when_it_begins(cancelled: bool) -> None:
    tale = begun()
    _asks(tale, 5, asks.Respond(ASIDE), "create_5")
    number = tale.client(_create("create_5", ASIDE))
    _asks(tale, 6, asks.CancelReply(5))
    tale.told(created("resp_5", None), cause=number)
    if cancelled:
        tale.client(events.ResponseCancel(response_id="resp_5"))

    goes_on = ["resp_5 was given up before it was created, and goes on"]
    assert details(tale.judged(), "rule 15") == ([] if cancelled else goes_on)


@pytest.mark.parametrize("born_after", [True, False])
def test_a_cut_of_the_conversation_leaves_alone_what_begins_beside_it(born_after: bool) -> None:
    tale = begun()
    _asks(tale, 5, asks.Respond(ASIDE), "create_5")
    number = tale.client(_create("create_5", ASIDE))
    if born_after:
        tale.write("input", inputs.Asked(1, asks.Interrupt()))
    tale.told(created("resp_5", None), cause=number)
    if not born_after:
        tale.write("input", inputs.Asked(1, asks.Interrupt()))
    tale.client(events.ResponseCancel(response_id="resp_5"))

    cancelled = ["resp_5 is cancelled, and nobody has cut it"]
    assert details(tale.judged(), "rule 15") == (cancelled if born_after else [])


def test_a_reply_answers_the_ask_that_it_was_made_for() -> None:
    tale = begun()
    _asks(tale, 7, asks.Respond(), "create_7")
    number = tale.client(_create("create_7"))
    tale.told(created(), cause=number)
    _started(tale)

    assert details(tale.judged(), "rule 13") == [
        f"{RESPONSE} was made for ask 7 and does not answer it"
    ]


@pytest.mark.parametrize("cut", [True, False])
def test_what_was_cut_is_not_asked_for_once_more(cut: bool) -> None:
    tale = begun()
    tale.client(_create("create_7"))
    if cut:
        tale.write("input", inputs.Asked(1, asks.Interrupt()))
    tale.client(_create("create_7"))

    again = ["the create create_7 was cut and is sent once more"]
    assert details(tale.judged(), "rule 13") == (again if cut else [])
