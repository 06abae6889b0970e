"""The record of one interruption: what it says, and how a better word of the player changes it."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein.core import asks, inputs
from bargein.core.notices import Interruption, InterruptionSettled, Transcript, TurnEnded


def test_the_record_says_how_good_the_count_was() -> None:
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    talk.stopped({"A": 700}, margin=240)
    (record,) = talk.told(Interruption)
    assert record.margin_samples == 240


@pytest.mark.parametrize("first", ["speech", "interrupt"])
def test_a_cut_that_several_ask_for_is_measured_from_the_voice_if_there_was_one(
    first: str,
) -> None:
    """P6: the capture of the deciding sound, whoever asked before or after."""
    talk = Talk()
    for _ in range(75):
        talk.pass_ms(20)
        talk.capture(20)
    talk.speaking()
    talk.heard("A", 100)
    for asker in ("speech", "interrupt") if first == "speech" else ("interrupt", "speech"):
        if asker == "speech":
            talk.speech_started(at_ms=1_000)
        else:
            talk.ask(asks.Interrupt())
    talk.stopped({"A": 100})
    (record,) = talk.told(Interruption)
    assert record.speech_to_silence_us == 200_000


def test_what_was_said_before_the_first_sound_was_not_heard() -> None:
    """The words are told as cut to nothing, and the mirror does not keep them."""
    talk = Talk()
    talk.response("r1")
    talk.item("A")
    talk.part("A")
    talk.words("A", "Once upon")
    talk.ask(asks.Interrupt())
    assert talk.told(Transcript)[1:] == [Transcript("assistant", "A", "", True, 0, cut=True)]
    assert talk.mirrored("A").text == ""


def test_the_words_of_a_cut_part_are_told_once_as_final_and_cut() -> None:
    talk = Talk()
    talk.speaking()
    talk.words("A", "Once upon a time")
    talk.cut_at(1_000)
    assert talk.told(Transcript)[1:] == [
        Transcript("assistant", "A", "Once upon", True, 0, cut=True)
    ]


def test_what_seemed_to_be_heard_to_its_end_is_a_cut_when_the_player_knows_better() -> None:
    """The first answer made the cut moot; the second one shows that something was cut."""
    talk = Talk()
    talk.speaking(ms=1_000)
    talk.words("A", "Once upon a time")
    talk.done()
    talk.heard("A", 900)
    talk.speech_started()
    talk.stopped({"A": 1_000})
    assert [(one.text, one.cut) for one in talk.told(Transcript)[1:]] == [
        ("Once upon a time", False)
    ]
    assert [one.cut for one in talk.told(TurnEnded)] == [False]
    talk.stopped({"A": 500})
    (record,) = talk.told(Interruption)
    assert (record.cut_id, record.heard_ms, record.askers) == (talk.stops[0], 500, ("speech",))
    assert talk.mirrored("A").content[0].heard_ms == 500
    assert talk.mirrored("A").text == "Once"
    assert talk.sent() == ["truncate A/0 500"]
    talk.agree()
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.cut_id, settled.kept_ms, settled.exactness) == (talk.stops[0], 500, "exact")


def test_a_count_that_falls_twice_is_truncated_twice_and_settled_anew() -> None:
    talk = Talk()
    talk.speaking()
    talk.cut_at(700)
    talk.cancelled()
    talk.agree()
    for ms in (600, 500):
        talk.stopped({"A": ms})
        assert talk.mirrored("A").content[0].heard_ms == ms
    talk.agree()
    assert talk.sent() == ["truncate A/0 700", "truncate A/0 600", "truncate A/0 500"]
    assert [one.kept_ms for one in talk.told(InterruptionSettled)] == [700, 500]


def test_an_ask_after_a_correction_joins_the_newest_cut_and_not_the_corrected_one() -> None:
    talk = Talk(FALSE_VAD)
    talk.speaking()
    talk.cut_at(700)
    talk.cancelled()
    talk.agree()
    talk.speaking("r2", "B")
    talk.cut_at(300, "B")
    talk.stopped({"A": 600}, cut_id=talk.stops[0])
    again = talk.ask(asks.Interrupt())
    answer = talk.answer(again)
    assert answer is not None
    assert answer.value.cut_id == talk.stops[1]


def test_after_a_cut_by_a_player_that_cannot_tell_its_later_reports_change_nothing() -> None:
    talk = Talk(player_margin_samples=None)
    talk.speaking()
    talk.heard("A", 700)
    talk.speech_started()
    talk.heard("A", 900)
    talk.cancelled()
    talk.agree()
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.heard_ms, settled.exactness) == (700, "inexact")


def test_a_stop_that_the_pipe_s_end_overtakes_is_told_as_far_as_it_is_known() -> None:
    """Rule 14: nobody vouches for the count."""
    talk = Talk()
    talk.speaking()
    talk.heard("A", 700)
    stop = talk.ask(asks.Interrupt())
    talk.give(inputs.PipeClosed(1006, "gone"))
    (record,) = talk.told(Interruption)
    assert (record.heard_ms, record.margin_samples) == (700, None)
    answer = talk.answer(stop)
    assert answer is not None
    assert answer.value == record
