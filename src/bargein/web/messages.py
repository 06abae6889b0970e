"""What the page and the machine behind it say to each other, each a JSON object. Pure.

1. The page says what was done to it (`do`), never what should follow: a button was pressed, a
   connection stands, so many samples were played.
2. It is told (`told`) what to carry and what to show, in words and whole numbers.
3. Sound is apart: binary frames of 16-bit PCM, mono, 24 kHz. Towards the page each begins with the
   number of its part, 32 bits, little endian.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Turns: TypeAlias = Literal["hands_free", "push_to_talk"]
MOST_OFFER = 64 * 1024
MOST_TEXT = 8_000


class _Done(msgspec.Struct, frozen=True, tag_field="do", forbid_unknown_fields=True):
    """Something that was done at the page."""


class Talk(_Done, frozen=True, tag="talk"):
    """The user wants to talk. Without an offer of WebRTC's the sound goes by this line."""

    turns: Turns = "hands_free"
    offer: str | None = None
    why_no_offer: str = ""


class MediaUp(_Done, frozen=True, tag="media_up"):
    """The connection of WebRTC stands."""


class MediaFailed(_Done, frozen=True, tag="media_failed"):
    """It does not, or not any more."""

    why: str = ""


class Stop(_Done, frozen=True, tag="stop"):
    """The button that silences."""


class Press(_Done, frozen=True, tag="press"):
    """The button to talk went down."""


class Release(_Done, frozen=True, tag="release"):
    """It is up again."""


class Said(_Done, frozen=True, tag="say"):
    """Something was typed."""

    text: str


class HangUp(_Done, frozen=True, tag="hang_up"):
    """The user has had enough."""


class Invite(_Done, frozen=True, tag="invite"):
    """A link for a second device is wanted."""


class Rendered(_Done, frozen=True, tag="rendered"):
    """So many samples of each part were played."""

    heard: dict[int, int]


class Held(_Done, frozen=True, tag="held"):
    """Silent, and what is not played yet is kept."""

    cut_id: str
    heard: dict[int, int]


class Stopped(_Done, frozen=True, tag="stopped"):
    """Silent for good."""

    cut_id: str
    heard: dict[int, int]


FromPage: TypeAlias = (
    Talk
    | MediaUp
    | MediaFailed
    | Stop
    | Press
    | Release
    | Said
    | HangUp
    | Invite
    | Rendered
    | Held
    | Stopped
)


class _Told(msgspec.Struct, frozen=True, tag_field="told", omit_defaults=False):
    """Something for the page."""


class Token(_Told, frozen=True, tag="token"):
    """Opens the page's next line, once."""

    token: str


class Answer(_Told, frozen=True, tag="answer"):
    """The other side of the offer."""

    sdp: str


class CarrySound(_Told, frozen=True, tag="carry_sound"):
    """Sound goes by this line: play what comes, count it, send what the microphone hears."""

    why: str


class Standing(_Told, frozen=True, tag="standing"):
    """How the call stands, in words too."""

    state: Literal["idle", "connecting", "up", "over"]
    turns: Turns
    media: Literal["webrtc", "websocket"]
    words: str


class Gate(_Told, frozen=True, tag="gate"):
    """Whether what arrives by WebRTC may be heard."""

    open: bool


class Floor(_Told, frozen=True, tag="floor"):
    """Who is being heard."""

    holder: Literal["user", "assistant", "nobody"]


class Button(_Told, frozen=True, tag="button"):
    """Whether somebody holds the button to talk down: the microphone is open only then."""

    down: bool


class Words(_Told, frozen=True, tag="words"):
    """Words of a row of the transcript: more of it, or, `final`, all of it."""

    row: str
    role: Literal["user", "assistant"]
    text: str
    final: bool
    cut: bool = False


class Part(msgspec.Struct, frozen=True):
    """A part of the reply that was interrupted."""

    item_id: str
    heard_ms: int
    kept_ms: int | None
    action: str
    answer: str


class Interrupted(_Told, frozen=True, tag="interrupted"):
    """The record of an interruption: at the stop, and again when the service has answered."""

    cut_id: str
    settled: bool
    askers: tuple[str, ...]
    heard_ms: int
    stop_latency_us: int | None
    kept_ms: int | None
    drift_ms: int | None
    exactness: str
    commands: tuple[str, ...]
    parts: tuple[Part, ...]


class Event(_Told, frozen=True, tag="event"):
    """An event that went between the machine and the service; sound and secrets are left out."""

    at_ms: int
    direction: Literal["sent", "received"]
    type: str
    event: Any


class Trouble(_Told, frozen=True, tag="trouble"):
    """Something went wrong, or cannot be, in words."""

    words: str


class Link(_Told, frozen=True, tag="link"):
    """For a second device; empty where there is none, and then why."""

    url: str
    words: str


class StopPlayback(_Told, frozen=True, tag="stop_playback"):
    """Fall silent now and forget what is queued. Answered by `stopped`."""

    cut_id: str


class HoldPlayback(_Told, frozen=True, tag="hold_playback"):
    """Fall silent now. Answered by `held`."""

    cut_id: str


class ResumePlayback(_Told, frozen=True, tag="resume_playback"):
    """Go on at the very sample."""


ToPage: TypeAlias = (
    Token
    | Answer
    | CarrySound
    | Standing
    | Gate
    | Floor
    | Button
    | Words
    | Interrupted
    | Event
    | Trouble
    | Link
    | StopPlayback
    | HoldPlayback
    | ResumePlayback
)

_decoder: msgspec.json.Decoder[FromPage] = msgspec.json.Decoder(FromPage)
_encoder = msgspec.json.Encoder()


def decode(text: str) -> FromPage:
    """What a page said. Raises `ValueError` for anything else."""
    return _decoder.decode(text)


def encode(message: ToPage) -> str:
    """For the page."""
    return _encoder.encode(message).decode()
