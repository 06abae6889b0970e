"""A machine with a counter for chance, a clock turned by hand, and what it said, easy to read."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterable
from typing import Any, assert_never

import numpy as np

from bargein import events
from bargein.events.dialect import Dialect
from bargein.server.model import score
from bargein.server.model.commands import (
    CallTool,
    ClosePipe,
    Command,
    ListTools,
    Overhear,
    SendEvent,
    SendMedia,
    StartEngine,
    StartTranscription,
    StopEngine,
    StopMedia,
    StopRemote,
    StopTranscription,
)
from bargein.server.model.heard import Heard, Words
from bargein.server.model.ids import Ids
from bargein.server.model.inputs import (
    FrameReceived,
    Input,
    Opened,
    PipeKind,
    Produced,
    SessionKind,
    Tick,
    Transcribed,
)
from bargein.server.model.machine import Machine
from bargein.server.model.options import Options
from bargein.server.model.vad import EnergyVad

WALL_TIME_S = 1_785_457_327
MS = 1_000
RATE = 24_000


def silence(ms: int) -> bytes:
    """PCM, 24 kHz."""
    return bytes(2 * RATE * ms // 1_000)


def speech(ms: int) -> bytes:
    """Loud enough for `EnergyVad`; PCM, 24 kHz."""
    tone = 8_000 * np.sin(2 * np.pi * 300 * np.arange(RATE * ms // 1_000) / RATE)
    return tone.astype("<i2").tobytes()


def sound(ms: float) -> score.Sound:
    return score.Sound(b"\1\0" * round(RATE * ms / 1_000))


def steps(*actions: score.Action, every_us: int = 0) -> tuple[score.Step, ...]:
    return tuple(score.Step(action, every_us) for action in actions)


class Rig:
    """Every call gives the events that it made the server send, as plain JSON."""

    def __init__(
        self,
        model: str = "gpt-realtime",
        options: Options | None = None,
        *,
        overhears: bool = False,
        kind: SessionKind = "realtime",
        pipe: PipeKind = "websocket",
        dialect: Dialect = "ga",
    ) -> None:
        self.machine = Machine(
            ids=Ids(itertools.count(1).__next__), detector=EnergyVad(), options=options
        )
        self.now_us = 0
        self.log: list[dict[str, Any]] = []
        self.started: list[StartEngine] = []
        self.stopped: list[str] = []
        self.to_transcribe: list[StartTranscription] = []
        self.not_to_transcribe: list[str] = []
        self.overheard: list[Overhear] = []
        self.remote: list[ListTools | CallTool] = []
        self.closed: ClosePipe | None = None
        self.addressed: list[int | None] = []
        self.left: list[tuple[int, SendMedia]] = []
        self.silenced_us: list[int] = []
        self.give(
            Opened(model, WALL_TIME_S, overhears=overhears, kind=kind, pipe=pipe, dialect=dialect)
        )

    def give(self, input: Input, *, after_us: int = 0) -> list[dict[str, Any]]:
        self.now_us += after_us
        return self.note(self.machine.handle(input, now_us=self.now_us))

    def note(self, commands: Iterable[Command]) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        for command in commands:
            match command:
                case SendEvent(event=event, to=to):
                    sent.append(json.loads(events.encode(event)))
                    self.addressed.append(to)
                case StartEngine():
                    self.started.append(command)
                case StopEngine(response_id=response_id):
                    self.stopped.append(response_id)
                case StartTranscription():
                    self.to_transcribe.append(command)
                case StopTranscription(item_id=item_id):
                    self.not_to_transcribe.append(item_id)
                case SendMedia():
                    self.left.append((self.now_us, command))
                case StopMedia():
                    self.silenced_us.append(self.now_us)
                case ListTools() | CallTool():
                    self.remote.append(command)
                case StopRemote(item_id=item_id):
                    self.stopped.append(item_id)
                case Overhear():
                    self.overheard.append(command)
                case ClosePipe():
                    self.closed = command
                case _:
                    assert_never(command)
        self.log += sent
        deadline_us = self.machine.deadline_us
        assert deadline_us is None or deadline_us > self.now_us, "a deadline is never in the past"
        return sent

    def say(self, type: str, **fields: Any) -> list[dict[str, Any]]:
        """Send a client event as a frame."""
        return self.give(FrameReceived(json.dumps({"type": type, **fields})))

    def append(self, audio: bytes, **fields: Any) -> list[dict[str, Any]]:
        audio_text = base64.b64encode(audio).decode()
        return self.say("input_audio_buffer.append", audio=audio_text, **fields)

    def configure(self, turn_detection: Any = None, **session: Any) -> list[dict[str, Any]]:
        """Set `turn_detection` (None: off) and fields of the session."""
        audio: dict[str, Any] = {"input": {"turn_detection": turn_detection}}
        return self.say("session.update", session={"type": "realtime", "audio": audio, **session})

    def user_says(self, text: str, **fields: Any) -> str:
        item = {"type": "message", "role": "user", "content": [input_text(text)]}
        sent = self.say("conversation.item.create", item=item, **fields)
        return str(sent[0]["item"]["id"])

    def respond(self, **response: Any) -> str:
        """Create a response and give its id."""
        sent = self.say("response.create", response=response)
        assert types(sent) == ["response.created"], sent
        return str(sent[0]["response"]["id"])

    def produce(
        self, response_id: str, *actions: score.Action, final: bool = True, every_us: int = 0
    ) -> list[dict[str, Any]]:
        made = steps(*actions, every_us=every_us)
        return self.give(Produced(response_id, made, final))

    def hear(self, item_id: str, *pieces: Heard | str, final: bool = True) -> list[dict[str, Any]]:
        """The engine heard this in the item; texts are `Words`."""
        made = tuple(Words(piece) if isinstance(piece, str) else piece for piece in pieces)
        return self.give(Transcribed(item_id, made, final))

    def wait(self, ms: float) -> list[dict[str, Any]]:
        """Let time pass, with a tick at every deadline."""
        end_us = self.now_us + round(ms * MS)
        sent: list[dict[str, Any]] = []
        while (deadline_us := self.machine.deadline_us) is not None and deadline_us <= end_us:
            self.now_us = deadline_us
            sent += self.note(self.machine.handle(Tick(), now_us=deadline_us))
        self.now_us = end_us
        return sent

    def speaking(self, *ms: float, text: str = "Hello there") -> tuple[str, str]:
        """A running response that has sent audio of these lengths: (response id, item id)."""
        response_id = self.respond()
        sent = self.produce(
            response_id,
            score.OpenMessage(),
            score.OpenPart("audio"),
            score.SayText(text),
            *(sound(each) for each in ms),
            final=False,
        )
        return response_id, str(sent[0]["item"]["id"])

    def spoken(self, *ms: float, text: str = "Hello there") -> tuple[str, str]:
        """The same, done."""
        response_id, item_id = self.speaking(*ms, text=text)
        self.produce(response_id)
        self.wait(50)
        return response_id, item_id


def input_text(text: str) -> dict[str, Any]:
    return {"type": "input_text", "text": text}


def types(sent: Iterable[dict[str, Any]]) -> list[str]:
    return [str(event["type"]) for event in sent]


def error(sent: list[dict[str, Any]]) -> dict[str, Any]:
    """The one error that was sent."""
    assert types(sent) == ["error"], sent
    body: dict[str, Any] = sent[0]["error"]
    return body
