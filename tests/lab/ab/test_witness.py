"""Who stands between a client and its pipe: it notes everything, and changes nothing."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from tests.virtual_loop import run

from bargein.lab.ab.witness import CallWitness, Passed, PromptWitness, Witness, witness_of
from bargein.transports.base import MediaPipe, MediaSink, PipeEnd, PromptPipe


class Frames:
    """A pipe that says what it is given, and then ends."""

    call_url = "http://host/v1/realtime/calls/rtc_1"

    def __init__(self, *frames: str) -> None:
        self._frames = list(frames)
        self.sent: list[str] = []

    async def open(self) -> None:
        """It is open."""

    async def send(self, frame: str) -> None:
        self.sent.append(frame)

    async def receive(self) -> str | bytes | PipeEnd:
        return self._frames.pop(0) if self._frames else PipeEnd(1001, "")

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Nothing to close."""


class Prompt(Frames):
    def send_at_once(self, frame: str) -> None:
        self.sent.append(frame)


class Call(Frames):
    sink: MediaSink

    def attach_media(self, sink: MediaSink) -> None:
        self.sink = sink

    def send_media(self, payload: bytes, position: int) -> None:
        self.sent.append(f"{len(payload)} at {position}")


def noted(*frames: str | dict[str, Any]) -> tuple[Passed, ...]:
    texts = [each if isinstance(each, str) else json.dumps(each) for each in frames]

    async def listen() -> tuple[Passed, ...]:
        witness = witness_of(Frames(*texts))
        told: list[Passed] = []
        witness.when = told.append
        got = [await witness.receive() for _ in range(len(texts) + 1)]
        assert got == [*texts, PipeEnd(1001, "")]
        assert witness.ended == "code 1001"
        assert told == witness.passed
        return tuple(told)

    return run(listen())


def test_it_has_what_its_pipe_has_and_nothing_more() -> None:
    plain, prompt, call = witness_of(Frames()), witness_of(Prompt()), witness_of(Call())
    assert type(plain) is Witness
    assert not isinstance(plain, PromptPipe | MediaPipe)
    assert isinstance(prompt, PromptWitness) and isinstance(prompt, PromptPipe)
    assert isinstance(call, CallWitness) and isinstance(call, MediaPipe)
    assert call.call_id == "rtc_1"


def test_of_an_event_it_keeps_what_tells_something_and_how_much_sound_was_in_it() -> None:
    sound = base64.b64encode(bytes(1_001)).decode()
    delta, done = noted(
        {"type": "response.output_audio.delta", "response_id": "r", "delta": sound, "x": 1},
        {"type": "response.done", "response": {"id": "r", "status": "cancelled"}},
    )
    assert (delta.sound_bytes, delta.brief) == (1_001, {"response_id": "r"})
    assert done.brief == {"response_id": "r", "status": "cancelled"}


def test_what_was_read_back_is_measured_over_all_its_parts() -> None:
    parts = [
        {"type": "output_audio", "audio": base64.b64encode(bytes(n)).decode(), "transcript": word}
        for n, word in ((480, "Once"), (960, "upon"))
    ]
    (item,) = noted(
        {"type": "conversation.item.retrieved", "item": {"id": "item_1", "content": parts}}
    )
    assert item.brief == {"item_id": "item_1", "words": "Once upon", "kept_bytes": 1_440}
    (bare,) = noted({"type": "conversation.item.retrieved", "item": {"id": "i", "content": None}})
    assert "kept_bytes" not in bare.brief


def test_what_is_no_event_is_noted_and_passed_on() -> None:
    assert [each.type for each in noted("{", "[1]", '{"type": 3}')] == ["no event", "no event", "3"]


def test_what_is_sent_passes_in_its_order_and_packets_are_timed() -> None:
    async def talk() -> None:
        pipe, prompt = Call(), Prompt()
        witness, hasty = witness_of(pipe), witness_of(prompt)
        assert isinstance(witness, CallWitness) and isinstance(hasty, PromptWitness)
        await witness.send('{"type": "response.cancel"}')
        witness.send_media(b"123", 960)
        hasty.send_at_once('{"type": "a"}')
        assert pipe.sent == ['{"type": "response.cancel"}', "3 at 960"]
        assert prompt.sent == ['{"type": "a"}']
        heard: list[int] = []
        witness.attach_media(lambda sequence, timestamp, payload: heard.append(sequence))
        pipe.sink(7, 0, b"x")
        await asyncio.sleep(0.02)
        pipe.sink(8, 960, b"x")
        assert heard == [7, 8]
        assert witness.packets_us[1] - witness.packets_us[0] == 20_000

    run(talk())
