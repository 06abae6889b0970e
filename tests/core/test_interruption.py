"""Policy is a table: who cancels, what the application wants, what is decided."""

from __future__ import annotations

import pytest

from bargein.core.interruption import Decision, View, decide, refusal
from bargein.core.settings import BargeIn


@pytest.mark.parametrize(
    ("barge_in", "service_cancels", "decided"),
    [
        ("cut", False, Decision.CUT),
        ("cut", True, Decision.CUT),
        ("keep_talking", False, Decision.IGNORE),
        ("keep_talking", True, Decision.CUT),
    ],
)
def test_what_speech_does_to_a_reply(
    barge_in: BargeIn, service_cancels: bool, decided: Decision
) -> None:
    assert decide(barge_in, View(service_cuts=service_cancels)) is decided


def test_a_policy_that_the_service_makes_false_is_refused_with_the_way_out() -> None:
    refused = refusal("keep_talking", service_cancels=True)
    assert refused is not None
    assert "ServerVad(interrupt_response=False)" in refused
    assert 'barge_in="cut"' in refused


@pytest.mark.parametrize(
    ("barge_in", "service_cancels"), [("cut", True), ("cut", False), ("keep_talking", False)]
)
def test_a_policy_that_can_be_kept_is_not_refused(barge_in: BargeIn, service_cancels: bool) -> None:
    assert refusal(barge_in, service_cancels=service_cancels) is None
