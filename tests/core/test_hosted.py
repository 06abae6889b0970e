"""Calls that the service makes of the tools of MCP servers, and our consent to them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.rig import SERVER_VAD, Talk

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core import asks, commands, inputs
from bargein.core.hosted import REMEMBERED_LIMIT
from bargein.core.notices import Fault, ToolAnswered, ToolCalled, TurnEnded
from bargein.core.settings import ServerRule, ToolRule

MINUTE_MS = 60_000
ARGUMENTS = '{"q":"plans"}'


class Hosting(Talk):
    """A session with the server "files", in whose first response nothing was said yet."""

    def __init__(self, turns: Any = SERVER_VAD, *, servers: Any = None, **settings: Any) -> None:
        servers = (ServerRule(label="files"),) if servers is None else servers
        super().__init__(turns, servers=servers, **settings)
        self.response("r1")
        self.sent()

    def mcp_call(self, item_id: str = "M1", **given: Any) -> dict[str, Any]:
        """A call's item, as the service shows it."""
        item = {"type": "mcp_call", "id": item_id, "server_label": "files", "name": "search"}
        return {**item, "arguments": ARGUMENTS, **given}

    def begins(self, item_id: str = "M1", response_id: str = "r1", **given: Any) -> None:
        """Its item is added, and its arguments are whole."""
        item = self.mcp_call(item_id, arguments="", **given)
        place = {"response_id": response_id, "output_index": 0}
        self.receive("response.output_item.added", **place, item=item)
        self.receive("conversation.item.added", previous_item_id=self._last_item, item=item)
        self._last_item = item_id
        done = {"item_id": item_id, "arguments": given.get("arguments", ARGUMENTS)}
        self.receive("response.mcp_call_arguments.done", **place, **done)

    def asks(self, request_id: str = "Q1", **given: Any) -> None:
        """The service asks for approval of it, by an item of the conversation."""
        item = {**self.mcp_call(request_id, **given), "type": "mcp_approval_request"}
        for kind in ("added", "done"):
            event = f"conversation.item.{kind}"
            self.receive(event, previous_item_id=self._last_item, item=item)
        self._last_item = request_id

    def ends(self, item_id: str = "M1", response_id: str = "r1", **given: Any) -> None:
        """Its item is done."""
        item = self.mcp_call(item_id, **(given or {"output": "three plans"}))
        self.receive("conversation.item.done", previous_item_id=None, item=item)
        place = {"response_id": response_id, "output_index": 0}
        self.receive("response.output_item.done", **place, item=item)

    def decide(self, call_id: str = "M1", *, granted: bool = True, reason: str = "") -> None:
        self.give(inputs.ToolApproved(call_id, granted, reason))

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Who was asked for approval of what."""
        return [(one.server_label, one.call_id) for one in self.done_of(commands.AskApproval)]

    @property
    def withdrawn(self) -> list[str]:
        return [one.call_id for one in self.done_of(commands.CancelTool)]

    @property
    def consents(self) -> list[tuple[str, bool]]:
        """What the service was told, by the request."""
        items = [event.item for event in self.events_sent(events.ConversationItemCreate)]
        found = [one for one in items if isinstance(one, events.McpApprovalResponseItem)]
        return [(one.approval_request_id, one.approve) for one in found]

    @property
    def statuses(self) -> list[tuple[str, str]]:
        return [(one.call_id, one.status) for one in self.told(ToolAnswered)]


APPROVE, CREATE = "conversation.item.create", "create"


def test_a_call_is_told_asked_about_approved_and_spoken_about() -> None:
    talk = Hosting()
    talk.begins()
    (called,) = talk.told(ToolCalled)
    assert called == ToolCalled("M1", "search", ARGUMENTS, "M1", "r1", "mcp", "files")
    talk.asks()
    assert talk.asked == [("files", "M1")]
    talk.pass_ms(10 * MINUTE_MS)
    assert talk.sent() == [], "it may take minutes"
    talk.decide()
    talk.decide()
    assert (talk.sent(), talk.consents) == ([APPROVE], [("Q1", True)])
    talk.take_items()
    talk.ends()
    assert talk.sent() == [], "the response is not over"
    talk.response_done("r1")
    assert talk.sent() == [CREATE]
    (answered,) = talk.told(ToolAnswered)
    assert (answered.status, answered.output) == ("returned", "three plans")
    assert (answered.kind, answered.server_label) == ("mcp", "files")
    talk.answer_create("r2")
    talk.response_done("r2")
    talk.pass_ms(MINUTE_MS)
    assert talk.sent() == []


def test_a_call_that_is_not_approved_is_denied_with_the_reason_and_spoken_about() -> None:
    talk = Hosting()
    talk.begins()
    talk.asks()
    talk.decide(granted=False, reason="Not those files.")
    (event,) = talk.events_sent(events.ConversationItemCreate)
    assert isinstance(event.item, events.McpApprovalResponseItem)
    assert (event.item.approve, event.item.reason) == (False, "Not those files.")
    talk.take_items()
    talk.ends(error={"type": "tool_execution_error", "message": "The call was not approved."})
    talk.response_done("r1")
    assert talk.sent() == [APPROVE, CREATE]
    assert talk.told(ToolAnswered)[0].output == "The call was not approved."
    assert talk.statuses == [("M1", "refused")]


def test_a_call_that_fails_is_spoken_about_too() -> None:
    talk = Hosting()
    talk.begins()
    talk.ends(error={"type": "http_error", "code": 503, "message": "Gone."})
    talk.response_done("r1")
    assert (talk.sent(), talk.statuses) == ([CREATE], [("M1", "failed")])


def test_a_reply_of_the_services_own_pays_for_the_result() -> None:
    talk = Hosting()
    talk.begins()
    talk.ends()
    talk.speech_started()
    talk.response_done("r1", "completed")
    talk.speech_ended()
    talk.response("r2")
    talk.response_done("r2")
    talk.pass_ms(MINUTE_MS)
    assert talk.sent() == []


@pytest.mark.parametrize(
    "rule",
    [ServerRule(label="files", approval=False), ServerRule(label="files", trusted=("search",))],
)
def test_what_is_trusted_is_granted_unasked(rule: ServerRule) -> None:
    talk = Hosting(servers=(rule,))
    talk.begins()
    talk.asks()
    assert (talk.asked, talk.consents) == ([], [("Q1", True)])


def test_what_is_not_among_the_trusted_is_asked_about() -> None:
    talk = Hosting(servers=(ServerRule(label="files", trusted=("list",)),))
    talk.begins()
    talk.asks()
    assert (talk.asked, talk.consents) == ([("files", "M1")], [])


def test_a_server_that_was_only_declared_is_the_applications_to_answer() -> None:
    talk = Hosting(servers=())
    talk.begins()
    talk.asks()
    assert (talk.asked, talk.consents) == ([], [])
    given = events.McpApprovalResponseItem(approval_request_id="Q1", approve=True)
    talk.ask(asks.SendEvent(events.ConversationItemCreate(item=given)))
    assert talk.sent() == [APPROVE]
    talk.ends()
    talk.response_done("r1")
    talk.pass_ms(MINUTE_MS)
    assert talk.sent() == [], "and the reply is the application's to ask for"
    assert talk.statuses == [("M1", "returned")]


def test_what_the_application_answers_by_itself_is_answered() -> None:
    talk = Hosting()
    talk.begins()
    talk.asks()
    given = events.McpApprovalResponseItem(approval_request_id="Q1", approve=False)
    talk.ask(asks.SendEvent(events.ConversationItemCreate(item=given)))
    assert talk.withdrawn == ["M1"]
    talk.decide()
    assert talk.consents == [("Q1", False)]
    again = talk.ask(asks.SendEvent(events.ConversationItemCreate(item=given)))
    answer = talk.answer(again)
    assert answer is not None and answer.kind == "local"
    assert "item.approval_request_id: Q1 was answered already" in str(answer.error)
    assert talk.consents == [("Q1", False)]


@pytest.mark.parametrize("stop", ["speech", "button"])
def test_a_request_is_withdrawn_when_its_response_is_cut_and_the_service_ends_the_call(
    stop: str,
) -> None:
    talk = Hosting()
    talk.begins()
    talk.asks()
    if stop == "speech":
        talk.speech_started()
    else:
        talk.ask(asks.Interrupt())
        assert talk.sent() == ["cancel r1"]
    assert (talk.withdrawn, talk.statuses) == (["M1"], [("M1", "cancelled")])
    talk.decide()
    talk.ends(error={"type": "tool_execution_error", "message": "The response ended."})
    talk.response_done("r1", "cancelled", "turn_detected")
    assert talk.consents == [], "nobody waits for it any more"
    assert talk.statuses == [("M1", "cancelled")]
    if stop == "speech":
        talk.speech_ended()
        talk.response("r2")
        talk.response_done("r2")
    talk.pass_ms(MINUTE_MS)
    assert talk.sent() == []


@pytest.mark.parametrize("known", [True, False])
def test_a_request_that_a_cut_response_goes_on_waiting_for_is_denied(known: bool) -> None:
    """A server that knows no cancel waits for the approval, and everybody for it."""
    talk = Hosting(can=Capabilities(cancel=not known))
    talk.begins()
    talk.asks()
    talk.ask(asks.Interrupt())
    if not known:
        assert talk.consents == []
        talk.refuse(events.ResponseCancel, "No.", "unsupported_event")
    assert talk.consents == [("Q1", False)]
    talk.take_items()
    talk.ends(error="Denied.")
    talk.response_done("r1")
    talk.pass_ms(MINUTE_MS)
    assert talk.statuses == [("M1", "cancelled")]
    assert talk.events_sent(events.ResponseCreate) == []


def test_a_request_whose_response_is_not_ended_by_its_cancel_in_time_is_denied() -> None:
    talk = Hosting()
    talk.begins()
    talk.asks()
    talk.ask(asks.Interrupt())
    talk.pass_ms(4_999)
    assert talk.consents == []
    talk.pass_ms(1)
    assert talk.consents == [("Q1", False)]


def test_a_request_whose_call_has_ended_is_not_denied_when_its_response_does_not() -> None:
    talk = Hosting()
    talk.begins()
    talk.asks()
    talk.ask(asks.Interrupt())
    talk.ends(error="The response ended.")
    talk.pass_ms(5_000)
    assert talk.consents == []


def test_an_answer_that_has_not_left_when_its_call_ends_never_leaves() -> None:
    talk = Hosting()
    talk.begins()
    talk.asks()
    talk.give(inputs.Blocked())
    talk.decide()
    talk.ends(error="The response ended.")
    talk.give(inputs.Drained())
    assert talk.consents == []
    assert [sent.key for sent in talk.machine.faults.open] == [], "nothing waits for an answer"


def test_an_answer_that_waits_for_a_stop_while_its_call_ends_never_leaves() -> None:
    talk = Hosting()
    talk.speaking("r0", "A")
    talk.done("r0")
    talk.heard("A", 100)
    talk.begins()
    talk.asks()
    talk.speech_started()
    talk.decide()
    talk.ends(error="The response ended.")
    talk.stopped({"A": 100})
    assert talk.consents == []


def test_a_request_of_a_response_that_was_cut_before_is_not_asked_about() -> None:
    talk = Hosting()
    talk.item("A")
    talk.delta("A", 2_000)
    talk.cut_at(500)
    talk.begins()
    talk.asks()
    assert talk.asked == []
    talk.cancelled()
    assert talk.statuses == [("M1", "cancelled")]


def test_speech_behind_a_question_that_was_heard_withdraws_nothing() -> None:
    """The request has outlived its response, as another order of the wire has it."""
    talk = Hosting()
    talk.asks()
    talk.response_done("r1")
    talk.speech_started()
    talk.speech_ended()
    talk.response("r2")
    talk.response_done("r2")
    assert (talk.withdrawn, talk.asked) == ([], [("files", "Q1")])
    talk.decide("Q1")
    assert talk.consents == [("Q1", True)]


class TestOutOfItsResponse:
    """The response ends with the request, and the next one makes the call."""

    @pytest.fixture
    def talk(self) -> Hosting:
        talk = Hosting()
        item = {**talk.mcp_call("Q1"), "type": "mcp_approval_request"}
        place = {"response_id": "r1", "output_index": 0}
        talk.receive("response.output_item.done", **place, item=item)
        body = {"id": "r1", "status": "completed", "output": [item], "conversation_id": "conv_1"}
        talk.receive("response.done", response=body)
        return talk

    def test_the_service_is_asked_to_go_on_and_then_to_speak(self, talk: Hosting) -> None:
        assert [one.call_id for one in talk.told(ToolCalled)] == ["Q1"]
        talk.pass_ms(5 * MINUTE_MS)
        talk.decide("Q1")
        assert talk.sent() == [APPROVE, CREATE]
        talk.take_items()
        talk.answer_create("r2")
        talk.begins("M1", "r2", approval_request_id="Q1")
        talk.ends("M1", "r2", approval_request_id="Q1", output="three plans")
        talk.response_done("r2")
        assert talk.sent() == [CREATE]
        assert len(talk.told(ToolCalled)) == 1, "it is the same call"
        assert talk.statuses == [("Q1", "returned")]

    def test_a_call_that_does_not_name_its_request_is_known_by_its_words(
        self, talk: Hosting
    ) -> None:
        talk.decide("Q1")
        talk.take_items()
        talk.answer_create("r2")
        talk.begins("M1", "r2")
        talk.begins("M2", "r2")
        assert [one.call_id for one in talk.told(ToolCalled)] == ["Q1", "M2"]

    def test_a_denial_is_the_end_of_it_and_spoken_about(self, talk: Hosting) -> None:
        talk.decide("Q1", granted=False, reason="No.")
        assert (talk.sent(), talk.statuses) == ([APPROVE, CREATE], [("Q1", "refused")])

    def test_a_request_that_is_shown_again_is_asked_about_once(self, talk: Hosting) -> None:
        talk.asks()
        assert talk.asked == [("files", "Q1")]

    def test_who_waits_for_the_reply_is_told_of_the_last_one(self) -> None:
        talk = Hosting()
        talk.response_done("r1")
        ask_id = talk.ask(asks.Respond())
        talk.answer_create("r2")
        item = {**talk.mcp_call("Q1"), "type": "mcp_approval_request"}
        place = {"response_id": "r2", "output_index": 0}
        talk.receive("response.output_item.done", **place, item=item)
        talk.response_done("r2")
        talk.decide("Q1")
        talk.take_items()
        talk.answer_create("r3")
        talk.response_done("r3")
        ends = [one.response_id for one in talk.told(TurnEnded) if ask_id in one.ask_ids]
        assert ends == ["r3"]

    def test_a_request_that_outlives_a_cut_response_is_denied(self) -> None:
        talk = Hosting()
        talk.item("A")
        talk.delta("A", 2_000)
        item = {**talk.mcp_call("Q1"), "type": "mcp_approval_request"}
        place = {"response_id": "r1", "output_index": 1}
        talk.receive("response.output_item.done", **place, item=item)
        talk.done("r1")
        talk.cut_at(500)
        assert (talk.withdrawn, talk.consents) == (["Q1"], [("Q1", False)])
        assert talk.statuses == [("Q1", "cancelled")]
        talk.take_items()
        talk.agree()
        talk.speech_ended()
        talk.response("r2")
        talk.response_done("r2")
        talk.sent()
        talk.pass_ms(MINUTE_MS)
        assert talk.sent() == []


def test_a_call_that_outlives_its_response_is_waited_for_and_no_longer_than_a_minute() -> None:
    talk = Hosting()
    talk.begins()
    talk.response_done("r1")
    talk.pass_ms(MINUTE_MS - 1)
    assert talk.sent() == []
    talk.pass_ms(1)
    assert (talk.sent(), talk.statuses) == ([CREATE], [("M1", "timed_out")])
    talk.answer_create("r2")
    talk.ends()
    assert talk.statuses == [("M1", "timed_out")], "what comes then is in the mirror, and no news"


def test_a_result_behind_the_end_of_its_response_is_spoken_about() -> None:
    talk = Hosting()
    talk.begins()
    talk.response_done("r1")
    talk.ends()
    assert (talk.sent(), talk.statuses) == ([CREATE], [("M1", "returned")])


def test_calls_of_both_kinds_are_one_batch() -> None:
    talk = Hosting(tools=(ToolRule(name="weather"),))
    talk.begins()
    talk.asks()
    talk.call("c1")
    talk.give(inputs.ToolReturned("c1", "rain"))
    talk.take_items()
    talk.decide()
    talk.take_items()
    talk.ends()
    talk.response_done("r1")
    assert talk.sent() == ["output rain", APPROVE, CREATE]


def test_two_calls_of_the_same_words_are_asked_about_in_their_order() -> None:
    talk = Hosting()
    talk.begins("M1")
    talk.begins("M2")
    talk.asks("Q1")
    talk.asks("Q2")
    assert talk.asked == [("files", "M1"), ("files", "M2")]
    talk.decide("M2", granted=False)
    talk.decide("M1")
    assert talk.consents == [("Q2", False), ("Q1", True)]


def test_a_call_out_of_band_is_asked_about_and_owes_no_reply() -> None:
    talk = Hosting()
    talk.response_done("r1")
    talk.response("r2", conversation_id=None)
    talk.begins("M1", "r2")
    talk.asks()
    talk.decide()
    talk.take_items()
    talk.ends("M1", "r2")
    talk.response_done("r2")
    talk.pass_ms(MINUTE_MS)
    assert (talk.sent(), talk.statuses) == ([APPROVE], [("M1", "returned")])


@pytest.mark.parametrize("asked", ["before", "after"])
def test_a_reply_out_of_band_that_is_given_up_takes_its_request_with_it(asked: str) -> None:
    talk = Hosting()
    talk.response_done("r1")
    aside = events.ResponseParams(conversation="none")
    ask_id = talk.ask(asks.Respond(aside))
    talk.answer_create("r2")
    talk.begins("M1", "r2")
    if asked == "before":
        talk.asks()
    talk.ask(asks.CancelReply(ask_id))
    if asked == "after":
        talk.asks()
    assert talk.asked == ([("files", "M1")] if asked == "before" else [])
    talk.decide()
    assert (talk.consents, talk.statuses) == ([], [("M1", "cancelled")])


def test_an_answer_that_crosses_the_end_of_its_call_is_absorbed() -> None:
    talk = Hosting()
    talk.begins()
    talk.asks()
    talk.decide()
    talk.speech_started()
    talk.ends(error="The response ended.")
    talk.response_done("r1", "cancelled", "turn_detected")
    talk.refuse(
        events.ConversationItemCreate,
        "No tool call waits for approval 'Q1'.",
        "invalid_approval_request_id",
    )
    assert talk.told(Fault) == []
    assert talk.statuses == [("M1", "cancelled")]


def test_leaving_and_the_end_of_the_pipe_withdraw_what_is_asked() -> None:
    for end in (inputs.Asked(99, asks.Leave()), inputs.PipeClosed(None, "")):
        talk = Hosting()
        talk.begins()
        talk.asks()
        talk.give(end)
        assert (talk.withdrawn, talk.consents) == (["M1"], [])
        assert talk.statuses[0][1] in ("cancelled", "lost")
        talk.decide()
        assert talk.consents == []


def test_a_server_whose_tools_cannot_be_had_is_told_as_a_fault() -> None:
    talk = Hosting()
    item = {"id": "L1", "type": "mcp_list_tools", "server_label": "files", "tools": []}
    talk.receive("conversation.item.added", previous_item_id=None, item=item)
    talk.receive("mcp_list_tools.failed", item_id="L1")
    (fault,) = talk.told(Fault)
    assert (fault.blame, fault.code) == ("theirs", "mcp_list_tools_failed")
    assert "'files'" in fault.message


def test_the_mirror_shows_who_called_what_who_consented_and_what_came_of_it() -> None:
    talk = Hosting()
    talk.begins()
    talk.asks()
    talk.decide(granted=False, reason="No.")
    talk.take_items()
    talk.ends(approval_request_id="Q1", error={"type": "http_error", "message": "Denied."})
    call, request, response = (item for item in talk.machine.conversation.items)
    assert (call.server_label, call.name, call.payload) == ("files", "search", ARGUMENTS)
    assert (call.request_id, call.output, call.error) == ("Q1", None, "Denied.")
    assert (request.type, request.name, request.payload) == (
        "mcp_approval_request",
        "search",
        ARGUMENTS,
    )
    assert (response.request_id, response.approve) == ("Q1", False)


def test_what_is_remembered_is_bounded() -> None:
    talk = Hosting()
    for number in range(REMEMBERED_LIMIT + 10):
        talk.begins(f"M{number}")
        talk.asks(f"Q{number}")
        talk.decide(f"M{number}")
        talk.ends(f"M{number}")
    hosted = talk.machine.calls.hosted
    assert len(hosted._requests) == len(hosted._tools) == len(hosted._done) == REMEMBERED_LIMIT
