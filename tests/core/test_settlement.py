"""What is sent for a cut, and what its answers mean."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core import asks
from bargein.core.notices import Fault, InterruptionSettled


def cut(talk: Talk, received_ms: float, heard_ms: float, *, completed: bool = False) -> None:
    """A reply that was cut, and is over."""
    talk.speaking(ms=received_ms)
    if completed:
        talk.done()
    talk.cut_at(heard_ms)
    if not completed:
        talk.cancelled()


def settled(talk: Talk) -> InterruptionSettled:
    """The last record."""
    return talk.told(InterruptionSettled)[-1]


@pytest.mark.parametrize(
    ("received_ms", "heard_ms", "has_ms", "completed", "again"),
    [
        (10_000, 9_100, 2_650, True, []),
        (10_000, 9_100, 9_100, True, []),
        (10_000, 9_100, 2_650, False, ["truncate A/0 2650"]),
    ],
    ids=["heard more than there is", "heard just that", "not completed"],
)
def test_a_truncate_that_is_too_long_settles_or_is_sent_once_more(
    received_ms: float, heard_ms: float, has_ms: int, completed: bool, again: list[str]
) -> None:
    """Rule 12."""
    talk = Talk()
    cut(talk, received_ms, heard_ms, completed=completed)
    talk.sent()
    talk.refuse_as_shorter(has_ms)
    assert talk.sent() == again
    talk.agree()
    assert settled(talk).kept_ms == has_ms


def test_a_refusal_that_says_nothing_smaller_is_not_answered_with_the_same_number() -> None:
    """Rule 12: nothing is sent twice alike."""
    talk = Talk()
    cut(talk, 10_000, 9_100)
    talk.sent()
    talk.refuse_as_shorter(9_500)
    assert talk.sent() == []
    assert settled(talk).exactness == "unconfirmed"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "item_truncate_invalid_item_id",
            "Error truncating item: the item with id 'A' does not exist.",
        ),
    ],
)
def test_a_truncate_of_an_item_that_is_gone_is_a_crossing(code: str, message: str) -> None:
    """It is kept nowhere, and nobody is told."""
    talk = Talk()
    cut(talk, 2_000, 700)
    talk.refuse(events.ConversationItemTruncate, message, code)
    assert talk.told(Fault) == []
    assert settled(talk).kept_ms == 0
    talk.pass_ms(10_000)
    assert talk.sent() == ["truncate A/0 700"]


def test_the_service_s_own_truncation_is_mirrored_and_settles_nothing_of_ours() -> None:
    """An answer with another number is not the answer to our request."""
    talk = Talk()
    cut(talk, 2_000, 700)
    talk.truncated("A", 500)
    assert talk.mirrored("A").content[0].kept_ms == 500
    assert talk.told(InterruptionSettled) == []
    talk.truncated("A", 700)
    assert settled(talk).kept_ms == 700


def test_a_truncate_nobody_asked_for_is_mirrored() -> None:
    talk = Talk()
    talk.speaking()
    talk.done()
    talk.truncated("A", 500)
    assert (talk.mirrored("A").state, talk.mirrored("A").content[0].kept_ms) == ("cut", 500)


def test_a_late_answer_after_the_time_out_disturbs_nobody() -> None:
    """Scenario 23, a slow server."""
    talk = Talk()
    cut(talk, 2_000, 700)
    talk.pass_ms(2_000)
    assert settled(talk).exactness == "unconfirmed"
    talk.truncated("A", 700)
    assert len(talk.told(InterruptionSettled)) == 1
    assert talk.mirrored("A").content[0].kept_ms == 700


def test_a_delete_without_an_answer_is_unconfirmed_too() -> None:
    talk = Talk()
    cut(talk, 2_000, 0)
    assert talk.sent() == ["delete A"]
    talk.pass_ms(2_000)
    assert (settled(talk).exactness, settled(talk).parts[0].answer) == (
        "unconfirmed",
        "unconfirmed",
    )


def test_a_refused_delete_leaves_the_item_in_the_mirror() -> None:
    talk = Talk()
    cut(talk, 2_000, 0)
    talk.refuse(events.ConversationItemDelete, "Not today.", "invalid_value")
    assert talk.mirrored("A").state == "there"
    assert settled(talk).parts[0].answer == "invalid_value"


def test_where_nothing_is_acknowledged_nothing_is_waited_for() -> None:
    """Scenario 23 with capabilities."""
    talk = Talk(can=Capabilities(acknowledges=False))
    cut(talk, 2_000, 700)
    assert talk.sent() == ["truncate A/0 700"]
    assert settled(talk).exactness == "unconfirmed"


@pytest.mark.parametrize(
    ("received_ms", "has_ms", "grid_ms"),
    [(2_680, 2_650, 50), (2_680, 2_660, 32), (2_680, 2_600, 100), (2_680, 2_679, 1)],
)
def test_the_finest_grid_that_explains_a_refusal_is_believed(
    received_ms: int, has_ms: int, grid_ms: int
) -> None:
    """Scenario 54. What cannot be a rounding teaches nothing finer than it must."""
    talk = Talk()
    cut(talk, received_ms, received_ms)
    talk.refuse_as_shorter(has_ms)
    learned = talk.machine.capabilities.lengths_grid_ms
    assert has_ms % learned == 0
    assert received_ms - has_ms < learned or learned == 1
    if has_ms % grid_ms == 0:
        assert learned <= grid_ms


def test_a_grid_that_is_known_from_the_start_costs_no_refusal() -> None:
    talk = Talk(can=Capabilities(lengths_grid_ms=50))
    cut(talk, 2_680, 2_670)
    assert talk.sent() == ["truncate A/0 2650"]


def test_a_correction_below_the_server_s_own_grid_is_recorded_only() -> None:
    """26 ms were kept as 0 on a grid of 50: 25 would be refused."""
    talk = Talk(can=Capabilities(lengths_grid_ms=50))
    cut(talk, 2_000, 26)
    talk.agree()
    talk.sent()
    talk.stopped({"A": 25})
    assert talk.sent() == []


def test_settling_the_same_thing_again_sends_nothing() -> None:
    """Any input recomputes; nothing is decided twice."""
    talk = Talk()
    cut(talk, 2_000, 700)
    talk.sent()
    for _ in range(3):
        talk.heard("A", 900)
        talk.item_done("A", "incomplete")
        talk.capture(1)
    assert [one for one in talk.sent() if not one.startswith("sound")] == []


def test_a_cancel_is_sent_once_for_a_response() -> None:
    """Rule 9."""
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.Interrupt())
    talk.stopped({"A": 700})
    talk.ask(asks.Interrupt())
    talk.speech_started()
    talk.ask(asks.SendEvent(events.ResponseCancel()))
    assert [one for one in talk.sent() if one.startswith("cancel")] == ["cancel r1"]


def test_a_refused_cancel_does_not_end_the_response() -> None:
    """A crossing: `response.done` is under way, and says how it ended."""
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.heard("A", 700)
    talk.ask(asks.Interrupt())
    talk.stopped({"A": 700})
    talk.refuse_the_cancel()
    talk.truncated("A", 700)
    assert talk.told(InterruptionSettled) == []
    talk.done()
    assert settled(talk).kept_ms == 700
