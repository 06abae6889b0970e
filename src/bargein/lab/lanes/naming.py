"""The things of an exchange get names, so that two exchanges with different ids can be compared.

1. A thing is named by its kind and the order in which things of this kind first appear: "user
   message 1", "function_call 2", "response 1". An item's kind is its role or type, wherever in the
   exchange that is first told; what only the input buffer names is a message of the user.
2. Only the protocol's own places of ids are looked at: an `id` inside a tool's schema or in
   metadata is the client's text.
3. The end of a session is told as its distance from the time in the session's id (protocol.md
   §2.0), so that it can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bargein.server.model.ids import ALPHABET, EPOCH_S

Frame: TypeAlias = Mapping[str, Any]
"""One event of a server, as plain JSON."""

_ID = re.compile(r"(?P<prefix>[a-z]+_(?:u\d_)?)(?P<drawn>[0-9A-Za-z]+)")
_TIME_CHARS = 5


@dataclass(frozen=True, slots=True)
class Named:
    """An exchange with names in place of ids.

    `ids`: the id behind each name. `event_ids`: what the events were called, in order; one may have
    no id.
    """

    frames: tuple[dict[str, Any], ...]
    ids: dict[str, str]
    event_ids: tuple[str, ...]


def named(frames: Sequence[Frame]) -> Named:
    """Give names to everything in the exchange. The frames are not changed."""
    kinds = _kinds(frames)
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for frame in frames:
        for holder, field, kind in _places(frame):
            given = holder[field]
            if not isinstance(given, str) or given in names:
                continue
            kind = kinds.get(given, kind)
            counts[kind] = counts.get(kind, 0) + 1
            names[given] = f"{kind} {counts[kind]}"
    return Named(
        frames=tuple(_renamed(frame, names) for frame in frames),
        ids={name: id for id, name in names.items()},
        event_ids=tuple(
            frame["event_id"] for frame in frames if isinstance(frame.get("event_id"), str)
        ),
    )


def form(id: str) -> str:
    """What an id looks like: its prefix and how much is drawn; of a foreign one, the id."""
    match = _ID.fullmatch(id)
    return id if match is None else f"{match['prefix']} and {len(match['drawn'])} characters"


def _kinds(frames: Sequence[Frame]) -> dict[str, str]:
    """What each item is, by its id."""
    kinds: dict[str, str] = {}
    for frame in frames:
        response = _table(frame.get("response"))
        for item in (_table(frame.get("item")), *map(_table, response.get("output") or ())):
            if isinstance(item.get("id"), str) and isinstance(item.get("type"), str):
                role = item.get("role")
                kind = f"{role} {item['type']}" if isinstance(role, str) else str(item["type"])
                kinds.setdefault(item["id"], kind)
    return kinds


def _places(frame: Frame) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    """Where the frame names things: who holds the id, its field, and what kind of thing it is."""
    buffer = str(frame.get("type")).startswith("input_audio_buffer.")
    item_kind = "user message" if buffer else "item"
    kinds = {
        # The predecessor was there first.
        "previous_item_id": "item",
        "response_id": "response",
        "item_id": item_kind,
        "call_id": "call",
    }
    yield from _fields(frame, kinds)
    yield from _fields(_table(frame.get("session")), {"id": "session"})
    yield from _fields(_table(frame.get("conversation")), {"id": "conversation"})
    response = _table(frame.get("response"))
    yield from _fields(response, {"id": "response", "conversation_id": "conversation"})
    for item in (_table(frame.get("item")), *map(_table, response.get("output") or ())):
        yield from _fields(item, {"id": "item", "call_id": "call"})


def _fields(
    holder: Mapping[str, Any], kinds: Mapping[str, str]
) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    return ((holder, field, kind) for field, kind in kinds.items() if field in holder)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _renamed(frame: Frame, names: Mapping[str, str]) -> dict[str, Any]:
    copy: dict[str, Any] = _copy(frame)
    for holder, field, _ in list(_places(copy)):
        assert isinstance(holder, dict), "a copy is made of dicts"
        if isinstance(holder[field], str):
            holder[field] = names[holder[field]]
    session, before = copy.get("session"), _table(frame.get("session"))
    if isinstance(session, dict) and session.get("expires_at"):
        session["expires_at"] = _life_s(before.get("id"), session["expires_at"])
    if isinstance(copy.get("event_id"), str):
        copy["event_id"] = "event"
    return copy


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copy(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(each) for each in value]
    return value


def _life_s(session_id: object, expires_at: Any) -> Any:
    """How long the session lasts, if its id tells when it began."""
    match = _ID.fullmatch(session_id) if isinstance(session_id, str) else None
    if match is None or not isinstance(expires_at, int):
        return expires_at
    began_s = 0
    for character in match["drawn"][:_TIME_CHARS]:
        began_s = began_s * len(ALPHABET) + ALPHABET.index(character)
    return expires_at - EPOCH_S - began_s
