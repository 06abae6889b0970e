"""A conversation told again without one of its inputs: what goes with it, and what moves."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest
from tests.scenarios.rig import Talk

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.trace import record
from bargein.trace.format import Reader
from bargein.trace.retell import Story, Telling, recorded

T = TypeVar("T")

CLEAR = asks.SendEvent(events.InputAudioBufferClear())
RETRIEVE = asks.SendEvent(events.ConversationItemRetrieve(item_id="A"))
DELETE = asks.SendEvent(events.ConversationItemDelete(item_id="A"))


def name_of(input: inputs.Input) -> str:
    return type(input.event if isinstance(input, inputs.Received) else input).__name__


def story_of(talk: Talk) -> Story:
    machine = Machine(Settings())
    lines = [record.header(Settings(), "", "0")]
    for at_us, each in talk.inputs:
        lines.append(record.entry(at_us, each, machine.handle(each, now_us=at_us)))
    return Story(list(Reader(lines)), Settings(), Machine)


@pytest.fixture(scope="module")
def story() -> Story:
    """Typed words, a reply, the user talks over it; its item is asked for in vain, and deleted."""
    talk = Talk()
    talk.ask(CLEAR)
    talk.ask(asks.Say("One."))
    item = talk.events_sent(events.ConversationItemCreate)[-1].item
    body: dict[str, Any] = {"id": item.id, "type": "message", "role": "user", "content": []}
    talk.receive("conversation.item.added", previous_item_id=None, item=body)
    talk.answer_create("r1")
    talk.item("A")
    talk.part("A")
    talk.delta("A", 1_000)
    talk.delta("A", 1_000)
    talk.cut_at(300)
    talk.cancelled()
    talk.agree()
    talk.ask(RETRIEVE)
    event_id = talk.events_sent(events.ConversationItemRetrieve)[-1].event_id
    about = {"type": "invalid_request_error", "code": "odd", "message": "", "event_id": event_id}
    talk.receive("error", error=about)
    talk.ask(DELETE)
    talk.deleted("A")
    return story_of(talk)


NAMES = [
    *("PipeOpened", "SessionCreated", "Asked", "Asked", "ConversationItemAdded"),
    *("ResponseCreated", "ResponseOutputItemAdded", "ConversationItemAdded"),
    *("ResponseContentPartAdded", "ResponseOutputAudioDelta", "ResponseOutputAudioDelta"),
    *("Rendered", "InputAudioBufferSpeechStarted", "PlaybackStopped"),
    *("ResponseOutputAudioDone", "ConversationItemDone", "ResponseOutputItemDone", "ResponseDone"),
    *("ConversationItemTruncated", "Asked", "Error", "Asked", "ConversationItemDeleted"),
]
REPLY = {*range(6, 12), 13, 14, 15, 16, 18, 22}
GOES_WITH = {
    0: set(range(1, 23)),
    1: set(range(2, 23)),
    3: {4, 5, 17, *REPLY},
    5: {17, *REPLY},
    6: REPLY - {6},
    7: REPLY - {6, 7},
    12: {13, 18},
    13: {18},
    19: {20},
    21: {22},
}


def without(story: Story, *places: int) -> Telling:
    return story.tell(set(range(len(story.steps))) - set(places))


def received(telling: Telling, kind: type[T]) -> list[T]:
    found = (step.input.event for step in telling.steps if isinstance(step.input, inputs.Received))
    return [event for event in found if isinstance(event, kind)]


def sent(telling: Telling, kind: type[T]) -> list[T]:
    done = (each for step in telling.steps for each in step.commands)
    found = (each.event for each in done if isinstance(each, commands.Send))
    return [event for event in found if isinstance(event, kind)]


def test_the_story_is_told_with_its_lines_its_places_and_what_the_client_sees(
    story: Story,
) -> None:
    assert [name_of(step.input) for step in story.steps] == NAMES
    told = story.tell()
    assert told.steps == story.steps
    assert [step.line for step in told.steps] == list(range(2, 25))
    assert told.used == tuple(range(23))
    assert (told.left_out, told.unanswered) == (0, 0)
    machine = Machine(Settings())
    for step in story.steps:
        machine.handle(step.input, now_us=step.at_us)
    assert told.mirror == machine.conversation.items


@pytest.mark.parametrize("place", range(23), ids=NAMES)
def test_what_cannot_be_without_an_input_goes_with_it_and_nothing_else(
    story: Story, place: int
) -> None:
    told = without(story, place)
    gone = set(range(23)) - set(told.used) - {place}
    assert gone == GOES_WITH.get(place, set())
    assert told.left_out == len(gone)
    assert [step.line for step in told.steps] == [2 + fed for fed in told.used]


def test_ids_move_and_every_answer_follows_the_one_that_it_answers(story: Story) -> None:
    then, now = story.tell(), without(story, 2)
    for telling in (then, now):
        [item] = sent(telling, events.ConversationItemCreate)
        assert item.item.id in [
            each.item.id for each in received(telling, events.ConversationItemAdded)
        ]
        [create] = sent(telling, events.ResponseCreate)
        [answer] = received(telling, events.ResponseCreated)
        assert isinstance(create.response, events.ResponseParams)
        assert create.response.metadata == answer.response.metadata
        [asked] = sent(telling, events.ConversationItemRetrieve)
        [error] = received(telling, events.Error)
        assert asked.event_id == error.error.event_id
    assert received(then, events.Error) != received(now, events.Error)
    assert received(then, events.ResponseCreated) != received(now, events.ResponseCreated)
    assert len(now.mirror) == len(then.mirror)


def test_the_service_repeats_the_number_that_it_was_asked_to_keep_now() -> None:
    talk = Talk()
    talk.speaking()
    talk.cut_at(300)
    talk.cancelled()
    talk.truncated("A", 280)
    told = story_of(talk).tell()
    assert [event.audio_end_ms for event in received(told, events.ConversationItemTruncated)] == [
        300
    ]


def test_counts_of_a_part_that_was_never_given_are_taken_out_of_what_the_player_says() -> None:
    talk = Talk()
    talk.speaking("r1", "A", 500)
    talk.done()
    talk.response("r2")
    talk.item("B")
    talk.part("B")
    talk.delta("B", 500)
    some, none = (
        inputs.Heard(inputs.Part(response_id, item_id, 0), samples)
        for response_id, item_id, samples in (("r1", "A", 9_600), ("r2", "B", 0))
    )
    talk.give(inputs.Rendered((some, none)))
    talk.speech_started()
    talk.stopped({"A": 400, "B": 0})
    story = story_of(talk)
    sound = [
        place
        for place, step in enumerate(story.steps)
        if name_of(step.input) == "ResponseOutputAudioDelta"
    ]
    heard = [
        step.input.heard
        for step in without(story, sound[1]).steps
        if isinstance(step.input, inputs.Rendered | inputs.PlaybackStopped)
    ]
    assert heard == [(some,), (some,)]
    assert story.tell().left_out == 0
    silent = [step.input for step in without(story, *sound).steps]
    assert not [each for each in silent if isinstance(each, inputs.Rendered)]


class Breaking(Machine):
    """Breaks when the user speaks."""

    def handle(self, input: inputs.Input, *, now_us: int) -> list[commands.Command]:
        if name_of(input) == "InputAudioBufferSpeechStarted":
            raise KeyError("gone")
        return super().handle(input, now_us=now_us)


def test_a_machine_that_breaks_ends_the_story_with_what_it_raised(story: Story) -> None:
    told = Story(story.entries, story.settings, Breaking).tell()
    last = told.steps[-1]
    assert (last.line, last.at_us, last.input) == (14, last.at_us, story.steps[12].input)
    assert last.at_us == story.steps[12].at_us
    assert (list(last.commands), last.raised) == ([], "KeyError: 'gone'")
    assert told.used == tuple(range(13))
    assert told.left_out == 10


def test_what_was_raised_then_is_read_with_its_line() -> None:
    lines = [
        record.header(Settings(), "", "0"),
        record.entry(7, inputs.Tick(), None, "KeyError: 'gone'"),
    ]
    [step] = recorded(list(Reader(lines)))
    assert (step.line, step.at_us, step.raised) == (2, 7, "KeyError: 'gone'")


def test_a_hold_that_is_never_answered_is_counted_and_its_answer_needs_it() -> None:
    talk = Talk()
    talk.speaking()
    talk.heard("A", 300)
    talk.ask(asks.Hold())
    talk.held("A", 300)
    talk.pass_ms(50)
    talk.heard("A", 300)
    story = story_of(talk)
    names = [name_of(step.input) for step in story.steps]
    held, hold = names.index("PlaybackHeld"), names.index("Asked")
    assert (story.tell().unanswered, story.tell().left_out) == (0, 0)
    assert (without(story, held).unanswered, without(story, held).left_out) == (1, 0)
    assert held not in without(story, hold).used
