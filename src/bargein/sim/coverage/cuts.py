"""The kinds of cuts: who asked, what was under the playhead, and who ended the response.

A cut has one asker (the first), one place of the playhead, and one end, and is counted under
"asker: place" and under "asker: end". Some have no name here, since they cannot happen:

1. *service* asks where the service cancelled a response on its own, and when all that came of it
   has been heard; so it has one place and one end.
2. The server ends a response by itself where the user speaks. Another asker's cut cancels it before
   that; only a cancel that waits for the socket is overtaken ("done while a cancel waits").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, get_args

from bargein.core.notices import Asker, Interruption, InterruptionSettled, PartRecord

Place: TypeAlias = Literal[
    "before created",
    "before the first sound",
    "first item",
    "later item",
    "second part",
    "after response.done",
    "all heard so far",
]
End: TypeAlias = Literal["we cancel", "server cancels", "over already"]

PLACES: Mapping[Place, str] = {
    "before created": "A reply was asked for and had not begun.",
    "before the first sound": "A response had begun, and nothing of it was heard.",
    "first item": "Its first spoken item was being heard while it was made.",
    "later item": "A later spoken item was being heard.",
    "second part": "A part behind the first content part of its item was being heard.",
    "after response.done": "The response was made, and its first item was being heard.",
    "all heard so far": "Everything that had come was heard, and more was to come.",
}
ENDS: Mapping[End, str] = {
    "we cancel": "The client cancelled the response.",
    "server cancels": "The server's turn detection cancelled it.",
    "over already": "There was no response to cancel.",
}
ASKERS: tuple[Asker, ...] = get_args(Asker)


def _kinds() -> Iterable[tuple[str, str]]:
    for asker in ASKERS:
        if asker == "service":
            yield "service: before the first sound", PLACES["before the first sound"]
            yield "service: all heard so far", PLACES["all heard so far"]
            yield "service: over already", ENDS["over already"]
            continue
        for place, sentence in PLACES.items():
            yield f"{asker}: {place}", sentence
        for end, sentence in ENDS.items():
            if end != "server cancels" or asker == "speech":
                yield f"{asker}: {end}", sentence


CUTS: Mapping[str, str] = dict(_kinds())


def place_of(told: Interruption, *, done: bool) -> Place:
    """What was under the playhead. `done`: every response that it concerns was over."""
    if not told.response_ids:
        return "before created"
    heard = [part for part in told.parts if part.heard_samples]
    if not heard:
        return "before the first sound"
    last = heard[-1]
    if all(part.heard_samples == part.received_samples for part in told.parts):
        return "all heard so far"
    if last.content_index:
        return "second part"
    if _is_later(last, told.parts):
        return "later item"
    return "after response.done" if done else "first item"


def _is_later(part: PartRecord, parts: tuple[PartRecord, ...]) -> bool:
    first = next(one for one in parts if one.response_id == part.response_id)
    return first.item_id != part.item_id


def end_of(settled: InterruptionSettled, *, by_server: bool) -> End:
    """Who ended the response. `by_server`: its turn detection did, for one of them at least."""
    if "response.cancel" in settled.commands:
        return "we cancel"
    return "server cancels" if by_server else "over already"
