"""The retired beta dialect, both ways: whole events as plain JSON, and frames. Pure.

1. Everything inside is GA. What speaks beta does so at its edge, by these functions.
2. What has no name in the other dialect keeps its own, so nothing is lost and the other side can
   refuse it by name. Left out on the way to beta is only what beta did not have: the event
   `conversation.item.done`, `obfuscation`, the `name` in `function_call_arguments.done`.
3. What is no beta comes back as it went in: a GA event is not changed on the way to GA. Nothing
   here raises for what a peer sent.
4. `conversation.item.created` is `conversation.item.added` (protocol.md §2.1).

Old names are in `beta`, old places of values in `_PLACES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from . import codec
from .base import Fields, Malformed, Unknown
from .beta import BETA_CONTENT, BETA_NAMES, GA_CONTENT, GA_NAMES
from .client import ClientEvent, ConversationItemCreate, ResponseCreate, SessionUpdate
from .lenient import plain
from .responses import (
    ResponseCreated,
    ResponseDone,
    ResponseFunctionCallArgumentsDelta,
    ResponseFunctionCallArgumentsDone,
    ResponseMcpCallArgumentsDelta,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
    ResponseOutputTextDelta,
)
from .server import (
    ConversationItemAdded,
    ConversationItemCreated,
    ConversationItemDone,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemRetrieved,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
)

Dialect: TypeAlias = Literal["ga", "beta"]
Plain: TypeAlias = dict[str, Any]
_Convert: TypeAlias = Callable[[Any], Any]

_FORMATS: Final[Mapping[str, Plain]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24_000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_FORMAT_NAMES: Final = {str(each["type"]): name for name, each in _FORMATS.items()}


def _format_to_ga(value: Any) -> Any:
    known = _FORMATS.get(value) if isinstance(value, str) else None
    return value if known is None else dict(known)


def _format_to_beta(value: Any) -> Any:
    kind = value.get("type") if isinstance(value, dict) else None
    return _FORMAT_NAMES.get(kind, value) if isinstance(kind, str) else value


def _modalities_to_ga(value: Any) -> Any:
    """In beta, sound always came with its text."""
    return ["audio"] if value in (["text", "audio"], ["audio", "text"]) else value


def _modalities_to_beta(value: Any) -> Any:
    return ["text", "audio"] if value == ["audio"] else value


def _same(value: Any) -> Any:
    return value


_PLACES: Final[Mapping[str, tuple[tuple[str, ...], _Convert, _Convert]]] = {
    "modalities": (("output_modalities",), _modalities_to_ga, _modalities_to_beta),
    "voice": (("audio", "output", "voice"), _same, _same),
    "speed": (("audio", "output", "speed"), _same, _same),
    "input_audio_format": (("audio", "input", "format"), _format_to_ga, _format_to_beta),
    "output_audio_format": (("audio", "output", "format"), _format_to_ga, _format_to_beta),
    "input_audio_transcription": (("audio", "input", "transcription"), _same, _same),
    "input_audio_noise_reduction": (("audio", "input", "noise_reduction"), _same, _same),
    "turn_detection": (("audio", "input", "turn_detection"), _same, _same),
    "max_response_output_tokens": (("max_output_tokens",), _same, _same),
}
"""By the flat name of beta: where the value is in GA, and how it becomes the other's."""
_SHOWN_AS_IT_IS: Final = "max_response_output_tokens"
"""A response object shows it as `max_output_tokens` in both; sessions and requests do not."""


def _nested(flat: Plain) -> Plain:
    """The GA form of a session, a response or what is asked of one."""
    whole = {name: value for name, value in flat.items() if name not in _PLACES}
    for name, (path, to_ga, _) in _PLACES.items():
        if name in flat and not _put(whole, path, to_ga(flat[name])):
            whole[name] = flat[name]
    return whole


def _put(whole: Plain, path: tuple[str, ...], value: Any) -> bool:
    """Put the value there, if nothing else is in the way; what is changed is copied."""
    *outer, last = path
    inside = whole
    for name in outer:
        inner = inside.get(name, {})
        if not isinstance(inner, dict):
            return False
        inside[name] = inside = dict(inner)
    if last in inside:
        return False
    inside[last] = value
    return True


def _flat(nested: Plain, *, shown: bool = False) -> Plain:
    """The beta form. `shown`: it is a response object."""
    whole = dict(nested)
    for name, (path, _, to_beta) in _PLACES.items():
        if shown and name == _SHOWN_AS_IT_IS:
            continue
        value = _take(whole, path)
        if value is not UNSET:
            whole[name] = to_beta(value)
    return whole


def _take(whole: Plain, path: tuple[str, ...]) -> Any:
    """Take the value out; objects that are empty then go too. What is changed is copied."""
    name, *rest = path
    if name not in whole:
        return UNSET
    if not rest:
        return whole.pop(name)
    if not isinstance(whole[name], dict):
        return UNSET
    inside = dict(whole[name])
    value = _take(inside, tuple(rest))
    if value is UNSET:
        return UNSET
    if inside:
        whole[name] = inside
    else:
        del whole[name]
    return value


def _item(item: Any, kinds: Mapping[str, str]) -> Any:
    """An item with the content of an assistant's message renamed."""
    if not isinstance(item, dict) or item.get("role") != "assistant":
        return item
    content = item.get("content")
    if not isinstance(content, list):
        return item
    return {**item, "content": [_part(part, kinds) for part in content]}


def _part(part: Any, kinds: Mapping[str, str]) -> Any:
    kind = part.get("type") if isinstance(part, dict) else None
    return {**part, "type": kinds[kind]} if isinstance(kind, str) and kind in kinds else part


def _item_to_beta(item: Any) -> Any:
    """As the server shows it."""
    item = _item(item, BETA_CONTENT)
    if not isinstance(item, dict):
        return item
    return {**({"id": item["id"]} if "id" in item else {}), "object": "realtime.item", **item}


def _item_to_ga(item: Any) -> Any:
    item = _item(item, GA_CONTENT)
    if isinstance(item, dict) and item.get("object") == "realtime.item":
        return {name: value for name, value in item.items() if name != "object"}
    return item


def _response(response: Plain, convert: _Convert) -> Plain:
    """A response object with its items converted."""
    output = response.get("output")
    if not isinstance(output, list):
        return response
    return {**response, "output": [convert(item) for item in output]}


_TRANSCRIPTION: Final = "transcription"
_SESSION_EVENTS: Final = ("session.created", "session.updated", "session.update")


def _session_to_beta(event: Plain) -> Plain:
    """The kind of a session is in the event's name, not in the session."""
    session = dict(event["session"])
    kind = session.get("type")
    name = str(event["type"])
    if kind == _TRANSCRIPTION:
        name = f"transcription_{name}"
    if kind in ("realtime", _TRANSCRIPTION):
        del session["type"]
    return {**event, "type": name, "session": _flat(session)}


def _session_to_ga(event: Plain) -> Plain:
    name = str(event["type"])
    kind = _TRANSCRIPTION if name.startswith("transcription_") else "realtime"
    session = {"type": kind, **_nested(event["session"])}
    return {**event, "type": name.removeprefix("transcription_"), "session": session}


def _is_session(event: Plain) -> bool:
    name = event.get("type")
    return (
        isinstance(name, str)
        and name.removeprefix("transcription_") in _SESSION_EVENTS
        and isinstance(event.get("session"), dict)
    )


def server_to_beta(event: Plain) -> Plain | None:
    """What a beta server says instead of a GA event; None if nothing."""
    name = event.get("type")
    if name == "conversation.item.done":
        return None
    if _is_session(event):
        return _session_to_beta(event)
    said = dict(event)
    if isinstance(name, str):
        said["type"] = BETA_NAMES.get(name, name)
    if name == "conversation.item.added":
        said["type"] = "conversation.item.created"
    elif name == "response.function_call_arguments.done":
        said.pop("name", None)
    said.pop("obfuscation", None)
    if "item" in said:
        said["item"] = _item_to_beta(said["item"])
    response = said.get("response")
    if isinstance(response, dict):
        said["response"] = _flat(_response(response, _item_to_beta), shown=True)
    return said


def server_to_ga(event: Plain) -> Plain:
    """The GA event for a beta server's; one that is GA already is not changed."""
    if _is_session(event):
        return _session_to_ga(event)
    said = dict(event)
    name = said.get("type")
    if isinstance(name, str):
        said["type"] = GA_NAMES.get(name, name)
    if name == "conversation.item.created":
        said["type"] = "conversation.item.added"
    if "item" in said:
        said["item"] = _item_to_ga(said["item"])
    response = said.get("response")
    if isinstance(response, dict):
        said["response"] = _nested(_response(response, _item_to_ga))
    return said


def client_to_beta(event: Plain) -> Plain:
    """What a client says to a beta server instead of a GA event."""
    return _client(event, _session_to_beta, _flat, BETA_CONTENT)


def client_to_ga(event: Plain) -> Plain:
    """The GA event for a beta client's."""
    return _client(event, _session_to_ga, _nested, GA_CONTENT)


def _client(event: Plain, session: _Convert, params: _Convert, kinds: Mapping[str, str]) -> Plain:
    if _is_session(event):
        converted: Plain = session(event)
        return converted
    asked = dict(event)
    if "item" in asked:
        asked["item"] = _item(asked["item"], kinds)
    response = asked.get("response")
    if isinstance(response, dict):
        whole = params(response)
        if isinstance(whole.get("input"), list):
            whole["input"] = [_item(item, kinds) for item in whole["input"]]
        asked["response"] = whole
    return asked


_PADDED: Final = (
    ResponseOutputTextDelta,
    ResponseOutputAudioTranscriptDelta,
    ResponseFunctionCallArgumentsDelta,
    ResponseMcpCallArgumentsDelta,
    ConversationItemInputAudioTranscriptionDelta,
)
_SHAPED: Final = frozenset(
    {
        SessionCreated,
        SessionUpdated,
        ConversationItemAdded,
        ConversationItemCreated,
        ConversationItemDone,
        ConversationItemRetrieved,
        ResponseCreated,
        ResponseDone,
        ResponseOutputItemAdded,
        ResponseOutputItemDone,
        ResponseFunctionCallArgumentsDone,
    }
)
"""Server events that differ in more than their name."""
_OLD_TYPES: Final = frozenset(
    {*GA_NAMES, "transcription_session.created", "transcription_session.updated"}
)
_HEAD: Final = '{"type":"'


def encode_server(event: ServerEvent) -> str | None:
    """The frame of a beta server; None if it says nothing. Raises `LocalValueError` as
    `codec.encode` does."""
    if type(event) in _SHAPED:
        raw = server_to_beta(plain(event))
        return None if raw is None else _encoded(raw)
    if isinstance(event, _PADDED):
        event = replace(event, obfuscation=UNSET)
    frame = codec.encode(event)
    name = frame[len(_HEAD) : frame.index('"', len(_HEAD))]
    old = BETA_NAMES.get(name)
    return frame if old is None else f"{_HEAD}{old}{frame[len(_HEAD) + len(name) :]}"


def decode_server(frame: str | bytes) -> ServerEvent | Unknown | Malformed:
    """The event that a server of either dialect sent, in GA. Never raises."""
    event = codec.decode_server(frame)
    if type(event) is Unknown:
        if event.type not in _OLD_TYPES:
            return event
        older: ServerEvent | Unknown | Malformed
        older = _again(server_to_ga(dict(event.raw)), codec.decode_server)
        return older
    if type(event) in _SHAPED:
        raw: Plain = plain(event)
        said = server_to_ga(raw)
        return event if said == raw else _again(said, codec.decode_server)
    return event


def encode_client(event: ClientEvent) -> str:
    """The frame of a beta client. Raises `LocalValueError` as `codec.encode` does."""
    if not isinstance(event, SessionUpdate | ConversationItemCreate | ResponseCreate):
        return codec.encode(event)
    raw = client_to_beta(plain(event))
    return _encoded(raw)


def decode_client(frame: str | bytes) -> ClientEvent | Unknown | Malformed:
    """The event that a beta client sent, in GA. Never raises."""
    event = codec.decode_client(frame)
    if isinstance(event, Malformed):
        return event
    raw: Plain = plain(event.raw) if isinstance(event, Unknown) else plain(event)
    asked = client_to_ga(raw)
    return event if asked == raw else _again(asked, codec.decode_client)


def _encoded(raw: Plain) -> str:
    return codec.encode(Unknown(type=str(raw["type"]), raw=Fields(raw)))


def _again(raw: Plain, decode: Callable[[bytes], Any]) -> Any:
    return decode(msgspec.json.encode(raw))


ENCODERS: Final[Mapping[Dialect, Callable[[ServerEvent], str | None]]] = {
    "ga": codec.encode,
    "beta": encode_server,
}
"""How a server writes its events in each dialect; None for what it does not say there."""
