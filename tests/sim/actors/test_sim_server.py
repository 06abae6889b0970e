"""The server in the simulated world: what causes what, and the filters before it."""

from __future__ import annotations

from bargein import events
from bargein.sim.actors.server import SimServer
from bargein.sim.actors.service import REFUSED_CODE
from bargein.sim.choices import Choices, Tape, TapeSource
from bargein.sim.history import Entry
from bargein.sim.log import Log
from bargein.sim.moments import Moments
from bargein.sim.options import Options
from bargein.sim.world import World

DELETE = events.ConversationItemDelete(item_id="item_x")


class _Stage:
    def __init__(self, options: Options, tape: Tape | None = None) -> None:
        self.world = World()
        self.log = Log(self.world)
        self.arrived: list[events.ServerEvent] = []
        self.server = SimServer(
            options,
            world=self.world,
            choices=Choices(TapeSource(tape or {})),
            log=self.log,
            moments=Moments(self.world),
            send=self._send,
            hang_up=lambda code, reason: None,
        )
        self.server.open()
        self._sent = 0

    def _send(self, message: tuple[int, events.ServerEvent]) -> int:
        self.arrived.append(message[1])
        return self.world.now_us

    def say(self, event: events.ClientEvent) -> list[events.ServerEvent]:
        before = len(self.arrived)
        self.server.receive((self._sent, event))
        self._sent += 1
        return self.arrived[before:]

    def reply(self) -> str:
        """A whole response of the plain engine; gives its item's id."""
        self.say(events.ResponseCreate())
        self.world.run(self.world.now_us + 1_000_000, at_most=1_000)
        assert not self.server.busy
        return self.server.memory[-1].id


def _sent(stage: _Stage) -> list[Entry]:
    return [entry for entry in stage.log.entries if entry.kind == "server_sent"]


def test_the_answer_to_a_message_names_it_as_its_cause() -> None:
    stage = _Stage(Options())
    stage.say(events.InputAudioBufferClear())
    stage.say(DELETE)

    assert [entry.cause for entry in _sent(stage)] == [-1, 0, 1]
    assert [entry.number for entry in _sent(stage)] == [0, 1, 2]


def test_what_was_due_before_a_message_is_not_taken_for_its_answer() -> None:
    stage = _Stage(Options())
    stage.say(events.ResponseCreate())
    stage.world.run(0, at_most=10)
    stage.world.now_us = 500_000
    stage.say(events.InputAudioBufferClear())

    answers = [entry.what for entry in _sent(stage) if entry.cause == 1]

    assert [type(event) for event in answers] == [events.InputAudioBufferCleared]


def test_a_server_that_cannot_truncate_refuses_and_keeps_everything() -> None:
    stage = _Stage(Options(obeys_truncate=False))
    item_id = stage.reply()
    truncate = events.ConversationItemTruncate(
        item_id=item_id, content_index=0, audio_end_ms=100, event_id="mine"
    )

    (answer,) = stage.say(truncate)

    assert isinstance(answer, events.Error)
    assert (answer.error.code, answer.error.event_id) == (REFUSED_CODE, "mine")
    assert stage.server.memory[-1].parts[0].kept_samples == 200 * 24


def test_a_silent_server_obeys_without_a_word() -> None:
    stage = _Stage(Options(acknowledges=False))
    item_id = stage.reply()
    truncate = events.ConversationItemTruncate(item_id=item_id, content_index=0, audio_end_ms=100)

    assert stage.say(truncate) == []
    assert stage.server.memory[-1].parts[0].kept_samples == 100 * 24
    assert stage.say(events.ConversationItemDelete(item_id=item_id)) == []
    assert stage.server.memory == ()


def test_the_end_of_the_hour_is_not_waited_for() -> None:
    stage = _Stage(Options())

    assert stage.world.next_us is None


def test_a_server_that_knows_neither_cancel_nor_delete_refuses_both_and_goes_on() -> None:
    stage = _Stage(Options(obeys_cancel=False, obeys_delete=False))
    item_id = stage.reply()
    stage.say(events.ResponseCreate())

    answers = [
        *stage.say(events.ResponseCancel()),
        *stage.say(events.ConversationItemDelete(item_id=item_id)),
    ]

    assert [a.error.code for a in answers if isinstance(a, events.Error)] == [REFUSED_CODE] * 2
    assert stage.server.busy
    assert item_id in [item.id for item in stage.server.memory]


def test_a_server_that_moderates_ends_a_reply_by_itself() -> None:
    stage = _Stage(Options(moderates=True), {"moderator": [2, 100]})
    stage.say(events.ResponseCreate())

    stage.world.run(1_000_000, at_most=100)

    (done,) = [event for event in stage.arrived if isinstance(event, events.ResponseDone)]
    assert done.response.status == "cancelled"
    assert [e.cause for e in _sent(stage) if isinstance(e.what, events.ResponseDone)] == [-1]
