"""An episode as a table that can be read: time, actor, event.

1. What follows from another row without a choice is not told: the opening, the steps of the ladder
   between `response.created`, the sound and `response.done`, progress, the microphone's sound,
   answers, notices. With `everything` each entry is a row.
2. The world is told by what is not plain in it.
3. A broken invariant has a row where it broke; of an episode that ended with it, the last one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache

import msgspec

from bargein import events
from bargein.core import inputs
from bargein.sim.choices import Choices, TapeSource
from bargein.sim.history import Entry, History
from bargein.sim.invariants.judge import Violation
from bargein.sim.options import Options, draw_options
from bargein.sim.telling.rows import (
    ACTOR_COLUMNS,
    COLUMNS,
    TIME_COLUMNS,
    Row,
    actor_of,
    broken,
    rows,
)
from bargein.sim.telling.wording import Wording

_MOST = 3 * COLUMNS
"""Characters of an entry, where each is told."""


def tell(
    history: History, violations: Sequence[Violation] = (), *, everything: bool = False
) -> str:
    """The world in a line, then the table."""
    told = _everything if everything else rows
    lines = [line for row in told(history, violations) for line in row.lines]
    head = f"{'time in ms':>{TIME_COLUMNS}}  {'actor':<{ACTOR_COLUMNS}}  event (-> when it arrives)"
    return "\n".join([*_wrapped(f"world: {world(history.options)}"), head, *lines])


def world(options: Options) -> str:
    """What is not plain in this world."""
    return ", ".join(f"{name} {value}" for name, value in unusual(options).items()) or "plain"


def unusual(options: Options) -> dict[str, str]:
    """The options that differ from those of the plainest world. How much the user does is seen in
    the story."""
    return {name: value for name, value in _different(options, _plain()) if name != "acts"}


def _everything(history: History, violations: Sequence[Violation] = ()) -> list[Row]:
    """Every entry, one by one."""
    wording = Wording(history.options.format)
    told = []
    for place, entry in enumerate(history.entries):
        told.append(Row(entry.time_us, actor_of(entry), _raw(entry, wording)))
        told += broken(violations, place, history, wording)
    return [*told, *broken(violations, -1, history, wording)]


@cache
def _plain() -> Options:
    return draw_options(Choices(TapeSource({})))


def _different(this: object, plain: object) -> Iterator[tuple[str, str]]:
    for name in _fields(this):
        value, usual = getattr(this, name), getattr(plain, name)
        if value == usual:
            continue
        if type(value) is type(usual) and _fields(value):
            for inner, told in _different(value, usual):
                yield f"{name}.{inner}", told
        else:
            yield name, str(getattr(value, "value", value))


def _fields(of: object) -> tuple[str, ...]:
    if isinstance(of, msgspec.Struct):
        return of.__struct_fields__
    return tuple(each.name for each in fields(of)) if is_dataclass(of) else ()


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, subsequent_indent="       ", break_on_hyphens=False)


def _raw(entry: Entry, wording: Wording) -> str:
    what = entry.what
    match entry.kind:
        case "server_sent" | "client_sent" | "client_got" | "server_got":
            verb = "sends" if entry.kind.endswith("sent") else "gets"
            if isinstance(what, events.ResponseOutputAudioDelta):
                length = wording.ms(wording.samples(what.delta))
                return f"{verb} #{entry.number} {events.type_of(what)} {length} of " + wording.part(
                    what.item_id, what.content_index
                )
            told = wording.event(what)
            if told is None and isinstance(what, events.Shape):
                told = events.type_of(what)
            return f"{verb} #{entry.number} {told}"
        case "input":
            if isinstance(what, inputs.Captured):
                return f"{wording.samples(what.audio)} samples captured"
            return _clipped(wording.shortened(repr(what)))
        case "command" | "note" | "broken":
            return what if isinstance(what, str) else _clipped(wording.shortened(repr(what)))


def _clipped(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
