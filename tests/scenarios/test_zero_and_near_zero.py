"""Scenarios 8 to 10: replies of which nothing, or nearly nothing, was heard."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, SERVER_VAD, Talk

from bargein.core import asks
from bargein.core.notices import Fault, InterruptionSettled, Transcript


@pytest.mark.parametrize("part", [False, True], ids=["no part", "an empty part"])
@pytest.mark.parametrize("end", ["item", "response", "neither"])
def test_a_reply_without_sound_is_deleted_once_when_its_item_is_over(part: bool, end: str) -> None:
    """Scenario 8."""
    talk = Talk()
    talk.response("r1")
    talk.item("A")
    if part:
        talk.part("A")
    talk.speech_started()
    assert talk.stops == [], "nothing sounds, so nothing is stopped"
    talk.pass_ms(900)
    assert talk.sent() == []
    match end:
        case "item":
            talk.item_done("A", "incomplete")
        case "response":
            talk.response_done(status="cancelled", reason="turn_detected")
        case "neither":
            talk.pass_ms(100)
    assert talk.sent() == ["delete A"]
    talk.cancelled()
    talk.deleted("A")
    talk.pass_ms(10_000)
    assert talk.sent() == []
    assert talk.mirror == []
    assert talk.told(Fault) == []


def test_an_item_that_the_service_does_not_hold_is_never_named_to_it() -> None:
    """Rule 5: `response.output_item.added` alone does not put it into the conversation."""
    talk = Talk()
    talk.user_item("U0", None)
    talk.response("r1")
    talk.item("A", held=False)
    talk.part("A")
    talk.delta("A", 500)
    talk.speech_started()
    talk.stopped({"A": 0})
    talk.response_done(status="cancelled", reason="turn_detected")
    talk.pass_ms(10_000)
    assert talk.sent() == []


def test_a_reply_cancelled_before_its_first_item_leaves_nothing_behind() -> None:
    """protocol.md section 4.6 (c)."""
    talk = Talk()
    talk.response("r1")
    talk.speech_started()
    talk.response_done(status="cancelled", reason="turn_detected")
    talk.pass_ms(10_000)
    assert talk.sent() == []
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.heard_ms, settled.kept_ms) == (0, 0)


@pytest.mark.parametrize("end", ["item", "response", "neither"])
def test_a_reply_that_arrived_and_was_not_heard_is_deleted_once(end: str) -> None:
    """Scenario 9: the mirror shows it as going until the service says that it is gone."""
    talk = Talk()
    talk.speaking(ms=800)
    talk.speech_started()
    talk.stopped({"A": 0})
    assert talk.sent() == []
    match end:
        case "item":
            talk.item_done("A", "incomplete")
        case "response":
            talk.response_done(status="cancelled", reason="turn_detected")
        case "neither":
            talk.pass_ms(1_000)
    assert talk.sent() == ["delete A"]
    assert talk.mirrored("A").state == "going"
    talk.cancelled()
    talk.deleted("A")
    assert talk.mirror == []
    assert talk.sent() == []
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.heard_ms, settled.kept_ms, settled.exactness) == (0, 0, "exact")


def test_less_than_a_millisecond_heard_is_nothing_heard() -> None:
    """Rule 10: if the number is 0, rule 5."""
    talk = Talk()
    talk.speaking(ms=800)
    talk.speech_started()
    talk.stopped({"A": 0.9})
    talk.cancelled()
    assert talk.sent() == ["delete A"]


def test_a_delete_waits_no_longer_than_a_second_where_the_client_cancels() -> None:
    """Rule 5, under `interrupt_response: false`."""
    talk = Talk(FALSE_VAD)
    talk.speaking(ms=800)
    talk.speech_started()
    talk.stopped({"A": 0})
    assert talk.sent() == ["cancel r1"]
    talk.pass_ms(999)
    assert talk.sent() == []
    talk.pass_ms(1)
    assert talk.sent() == ["delete A"]


def test_a_truncate_refused_as_no_audio_leaves_what_was_heard_and_marks_the_record() -> None:
    """Scenario 10, heard."""
    talk = Talk()
    talk.speaking(ms=800)
    talk.cut_at(300)
    assert talk.sent() == ["truncate A/0 300"]
    talk.refuse_as_not_audio()
    talk.cancelled()
    talk.pass_ms(10_000)
    assert talk.sent() == []
    (settled,) = talk.told(InterruptionSettled)
    assert settled.parts[0].answer == "unsupported_content_type"
    assert (settled.kept_ms, settled.exactness) == (None, "unconfirmed")


def test_a_truncate_refused_as_no_audio_deletes_what_was_not_heard() -> None:
    """Scenario 10, not heard: the player corrects itself to nothing after the refusal."""
    talk = Talk()
    talk.speaking(ms=800)
    talk.cut_at(300)
    talk.cancelled()
    talk.refuse_as_not_audio()
    talk.sent()
    talk.stopped({"A": 0})
    assert talk.sent() == ["delete A"]
    talk.deleted("A")
    assert talk.mirror == []
    assert talk.told(InterruptionSettled)[-1].kept_ms == 0


def test_a_correction_to_nothing_deletes_and_truncates_no_more() -> None:
    """Rule 10: if the number is 0, rule 5; and nothing redundant (P4)."""
    talk = Talk()
    talk.speaking(ms=800)
    talk.cut_at(300)
    talk.cancelled()
    talk.truncated("A", 300)
    talk.sent()
    talk.stopped({"A": 0})
    assert talk.sent() == ["delete A"]


@pytest.mark.parametrize("named", [True, False], ids=["with event_id", "without"])
def test_the_session_goes_on_after_a_refused_truncate(named: bool) -> None:
    """Scenario 10: the next cut is made as if nothing had been."""
    talk = Talk()
    talk.speaking(ms=800)
    talk.cut_at(300)
    talk.refuse_as_not_audio(named=named)
    talk.cancelled()
    talk.speech_ended()
    talk.sent()
    talk.speaking("r2", "B", 800)
    talk.heard("B", 200)
    talk.speech_started("U2")
    talk.stopped({"B": 200})
    assert talk.sent() == ["truncate B/0 200"]


def test_text_that_could_be_read_is_not_deleted_though_no_sound_was_heard() -> None:
    """Rule 5: nothing heard *or shown*; the unheard part is truncated to 0."""
    talk = Talk(SERVER_VAD)
    talk.response("r1")
    talk.item("A")
    talk.part("A", 0, "text")
    talk.text("A", "Once upon a time")
    talk.part("A", 1)
    talk.delta("A", 800, 1)
    talk.speech_started()
    talk.stopped([("A", 1, 0)])
    talk.cancelled()
    assert talk.sent() == ["truncate A/1 0"]


def test_text_that_could_be_read_survives_a_truncate_that_was_refused() -> None:
    """Rules 5 and 12: the delete that answers "only model output audio" is for what is neither
    heard nor shown.
    """
    talk = Talk(SERVER_VAD)
    talk.response("r1")
    talk.item("A")
    talk.part("A", 0, "text")
    talk.text("A", "Once upon a time")
    talk.part("A", 1)
    talk.delta("A", 800, 1)
    talk.speech_started()
    talk.stopped([("A", 1, 0)])
    talk.cancelled()
    talk.sent()
    talk.refuse_as_not_audio()
    talk.pass_ms(10_000)
    assert talk.sent() == []
    assert "A" in talk.mirror


def test_a_player_that_cannot_tell_deletes_nothing_by_way_of_a_refusal() -> None:
    """Rules 5 and 12 where the accuracy is unknown: its 0 is no word to delete on."""
    talk = Talk(player_margin_samples=None)
    talk.speaking(ms=800)
    talk.speech_started()
    talk.cancelled()
    assert talk.sent() == ["truncate A/0 0"]
    talk.refuse_as_not_audio()
    talk.pass_ms(10_000)
    assert talk.sent() == []


def test_nothing_is_truncated_twice_when_the_stop_button_meets_an_empty_reply() -> None:
    """Scenario 8 by `interrupt()`: the response is cancelled by id, its item deleted once."""
    talk = Talk()
    talk.response("r1")
    talk.item("A")
    talk.part("A")
    talk.ask(asks.Interrupt())
    assert talk.sent() == ["cancel r1"]
    talk.cancelled(reason="client_cancelled")
    talk.agree()
    assert talk.sent() == ["delete A"]


@pytest.mark.parametrize("words", ["before", "behind"])
def test_words_of_a_part_that_was_cut_before_its_first_sound_are_not_in_the_mirror(
    words: str,
) -> None:
    """Rule 11: nobody heard them. The item stays for the text that was shown before."""
    talk = Talk()
    talk.response("r1")
    talk.item("A")
    talk.part("A", 0, "text")
    talk.text("A", "Written.")
    talk.part("A", 1)
    if words == "before":
        talk.words("A", "Once upon ", 1)
    talk.speech_started()
    if words == "behind":
        talk.words("A", "Once upon ", 1)
    talk.delta("A", 400, 1)
    talk.all_words("A", "Once upon a time.", 1)
    talk.cancelled()
    talk.agree()
    assert talk.mirrored("A").text == "Written."
    told = [one for one in talk.told(Transcript) if one.cut]
    assert [(one.content_index, one.text) for one in told] == (
        [(1, "")] if words == "before" else []
    )


@pytest.mark.parametrize("speech", [True, False], ids=["by speech", "by the service"])
def test_an_item_that_was_cut_before_its_first_sound_goes_though_all_else_was_heard(
    speech: bool,
) -> None:
    """Rule 5: its words are in the service's memory, and nobody heard one of them."""
    talk = Talk()
    talk.speaking(ms=300)
    talk.audio_done("A")
    talk.item_done("A")
    talk.item("B")
    talk.part("B")
    talk.words("B", "Once upon ")
    talk.heard("A", 299)
    if speech:
        talk.speech_started()
        talk.cancelled()
        talk.stopped({"A": 300})
    else:
        talk.cancelled(reason="client_cancelled")
        talk.heard("A", 300)
    assert talk.sent() == ["delete B"]
    talk.agree()
    (settled,) = talk.told(InterruptionSettled)
    assert settled.askers == ("speech" if speech else "service",)
    assert talk.mirror[:1] == ["A"]
