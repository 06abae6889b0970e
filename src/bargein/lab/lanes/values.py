"""One event against its counterpart: the same fields, in the same order, of the same JSON types,
and the same values where nothing but the conversation decides them.

What chance, the clock, the sound or the model's own count decides is compared by its kind:

- a time of the input buffer: by its place on the detector's grid of 32 ms (protocol.md §5);
- tokens: whole numbers that add up (protocol.md §2.4);
- the limits of `rate_limits.updated`: numbers;
- the bytes of sound: base64;
- `obfuscation`: letters and digits that fill the delta up to 16 (protocol.md §2.3).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bargein.lab.lanes.moments import RATE_LIMITS, Moment

GRID_MS = 32
PADDED_CHARACTERS = 16

Path: TypeAlias = tuple[str | int, ...]
Judge: TypeAlias = Callable[[Any, Any], str | None]
"""Says what is wrong with the second value beside the first; None if nothing is."""

_JSON_TYPES = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    type(None): "null",
    dict: "an object",
    list: "an array",
}
_SHOWN_CHARACTERS = 60


def unlike(reference: Moment, answered: Moment) -> Iterator[str]:
    """How the second differs from the first, one sentence for each place."""
    first, second = dict(reference.event), dict(answered.event)
    if reference.type.endswith(".delta"):
        # Deltas count as one: what they carry is compared joined, if it is text.
        if not _is_sound(reference.type):
            first["delta"], second["delta"] = _joined(reference), _joined(answered)
        yield from _unlike_each_other(reference, answered)
    for path, problem in _compare(first, second, (), reference.type):
        yield f"{answered}: {_shown_path(path)} {problem}"
    for problem in _unlawful(second):
        yield f"{answered}: {problem}"


def _is_sound(type: str) -> bool:
    return type.endswith("audio.delta")


def _joined(moment: Moment) -> str:
    """The text of all deltas. Those of a live transcription begin with a space that its transcript
    has not."""
    return "".join(str(event.get("delta", "")) for event in moment.events).strip()


def _unlike_each_other(reference: Moment, answered: Moment) -> Iterator[str]:
    """Whether every delta has the fields of one of the reference's, with values of the same types,
    and is padded. (The first one is compared whole.)"""
    shapes = [_shape(event) for event in reference.events]
    for number, event in enumerate(answered.events, 1):
        if _shape(event) not in shapes:
            yield f"{answered}: delta {number} has {_in_words(_shape(event))}"
        elif (problem := _badly_padded(event)) is not None:
            yield f"{answered}: delta {number} {problem}"


def _shape(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, json_type(value)) for name, value in event.items()]


def _in_words(shape: list[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({type})" for name, type in shape)


def _badly_padded(event: Mapping[str, Any]) -> str | None:
    delta, padding = event.get("delta"), event.get("obfuscation")
    if padding is None or not isinstance(delta, str):
        return None
    lacking = max(0, PADDED_CHARACTERS - len(delta))
    if not isinstance(padding, str) or not re.fullmatch(f"[0-9A-Za-z]{{{lacking}}}", padding):
        return f"is {delta!r} with obfuscation {padding!r}: together they are not 16 characters"
    return None


def _compare(reference: Any, answered: Any, path: Path, type: str) -> Iterator[tuple[Path, str]]:
    judge = _judge(type, path)
    if judge is not None:
        problem = judge(reference, answered)
        if problem is not None:
            yield path, problem
    elif isinstance(reference, dict) and isinstance(answered, dict):
        yield from _compare_objects(reference, answered, path, type)
    elif isinstance(reference, list) and isinstance(answered, list):
        if len(reference) != len(answered):
            yield path, f"has {len(answered)} elements instead of {len(reference)}"
        for index, pair in enumerate(zip(reference, answered, strict=False)):
            yield from _compare(*pair, (*path, index), type)
    elif json_type(reference) != json_type(answered):
        yield path, f"is {_shown(answered)}, {json_type(answered)} instead of {_shown(reference)}"
    elif reference != answered:
        yield path, f"is {_shown(answered)} instead of {_shown(reference)}"


def _compare_objects(
    reference: dict[str, Any], answered: dict[str, Any], path: Path, type: str
) -> Iterator[tuple[Path, str]]:
    missing = [name for name in reference if name not in answered]
    more = [name for name in answered if name not in reference]
    for name in missing:
        yield (*path, name), "is missing"
    for name in more:
        yield (*path, name), f"is {_shown(answered[name])}, a field that the reference has not"
    if not (missing or more) and _in_order(reference) != _in_order(answered):
        yield path, f"has its fields in the order {', '.join(answered)}"
    for name, value in reference.items():
        if name in answered:
            yield from _compare(value, answered[name], (*path, name), type)


def _in_order(fields: dict[str, Any]) -> list[str]:
    """The fields whose order is compared. Where an item's `id` stands is a matter of the writer:
    the service writes it before the type, a writer of tagged unions behind it."""
    return [name for name in fields if name != "id"]


def json_type(value: object) -> str:
    """The JSON type of a value, in words."""
    return _JSON_TYPES[type(value)]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Values that are compared by what they are: where they stand, and who judges them."""

    type: re.Pattern[str]
    path: re.Pattern[str]
    judge: Judge


def _on_the_grid(reference: Any, answered: Any) -> str | None:
    if json_type(answered) != "an integer" or answered < 0:
        return f"is {_shown(answered)}, no time in whole milliseconds"
    # What is clamped at the beginning of the sound has no place on the grid.
    if reference and answered and (reference - answered) % GRID_MS:
        return f"is {answered} ms, which is not on the grid of {GRID_MS} ms of {reference} ms"
    return None


def _counted(reference: Any, answered: Any) -> str | None:
    if json_type(answered) != "an integer" or answered < 0:
        return f"is {_shown(answered)}, no number of tokens"
    return None


def _numeric(reference: Any, answered: Any) -> str | None:
    if json_type(answered) not in ("an integer", "a decimal") or answered < 0:
        return f"is {_shown(answered)}, no number of 0 or more"
    return None


def _sound(reference: Any, answered: Any) -> str | None:
    try:
        base64.b64decode(answered, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return f"is {_shown(answered)}, no base64"
    return None


def _padding(reference: Any, answered: Any) -> str | None:
    """The length is judged with the delta."""
    return None if isinstance(answered, str) else f"is {_shown(answered)}, no string"


_KINDS = (
    _Kind(re.compile(r"input_audio_buffer\..*"), re.compile(r"audio_(start|end)_ms"), _on_the_grid),
    _Kind(re.compile(r".*"), re.compile(r"(.*\.)?usage\..*tokens"), _counted),
    _Kind(
        re.compile(re.escape(RATE_LIMITS)),
        re.compile(r".*\.(limit|remaining|reset_seconds)"),
        _numeric,
    ),
    _Kind(re.compile(r".*audio\.delta"), re.compile(r"delta"), _sound),
    _Kind(re.compile(r".*\.delta"), re.compile(r"obfuscation"), _padding),
)


def _judge(type: str, path: Path) -> Judge | None:
    """Who judges the values at this place; None if they are to be equal."""
    dotted = ".".join(map(str, path))
    for kind in _KINDS:
        if kind.type.fullmatch(type) and kind.path.fullmatch(dotted):
            return kind.judge
    return None


def _unlawful(event: Mapping[str, Any]) -> Iterator[str]:
    """What does not add up in a bill (protocol.md §2.4)."""
    response = event.get("response")
    holder = response if isinstance(response, Mapping) else event
    usage = holder.get("usage")
    if not isinstance(usage, Mapping) or "total_tokens" not in usage:
        return
    inputs: Any = usage.get("input_tokens")
    outputs: Any = usage.get("output_tokens")
    try:
        details: Any = usage.get("output_token_details")
        sums = [
            ("total_tokens", usage["total_tokens"], inputs + outputs),
            *([("output_tokens", outputs, sum(details.values()))] if details else []),
        ]
    except (AttributeError, TypeError):
        yield "usage cannot be added up"
        return
    for name, told, added in sums:
        if told != added:
            yield f"usage.{name} is {told}, but its parts are {added}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _shown_path(path: Path) -> str:
    dotted = ""
    for step in path:
        dotted += f"[{step}]" if isinstance(step, int) else f".{step}"
    return dotted.lstrip(".") or "it"
