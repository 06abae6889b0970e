"""Calls that the service makes: told, asked about, consented to once, and spoken about."""

from __future__ import annotations

import pytest
from tests.sim.invariants.telling import details
from tests.sim.tale import RESPONSE, Tale, begun, created, speech_started
from tests.sim.tale import done as response_done

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.settings import ServerRule
from bargein.sim.history import Entry
from bargein.sim.options import Options

CALL = "call_item"
REQUEST = "request_item"
LABEL = "files"


def standing(*, approval: bool = False) -> Tale:
    """A response is being made, in a session with one MCP server."""
    rule = ServerRule(label=LABEL, approval=approval, trusted=("list",))
    tale = begun(Options(servers=(rule,)))
    tale.told(created())
    return tale


def notify(tale: Tale, notice: notices.Notice) -> None:
    tale.write("command", commands.Notify(notice))


def whole(tale: Tale) -> None:
    """The call's arguments have come."""
    tale.told(
        events.ResponseMcpCallArgumentsDone(
            event_id="e", response_id=RESPONSE, item_id=CALL, output_index=0, arguments="{}"
        )
    )


def called(tale: Tale) -> None:
    notify(tale, notices.ToolCalled(CALL, "search", "{}", CALL, RESPONSE, "mcp", LABEL))


def ended(tale: Tale) -> None:
    """The service has run it."""
    item = events.McpCallItem(id=CALL, server_label=LABEL, name="search", arguments="{}")
    tale.told(
        events.ResponseOutputItemDone(event_id="e", response_id=RESPONSE, output_index=0, item=item)
    )


def answered(tale: Tale) -> None:
    notify(tale, notices.ToolAnswered(CALL, "search", "returned", "3 files", 0, "mcp", LABEL))


def requested(tale: Tale, name: str = "search") -> None:
    """The service asks for approval of the call."""
    item = events.McpApprovalRequestItem(id=REQUEST, server_label=LABEL, name=name, arguments="{}")
    tale.told(events.ConversationItemDone(event_id="e", previous_item_id=None, item=item))


def asked(tale: Tale) -> None:
    tale.write("command", commands.AskApproval(CALL, "search", "{}", LABEL))


def approved(tale: Tale, *, granted: bool = True) -> None:
    tale.write("input", inputs.ToolApproved(CALL, granted))


def consents(tale: Tale, *, approve: bool = True, request_id: str = REQUEST) -> None:
    item = events.McpApprovalResponseItem(approval_request_id=request_id, approve=approve)
    tale.client(events.ConversationItemCreate(item=item))


def goes_on(tale: Tale) -> None:
    """The response is done, and the next one speaks of what came of the call."""
    tale.told(response_done())
    tale.told(created("resp_2"))


def wrong(tale: Tale, *, left: bool = False, lost: bool = False) -> list[str]:
    return details(tale.judged(left=left, lost=lost), "consent")


def test_a_call_that_is_told_ends_and_is_spoken_about_is_right() -> None:
    tale = standing()
    whole(tale)
    called(tale)
    ended(tale)
    answered(tale)
    goes_on(tale)
    assert wrong(tale) == []


def test_a_call_whose_approval_is_asked_for_and_sent_once_is_right() -> None:
    tale = standing(approval=True)
    whole(tale)
    called(tale)
    requested(tale)
    asked(tale)
    approved(tale)
    consents(tale)
    ended(tale)
    answered(tale)
    goes_on(tale)
    assert wrong(tale) == []


def test_a_call_that_is_whole_is_told_once() -> None:
    tale = standing()
    whole(tale)
    goes_on(tale)
    assert wrong(tale) == [f"the call {CALL} is whole and is not told"]
    tale = standing()
    whole(tale)
    called(tale)
    called(tale)
    answered(tale)
    assert wrong(tale) == [f"the call {CALL} is told twice"]


def test_a_call_that_has_ended_is_answered_once() -> None:
    tale = standing()
    whole(tale)
    called(tale)
    ended(tale)
    goes_on(tale)
    assert f"the call {CALL} has ended and is not answered" in wrong(tale)
    assert f"the call {CALL} never ended" in wrong(tale)
    answered(tale)
    answered(tale)
    assert f"the call {CALL} is answered twice" in wrong(tale)


@pytest.mark.parametrize(("left", "lost"), [(True, False), (False, True)])
def test_a_call_needs_no_end_when_the_session_has_one(left: bool, lost: bool) -> None:
    tale = standing()
    whole(tale)
    called(tale)
    assert wrong(tale, left=left, lost=lost) == []


def test_a_call_is_asked_about_where_it_must_be_and_once() -> None:
    tale = standing(approval=True)
    whole(tale)
    called(tale)
    requested(tale)
    assert f"nobody is asked about {REQUEST}" in wrong(tale)
    asked(tale)
    asked(tale)
    assert f"{CALL} is asked about twice" in wrong(tale)


def test_nobody_is_asked_about_a_call_that_was_cut_before() -> None:
    tale = standing(approval=True)
    whole(tale)
    called(tale)
    tale.write("input", inputs.Asked(1, asks.Interrupt()))
    requested(tale)
    asked(tale)
    assert f"{CALL} is asked about, and its response was cut before" in wrong(tale)


@pytest.mark.parametrize(("granted", "withdrawn"), [(False, False), (True, True)])
def test_nothing_is_consented_to_that_nobody_has_granted(granted: bool, withdrawn: bool) -> None:
    tale = standing(approval=True)
    whole(tale)
    called(tale)
    requested(tale)
    asked(tale)
    if withdrawn:
        tale.write("command", commands.CancelTool(CALL))
    approved(tale, granted=granted)
    consents(tale)
    assert f"{REQUEST} is granted without consent" in wrong(tale)


def test_a_request_is_answered_once_and_only_where_there_is_one() -> None:
    tale = standing(approval=True)
    consents(tale)
    assert wrong(tale) == [f"{REQUEST} is answered and was not asked"]
    tale = standing(approval=True)
    whole(tale)
    called(tale)
    requested(tale)
    asked(tale)
    assert f"{REQUEST} was never answered" in wrong(tale)
    consents(tale, approve=False)
    consents(tale, approve=False)
    assert wrong(tale) == [f"{REQUEST} is answered twice", f"the call {CALL} never ended"]


def test_a_result_is_spoken_about() -> None:
    tale = standing()
    whole(tale)
    called(tale)
    ended(tale)
    answered(tale)
    tale.told(response_done())
    assert wrong(tale) == [f"nothing was said about the result of {CALL}"]


def test_a_result_that_the_user_speaks_over_needs_no_word() -> None:
    tale = standing()
    whole(tale)
    called(tale)
    ended(tale)
    answered(tale)
    tale.told(speech_started())
    tale.told(response_done())
    assert wrong(tale) == []


def test_a_result_of_a_reply_that_was_given_up_needs_no_word() -> None:
    tale = standing()
    whole(tale)
    called(tale)
    cancel = events.ResponseCancel(response_id=RESPONSE)
    tale.entries.append(Entry(len(tale.entries), "input", inputs.Asked(1, asks.SendEvent(cancel))))
    ended(tale)
    answered(tale)
    tale.told(response_done())
    assert wrong(tale) == []
