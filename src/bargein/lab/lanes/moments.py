"""What happens in an exchange, event by event, and in which lanes it stands.

1. The deltas of one part are one moment.
2. A moment may stand in several lanes: what a response does to an item is in both.
3. A moment's key tells it from the others of its exchange: its type, what it is about, and, if it
   comes again, how often it came before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Key: TypeAlias = tuple[str, str, int]
"""Type, what it is about, and how often the two came before."""

RATE_LIMITS = "rate_limits.updated"
_TRANSCRIPTION = "conversation.item.input_audio_transcription."
_PLACES = ("response_id", "item_id", "output_index", "content_index")


@dataclass(frozen=True, slots=True)
class Moment:
    """One event, or the deltas of one part as one. `first` and `last` are places in the
    exchange."""

    key: Key
    events: tuple[Mapping[str, Any], ...]
    first: int
    last: int
    lanes: tuple[str, ...]

    @property
    def type(self) -> str:
        return self.key[0]

    @property
    def event(self) -> Mapping[str, Any]:
        """The event; of deltas, the first."""
        return self.events[0]

    @property
    def place(self) -> tuple[Any, ...]:
        """Which part of which item it is about."""
        return tuple(self.event.get(field) for field in _PLACES)

    @property
    def item(self) -> Mapping[str, Any]:
        item = self.event.get("item")
        return item if isinstance(item, Mapping) else {}

    @property
    def response(self) -> Mapping[str, Any]:
        response = self.event.get("response")
        return response if isinstance(response, Mapping) else {}

    @property
    def item_name(self) -> str | None:
        """The item that it is about."""
        name = self.event.get("item_id", self.item.get("id"))
        return name if isinstance(name, str) else None

    @property
    def response_name(self) -> str | None:
        """The response that says it."""
        name = self.event.get("response_id", self.response.get("id"))
        return name if isinstance(name, str) else None

    def __str__(self) -> str:
        type, about, before = self.key
        again = f" once more ({before + 1})" if before else ""
        return f"{type}{f' ({about})' if about else ''}{again}"


def moments(frames: Sequence[Mapping[str, Any]]) -> tuple[Moment, ...]:
    """The moments of a named exchange, in the order of their beginnings."""
    makers = dict(_makers(frames))
    made: dict[Key, list[tuple[int, Mapping[str, Any]]]] = {}
    counts: dict[tuple[str, str], int] = {}
    for place, frame in enumerate(frames):
        what = str(frame.get("type")), _about(frame)
        before = counts.get(what, 0)
        if what[0].endswith(".delta"):
            before = 0
        counts[what] = before + 1
        made.setdefault((*what, before), []).append((place, frame))
    return tuple(
        Moment(
            key=key,
            events=tuple(frame for _, frame in parts),
            first=parts[0][0],
            last=parts[-1][0],
            lanes=_lanes(parts[0][1], makers),
        )
        for key, parts in made.items()
    )


def lanes(exchange: Sequence[Moment]) -> dict[str, list[Moment]]:
    """The moments by lane, each in its order."""
    found: dict[str, list[Moment]] = {}
    for moment in exchange:
        for lane in moment.lanes:
            found.setdefault(lane, []).append(moment)
    return found


def _about(frame: Mapping[str, Any]) -> str:
    """What an event is about, in words: names, and the part if it is about one."""
    moment = Moment(("", "", 0), (frame,), 0, 0, ())
    names = [name for name in (moment.response_name, moment.item_name) if name]
    for field, word in (("output_index", "output"), ("content_index", "part")):
        if field in frame:
            names.append(f"{word} {frame[field]}")
    return ", ".join(names)


def _makers(frames: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Which response makes which item."""
    for frame in frames:
        moment = Moment(("", "", 0), (frame,), 0, 0, ())
        if moment.item_name and moment.response_name:
            yield moment.item_name, moment.response_name


def _lanes(frame: Mapping[str, Any], makers: Mapping[str, str]) -> tuple[str, ...]:
    moment = Moment(("", "", 0), (frame,), 0, 0, ())
    type = str(frame.get("type"))
    item, response = moment.item_name, moment.response_name
    if type.startswith(_TRANSCRIPTION):
        return (f"transcription of {item}",)
    family = type.partition(".")[0]
    found = []
    if family in ("session", "input_audio_buffer", "output_audio_buffer"):
        found.append(family)
    if item is not None:
        found.append(item)
    response = response or makers.get(item or "")
    if response is not None:
        found.append(response)
    return tuple(found) or (type,)
