"""Scenarios 45 and 46: a socket that stalls, and servers that know less."""

from __future__ import annotations

import pytest
from tests.scenarios.rig import FALSE_VAD, Talk

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core import asks, commands, inputs
from bargein.core.notices import Dropped, Fault, InterruptionSettled


def test_settling_overtakes_the_microphone_when_the_socket_stalls() -> None:
    """Scenario 45: truncate, cancel and delete go in front, in their own order."""
    talk = Talk(FALSE_VAD)
    talk.speaking(ms=1_000)
    talk.audio_done("A")
    talk.item("B")
    talk.delta("B", 500)
    talk.give(inputs.Blocked())
    talk.capture(20)
    talk.capture(20)
    talk.heard("A", 700)
    talk.speech_started()
    talk.stopped({"A": 700, "B": 0})
    talk.capture(20)
    talk.item_done("A", "incomplete")
    talk.item_done("B", "incomplete")
    assert talk.sent() == []
    talk.give(inputs.Drained())
    assert talk.sent() == [
        "cancel r1",
        "truncate A/0 700",
        "delete B",
        "sound 20",
        "sound 20",
        "sound 20",
    ]


def test_microphone_sound_that_waits_is_bounded_and_what_is_dropped_is_counted() -> None:
    """Scenario 45: 5 s of stall with 2 s of room."""
    talk = Talk(microphone_limit_ms=2_000)
    talk.give(inputs.Blocked())
    for second in range(5):
        for _ in range(50):
            talk.capture(20, value=second)
    talk.give(inputs.Drained())
    waited = [one.audio[0] for one in talk.done_of(commands.SendAudio)]
    assert waited == [3] * 50 + [4] * 50, "the oldest goes first"
    (dropped,) = talk.told(Dropped)
    assert (dropped.what, dropped.count) == ("microphone", 3 * 24_000)


def test_a_commit_keeps_its_place_behind_its_sound_and_a_clear_discards_what_waits() -> None:
    """Scenario 45 under push-to-talk."""
    talk = Talk(None)
    talk.give(inputs.Blocked())
    talk.ask(asks.Press())
    talk.capture(60)
    talk.ask(asks.Release())
    talk.ask(asks.Press())
    talk.capture(120)
    talk.ask(asks.Release())
    talk.capture(120)
    talk.give(inputs.Drained())
    sent = talk.sent()
    assert sent[-3:] == ["sound 120", "commit", "create"]
    assert "sound 60" not in sent


def test_a_clear_discards_the_sound_that_waits_before_it() -> None:
    """Scenario 45: too short a press behind a stalled socket leaves no sound at all."""
    talk = Talk(None)
    talk.give(inputs.Blocked())
    talk.ask(asks.Press())
    talk.capture(60)
    talk.ask(asks.Release())
    talk.give(inputs.Drained())
    assert set(talk.sent()) == {"clear"}


def test_a_clear_leaves_the_sound_of_an_earlier_commit_alone() -> None:
    """Scenario 45: what a waiting commit closes was said."""
    talk = Talk(None)
    talk.give(inputs.Blocked())
    talk.ask(asks.Press())
    talk.capture(120)
    talk.ask(asks.Release())
    talk.ask(asks.Press())
    talk.capture(60)
    talk.ask(asks.Release())
    talk.give(inputs.Drained())
    sent = talk.sent()
    assert [one for one in sent if one in ("commit", "sound 60", "sound 120")] == [
        "sound 120",
        "commit",
    ]


def test_a_stall_does_not_count_against_the_time_to_answer() -> None:
    """Scenario 45: what has not left yet is not late."""
    talk = Talk()
    talk.speaking()
    talk.done()
    talk.give(inputs.Blocked())
    talk.cut_at(700)
    talk.pass_ms(1_900)
    talk.give(inputs.Drained())
    talk.pass_ms(1_900)
    talk.truncated("A", 700)
    (settled,) = talk.told(InterruptionSettled)
    assert settled.exactness == "exact"


def _unknown_event(talk: Talk, kind: type[events.ClientEvent]) -> None:
    name = events.type_of(kind)
    talk.refuse(
        kind,
        f"Invalid value: '{name}'. Supported values are: 'session.update' and 'response.create'.",
        "invalid_value",
        param="type",
    )


def test_a_server_without_cancel_and_truncate_is_asked_for_each_once() -> None:
    """Scenario 46: local stop only, no storm of errors."""
    talk = Talk(FALSE_VAD)
    talk.speaking("r1", "A")
    talk.cut_at(700)
    _unknown_event(talk, events.ResponseCancel)
    _unknown_event(talk, events.ConversationItemTruncate)
    talk.done()
    assert talk.sent() == ["cancel r1", "truncate A/0 700"]
    for number in range(2, 6):
        response_id, item_id = f"r{number}", f"A{number}"
        talk.receive("input_audio_buffer.speech_stopped", audio_end_ms=1, item_id="U1")
        talk.speaking(response_id, item_id)
        talk.cut_at(300, item_id)
        assert len(talk.stops) == number
        talk.delta(item_id, 500)
        assert talk.played_ms(item_id) == 2_000
        talk.done()
        talk.pass_ms(10_000)
    assert talk.sent() == []
    assert len(talk.told(Fault)) <= 2
    assert len(talk.told(InterruptionSettled)) == 5


def test_a_server_known_to_cancel_nothing_is_not_asked_to() -> None:
    """Scenario 46 with capabilities given at connect: the part grows to its end, muted."""
    talk = Talk(FALSE_VAD, can=Capabilities(cancel=False))
    talk.speaking()
    talk.cut_at(700)
    assert talk.sent() == []
    talk.delta("A", 5_000)
    talk.done()
    assert talk.sent() == ["truncate A/0 700"]
    assert talk.played_ms("A") == 2_000


def test_a_delete_that_is_never_acknowledged_is_on_record_as_unconfirmed_at_once() -> None:
    talk = Talk(can=Capabilities(acknowledges=False))
    talk.speaking(ms=1_000)
    talk.speech_started()
    talk.stopped({"A": 0})
    talk.item_done("A", "incomplete")
    talk.response_done("r1", "cancelled")
    assert talk.sent() == ["delete A"]
    (cut,) = talk.told(InterruptionSettled)
    assert [part.answer for part in cut.parts] == ["unconfirmed"]


def test_a_server_that_never_cancels_by_itself_is_asked_to_at_speech_started() -> None:
    """Rule 9, where `interrupt_response` is in effect and not obeyed."""
    talk = Talk(can=Capabilities(interrupts="never"))
    talk.speaking(ms=1_000)
    talk.cut_at(400)
    assert talk.sent() == ["cancel r1", "truncate A/0 400"]


def test_a_server_that_always_cancels_is_not_asked_to() -> None:
    """Rule 9, where `interrupt_response` is false and not obeyed."""
    talk = Talk(FALSE_VAD, can=Capabilities(interrupts="always"))
    talk.speaking(ms=1_000)
    talk.cut_at(400)
    assert talk.sent() == ["truncate A/0 400"]


@pytest.mark.parametrize("heard_ms", [0, 700])
def test_a_server_known_to_truncate_and_delete_nothing_is_sent_nothing(heard_ms: int) -> None:
    """Scenario 46: the record says that it is unsupported, and nobody waits."""
    talk = Talk(can=Capabilities(truncate=False, delete=False))
    talk.speaking()
    talk.cut_at(heard_ms)
    talk.cancelled()
    assert talk.sent() == []
    (settled,) = talk.told(InterruptionSettled)
    assert settled.parts[0].answer == "unsupported"
    assert settled.exactness == "unconfirmed"


def test_a_fault_of_the_server_teaches_nothing_about_what_it_can() -> None:
    """Scenario 46: "we recommend you retry your request" is no lack of ability."""
    talk = Talk()
    talk.speaking()
    talk.cut_at(700)
    talk.refuse(
        events.ConversationItemTruncate,
        "The server had an error while processing your request. Sorry about that!",
        type="server_error",
    )
    talk.cancelled()
    talk.speech_ended()
    talk.sent()
    talk.speaking("r2", "B")
    talk.cut_at(300, "B")
    assert talk.sent() == ["truncate B/0 300"]


def test_a_truncate_that_waits_for_the_socket_is_not_overdue() -> None:
    """Its record is closed by the answer, however long the socket takes nothing."""
    talk = Talk()
    talk.speaking()
    talk.give(inputs.Blocked())
    talk.cut_at(700)
    talk.cancelled()
    talk.pass_ms(30_000)
    assert talk.told(InterruptionSettled) == []
    talk.give(inputs.Drained())
    talk.agree()
    (settled,) = talk.told(InterruptionSettled)
    assert (settled.kept_ms, settled.exactness) == (700, "exact")


def test_sound_that_was_thrown_away_is_told_before_the_rest_leaves() -> None:
    talk = Talk(microphone_limit_ms=100)
    talk.give(inputs.Blocked())
    for _ in range(3):
        talk.capture(50)
    before = len(talk.commands)
    talk.give(inputs.Drained())
    first, *rest = talk.commands[before:]
    assert isinstance(first, commands.Notify) and isinstance(first.notice, Dropped)
    assert len(rest) == 2


def test_a_delete_that_waited_for_the_socket_is_taken_back_if_the_service_knows_none() -> None:
    """The refusal of the first one comes while the second one waits."""
    talk = Talk()
    talk.response("r1")
    for item in ("A", "B"):
        talk.item(item)
        talk.delta(item, 200)
    talk.item_done("A")
    talk.cut_at(0)
    assert talk.sent() == ["delete A"]
    talk.give(inputs.Blocked())
    talk.cancelled()
    talk.refuse(events.ConversationItemDelete, "No.", "unsupported_event")
    talk.give(inputs.Drained())
    assert talk.sent() == []
    (settled,) = talk.told(InterruptionSettled)
    assert settled.commands == ("conversation.item.delete",)
    assert {part.answer for part in settled.parts} == {"unsupported_event", "unsupported"}
    assert [talk.mirrored(item).state for item in ("A", "B")] != ["going", "going"]
