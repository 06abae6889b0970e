"""What was seen of one talk with a server. Pure: the edge writes it, scripts and judges read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
import pybase64

from bargein.events.dialect import server_to_ga

_BYTES_PER_MS = 48
"""PCM of 24 kHz, which every talk uses."""


@dataclass(frozen=True)
class Frame:
    """One frame, ours (`sent`) or the server's, with its time since the connection was asked for.

    `raw` is the plain JSON object; empty where the frame held none, and then `odd` says what.
    """

    at_us: int
    raw: Mapping[str, Any]
    sent: bool = False
    odd: str = ""

    @cached_property
    def event(self) -> Mapping[str, Any]:
        """The event in the dialect of today; an item that is `created` is one that was added."""
        return server_to_ga(dict(self.raw)) if self.raw and not self.sent else self.raw

    @property
    def name(self) -> str:
        """The event's type as it stood in the frame."""
        name = self.raw.get("type")
        return name if isinstance(name, str) else ""

    @property
    def kind(self) -> str:
        """Its type in the names of today."""
        kind = self.event.get("type")
        return kind if isinstance(kind, str) else ""

    def at(self, *path: str | int, raw: bool = False) -> Any:
        """The value at that path; None where there is none. `raw`: as it stood in the frame."""
        value: Any = self.raw if raw else self.event
        for step in path:
            match value:
                case Mapping() if isinstance(step, str):
                    value = value.get(step)
                case list() if isinstance(step, int) and step < len(value):
                    value = value[step]
                case _:
                    return None
        return value

    @property
    def about_item(self) -> str | None:
        """The id of the item that it is about."""
        found = self.at("item_id") or self.at("item", "id")
        return found if isinstance(found, str) else None

    @property
    def about_response(self) -> str | None:
        """The id of the response that it is about."""
        found = self.at("response_id") or self.at("response", "id")
        return found if isinstance(found, str) else None

    @property
    def audio_bytes(self) -> int:
        """How much sound is in it."""
        if self.kind != "response.output_audio.delta":
            return 0
        return len(sound_in(self.event.get("delta")))


@dataclass(frozen=True, slots=True)
class End:
    """How the connection ended: the close frame's code and reason; no code without one."""

    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request: its status, its headers with their names in lower case, its text,
    and when it came, in unix seconds."""

    status: int
    headers: Mapping[str, str]
    text: str
    wall_s: float = 0.0

    def at(self, *path: str | int) -> Any:
        """The value at that path of its JSON; None where there is none."""
        return read_frame(0, self.text).at(*path, raw=True)


@dataclass(frozen=True, slots=True)
class Heard:
    """A packet of sound that came by the track of a call."""

    at_us: int
    loud: bool


@dataclass(slots=True)
class Seen:
    """Everything of one talk, in the order of its times."""

    frames: list[Frame] = field(default_factory=list)
    end: End | None = None
    status: int | None = None
    """Of the upgrade: 101, or what came instead; None where nothing answered."""
    started: bool = False
    """The session had begun, and the script was begun."""
    finished: bool = False
    """The script was gone through to its end."""
    key_order: tuple[str, ...] = ()
    """The names in the first frame, in their order."""
    skipped: bool = False
    """It was not asked: the server has no calls, which another question tells."""
    replies: dict[str, Reply] = field(default_factory=dict)
    """Of requests, by the names that the script gave them; that of the call is `call`."""
    media: list[Heard] = field(default_factory=list)
    aside: list[Frame] | None = None
    """What came by a sideband; None where there is none."""

    def take(self, at_us: int, frame: str | bytes, *, sent: bool = False) -> Frame:
        """Add a frame."""
        read = read_frame(at_us, frame, sent=sent)
        if not self.key_order and not sent:
            self.key_order = tuple(read.raw)
        self.frames.append(read)
        return read

    def received(self, kind: str | None = None, after: Frame | None = None) -> list[Frame]:
        """What the server sent, of that kind where one is given, behind that frame."""
        start = 0 if after is None else self._index(after) + 1
        return [
            frame
            for frame in self.frames[start:]
            if not frame.sent and (kind is None or frame.kind == kind)
        ]

    def first(self, kind: str, after: Frame | None = None) -> Frame | None:
        """The first frame of that kind."""
        return next(iter(self.received(kind, after)), None)

    def answers_to(self, ours: Frame) -> list[Frame]:
        """What the server sent between ours and the next that was sent."""
        found = []
        for frame in self.frames[self._index(ours) + 1 :]:
            if frame.sent:
                break
            found.append(frame)
        return found

    def sent(self, event_id: str) -> Frame | None:
        """Our event with that id."""
        return next((f for f in self.frames if f.sent and f.at("event_id") == event_id), None)

    def until(self, last: Frame | None) -> Iterator[Frame]:
        """The server's frames up to that one, with it; all, where it is None."""
        for frame in self.received():
            yield frame
            if frame is last:
                return

    def audio_ms(self, response_id: str | None = None) -> int:
        """How much sound came, of one response or of all, in whole milliseconds."""
        return self.audio_bytes(response_id) // _BYTES_PER_MS

    def audio_bytes(self, response_id: str | None = None) -> int:
        """How much sound came, of one response or of all."""
        return sum(
            frame.audio_bytes
            for frame in self.received("response.output_audio.delta")
            if response_id in (None, frame.about_response)
        )

    def _index(self, wanted: Frame) -> int:
        return next(i for i, frame in enumerate(self.frames) if frame is wanted)


def is_flat(session: object) -> bool:
    """Whether a session has the shape of the beta dialect (protocol.md §2.1)."""
    return isinstance(session, Mapping) and "modalities" in session and "audio" not in session


def read_frame(at_us: int, frame: str | bytes, *, sent: bool = False) -> Frame:
    """A frame as it came from the wire. Never raises."""
    odd = "binary" if isinstance(frame, bytes) else ""
    try:
        event = msgspec.json.decode(frame)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return Frame(at_us, {}, sent, odd or "not JSON")
    if not isinstance(event, dict):
        return Frame(at_us, {}, sent, odd or "no JSON object")
    return Frame(at_us, event, sent, odd)


def sound_in(value: object) -> bytes:
    """Base64 as bytes; none where it is none."""
    if not isinstance(value, str):
        return b""
    try:
        return pybase64.b64decode(value, validate=True)
    except ValueError:
        return b""


def ladder(frames: Iterator[Frame] | list[Frame]) -> tuple[str, ...]:
    """The kinds of these frames in their order. Deltas of one kind stand once, where the first of
    them came; `rate_limits.updated` and `conversation.item.done` are asked about by themselves.
    """
    found: list[str] = []
    for frame in frames:
        kind = frame.kind or frame.odd
        if kind in ("rate_limits.updated", "conversation.item.done"):
            continue
        if kind.endswith(".delta") and kind in found:
            continue
        found.append(kind)
    return tuple(found)
