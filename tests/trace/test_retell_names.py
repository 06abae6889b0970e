"""What is readdressed when a story is told again: to a scripted client, that does as it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.scenarios.rig import Talk
from tests.trace.sessions import SESSION, received

from bargein import events
from bargein.core import commands, inputs
from bargein.core.items import ItemView
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.trace import record
from bargein.trace.format import Reader
from bargein.trace.retell import Story, Telling

Script = list[tuple[inputs.Input, list[commands.Command]]]
EMPTY: dict[str, Any] = {"type": "message", "role": "user", "content": []}
ERROR: dict[str, Any] = {"type": "invalid_request_error", "code": "odd"}


class Client:
    """Does one list of commands after the other; it sees nothing of the conversation."""

    def __init__(self, script: Sequence[list[commands.Command]], deadline_us: int | None) -> None:
        self.script = list(script)
        self.deadline_us = deadline_us
        self.items: tuple[ItemView, ...] = ()

    def handle(self, input: inputs.Input, *, now_us: int) -> list[commands.Command]:
        if isinstance(input, inputs.Tick):
            self.deadline_us = None
            return []
        return self.script.pop(0) if self.script else []

    @property
    def conversation(self) -> Client:
        return self


def told(
    then: Script,
    *now: list[commands.Command],
    at_us: Sequence[int] = (),
    deadline_us: int | None = None,
    places: Sequence[int] | None = None,
) -> Telling:
    """The inputs with what was done about them then, told to a client that now does this."""
    lines = [record.header(Settings(), "", "0")]
    for number, (each, done) in enumerate(then):
        lines.append(record.entry(at_us[number] if at_us else number, each, done))
    story = Story(list(Reader(lines)), Settings(), lambda _: Client(now, deadline_us))
    return story.tell(places)


def send(type: str, **fields: Any) -> commands.Command:
    event = events.decode_client(json.dumps({"type": type} | fields))
    assert not isinstance(event, events.Unknown | events.Malformed)
    return commands.Send(event)


def requests(first: int) -> list[commands.Command]:
    """One of each kind that bears a name, the names numbered from the first."""
    ids = [f"evt_0_{number}" for number in range(first, first + 5)]
    return [
        send("conversation.item.delete", event_id=ids[0], item_id="A"),
        send("conversation.item.retrieve", event_id=ids[1], item_id="A"),
        send("conversation.item.retrieve", event_id=ids[2], item_id="B"),
        send("response.cancel", event_id=ids[3], response_id="r1"),
        send("response.cancel", event_id=ids[4], response_id="r2"),
        send("conversation.item.create", item=EMPTY | {"id": f"item_0_{first}"}),
        send("response.create", response={"metadata": {"bargein": f"key_0_{first}"}}),
        commands.StopPlayback(f"cut_0_{first}"),
        commands.HoldPlayback(f"cut_0_{first + 1}"),
    ]


def answers(first: int) -> list[inputs.Input]:
    """To all of them, the last one first."""
    key = {"bargein": f"key_0_{first}"}
    response = {"id": "r9", "status": "in_progress", "output": [], "metadata": key}
    item = EMPTY | {"id": f"item_0_{first}"}
    text = f"About 'item_0_{first}' and 'cut_0_{first}'."
    return [
        inputs.PlaybackHeld(f"cut_0_{first + 1}", ()),
        inputs.PlaybackStopped(f"cut_0_{first}", ()),
        received("response.created", event_id="e", response=response),
        received("conversation.item.added", event_id="e", item=item),
        *(
            received("error", event_id="e", error=error(f"evt_0_{number}", text))
            for number in reversed(range(first, first + 5))
        ),
    ]


def error(event_id: str, text: str = "") -> dict[str, Any]:
    return ERROR | {"event_id": event_id, "message": text}


def script(*then: inputs.Input, after: Sequence[commands.Command] = ()) -> Script:
    """The first input does all that, the others nothing."""
    return [(inputs.Starved(1), list(after)), *((each, []) for each in then)]


def test_answers_follow_what_is_asked_at_another_time_by_its_kind_and_what_it_is_about() -> None:
    then = script(inputs.Starved(2), *answers(16), after=requests(16))
    late = told(then, [], requests(48))
    assert [step.input for step in late.steps[2:]] == answers(48)


def test_answers_follow_what_is_asked_by_the_same_input_whatever_was_asked_before() -> None:
    then = script(*answers(16), after=requests(16))
    then.insert(0, (inputs.Starved(2), []))
    now = told(then, requests(32), requests(48))
    assert [step.input for step in now.steps[2:]] == answers(48)


def test_of_two_that_are_alike_the_oldest_that_is_not_taken_is_answered() -> None:
    def alike(*numbers: int) -> list[commands.Command]:
        return [commands.StopPlayback(f"cut_0_{number}") for number in numbers]

    stopped = [inputs.PlaybackStopped(f"cut_0_{number}", ()) for number in (1, 2, 3)]
    then = script(inputs.Starved(2), inputs.Starved(3), *stopped, after=alike(1, 2, 3))
    now = told(then, [], alike(5), alike(6, 7))
    assert [step.input for step in now.steps[3:]] == [
        inputs.PlaybackStopped(f"cut_0_{number}", ()) for number in (5, 6, 7)
    ]


def test_what_is_said_to_a_name_that_nothing_bears_now_is_left_out_answer_or_not() -> None:
    said = [
        *answers(16),
        *answers(16),
        received("conversation.item.deleted", event_id="e", item_id="item_0_16"),
    ]
    now = told(script(*said, after=requests(16)))
    assert [type(step.input) for step in now.steps] == [inputs.Starved]
    done = received("conversation.item.done", event_id="e", item=EMPTY | {"id": "item_0_16"})
    assert len(told(script(done, said[-1], after=requests(16))).steps) == 1


def test_a_name_that_is_only_mentioned_stays_if_nothing_bears_it_now() -> None:
    text = "About 'item_0_16'."
    said = received("error", event_id="e", error=error("evt_0_17", text))
    now = told(script(said, after=requests(16)), [requests(48)[1]])
    assert now.steps[1].input == received("error", event_id="e", error=error("evt_0_49", text))


def test_a_name_that_the_machine_never_gave_stays_as_it_is() -> None:
    said = inputs.PlaybackStopped("cut_0_99", ())
    assert told(script(said, after=requests(16))).steps[1].input == said


def test_every_acknowledgement_needs_a_request_of_its_own() -> None:
    asked = [send("conversation.item.retrieve", item_id=name) for name in ("A", "B", "C", "C")]
    said = [
        received("conversation.item.retrieved", event_id="e", item=EMPTY | {"id": name})
        for name in ("A", "B", "C", "C")
    ]
    then = script(*said, after=asked)
    assert len(told(then, asked).steps) == 5
    assert len(told(then, []).steps) == 1
    assert [step.input for step in told(then, asked[:3]).steps[1:]] == said[:3]


def test_a_stop_in_the_last_moment_is_not_unanswered_yet() -> None:
    stop: list[commands.Command] = [commands.StopPlayback("cut_0_1")]
    assert told(script(), stop).unanswered == 0
    assert told(script(inputs.Starved(2)), stop).unanswered == 1


def test_a_tick_may_be_a_second_late_and_is_on_no_line() -> None:
    for at_us, ticks in ((1_000_005, 0), (1_000_006, 1)):
        now = told(script(), at_us=[at_us], deadline_us=5)
        assert [step.line for step in now.steps] == [0] * ticks + [2]
        assert now.steps[0].at_us == (5 if ticks else at_us)


def test_nothing_comes_before_the_settings_stand_if_they_stood_then() -> None:
    then: Script = [
        (received("session.updated", event_id="e", session=SESSION), []),
        (inputs.Starved(1), []),
    ]
    asked = [send("session.update", session={"type": "realtime"})]
    then.insert(0, (inputs.Starved(2), asked))
    assert len(told(then, asked).steps) == 3
    assert told(then, asked, places=[0, 2]).used == (0,)


def story_of(talk: Talk) -> Story:
    machine = Machine(Settings())
    lines = [record.header(Settings(), "", "0")]
    for at_us, each in talk.inputs:
        lines.append(record.entry(at_us, each, machine.handle(each, now_us=at_us)))
    return Story(list(Reader(lines)), Settings(), Machine)


def test_the_sound_of_an_item_goes_with_its_beginning_where_the_conversation_has_none() -> None:
    talk = Talk()
    talk.response("r1")
    talk.item("A", held=False)
    talk.delta("A", 500)
    story = story_of(talk)
    assert "ResponseOutputItemAdded" in repr(story.steps[-2].input)
    last = len(story.steps) - 1
    assert story.tell(set(range(last + 1)) - {last - 1}).used == tuple(range(last - 1))


def test_all_that_was_given_may_be_heard() -> None:
    talk = Talk()
    talk.speaking(ms=500)
    talk.heard("A", 500)
    assert story_of(talk).tell().left_out == 0
