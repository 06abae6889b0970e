"""Anything that can happen to a machine, in any order: the moves, and what each of them gives it.

A move is plain data, so a failing list shrinks. What depends on the machine (the id of a cut, the
event that is refused) is looked up when the move is made.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET
from tests.scenarios.rig import FALSE_VAD, SEMANTIC_VAD, SERVER_VAD, Talk

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.inputs import Heard, Part

MADE = {"r1": ("A", "B"), "r2": ("C", "D"), "r3": ("E",)}
"""The items of each response: no service makes one item in two."""
RESPONSES = tuple(MADE)
SPOKEN = tuple(item_id for items in MADE.values() for item_id in items)
ITEMS = (*SPOKEN, "U1", "U2")
TEXTS = ("", "word", "two words")
SAMPLES = (0, 1, 240, 480, 24_000)
STATUSES = ("completed", "incomplete", "cancelled", "failed", "in_progress", "")
SOME_ID = (*ITEMS, *ITEMS, UNSET, None)
TURNS = (SERVER_VAD, SEMANTIC_VAD, FALSE_VAD, None)
MESSAGES = (
    "Audio content of 10ms is already shorter than 20ms",
    "Only model output audio messages can be truncated",
    "Cancellation failed: no active response found",
    "Conversation already has an active response in progress: r1. Wait.",
    "Error deleting item: the item with id 'A' does not exist.",
    "Invalid value: 'response.cancel'.",
    "",
)
CODES = (
    None,
    UNSET,
    "invalid_value",
    "unsupported_content_type",
    "response_cancel_not_active",
    "conversation_already_has_active_response",
    "item_delete_invalid_item_id",
    "item_truncate_invalid_item_id",
)
MARGINS = (0, 0, 0, 480, None)

Move: TypeAlias = Any


@dataclass(frozen=True)
class Refuse:
    """The event that was sent so many before the last is refused."""

    back: int
    body: events.ErrorBody
    named: bool


@dataclass(frozen=True)
class Agree:
    """The truncate or delete that was sent so many before the last is acknowledged."""

    back: int


@dataclass(frozen=True)
class Create:
    """Our create that was sent so many before the last is answered."""

    back: int
    response_id: str


@dataclass(frozen=True)
class Silent:
    """The player answers the stop or hold so many before the last."""

    back: int
    counts: tuple[Heard, ...]
    margin: int | None
    hold: bool


@dataclass(frozen=True)
class Pass:
    """Time passes."""

    ms: int


@dataclass(frozen=True)
class Ask:
    """The application asks."""

    ask: Any


class Dice:
    """Draws things that may happen; the same seed draws the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def one(self, values: Sequence[Any]) -> Any:
        """One of them."""
        return self._random.choice(values)

    def item(self, ids: Sequence[str] = ITEMS) -> Any:
        """An item, of the model's or the user's."""
        item_id = self.one([*ids, *ids, UNSET, None])
        match self.one(["spoken", "spoken", "call", "output"]):
            case "spoken":
                return events.MessageItem(
                    id=item_id,
                    role=self.one(["assistant", "user"]),
                    status=self.one([*STATUSES, UNSET]),
                    content=self.one([(), (events.OutputAudio(transcript="word"),)]),
                )
            case "call":
                return events.FunctionCallItem(
                    id=item_id,
                    name=self.one(TEXTS),
                    call_id=self.one(SOME_ID),
                    arguments=self.one(TEXTS),
                    status=self.one(STATUSES),
                )
        return events.FunctionCallOutputItem(
            id=item_id, call_id=self.one(ITEMS), output=self.one(TEXTS)
        )

    def response(self) -> events.Response:
        """A response as `created` and `done` show it."""
        response_id = self.one(RESPONSES)
        output = [self.item(MADE[response_id]) for _ in range(self.one([0, 1, 2]))]
        return events.Response(
            id=response_id,
            status=self.one(STATUSES),
            output=tuple(output),
            conversation_id=self.one(["conv_1", "conv_1", "conv_1", None, UNSET]),
            metadata=self.one([UNSET, None, {}, {"bargein": "create_nobody"}]),
            usage=self.one([UNSET, None, events.Usage(total_tokens=3)]),
        )

    def body(self) -> events.ErrorBody:
        """A refusal, of us or of nobody."""
        return events.ErrorBody(
            message=self.one(MESSAGES),
            code=self.one(CODES),
            type=self.one(["invalid_request_error", "server_error", UNSET]),
            event_id=self.one([None, UNSET, "evt_nobody"]),
        )

    def session(self) -> Any:
        """An effective session."""
        wire = {"type": self.one(["audio/pcm", "audio/pcmu"])}
        audio = {
            "input": {"format": wire, "turn_detection": self.one(TURNS)},
            "output": {"format": wire},
        }
        return msgspec.convert({"type": "realtime", "audio": audio}, events.Session)

    def event(self, cls: type[Any]) -> Any:
        """An event of that class; what may be left out is."""
        response_id = self.one(RESPONSES)
        made = {field.name for field in msgspec.structs.fields(cls)} & {"response_id"}
        ids = MADE[response_id] if made else ITEMS
        fields: dict[str, Callable[[], Any]] = {
            "audio_end_ms": lambda: self.one([-1, 0, 10, 20, 1_000]),
            "audio_start_ms": lambda: self.one([-1, 0, 10, 100_000]),
            "content_index": lambda: self.one([0, 0, 1]),
            "conversation": events.Conversation,
            "end": lambda: 1.0,
            "error": self.body,
            "item": lambda: self.item(ids),
            "item_id": lambda: self.one(ids),
            "output_index": lambda: 0,
            "previous_item_id": lambda: self.one(SOME_ID),
            "rate_limits": tuple,
            "received_at": lambda: 0,
            "response": self.response,
            "response_id": lambda: response_id,
            "session": lambda: self.one([self.session(), events.TranscriptionSession()]),
            "start": lambda: 0.0,
        }
        if cls is events.ResponseOutputAudioDelta:
            fields["delta"] = lambda: bytes(2 * self.one(SAMPLES))
        return cls(
            **{
                field.name: fields.get(field.name, lambda: self.one(TEXTS))()
                for field in msgspec.structs.fields(cls)
                if field.required or field.name == "previous_item_id"
            }
        )

    def counts(self) -> tuple[Heard, ...]:
        """What a player says of some parts."""
        found = []
        for _ in range(self.one([0, 1, 2, 3])):
            response_id = self.one(RESPONSES)
            part = Part(response_id, self.one(MADE[response_id]), self.one([0, 0, 1]))
            found.append(Heard(part, self.one([*SAMPLES, -5])))
        return tuple(found)

    def own(self) -> events.ClientEvent:
        """What an application may send by itself."""
        item_id = self.one(ITEMS)
        found: events.ClientEvent = self.one(
            [
                events.ResponseCancel(),
                events.ResponseCancel(response_id=self.one(RESPONSES)),
                events.ResponseCreate(),
                events.InputAudioBufferCommit(),
                events.InputAudioBufferClear(),
                events.InputAudioBufferAppend(audio=bytes(480)),
                events.ConversationItemDelete(item_id=item_id),
                events.ConversationItemRetrieve(item_id=item_id),
                events.ConversationItemTruncate(item_id=item_id, content_index=0, audio_end_ms=10),
                events.ConversationItemCreate(item=self.item()),
                events.SessionUpdate(session=self.session()),
            ]
        )
        return found

    def edit(self) -> asks.Edit:
        """An edit of items that may be there, with new ones in between."""
        wish = [
            self.item([]) if self.one([0, 0, 1]) else events.ItemReference(id=self.one(ITEMS))
            for _ in range(self.one([0, 1, 2, 3]))
        ]
        delete = [self.one(ITEMS)] if self.one([0, 1]) else []
        return asks.Edit(tuple(wish), tuple(delete), self.one([None, (), ITEMS]))

    def ask(self) -> asks.Ask:
        """What an application may ask, but for leaving."""
        found: asks.Ask = self.one(
            [
                asks.Say(self.one(TEXTS), self.one([True, False])),
                asks.Respond(),
                asks.Respond(events.ResponseParams(conversation="none")),
                asks.Respond(events.ResponseParams(instructions="Be brief.")),
                asks.Interrupt(),
                asks.Interrupt(),
                asks.CancelReply(self.one(range(1, 6))),
                asks.Press(),
                asks.Release(),
                asks.Hold(),
                asks.Resume(),
                asks.Mute(self.one([True, False])),
                asks.Update(self.session()),
                asks.SendEvent(self.own()),
                asks.SendEvent(self.own()),
                self.edit(),
            ]
        )
        return found

    def edge(self) -> Move:
        """What player, microphone and socket may report unasked."""
        return self.one(
            [
                inputs.Rendered(self.counts()),
                inputs.Rendered(self.counts()),
                inputs.Captured(self.one([b"", b"\0", bytes(480), bytes(9_600)])),
                inputs.DeviceChanged(self.one(MARGINS)),
                inputs.Starved(480),
                inputs.Blocked(),
                inputs.Drained(),
                inputs.PlaybackStopped("nobody", self.counts(), self.one(MARGINS)),
                inputs.PlaybackHeld("nobody", self.counts()),
                inputs.Received(events.Malformed(reason="not JSON", raw="{")),
                inputs.Received(events.Unknown(type="dance", raw=events.Fields({"type": "dance"}))),
            ]
        )

    def call_move(self) -> Move:
        """Anything that can happen where the service owns playback."""
        match self.one(["move", "move", "buffer", "media"]):
            case "buffer":
                return self.event(self.one(OF_BUFFER))
            case "media":
                place = self.one([0, 480, 960, 1_440, 7_200, 24_000, 480_000, -480])
                sound = self.one([b"\x10\x27", b"\0\0"]) * self.one([0, 1, 480, 480, 480])
                return inputs.MediaArrived(place, sound)
        return self.move()

    def move(self) -> Move:
        """Anything that can happen, in an answer to the machine or out of the blue."""
        back = self.one(range(4))
        match self.one(["event", "event", "edge", "ask", "answer"]):
            case "event":
                every = events.members(events.ServerEvent)
                return self.event(self.one([*every, *TELLING, *TELLING, *TELLING]))
            case "edge":
                return self.edge()
            case "ask":
                return Ask(self.ask())
        return self.one(
            [
                Refuse(back, self.body(), self.one([True, False])),
                Agree(back),
                Create(back, self.one(RESPONSES)),
                Silent(back, self.counts(), self.one(MARGINS), hold=False),
                Silent(back, self.counts(), self.one(MARGINS), hold=False),
                Silent(back, self.counts(), 0, hold=True),
                Pass(self.one([1, 20, 200, 1_000, 5_000, 15_000])),
            ]
        )


# What carries a conversation comes more often than what is ignored.
TELLING: tuple[type[Any], ...] = (
    events.ResponseCreated,
    events.ResponseOutputItemAdded,
    events.ConversationItemAdded,
    events.ResponseOutputAudioDelta,
    events.ResponseOutputAudioDelta,
    events.ResponseOutputItemDone,
    events.ResponseDone,
    events.InputAudioBufferSpeechStarted,
    events.InputAudioBufferSpeechStopped,
    events.InputAudioBufferCommitted,
)
OF_BUFFER: tuple[type[Any], ...] = (
    events.OutputAudioBufferStarted,
    events.OutputAudioBufferStarted,
    events.OutputAudioBufferStopped,
    events.OutputAudioBufferCleared,
    events.ConversationItemTruncated,
    events.ResponseContentPartAdded,
    events.ResponseOutputAudioTranscriptDelta,
)
_DICE = Dice(0)
MOVES: tuple[Move, ...] = tuple(_DICE.move() for _ in range(2_000))
"""Drawn once, so that hypothesis chooses each with one draw, and shrinks a list by leaving out."""
_CALLS_DICE = Dice(1)
CALL_MOVES: tuple[Move, ...] = tuple(_CALLS_DICE.call_move() for _ in range(2_000))
"""The same where the service owns playback."""
ENDINGS: tuple[Move, ...] = (inputs.PipeClosed(1006, ""), Ask(asks.Leave()))


def make(talk: Talk, move: Move) -> None:
    """Make one move."""
    match move:
        case Pass(ms=ms):
            talk.pass_ms(ms)
        case Ask(ask=asks.SendEvent(event=event)):
            # Under an id, so that what it sends by itself is told from what the machine sends.
            event_id = f"app_{len(talk.inputs)}"
            talk.ask(asks.SendEvent(msgspec.structs.replace(event, event_id=event_id)))
        case Ask(ask=ask):
            talk.ask(ask)
        case Refuse():
            _refuse(talk, move)
        case Agree(back=back):
            _agree(talk, back)
        case Create(back=back, response_id=response_id):
            _create(talk, back, response_id)
        case Silent():
            _silent(talk, move)
        case events.ServerShape():
            talk.give(inputs.Received(move))  # type: ignore[arg-type]  # one of the vocabulary
        case _:
            talk.give(move)


def _sent(talk: Talk) -> list[events.ClientEvent]:
    return [one.event for one in talk.done_of(commands.Send)]


def _back(found: list[Any], back: int) -> Any:
    return found[-1 - back] if len(found) > back else None


def _refuse(talk: Talk, move: Refuse) -> None:
    event = _back(_sent(talk), move.back)
    event_id = event.event_id if event is not None and move.named else None
    body = msgspec.structs.replace(move.body, event_id=event_id)
    talk.give(inputs.Received(events.Error(event_id="event_x", error=body)))


def _agree(talk: Talk, back: int) -> None:
    wanted = (events.ConversationItemTruncate, events.ConversationItemDelete)
    match _back([one for one in _sent(talk) if isinstance(one, wanted)], back):
        case events.ConversationItemTruncate() as truncate:
            talk.truncated(truncate.item_id, truncate.audio_end_ms, truncate.content_index)
        case events.ConversationItemDelete(item_id=item_id):
            talk.deleted(item_id)
        case _:
            pass


def _create(talk: Talk, back: int, response_id: str) -> None:
    event = _back([one for one in _sent(talk) if isinstance(one, events.ResponseCreate)], back)
    if event is not None:
        params = event.response
        out_of_band = params.conversation == "none"
        talk.response(
            response_id,
            metadata=params.metadata,
            conversation_id=None if out_of_band else "conv_1",
        )


def _silent(talk: Talk, move: Silent) -> None:
    if move.hold:
        hold = _back(talk.done_of(commands.HoldPlayback), move.back)
        if hold is not None:
            talk.give(inputs.PlaybackHeld(hold.cut_id, move.counts))
        return
    stop = _back(talk.stops, move.back)
    if stop is not None:
        talk.give(inputs.PlaybackStopped(stop, move.counts, move.margin))
