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


class TestNotAudio:
    """The service says that the item has no audio to truncate (rule 12)."""

    @pytest.mark.parametrize(
        ("message", "code"),
        [
            ("Only model output audio messages can be truncated", None),
            ("Not this.", "unsupported_content_type"),
        ],
    )
    def test_what_was_heard_in_part_is_left_and_marked(
        self, message: str, code: str | None
    ) -> None:
        talk = Talk()
        cut(talk, 2_000, 700)
        talk.sent()
        talk.refuse(events.ConversationItemTruncate, message, code)
        assert talk.sent() == []
        part = settled(talk).parts[0]
        assert (part.answer, part.kept_ms) == (code or "refused", None)
        assert talk.machine.capabilities == Capabilities()
        assert [one.blame for one in talk.told(Fault)] == ["theirs"]

    def test_what_turns_out_not_to_be_heard_at_all_is_deleted_once(self) -> None:
        talk = Talk(FALSE_VAD)
        talk.speaking()
        talk.cut_at(700)
        talk.stopped({"A": 0})
        talk.sent()
        talk.refuse_as_not_audio()
        assert talk.sent() == ["delete A"]
        talk.done()
        assert talk.sent() == []
        talk.agree()
        assert settled(talk).commands == (
            "response.cancel",
            "conversation.item.truncate",
            "conversation.item.delete",
        )
        assert settled(talk).parts[0].action == "delete"

    def test_a_second_one_is_ours(self) -> None:
        talk = Talk()
        for number in range(2):
            talk.speaking(f"r{number}", f"A{number}")
            talk.cut_at(700, f"A{number}")
            talk.cancelled()
            talk.refuse_as_not_audio()
            talk.speech_ended(f"U{number}")
        assert [one.blame for one in talk.told(Fault)] == ["theirs", "ours"]


def test_the_rest_of_an_item_that_is_gone_is_not_named_to_the_service() -> None:
    """Rule 5: part 1 waits for the end of the item, which the service holds no more."""
    talk = Talk()
    talk.speaking()
    talk.delta("A", 500, 1)
    talk.cut_at(700)
    talk.refuse(events.ConversationItemTruncate, "Gone.", "item_truncate_invalid_item_id")
    talk.cancelled()
    assert talk.sent() == ["truncate A/0 700"]


def test_where_nothing_is_acknowledged_a_delete_is_not_waited_for_either() -> None:
    talk = Talk(can=Capabilities(acknowledges=False))
    cut(talk, 2_000, 0)
    assert talk.sent() == ["delete A"]
    assert (settled(talk).exactness, settled(talk).parts[0].action) == ("unconfirmed", "delete")


def test_where_nothing_is_acknowledged_the_answer_is_unconfirmed() -> None:
    talk = Talk(can=Capabilities(acknowledges=False))
    cut(talk, 2_000, 700)
    assert settled(talk).parts[0].answer == "unconfirmed"


def test_what_is_refused_and_cannot_be_asked_again_says_so() -> None:
    talk = Talk()
    cut(talk, 10_000, 9_100)
    talk.refuse_as_shorter(9_500)
    assert settled(talk).parts[0].answer == "refused"


def test_a_correction_is_truncated_only_below_what_the_server_s_grid_has_kept() -> None:
    """740 ms were agreed to; the server keeps 700."""
    talk = Talk(can=Capabilities(lengths_grid_ms=50))
    cut(talk, 2_000, 740)
    talk.agree()
    talk.sent()
    talk.stopped({"A": 700})
    assert talk.sent() == []
    talk.stopped({"A": 660})
    assert talk.sent() == ["truncate A/0 660"]


def test_the_first_part_may_be_whole_and_the_second_cut() -> None:
    talk = Talk()
    talk.speaking(ms=500)
    talk.delta("A", 500, 1)
    talk.audio_done("A", 0)
    talk.done()
    talk.heard("A", 500)
    talk.speech_started()
    talk.stopped([("A", 0, 500), ("A", 1, 200)])
    talk.agree()
    assert talk.sent() == ["truncate A/1 200"]
    assert [(one.action, one.kept_ms) for one in settled(talk).parts] == [
        ("none", 500),
        ("truncate", 200),
    ]


def test_one_millisecond_is_heard() -> None:
    """Rule 5: an item of which anything was heard is truncated."""
    talk = Talk()
    cut(talk, 2_000, 1)
    assert talk.sent() == ["truncate A/0 1"]


def test_a_truncate_that_was_too_long_is_not_sent_again_for_an_item_that_is_going() -> None:
    talk = Talk()
    talk.speaking(ms=2_680)
    talk.cut_at(2_670)
    talk.cancelled()
    talk.ask(asks.SendEvent(events.ConversationItemDelete(item_id="A")))
    talk.sent()
    talk.refuse_as_shorter(2_650)
    assert talk.sent() == []


def test_a_refusal_that_comes_too_late_for_its_record_still_teaches() -> None:
    talk = Talk()
    talk.speaking(ms=2_680)
    talk.cut_at(2_670)
    talk.cancelled()
    talk.pass_ms(2_000)
    (settled,) = talk.told(InterruptionSettled)
    assert settled.exactness == "unconfirmed"
    talk.sent()
    talk.refuse_as_shorter(2_650)
    assert talk.sent() == [], "the record is closed"
    assert talk.machine.capabilities.lengths_grid_ms == 50
    talk.speech_ended()
    talk.speaking("r2", "B", 3_130)
    talk.heard("B", 3_120)
    talk.speech_started("U2")
    talk.stopped({"B": 3_120})
    assert talk.sent() == ["truncate B/0 3100"]


def test_a_late_refusal_of_a_command_that_the_service_does_not_know_teaches_that() -> None:
    talk = Talk()
    talk.speaking()
    talk.cut_at(0)
    talk.cancelled()
    talk.pass_ms(2_000)
    talk.refuse(events.ConversationItemDelete, "No.", "unsupported_event")
    assert not talk.machine.capabilities.delete
    assert talk.mirrored("A").state != "going"
    assert [fault.blame for fault in talk.told(Fault)] == ["theirs"]
