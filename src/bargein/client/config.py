"""From what the application says to what the service is told. Pure.

1. What is given raw (the service's own JSON) lies under the friendly arguments.
2. What cannot be is refused here, before anything is sent, by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec import UNSET, UnsetType

from bargein import events
from bargein.capabilities import Capabilities, Interrupts
from bargein.core.interruption import refusal
from bargein.core.settings import BargeIn
from bargein.errors import LocalProtocolError, LocalValueError
from bargein.events import codec

OPENAI_URL = "https://api.openai.com/v1"
_SOCKET_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_MAX_PRE_ROLL_MS = 10_000


class PushToTalk(msgspec.Struct, frozen=True, kw_only=True):
    """Turns by a button: `Session.push_to_talk`. The service detects none by itself.

    `pre_roll_ms` of sound from before the press is sent with it: people press late.
    """

    pre_roll_ms: int = 0

    def __post_init__(self) -> None:
        """Raises `LocalValueError` for a pre-roll that cannot be."""
        if not 0 <= self.pre_roll_ms <= _MAX_PRE_ROLL_MS:
            raise LocalValueError(f"pre_roll_ms: {self.pre_roll_ms}; give 0 to {_MAX_PRE_ROLL_MS}")


Turns: TypeAlias = events.ServerVad | events.SemanticVad | PushToTalk
Truncation: TypeAlias = Literal["auto", "disabled"] | events.RetentionRatio
"""What the service does when the conversation no longer fits (docs/conversation.md)."""


def socket_url(base: str, model: str) -> str:
    """The WebSocket address under a base such as `https://api.openai.com/v1`.

    An address that ends with `/realtime` is taken as it is; its query is kept, and the model added
    where it is missing (protocol.md section 1.1.1). Raises `LocalValueError`.
    """
    if not model:
        raise LocalValueError("model: is empty; give a model such as 'gpt-realtime'")
    try:
        parts = urlsplit(base)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise LocalValueError("url: its host or port cannot be") from None
    scheme = _SOCKET_SCHEMES.get(parts.scheme)
    if scheme is None or not host:
        raise LocalValueError("url: give http(s)://host/v1 or ws(s)://host/v1/realtime")
    if parts.username is not None or parts.password is not None:
        raise LocalValueError("url: holds a user or password; give the key as api_key")
    path = parts.path.rstrip("/")
    if not path.endswith("/realtime"):
        path += "/realtime"
    query = parse_qsl(parts.query, keep_blank_values=True)
    names = {name for name, _ in query}
    if not names & {"model", "call_id", "intent"}:
        query.append(("model", model))
    return urlunsplit((scheme, parts.netloc, path, urlencode(query), ""))


def call_url(base: str, call_id: str) -> str:
    """The WebSocket address that joins a call (protocol.md section 1.1.6). Raises
    `LocalValueError`."""
    if not call_id:
        raise LocalValueError("call_id: is empty; give the id of a call, such as 'rtc_…'")
    parts = urlsplit(socket_url(base, "none"))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode({"call_id": call_id}), ""))


def merged_session(
    raw: Mapping[str, Any] | None,
    *,
    instructions: str | None = None,
    voice: str | None = None,
    turns: Turns | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    truncation: Truncation | None = None,
) -> events.Session:
    """The session to ask for: the friendly arguments over the raw ones.

    Raises `LocalValueError` naming the field that cannot be.
    """
    audio: dict[str, Any] = {}
    if turns is not None and not isinstance(
        turns, PushToTalk | events.ServerVad | events.SemanticVad
    ):
        raise LocalValueError(
            f"turns: {turns!r}; give ServerVad(), SemanticVad() or PushToTalk(), called"
        )
    if turns is not None:
        audio["input"] = {
            "turn_detection": None if isinstance(turns, PushToTalk) else _plain(turns)
        }
    if voice is not None:
        audio["output"] = {"voice": voice}
    friendly: dict[str, Any] = {}
    if instructions is not None:
        friendly["instructions"] = instructions
    if tools is not None:
        friendly["tools"] = [dict(tool) for tool in tools]
    if truncation is not None:
        friendly["truncation"] = _truncation(truncation)
    if audio:
        friendly["audio"] = audio
    whole = _over(dict(raw or {}), friendly)
    if "model" in whole:
        raise LocalValueError("session.model: is fixed at connect; give it as the model")
    if whole.setdefault("type", "realtime") != "realtime":
        raise LocalValueError(f"session.type: {whole['type']!r}; only 'realtime' has replies")
    event = client_event({"type": "session.update", "session": whole})
    assert isinstance(event, events.SessionUpdate)
    assert isinstance(event.session, events.Session)
    return event.session


def _truncation(truncation: Truncation) -> Any:
    if isinstance(truncation, events.RetentionRatio):
        if not 0 <= truncation.retention_ratio <= 1:
            raise LocalValueError(
                f"truncation.retention_ratio: {truncation.retention_ratio}; give 0 to 1"
            )
        return _plain(truncation)
    if truncation not in ("auto", "disabled"):
        raise LocalValueError(
            f"truncation: {truncation!r}; give 'auto', 'disabled' or RetentionRatio(…)"
        )
    return truncation


def client_event(event: Mapping[str, Any] | events.ClientEvent) -> events.ClientEvent:
    """An event to send, from the vocabulary or as plain JSON values; it can be encoded.

    Raises `LocalValueError` naming the field that cannot be.
    """
    if not isinstance(event, Mapping):
        text = codec.encode(event)
        if isinstance(event, events.ConversationItemCreate):
            # Whoever builds one is not held to its types, and what is sent must be right.
            client_event(msgspec.json.decode(text))
        return event
    try:
        frame = msgspec.json.encode(event)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise LocalValueError(f"event: cannot be JSON: {error}") from error
    decoded = codec.decode_client(frame)
    match decoded:
        case events.Malformed(reason=reason):
            raise LocalValueError(f"event: {reason}")
        case events.Unknown(type=name):
            raise LocalValueError(f"event: {name!r} is no event that a client sends")
        case _:
            _check_complete(decoded)
            if isinstance(decoded, events.ConversationItemCreate):
                _check_output(event["item"])
            return decoded


def _check_output(item: Mapping[str, Any]) -> None:
    """What the service refuses of a function's result, which then nobody would speak about: an item
    that says not what it is, no call to belong to, no text."""
    if not isinstance(item.get("type"), str):
        raise LocalValueError("event: item.type: missing")
    if item["type"] == "function_call_output":
        if not item["call_id"]:
            raise LocalValueError("event: item.call_id: is empty; give that of the call")
        if item["output"] is None:
            raise LocalValueError(
                "event: item.output: is null; give a text, such as the JSON of the result"
            )


def _check_complete(event: events.ClientEvent) -> None:
    """What the vocabulary forgives of the service, the service does not forgive of a client."""
    item = event.item if isinstance(event, events.ConversationItemCreate) else None
    for path, extra in (("", event.extra), ("item.", UNSET if item is None else item.extra)):
        for name, value in {} if extra is UNSET else extra.items():
            if value is UNSET:
                raise LocalValueError(f"event: {path}{name}: missing")


def response_params(
    raw: Mapping[str, Any] | None, instructions: str | None
) -> events.ResponseParams | None:
    """What a response is asked for with; None where nothing in particular is wanted."""
    whole = dict(raw or {})
    if instructions is not None:
        whole["instructions"] = instructions
    if not whole:
        return None
    event = client_event({"type": "response.create", "response": whole})
    assert isinstance(event, events.ResponseCreate)
    assert isinstance(event.response, events.ResponseParams)
    return event.response


def turn_detection_of(
    session: events.Session,
) -> events.TurnDetection | UnsetType | None:
    """The turn detection in a session; UNSET where it says nothing about it."""
    if isinstance(session.audio, events.AudioConfig) and isinstance(
        session.audio.input, events.AudioInputConfig
    ):
        return session.audio.input.turn_detection
    return UNSET


def check_capabilities(capabilities: Capabilities) -> None:
    """Refuse what this version cannot drive. Raises `LocalValueError`."""
    if capabilities.playback_owner != "client":
        raise LocalValueError(
            f"capabilities.playback_owner: {capabilities.playback_owner!r}; only 'client' works "
            "over WebSocket; give call_id to join a call"
        )
    if capabilities.lengths_grid_ms < 1:
        raise LocalValueError(
            f"capabilities.lengths_grid_ms: {capabilities.lengths_grid_ms}; give at least 1"
        )


def check_call(turns: Turns | None, session: events.Session) -> None:
    """Refuse what a call over WebRTC cannot do. Raises `LocalValueError`."""
    if isinstance(turns, PushToTalk) and turns.pre_roll_ms:
        raise LocalValueError(
            "turns: PushToTalk(pre_roll_ms=…) works over WebSocket; what was said before the press "
            "cannot be put on a track afterwards"
        )
    audio = session.audio if isinstance(session.audio, events.AudioConfig) else None
    input = audio.input if audio is not None else None
    named = input.format if isinstance(input, events.AudioInputConfig) else None
    if getattr(named, "type", "audio/pcm") != "audio/pcm":
        raise LocalValueError(
            "session.audio.input.format: a call's track is Opus; give 'audio/pcm', or nothing"
        )


def check_barge_in(
    barge_in: BargeIn,
    session: events.Session,
    interrupts: Interrupts = "as_told",
    *,
    service_owns: bool = False,
) -> None:
    """Refuse `keep_talking` where the service would cut by itself: it cancels the reply, or
    `service_owns` playback and clears it.

    An absent `interrupt_response` is true (protocol.md section 3.2), and an absent turn detection
    is server VAD. Raises `LocalProtocolError`.
    """
    if barge_in not in ("cut", "keep_talking"):
        raise LocalValueError(f"barge_in: {barge_in!r}; give 'cut' or 'keep_talking'")
    turns = turn_detection_of(session)
    told = isinstance(turns, UnsetType) or getattr(turns, "interrupt_response", UNSET) is not False
    service_cancels = turns is not None and (
        interrupts == "always" or (told and interrupts == "as_told")
    )
    clears = service_owns and turns is not None
    reason = refusal(barge_in, service_cancels=service_cancels, service_clears=clears)
    if reason is not None:
        raise LocalProtocolError(reason)


def _plain(shape: events.Shape) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(shape))
    return plain


def _over(under: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `under`, object by object; objects of different `type` do not mix."""
    for name, value in over.items():
        old = under.get(name)
        mixes = (
            isinstance(old, Mapping)
            and isinstance(value, Mapping)
            and old.get("type", value.get("type")) == value.get("type", old.get("type"))
        )
        under[name] = _over(dict(old), value) if mixes and old is not None else value
    return under
