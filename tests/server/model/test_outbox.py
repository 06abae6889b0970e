"""What is to be done, in order, once."""

from __future__ import annotations

import itertools

from bargein import events
from bargein.server.model.commands import SendEvent, StopEngine
from bargein.server.model.ids import Ids
from bargein.server.model.outbox import Outbox
from bargein.server.model.rules import refuse


def test_commands_are_taken_in_order_and_once() -> None:
    outbox = Outbox(Ids(itertools.count().__next__))
    outbox.command(StopEngine("a"))
    outbox.send(events.InputAudioBufferCleared(event_id=outbox.event_id()))
    first, second = outbox.take()
    assert first == StopEngine("a")
    assert isinstance(second, SendEvent) and second.event.event_id.startswith("event_")
    assert outbox.take() == []


def test_an_error_has_an_id_of_its_own_beside_the_one_it_names() -> None:
    outbox = Outbox(Ids(itertools.count().__next__))
    outbox.refuse(refuse("nothing_to_cancel").refusal, "mine")
    (command,) = outbox.take()
    assert isinstance(command, SendEvent) and isinstance(command.event, events.Error)
    assert command.event.error.event_id == "mine" != command.event.event_id
