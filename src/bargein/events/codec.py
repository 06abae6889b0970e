"""Frames to events and back.

1. Decoding never raises: what is no event is `Malformed`, what is no event of ours is `Unknown`.
2. The fast way takes exactly the vocabulary; a frame with more, less or something odd takes the
   slow way (`lenient`), which loses nothing and names the fault where there is one.
3. Encoding is deterministic: no white space, text as it is, fields in the order of the structs.
4. The audio of a large frame is cut out before JSON is read and put in after it is written: base64
   has no character that JSON escapes, and SIMD base64 is ten times as fast as a JSON string scan.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar, get_args

import msgspec
import pybase64
from msgspec.structs import force_setattr, replace

from ..errors import LocalValueError
from .base import Fields, Malformed, Shape, Unknown, UnknownShape
from .client import ClientEvent, InputAudioBufferAppend
from .lenient import WrongValue, build, plain
from .responses import ResponseOutputAudioDelta
from .server import ServerEvent

E = TypeVar("E", bound=Shape)

_SHOWN_CHARACTERS: Final = 200
_LARGE_CHARACTERS: Final = 512
_HEAD_CHARACTERS: Final = 1024
_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
_AUDIO_EVENTS: Final = (ResponseOutputAudioDelta, InputAudioBufferAppend)


def members(union: Any) -> tuple[type[Any], ...]:
    """The struct classes of a union such as `ServerEvent` or `Item`."""
    return tuple(get_args(union))


class _Decoder(Generic[E]):
    """One direction: its vocabulary, its fast decoder, and its one event that is all audio."""

    def __init__(self, union: Any, audio_event: type[E], audio_field: str) -> None:
        self.by_type: dict[str, type[E]] = {
            str(cls.__struct_config__.tag): cls for cls in members(union)
        }
        self.fast: msgspec.json.Decoder[E] = msgspec.json.Decoder(union)
        self.audio_event = audio_event
        self.audio_field = audio_field
        self.audio_keys = (f'"{audio_field}":"', f'"{audio_field}": "')

    def decode(self, frame: str | bytes) -> E | Unknown | Malformed:
        try:
            if len(frame) > _LARGE_CHARACTERS:
                event = self._with_audio(frame)
                if event is not None:
                    return event
            return self.fast.decode(frame)
        except _UNREADABLE:
            return self._slow(frame)

    def _with_audio(self, frame: str | bytes) -> E | None:
        """The audio event in a large frame; None if the frame is not plainly that."""
        text = frame if isinstance(frame, str) else str(frame, "utf-8")
        start = self.audio_start(text)
        if start is None:
            return None
        end = text.find('"', start)
        if end - start < _LARGE_CHARACTERS // 2:
            return None
        event = self.without_audio(text[:start] + text[end:])
        if event is not None:
            audio = pybase64.b64decode(text[start:end], validate=True)
            # The event was made two lines above and nobody else has seen it.
            force_setattr(event, self.audio_field, audio)
        return event

    def audio_start(self, text: str) -> int | None:
        """Where in a large frame the base64 begins, if it is the event with audio."""
        for key in self.audio_keys:
            start = text.find(key, 0, _HEAD_CHARACTERS)
            if start >= 0:
                return start + len(key)
        return None

    def without_audio(self, rest: str) -> E | None:
        """The event in a frame from which the audio was cut out.

        It must decode to the audio event with empty audio, and name the audio once: this excludes
        the key at another depth, in a text, and twice.
        """
        if "\\" in rest or rest.count(self.audio_keys[0][:-2]) != 1:
            return None
        event = self.fast.decode(rest)
        return event if type(event) is self.audio_event else None

    def _slow(self, frame: str | bytes) -> E | Unknown | Malformed:
        try:
            raw = msgspec.json.decode(frame)
        except _UNREADABLE as error:
            return _malformed(frame, f"not JSON: {_why(error)}")
        if not isinstance(raw, dict):
            return _malformed(frame, "not a JSON object")
        name = raw.get("type")
        if not isinstance(name, str):
            return _malformed(frame, "type: missing, or not a string")
        cls = self.by_type.get(name)
        if cls is None:
            event_id = raw.get("event_id")
            known_id = event_id if isinstance(event_id, str) else None
            return Unknown(type=name, event_id=known_id, raw=Fields(raw))
        try:
            return build(cls, raw)
        except WrongValue as error:
            return _malformed(frame, _why(error))


def _why(error: Exception) -> str:
    """The problem without the frame's own words: UnicodeError and others would quote them."""
    match error:
        case WrongValue() | msgspec.DecodeError():
            return str(error)
        case RecursionError():
            return "nested too deeply"
        case UnicodeError():
            return "not valid Unicode"
        case _:
            return "a value is out of range"


def _malformed(frame: str | bytes, reason: str) -> Malformed:
    head = frame[:_SHOWN_CHARACTERS]
    wire = head if isinstance(head, bytes) else head.encode("utf-8", "replace")
    return Malformed(reason=reason, raw=wire.decode("utf-8", "replace"))


_SERVER: Final[_Decoder[Any]] = _Decoder(ServerEvent, ResponseOutputAudioDelta, "delta")
_CLIENT: Final[_Decoder[Any]] = _Decoder(ClientEvent, InputAudioBufferAppend, "audio")


def decode_server(frame: str | bytes) -> ServerEvent | Unknown | Malformed:
    """The event that the service sent. Never raises."""
    event: ServerEvent | Unknown | Malformed = _SERVER.decode(frame)
    return event


def decode_client(frame: str | bytes) -> ClientEvent | Unknown | Malformed:
    """The event that a client sent. Never raises.

    It is as lenient as `decode_server`; `oddities` tells whether the frame held exactly the
    vocabulary.
    """
    event: ClientEvent | Unknown | Malformed = _CLIENT.decode(frame)
    return event


def append_audio_start(head: str) -> int | None:
    """Where the base64 of a long append begins, in the frame's first kilobyte, for who decodes it
    in pieces; None if it is no append, or not plainly one."""
    return _CLIENT.audio_start(head)


def append_without_audio(rest: str) -> InputAudioBufferAppend | None:
    """The append in a frame from which the base64 was cut out. None if it is not plainly one. Never
    raises."""
    try:
        event: InputAudioBufferAppend | None = _CLIENT.without_audio(rest)
    except _UNREADABLE:
        return None
    return event


class _NotPlain(Exception):
    """The event holds wire fields from outside the vocabulary."""


def _refuse(value: Any) -> Any:
    if isinstance(value, Fields):
        raise _NotPlain
    raise LocalValueError(f"a {type(value).__name__} cannot be sent; use plain JSON values")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_refuse)


def encode(event: ClientEvent | ServerEvent | Unknown) -> str:
    """The frame of an event, for either direction.

    Raises LocalValueError for what JSON cannot hold: a lone surrogate, a foreign object, or values
    nested too deeply. A number that is not finite becomes null.
    """
    try:
        if isinstance(event, Unknown):
            return _ENCODER.encode(plain(event.raw)).decode()
        try:
            if isinstance(event, _AUDIO_EVENTS):
                return _encode_audio(event)
            return _ENCODER.encode(event).decode()
        except _NotPlain:
            return _ENCODER.encode(plain(event)).decode()
    except (UnicodeError, RecursionError, OverflowError) as error:
        raise LocalValueError(f"the event cannot be JSON: {_why(error)}") from error


def _encode_audio(event: ResponseOutputAudioDelta | InputAudioBufferAppend) -> str:
    if isinstance(event, InputAudioBufferAppend) and event.event_id is None and not event.extra:
        # A microphone says this fifty times a second, and there is nothing in it to escape.
        spoken = pybase64.b64encode_as_string(event.audio)
        return f'{{"type":"input_audio_buffer.append","audio":"{spoken}"}}'
    hollow: ResponseOutputAudioDelta | InputAudioBufferAppend
    if isinstance(event, ResponseOutputAudioDelta):
        field, audio, hollow = "delta", event.delta, replace(event, delta=b"")
    else:
        field, audio, hollow = "audio", event.audio, replace(event, audio=b"")
    # A quote inside a text is escaped, so the empty value is found in its own place only.
    before, key, after = _ENCODER.encode(hollow).decode().partition(f'"{field}":"')
    return f"{before}{key}{pybase64.b64encode_as_string(audio)}{after}"


def oddities(event: Shape) -> tuple[str, ...]:
    """The paths in an event of what is outside the vocabulary: foreign or missing fields, shapes.

    Empty for an event that was exactly what the API reference describes.
    """
    return tuple(_oddities(event, ""))


def _oddities(value: Any, path: str) -> Iterator[str]:
    match value:
        case tuple():
            for i, each in enumerate(value):
                yield from _oddities(each, f"{path}[{i}]")
        case UnknownShape():
            yield path
        case Shape():
            before = f"{path}." if path else ""
            yield from (before + name for name in value.extra or ())
            for name in value.__struct_fields__:
                yield from _oddities(getattr(value, name), before + name)
