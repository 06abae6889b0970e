"""Stands between a client and its pipe, and notes what passes: the same for every client.

1. An event is noted when it came from the pipe, before the client has it, or when it was given to
   the pipe; so what is measured is not what a client says of itself.
2. Of a call's media each packet is noted by its time; what is in it, the ear tells.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from bargein.transports.base import MediaPipe, MediaSink, Pipe, PipeEnd, PromptPipe
from bargein.units import US_PER_S

_QUOTED = ("audio_end_ms", "item_id", "response_id", "status")


@dataclass(frozen=True, slots=True)
class Passed:
    """An event on the wire, on the loop's clock. `brief` has its few fields that tell something."""

    at_us: int
    direction: Literal["sent", "received"]
    type: str
    brief: dict[str, Any]
    sound_bytes: int = 0
    """How much sound was in it, decoded."""


class Witness:
    """A pipe around a pipe. `when` is called with each event that was received."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.passed: list[Passed] = []
        self.packets_us: list[int] = []
        """When each packet of sound arrived."""
        self.ended: str | None = None
        """How the connection ended, once it has."""
        self.when: Callable[[Passed], None] = lambda seen: None

    async def open(self) -> None:
        """See `Pipe.open`."""
        await self._pipe.open()

    async def send(self, frame: str) -> None:
        """See `Pipe.send`."""
        self.note("sent", frame)
        await self._pipe.send(frame)

    async def receive(self) -> str | bytes | PipeEnd:
        """See `Pipe.receive`."""
        frame = await self._pipe.receive()
        if isinstance(frame, PipeEnd):
            self.ended = frame.reason or f"code {frame.code}"
        else:
            self.when(self.note("received", frame))
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """See `Pipe.close`."""
        await self._pipe.close(code, reason)

    def note(self, direction: Literal["sent", "received"], frame: str | bytes) -> Passed:
        """Keep what passed."""
        try:
            event = json.loads(frame)
        except ValueError:
            event = {}
        seen = _passed(direction, event if isinstance(event, dict) else {})
        self.passed.append(seen)
        return seen


class PromptWitness(Witness):
    """Around a pipe that writes without a task."""

    _pipe: Any

    def send_at_once(self, frame: str) -> Coroutine[Any, Any, None] | None:
        """See `PromptPipe.send_at_once`."""
        self.note("sent", frame)
        rest: Coroutine[Any, Any, None] | None = self._pipe.send_at_once(frame)
        return rest


class CallWitness(Witness):
    """Around a call."""

    _pipe: Any

    @property
    def call_id(self) -> str:
        """The service's name for the call; empty before it was answered."""
        return str(self._pipe.call_url).rpartition("/")[2]

    def attach_media(self, sink: MediaSink) -> None:
        """See `MediaPipe.attach_media`."""

        def arrived(sequence: int, timestamp: int, payload: bytes) -> None:
            self.packets_us.append(now_us())
            sink(sequence, timestamp, payload)

        self._pipe.attach_media(arrived)

    def send_media(self, payload: bytes, position: int) -> None:
        """See `MediaPipe.send_media`."""
        self._pipe.send_media(payload, position)


def witness_of(pipe: Pipe) -> Witness:
    """One that has what the pipe has."""
    if isinstance(pipe, MediaPipe):
        return CallWitness(pipe)
    return PromptWitness(pipe) if isinstance(pipe, PromptPipe) else Witness(pipe)


def now_us() -> int:
    """Now, on the running loop's clock."""
    return round(asyncio.get_running_loop().time() * US_PER_S)


def _passed(direction: Literal["sent", "received"], event: dict[str, Any]) -> Passed:
    kind = str(event.get("type", "no event"))
    brief = {name: event[name] for name in _QUOTED if name in event}
    sound = event.get("delta") if kind.endswith("audio.delta") else event.get("audio")
    response = event.get("response")
    if isinstance(response, dict):
        brief |= {"response_id": response.get("id"), "status": response.get("status")}
    error = event.get("error")
    if isinstance(error, dict):
        brief |= {"code": error.get("code"), "message": error.get("message")}
    item = event.get("item")
    if isinstance(item, dict):
        brief["item_id"] = item.get("id")
        brief |= _kept(item) if kind == "conversation.item.retrieved" else {}
    size = len(sound) * 3 // 4 - sound[-2:].count("=") if isinstance(sound, str) else 0
    return Passed(now_us(), direction, kind, brief, size)


def _kept(item: dict[str, Any]) -> dict[str, Any]:
    """Of an item that was read back: how much sound and which words the service holds."""
    content = [part for part in item.get("content") or [] if isinstance(part, dict)]
    sounds = [part["audio"] for part in content if isinstance(part.get("audio"), str)]
    words = [part["transcript"] for part in content if isinstance(part.get("transcript"), str)]
    found: dict[str, Any] = {"words": " ".join(words) or None}
    if sounds:
        found["kept_bytes"] = sum(len(each) * 3 // 4 - each[-2:].count("=") for each in sounds)
    return found
