"""Whatever comes in whatever order: nothing raises, nothing forbidden is sent, nothing stays.

What no machine may send is in `tests.scenarios.watch`; that a deadline is never in the past is in
the rig.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.core import chance
from tests.core.chance import make
from tests.scenarios.rig import FALSE_VAD, SERVER_VAD, Talk

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.machine import Machine
from bargein.core.notices import Interruption, InterruptionSettled, TurnEnded
from bargein.core.settings import Settings

TURNS = st.sampled_from([SERVER_VAD, FALSE_VAD, None])
SETTINGS = st.fixed_dictionaries(
    {
        "barge_in": st.sampled_from(["cut", "cut", "keep_talking"]),
        "player_margin_samples": st.sampled_from([0, 0, None]),
        "pre_roll_ms": st.sampled_from([0, 60]),
        "microphone_limit_ms": st.just(400),
    }
)
MOVES = st.lists(st.sampled_from(chance.MOVES), max_size=40)
ENDING = st.sampled_from(chance.ENDINGS)
anything = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)


def played(turns: Any, chosen: dict[str, Any], moves: list[Any]) -> Talk:
    """A talk in which all of it happened."""
    talk = Talk(turns, **chosen)
    for move in moves:
        make(talk, move)
    return talk


@anything
@given(TURNS, SETTINGS, MOVES)
def test_nothing_raises_and_nothing_forbidden_is_sent(
    turns: Any, chosen: dict[str, Any], moves: list[Any]
) -> None:
    played(turns, chosen, moves)


@anything
@given(SETTINGS, MOVES)
def test_a_session_that_never_began_takes_anything_too(
    chosen: dict[str, Any], moves: list[Any]
) -> None:
    talk = Talk(connected=False, **chosen)
    talk.give(inputs.PipeOpened())
    for move in moves:
        make(talk, move)


@anything
@given(TURNS, SETTINGS, MOVES, ENDING, MOVES)
def test_after_the_end_nothing_is_sent_and_every_ask_is_answered(
    turns: Any, chosen: dict[str, Any], moves: list[Any], ending: Any, more: list[Any]
) -> None:
    talk = played(turns, chosen, moves)
    make(talk, ending)
    talk.pass_ms(4_000)
    talk.give(inputs.PipeClosed(1000, ""))
    for move in more:
        make(talk, move)
    talk.pass_ms(60_000)
    assert talk.machine.deadline_us is None
    assert talk.watch.asked == talk.watch.answered


@anything
@given(TURNS, SETTINGS, MOVES)
def test_the_same_inputs_give_the_same_commands(
    turns: Any, chosen: dict[str, Any], moves: list[Any]
) -> None:
    talk = played(turns, chosen, moves)
    again = Machine(Settings(**chosen))
    done: list[commands.Command] = []
    for now_us, happened in talk.inputs:
        done += again.handle(happened, now_us=now_us)
    assert done == talk.commands
    assert again.conversation.items == talk.machine.conversation.items


def bring_to_an_end(talk: Talk) -> None:
    """The user falls silent, the service ends and agrees, the player plays out, time passes."""
    talk.give(inputs.Drained())
    talk.ask(asks.Release())
    talk.receive("input_audio_buffer.cleared")
    for _ in range(4):
        for cut_id in talk.stops:
            talk.give(inputs.PlaybackStopped(cut_id, ()))
        for hold in talk.done_of(commands.HoldPlayback):
            talk.give(inputs.PlaybackHeld(hold.cut_id, ()))
        for response_id in ("r1", "r2", "r3"):
            response = events.Response(id=response_id, status="completed", output=())
            talk.give(inputs.Received(events.ResponseDone(event_id="e", response=response)))
        given_samples: dict[inputs.Part, int] = {}
        for play in talk.done_of(commands.Play):
            samples = play.format.samples(len(play.audio))
            given_samples[play.part] = given_samples.get(play.part, 0) + samples
        heard = tuple(inputs.Heard(part, samples) for part, samples in given_samples.items())
        talk.give(inputs.Rendered(heard))
        talk.pass_ms(30_000)


@anything
@given(TURNS, SETTINGS, MOVES)
def test_when_everything_has_ended_nothing_is_left(
    turns: Any, chosen: dict[str, Any], moves: list[Any]
) -> None:
    """The ledger, the replies, the requests and the timers are empty: a session may last a day."""
    talk = played(turns, chosen, moves)
    bring_to_an_end(talk)
    machine = talk.machine
    assert machine.deadline_us is None
    assert dict(machine.ledger.items) == {}
    assert dict(machine.ledger.utterances) == {}
    assert dict(machine.responses.replies) == {}
    assert machine.cuts.open == []
    assert list(machine.responses.sent) == []
    assert len(machine.faults.open) <= 512


def _replies_asked_for(talk: Talk) -> list[int]:
    """The asks that were accepted and are owed a reply, or its end."""
    found = []
    for _, happened in talk.inputs:
        if isinstance(happened, inputs.Asked):
            answer = talk.answer(happened.ask_id)
            if answer is None or answer.error is not None:
                continue
            match happened.ask:
                case asks.Say(reply=True) | asks.Respond():
                    found.append(happened.ask_id)
                case asks.SendEvent(event=events.ResponseCreate()):
                    found.append(happened.ask_id)
                case asks.Release() if answer.value is True:
                    found.append(happened.ask_id)
                case _:
                    pass
    return found


@anything
@given(TURNS, SETTINGS, MOVES)
def test_every_reply_that_was_asked_for_ends_once(
    turns: Any, chosen: dict[str, Any], moves: list[Any]
) -> None:
    """With a reply, or without one: nobody waits for ever."""
    talk = played(turns, chosen, moves)
    bring_to_an_end(talk)
    ended = [ask_id for one in talk.told(TurnEnded) for ask_id in one.ask_ids]
    assert sorted(ended) == _replies_asked_for(talk)


@anything
@given(TURNS, SETTINGS, MOVES)
def test_what_was_cut_is_never_played_and_counts_never_exceed_what_was_given(
    turns: Any, chosen: dict[str, Any], moves: list[Any]
) -> None:
    """Rule 6 and rule 10, for every record that is told."""
    talk = played(turns, chosen, moves)
    cut: set[str] = set()
    played_samples: dict[tuple[str, str, int], int] = {}
    for command in talk.commands:
        match command:
            case commands.Play(part=part, audio=audio, format=wire):
                assert part.response_id not in cut, "sound of a cut response"
                key = part.response_id, part.item_id, part.content_index
                played_samples[key] = played_samples.get(key, 0) + wire.samples(len(audio))
            case commands.Notify(notice=Interruption() | InterruptionSettled() as record):
                cut.update(record.response_ids)
                for one in record.parts:
                    key = one.response_id, one.item_id, one.content_index
                    assert one.heard_samples <= played_samples.get(key, 0)
                    assert one.heard_samples <= one.received_samples
            case _:
                pass
