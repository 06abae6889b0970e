"""Refusals by code, event and blame."""

from __future__ import annotations

from tests.sim.coverage.drama import met
from tests.sim.tale import error

from bargein import events
from bargein.sim.coverage.refusals import REFUSALS, name_of
from bargein.sim.invariants.facts import Refused, Sent


def test_a_refusal_is_named_by_its_code_its_event_and_its_blame() -> None:
    cancel = Sent(0, 0, events.ResponseCancel(response_id="resp_1"), 0)
    refused = Refused(error("response_cancel_not_active"), 3, cancel, "crossing")

    assert name_of(refused) == "response_cancel_not_active of response.cancel: crossing"
    assert name_of(refused) in REFUSALS


def test_a_refusal_of_nothing_of_ours_says_so() -> None:
    refused = Refused(error("session_expired"), 3, None, "theirs")

    assert name_of(refused) == "session_expired of nothing: theirs"


def test_what_the_judge_blames_is_counted() -> None:
    name = "conversation_already_has_active_response of nothing: automatic"

    assert met("active got active got").refusals == {name: 2}


def test_nothing_of_ours_has_a_name() -> None:
    assert not any(name.endswith(": ours") for name in REFUSALS)
