"""What a talk with a server consists of. Pure: a script says what to do, `asking` does it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from bargein.lab.conformance.seen import Frame, Seen

Fence = Literal["clear", "update"]
Patience = Literal["answer", "reply", "aside"]


@dataclass(frozen=True, slots=True)
class Send:
    """Send the event."""

    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SendRaw:
    """Send the frame as it is."""

    frame: str | bytes


@dataclass(frozen=True, slots=True)
class Speak:
    """Append the sound, PCM of 24 kHz, in small pieces and without pauses: the service counts
    sound, not time (protocol.md §5)."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Until:
    """Wait until `found` says so of what was seen; the script is told whether it did.

    `patience` is how long: for the protocol's own answers, for what a model must do first, or for
    what is said by the way, a little later. With a fence it is over, too, when the server has
    answered the fence, which is sent at once.
    """

    found: Callable[[Seen], bool]
    patience: Patience = "answer"
    fence: Fence | None = None


@dataclass(frozen=True, slots=True)
class SpeakLive:
    """Say the sound on the track of a call, as fast as it sounds, or until `enough` says so."""

    pcm: bytes
    enough: Callable[[Seen], bool]


@dataclass(frozen=True, slots=True)
class Attach:
    """Listen to the call by a sideband: what comes there is in `Seen.aside`."""


Key = Literal["given", "wrong", "none", "minted"]


@dataclass(frozen=True, slots=True)
class Post:
    """A request beside a call; its answer is in `Seen.replies` by that name.

    `path` is below `/v1/realtime`, and a `{call_id}` in it is that of the talk's call. `body` is
    JSON, or an offer as it is. `expired`: not before the key that was minted has expired.
    """

    name: str
    path: str
    body: Mapping[str, Any] | str | None = None
    key: Key = "given"
    expired: bool = False


Step: TypeAlias = Send | SendRaw | Speak | Until | SpeakLive | Attach | Post
Script: TypeAlias = Generator[Step, bool, None]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a talk costs at a service that charges: roughly, in what is said and heard."""

    replies: int = 0
    heard_ms: int = 0
    spoken_ms: int = 0


@dataclass(frozen=True, slots=True)
class Talk:
    """One script and how to be connected for it.

    A talk that `begins` runs after `session.created`. Those that are `shared` use one connection,
    one after the other, and leave nothing behind; each other has its own. One that is held by a
    call goes on when that ends.
    """

    name: str
    script: Callable[[Seen], Script]
    key: Key = "given"
    model: Literal["given", "unknown", "none"] = "given"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    begins: bool = True
    shared: bool = False
    cost: Cost = Cost()
    by: Literal["websocket", "call"] = "websocket"
    session: Mapping[str, Any] = field(default_factory=dict)
    """What a call begins with; with a minted key it is bound to that."""
    connects: bool = True
    """Of a call: without it there are only requests."""
    asks_whether: bool = False
    """It is asked also where a server was seen to have no calls."""


def wait_for(
    kind: str,
    patience: Patience = "answer",
    fence: Fence | None = None,
    after: Frame | None = None,
    count: int = 1,
) -> Until:
    """Until so many frames of that kind have come, behind that frame."""
    return Until(lambda seen: len(seen.received(kind, after)) >= count, patience, fence)


def over(*, after: Frame | None = None, count: int = 1) -> Until:
    """Until a response is done, or something is refused."""
    return Until(
        lambda seen: (
            len(seen.received("response.done", after)) >= count
            or bool(seen.received("error", after))
        ),
        "reply",
    )


def answered(event_id: str, *kinds: str, fence: Fence = "clear") -> Until:
    """Until our event with that id is refused, or one of these has come after it."""

    def found(seen: Seen) -> bool:
        ours = seen.sent(event_id)
        return any(seen.first(kind, after=ours) for kind in ("error", *kinds))

    return Until(found, "answer", fence)


def configure(
    *, turn_detection: Mapping[str, Any] | None = None, modality: str = "text", **session: Any
) -> Send:
    """The session that a talk needs, in the shape of today."""
    whole = {
        "type": "realtime",
        "output_modalities": [modality],
        "audio": {"input": {"turn_detection": turn_detection}},
        **session,
    }
    return Send({"type": "session.update", "event_id": "q_configure", "session": whole})


CONFIGURED = answered("q_configure", "session.updated")


def typed(text: str, *, item_id: str | None = None, event_id: str = "q_typed") -> Send:
    """What the user writes."""
    item: dict[str, Any] = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": text}],
    }
    if item_id is not None:
        item["id"] = item_id
    return Send({"type": "conversation.item.create", "event_id": event_id, "item": item})


def create(event_id: str = "q_create", **response: Any) -> Send:
    """Ask for a response."""
    event: dict[str, Any] = {"type": "response.create", "event_id": event_id}
    if response:
        event["response"] = response
    return Send(event)


SHORT = "Hello. Please answer with one short sentence."
LONG = "Please tell me a long story, of at least two hundred words."
