"""Scenarios 11 to 13: more than one thing to be said."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein.core.notices import InterruptionSettled


@pytest.mark.parametrize("over", [True, False], ids=["B is done", "B is still being made"])
def test_of_two_items_the_playing_one_is_truncated_and_the_next_deleted(over: bool) -> None:
    """Scenario 11."""
    talk = Talk()
    talk.speaking(ms=60_000)
    talk.item_done("A")
    talk.item("B")
    talk.delta("B", 5_000)
    if over:
        talk.done()
    talk.heard("A", 20_000)
    talk.speech_started()
    talk.stopped({"A": 20_000, "B": 0})
    if not over:
        assert talk.sent() == ["truncate A/0 20000"]
        talk.cancelled()
        assert talk.sent() == ["delete B"]
    else:
        assert talk.sent() == ["truncate A/0 20000", "delete B"]
    talk.agree()
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.heard_ms, settled.kept_ms) == (20_000, 20_000)
    assert talk.mirror == ["A"]


def test_interrupted_in_the_second_item_the_first_one_stays_whole() -> None:
    """Rule 4 beside rule 3."""
    talk = Talk()
    talk.speaking(ms=1_200)
    talk.item_done("A")
    talk.item("B")
    talk.delta("B", 3_000)
    talk.heard("A", 1_200)
    talk.heard("B", 430)
    talk.speech_started()
    talk.stopped({"A": 1_200, "B": 431})
    assert talk.sent() == ["truncate B/0 431"]


def test_an_item_before_the_playhead_that_was_not_completed_is_settled_too() -> None:
    """Rule 3: the parts before the playhead are among those that are settled."""
    talk = Talk(FALSE_VAD)
    talk.speaking(ms=1_200)
    talk.audio_done("A")
    talk.item("B")
    talk.delta("B", 3_000)
    talk.heard("A", 1_200)
    talk.speech_started()
    talk.stopped({"A": 1_200, "B": 430})
    assert talk.sent() == ["cancel r1", "truncate A/0 1200", "truncate B/0 430"]


def test_items_still_to_come_are_deleted_when_they_have_come() -> None:
    """Rule 3 and rule 5: first seen after the cut."""
    talk = Talk(FALSE_VAD)
    talk.speaking(ms=1_200)
    talk.cut_at(500)
    assert talk.sent() == ["cancel r1", "truncate A/0 500"]
    talk.item("B")
    talk.delta("B", 300)
    talk.cancelled(reason="client_cancelled")
    assert talk.sent() == ["delete B"]
    assert talk.played_ms("B") == 0


def test_the_content_index_is_the_part_s_own() -> None:
    """Scenario 12: a text part before the spoken one."""
    talk = Talk()
    talk.response("r1")
    talk.item("A")
    talk.part("A", 0, "text")
    talk.text("A", "Here it is.")
    talk.part("A", 1)
    talk.delta("A", 3_000, 1)
    talk.heard("A", 900, 1)
    talk.speech_started()
    talk.stopped([("A", 1, 900)])
    assert talk.sent() == ["truncate A/1 900"]


def test_an_unheard_part_of_a_partly_heard_item_is_truncated_to_nothing() -> None:
    """Rule 5: two spoken parts, the second one not reached."""
    talk = Talk()
    talk.speaking(ms=1_000)
    talk.audio_done("A")
    talk.part("A", 1)
    talk.delta("A", 3_000, 1)
    talk.heard("A", 900)
    talk.speech_started()
    talk.stopped([("A", 0, 900), ("A", 1, 0)])
    talk.cancelled()
    assert talk.sent() == ["truncate A/0 900", "truncate A/1 0"]


def test_an_unheard_part_without_sound_is_not_truncated() -> None:
    """Rule 5: "if it has audio"; the service would refuse it."""
    talk = Talk()
    talk.speaking(ms=1_000)
    talk.part("A", 1)
    talk.cut_at(900)
    talk.cancelled()
    assert talk.sent() == ["truncate A/0 900"]


def test_a_reply_that_began_while_an_older_one_played_goes_with_it() -> None:
    """Scenario 13."""
    talk = Talk()
    talk.speaking(ms=10_000)
    talk.done()
    talk.speaking("r2", "C", 800)
    talk.heard("A", 4_000)
    talk.speech_started()
    talk.stopped({"A": 4_000, "C": 0})
    assert talk.sent() == ["truncate A/0 4000"]
    talk.cancelled("r2")
    assert talk.sent() == ["delete C"]
    talk.agree()
    (settled,) = talk.told(InterruptionSettled)
    assert settled.response_ids == ("r1", "r2")


def test_two_replies_that_are_both_done_and_both_queued_are_cut_together() -> None:
    """Scenario 13, both done: no cancel, whoever asks."""
    talk = Talk(FALSE_VAD)
    talk.speaking(ms=10_000)
    talk.done()
    talk.speaking("r2", "C", 800)
    talk.done("r2")
    talk.heard("A", 4_000)
    talk.speech_started()
    talk.stopped({"A": 4_000, "C": 0})
    assert talk.sent() == ["truncate A/0 4000", "delete C"]


def test_sound_outside_the_conversation_is_stopped_and_never_truncated() -> None:
    """Rule 9: items of an out-of-band response are in no conversation; VAD does not cancel them."""
    talk = Talk()
    talk.response("r9", conversation_id=None)
    talk.item("Z", held=False)
    talk.part("Z")
    talk.delta("Z", 2_000)
    talk.heard("Z", 300)
    talk.speech_started()
    talk.stopped({"Z": 300})
    assert talk.sent() == ["cancel r9"]
    talk.delta("Z", 500)
    talk.response_done("r9", "cancelled", "client_cancelled")
    talk.pass_ms(10_000)
    assert talk.sent() == []
    assert talk.played_ms("Z") == 2_000
