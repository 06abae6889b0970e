"""What the service's output buffer holds, and a cut of it, in any order of what is said."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core import chance
from tests.core.chance import make
from tests.core.test_anything_in_any_order import (
    ENDING,
    SETTINGS,
    TURNS,
    anything,
    bring_to_an_end,
)
from tests.scenarios.call import LOUD, SILENT, Call
from tests.scenarios.rig import FALSE_VAD

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.machine import Machine
from bargein.core.notices import (
    Dropped,
    FloorChanged,
    Interruption,
    InterruptionSettled,
    TurnEnded,
)
from bargein.core.output_buffer import SOUNDS_LIMIT
from bargein.core.settings import Settings

MOVES = st.lists(st.sampled_from(chance.CALL_MOVES), max_size=40)
ELSEWHERE = st.booleans()
anything = settings(anything, max_examples=150)


def played(turns: Any, elsewhere: bool, chosen: dict[str, Any], moves: list[Any]) -> Call:
    """A call in which all of it happened."""
    call = Call(turns, elsewhere=elsewhere, **chosen)
    for move in moves:
        make(call, move)
    return call


@anything
@given(TURNS, ELSEWHERE, SETTINGS, MOVES)
def test_nothing_raises_and_the_client_truncates_and_deletes_nothing(
    turns: Any, elsewhere: bool, chosen: dict[str, Any], moves: list[Any]
) -> None:
    played(turns, elsewhere, chosen, moves)


@anything
@given(TURNS, ELSEWHERE, SETTINGS, MOVES, ENDING, MOVES)
def test_after_the_end_nothing_is_sent_or_played_and_every_ask_is_answered(
    turns: Any,
    elsewhere: bool,
    chosen: dict[str, Any],
    moves: list[Any],
    ending: Any,
    more: list[Any],
) -> None:
    call = played(turns, elsewhere, chosen, moves)
    make(call, ending)
    call.pass_ms(4_000)
    call.give(inputs.PipeClosed(1000, ""))
    given_before = len(call.done_of(commands.Play))
    for move in more:
        make(call, move)
    call.pass_ms(60_000)
    assert call.machine.deadline_us is None
    assert call.watch.asked == call.watch.answered
    assert len(call.done_of(commands.Play)) == given_before


@anything
@given(TURNS, ELSEWHERE, SETTINGS, MOVES)
def test_the_same_inputs_give_the_same_commands(
    turns: Any, elsewhere: bool, chosen: dict[str, Any], moves: list[Any]
) -> None:
    call = played(turns, elsewhere, chosen, moves)
    again = Machine(Settings(**chosen))
    done: list[commands.Command] = []
    for now_us, happened in call.inputs:
        done += again.handle(happened, now_us=now_us)
    assert done == call.commands


@anything
@given(TURNS, ELSEWHERE, SETTINGS, MOVES)
def test_when_everything_has_ended_nothing_is_left(
    turns: Any, elsewhere: bool, chosen: dict[str, Any], moves: list[Any]
) -> None:
    call = played(turns, elsewhere, chosen, moves)
    for response_id in chance.RESPONSES:
        call.buffer("stopped", response_id)
    bring_to_an_end(call)
    machine = call.machine
    assert machine.deadline_us is None
    assert dict(machine.ledger.items) == {}
    assert dict(machine.ledger.utterances) == {}
    assert dict(machine.responses.replies) == {}
    assert machine.cuts.open == []
    assert not machine.buffer.sounding


@anything
@given(TURNS, ELSEWHERE, SETTINGS, MOVES)
def test_what_was_cut_is_never_played(
    turns: Any, elsewhere: bool, chosen: dict[str, Any], moves: list[Any]
) -> None:
    call = played(turns, elsewhere, chosen, moves)
    cut: set[str] = set()
    for command in call.commands:
        match command:
            case commands.Play(part=part):
                assert part.response_id not in cut, "sound of a cut response"
            case commands.Notify(notice=Interruption() | InterruptionSettled() as record):
                cut.update(record.response_ids)
            case _:
                pass


def test_a_reply_that_waits_behind_another_one_is_waited_for() -> None:
    """A tool's reply is done while its sound is still behind the one before it."""
    call = Call()
    call.begins("r1", "A")
    call.done()
    call.response("r2")
    call.item("B")
    call.part("B")
    call.done("r2")
    call.sound(9_000)
    call.heard("A", 9_000)
    assert call.told(TurnEnded) == []
    call.buffer("stopped", "r1")
    call.buffer("started", "r2")
    call.sound(500)
    call.heard("A", 9_000)
    call.heard("B", 500)
    call.buffer("stopped", "r2")
    call.pass_ms(500)
    assert [turn.response_id for turn in call.told(TurnEnded)] == ["r1", "r2"]


def test_a_reply_whose_sound_never_begins_is_given_up_after_5_s() -> None:
    call = Call()
    call.response("r1")
    call.item("A")
    call.part("A")
    call.done()
    call.pass_ms(4_900)
    assert call.told(TurnEnded) == []
    call.pass_ms(200)
    assert [turn.status for turn in call.told(TurnEnded)] == ["completed"]


def test_what_begins_to_sound_when_its_cut_is_settled_is_cleared_too() -> None:
    """A cancel does not empty the buffer: what was made before it sounds after `response.done`."""
    call = Call()
    call.response("r1")
    call.ask(asks.Interrupt())
    call.cancelled(reason="client_cancelled")
    assert len(call.told(InterruptionSettled)) == 1
    call.sent()
    call.buffer("started")
    assert call.sent() == ["clear output"]
    call.sound(100)
    assert call.done_of(commands.Play) == []


def test_what_begins_to_sound_behind_the_speech_that_cut_it_is_cleared() -> None:
    """The service cleared what it held when the user began to speak, and that was not in it."""
    call = Call(FALSE_VAD)
    call.response("r1")
    call.item("A")
    call.part("A")
    call.speech_started()
    call.sent()
    call.buffer("started")
    assert call.sent() == ["clear output"]


def test_who_looks_on_is_told_who_has_the_floor_by_the_services_word() -> None:
    call = Call(elsewhere=True)
    call.begins()
    call.done()
    call.buffer("stopped")
    call.begins("r2", "B")
    call.ask(asks.Interrupt())
    told = [notice.floor for notice in call.told(FloorChanged)]
    assert told == ["assistant", "nobody", "assistant", "nobody"]


def test_a_reply_that_never_sounds_holds_up_no_other() -> None:
    """It was cut off by the limit before its first sound; the next one sounds, and is heard."""
    call = Call()
    call.response("r1")
    call.item("A")
    call.part("A")
    call.done(status="incomplete")
    call.speaks(500, "r2", "B")
    assert call.played_ms("B") == 500


def test_a_reply_that_was_cut_and_never_sounds_holds_up_no_debt() -> None:
    """Its part was announced behind the cut, which therefore did not wait for it."""
    call = Call()
    call.response("r1")
    call.ask(asks.Interrupt())
    call.item("A")
    call.part("A")
    call.cancelled(reason="client_cancelled")
    assert call.machine.buffer.sounding
    call.pass_ms(1_100)
    assert not call.machine.buffer.sounding


def test_a_cut_reply_that_is_over_is_passed_over_by_the_next_that_sounds() -> None:
    call = Call()
    call.response("r1")
    call.ask(asks.Interrupt())
    call.item("A")
    call.part("A")
    call.cancelled(reason="client_cancelled")
    call.speaks(500, "r2", "B")
    call.done("r2")
    call.buffer("stopped", "r2")
    assert not call.machine.buffer.sounding


def test_the_last_of_a_reply_is_heard_though_its_start_was_told_late_and_its_end_in_time() -> None:
    """The late start hides how far the media is behind the events."""
    call = Call()
    call.response("r1")
    call.item("A")
    call.part("A")
    call.sound(280)
    call.buffer("started")
    call.done()
    call.buffer("stopped")
    call.sound(400)
    assert call.played_ms("A") == 680
    call.pass_ms(500)
    call.heard("A", 680)
    assert [turn.status for turn in call.told(TurnEnded)] == ["completed"]


def last_word_behind_a_pause(call: Call) -> None:
    """A reply whose start was told late, so that its end seems to be earlier than it is."""
    call.response("r1")
    call.item("A")
    call.part("A")
    call.sound(240)
    call.buffer("started")
    call.sound(400)
    call.sound(200, SILENT)
    call.done()
    call.buffer("stopped")


def test_a_last_word_behind_a_pause_is_heard_at_once_where_no_other_reply_could_sound() -> None:
    call = Call()
    last_word_behind_a_pause(call)
    call.sound(60)
    call.sound(200, SILENT)
    assert call.played("A").count(LOUD * 480) == (240 + 400 + 60) // 20


def test_a_last_word_behind_a_pause_is_heard_though_another_reply_may_begin() -> None:
    """It may be the beginning of that one: so long as media can be ahead of its event it waits."""
    call = Call()
    last_word_behind_a_pause(call)
    call.response("r2")
    call.sound(60)
    call.sound(200, SILENT)
    assert call.played("A").count(LOUD * 480) == (240 + 400) // 20
    call.sound(800, SILENT)
    assert call.played("A").count(LOUD * 480) == (240 + 400 + 60) // 20
    call.begins("r2", "B")
    call.sound(100)
    call.heard("A", call.played_ms("A"))
    assert call.played("B") == [LOUD * 480] * 5


def test_what_came_before_a_stalled_speech_and_the_reply_to_it_is_that_replys_beginning() -> None:
    """The data channel stalled: the user's speech and the reply to it are told at once."""
    call = Call()
    call.speaks(500)
    call.done()
    call.buffer("stopped")
    call.pass_ms(2_000)
    call.response("r2")
    call.sound(600)
    call.speech_started()
    call.cancelled("r2")
    call.begins("r3", "B")
    call.sound(100)
    assert call.played_ms("B") == 700


def test_a_reply_whose_start_is_told_after_it_was_given_up_is_over_when_it_is_cleared() -> None:
    """What comes then is the next one's, and is kept for it."""
    call = Call(FALSE_VAD)
    call.response("r1")
    call.item("A")
    call.part("A")
    call.ask(asks.Interrupt())
    call.cancelled(reason="client_cancelled")
    call.pass_ms(1_100)
    call.buffer("started")
    call.buffer("cleared")
    call.pass_ms(1_000)
    call.sound(500)
    call.begins("r2", "B")
    call.sound(100)
    assert call.played_ms("B") == 600


def test_a_service_that_sends_on_behind_the_end_is_not_listened_to_for_ever() -> None:
    call = Call()
    call.response("r1")
    call.item("A")
    call.part("A")
    call.sound(280)
    call.buffer("started")
    call.done()
    call.buffer("stopped")
    call.sound(3_000)
    assert 280 + 600 <= call.played_ms("A") <= 280 + 600 + 250


def test_the_cut_of_a_reply_that_waits_is_no_moot_one() -> None:
    """Its item is completed and nothing of it was heard; the service clears it with the others."""
    call = Call()
    call.begins("r1", "A")
    call.done()
    call.sound(100)
    call.heard("A", 100)
    call.response("r2")
    call.item("B")
    call.part("B")
    call.done("r2")
    call.ask(asks.Interrupt())
    assert call.sent() == ["clear output"]
    call.stopped({"A": 100})
    call.buffer("cleared", "r1")
    call.truncated("A", 100)
    assert call.told(InterruptionSettled) == []
    call.truncated("B", 0)
    (record,) = call.told(InterruptionSettled)
    assert record.response_ids == ("r1", "r2")
    assert [part.kept_ms for part in record.parts] == [100, 0]


def test_a_reply_that_a_clear_meets_before_it_begins_is_cut_and_told() -> None:
    """The clear was for the reply before it; the service says only that it keeps nothing."""
    call = Call(FALSE_VAD)
    call.response("r1")
    call.item("A")
    call.part("A")
    call.speech_started()
    call.buffer("started")
    call.response("r2")
    call.item("B")
    call.part("B")
    call.words("B", "Once upon a time")
    call.sent()
    call.buffer("cleared")
    call.truncated("A", 580)
    call.truncated("B", 0)
    assert call.sent() == ["cancel r2"]
    call.cancelled("r2", reason="client_cancelled")
    assert [record.askers for record in call.told(InterruptionSettled)][-1] == ("service",)
    (part,) = call.mirrored("B").content
    assert (part.text, part.kept_ms) == ("", 0)


def test_a_truncation_of_the_applications_own_cuts_no_reply() -> None:
    """The track goes on (protocol.md §4.6)."""
    call = Call()
    call.response("r1")
    call.item("A")
    call.part("A")
    call.watch.owned = False  # It is not the machine that truncates.
    truncate = events.ConversationItemTruncate(item_id="A", content_index=0, audio_end_ms=0)
    call.ask(asks.SendEvent(truncate))
    call.truncated("A", 0)
    assert call.told(Interruption) == []


def test_sound_of_which_no_item_was_told_is_played_all_the_same() -> None:
    call = Call()
    call.response("r1")
    call.buffer("started")
    call.sound(100)
    assert len(call.done_of(commands.Play)) == 5


def test_the_words_of_the_mirror_are_those_heard_though_truncated_comes_first() -> None:
    """The service's word comes before the player's: the mirror waits for both."""
    call = Call(FALSE_VAD)
    call.begins(text="Once upon a time there was a king.")
    call.sound(500)
    call.heard("A", 20)
    call.ask(asks.Interrupt())
    call.buffer("cleared")
    call.truncated("A", 500)
    assert call.mirrored("A").content[0].kept_ms is None
    call.stopped({"A": 20})
    (part,) = call.mirrored("A").content
    assert (part.text, part.kept_ms, part.heard_ms) == ("", 500, 20)


def test_a_beginning_that_came_too_long_before_its_started_is_told_as_dropped() -> None:
    call = Call()
    call.sound(3_200)
    assert [one.what for one in call.told(Dropped)] == ["playback"] * 10
    assert sum(one.count for one in call.told(Dropped)) == 10 * 480


def test_what_was_made_up_for_lost_sound_is_heard_and_had_not_left_the_service() -> None:
    call = Call(FALSE_VAD)
    call.speaks(500)
    place = call.now_us * 24 // 1_000
    call.give(inputs.MediaArrived(place, LOUD * 480, made_up=True))
    call.ask(asks.Interrupt())
    call.stopped({"A": 520})
    call.buffer("cleared")
    call.truncated("A", 500)
    call.cancelled(reason="client_cancelled")
    (record,) = call.told(InterruptionSettled)
    (part,) = record.parts
    assert (record.heard_ms, record.left_ms, record.kept_ms) == (520, 500, 500)
    assert (part.received_samples, part.made_up_samples) == (520 * 24, 20 * 24)


def test_a_second_ask_during_the_wait_clears_nothing_twice() -> None:
    call = Call()
    call.speaks(500)
    call.ask(asks.Interrupt())
    call.speech_started()
    call.ask(asks.Interrupt())
    assert call.sent() == ["cancel r1", "clear output"]
    assert len(call.events_sent(events.OutputAudioBufferClear)) == 1


def test_sounds_are_forgotten_when_there_were_many() -> None:
    call = Call()
    for number in range(SOUNDS_LIMIT + 5):
        call.buffer("started", f"r{number}")
        call.buffer("stopped", f"r{number}")
    assert not call.machine.buffer.sounding
