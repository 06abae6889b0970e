"""The server of a scene says what the scene wants, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bargein import events
from bargein.sim.log import Log
from bargein.sim.options import Options
from bargein.sim.orders.scene import NO_LATENCY, Score, spoken
from bargein.sim.orders.server import Piece, ScriptedServer
from bargein.sim.world import World

PLAIN = Options(card=NO_LATENCY)


@dataclass
class Rig:
    """A server to which messages come without a way."""

    options: Options = PLAIN
    scores: tuple[Score, ...] = ()
    sent: list[events.ServerEvent] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    def __post_init__(self) -> None:
        world = World()
        self.server = ScriptedServer(
            self.options,
            self.scores,
            world=world,
            log=Log(world),
            send=lambda message: self.sent.append(message[1]),
            say=self.pieces.append,
        )
        self.server.open()

    def give(self, event: events.ClientEvent) -> None:
        self.sent.clear()
        self.server.receive((0, event))

    def say(self) -> set[type]:
        self.sent.clear()
        self.server.produce(self.pieces.pop(0))
        return {type(event) for event in self.sent}


def test_a_reply_is_said_piece_by_piece_and_ends_with_the_last() -> None:
    rig = Rig(scores=(spoken((60, 60), done_apart=True),))
    rig.give(events.ResponseCreate())

    first, second, end = rig.say(), rig.say(), rig.say()

    assert events.ResponseOutputAudioDelta in first & second
    assert events.ResponseOutputItemDone in second - first
    assert end == {events.ResponseDone}
    assert not rig.server.busy


def test_a_reply_that_no_score_tells_of_is_a_plain_one() -> None:
    rig = Rig()
    rig.give(events.ResponseCreate())

    assert len(rig.pieces) == 1
    assert {events.ResponseOutputAudioDelta, events.ResponseDone} <= rig.say()


def test_what_is_left_of_a_cancelled_reply_is_not_wanted() -> None:
    rig = Rig(scores=(spoken((60, 60)),))
    rig.give(events.ResponseCreate())
    assert rig.server.wants(rig.pieces[0])

    rig.give(events.ResponseCancel())

    assert not rig.server.wants(rig.pieces[0])


def test_a_server_without_truncation_refuses_it_by_the_events_id() -> None:
    rig = Rig(options=replace(PLAIN, obeys_truncate=False))
    rig.give(
        events.ConversationItemTruncate(
            event_id="mine", item_id="item_x", content_index=0, audio_end_ms=1
        )
    )

    [refusal] = rig.sent
    assert isinstance(refusal, events.Error)
    assert refusal.error.event_id == "mine"


def test_a_server_that_acknowledges_nothing_deletes_without_a_word() -> None:
    rig = Rig(options=replace(PLAIN, acknowledges=False))
    message = events.MessageItem(
        id="item_x", role="user", content=(events.InputText(text="Hello."),)
    )
    rig.give(events.ConversationItemCreate(item=message))

    rig.give(events.ConversationItemDelete(item_id="item_x"))

    assert (rig.sent, rig.server.memory) == ([], ())
