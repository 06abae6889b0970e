"""Checks the shape of a client's frame against a schema, and names the first fault by its path.

1. The order of faults: the value's JSON type, then required fields that are missing in the
   schema's order, then the given fields in theirs. S4's report fixes the second before the third
   (protocol.md §4.5, last sentence).
2. A path is dotted, with indexes: `item.content[0].audio` (protocol.md §6.1).
3. A schema says what the service refuses, not what a sane client sends. It knows no state: what
   depends on the session is refused by the part that owns the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec
import pybase64

from bargein.server.model import images
from bargein.server.model.refusal import listed
from bargein.server.model.rules import refuse

MAX_AUDIO_BYTES = 15 * 1024 * 1024
"""Of one `audio` field (API reference, `input_audio_buffer.append`)."""
MAX_NESTING = 64
"""Levels in a field of free form, such as a tool's `parameters`."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string; one of `choices` if there are any. `hidden` are accepted but not listed."""

    max_length: int | None = None
    choices: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer from `least` to `most`, both included."""

    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Decimal:
    """A number from `least` to `most`, both included."""

    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Null:
    """Only null."""


@dataclass(frozen=True, slots=True)
class Audio:
    """Base64 of at least one byte of audio."""


@dataclass(frozen=True, slots=True)
class Image:
    """A data URI of a PNG or JPEG."""


@dataclass(frozen=True, slots=True)
class Modalities:
    """`["text"]` or `["audio"]`, in beta `["text", "audio"]` in any order, with an error text of
    its own."""

    beta: bool = False


@dataclass(frozen=True, slots=True)
class Free:
    """Any JSON value of limited depth; an object if `only_object`."""

    only_object: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """An object with these fields and no other."""

    fields: Mapping[str, Schema]
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tagged:
    """An object whose field `tag` says which record it is. `hidden` tags are accepted but not
    listed."""

    tag: str
    records: Mapping[str, Record]
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Array:
    """An array of up to `max_length` of these."""

    item: Schema
    max_length: int = 10_000


@dataclass(frozen=True, slots=True)
class Pairs:
    """An object of texts (`metadata`)."""

    max_pairs: int
    max_key_length: int
    max_value_length: int


@dataclass(frozen=True, slots=True)
class Either:
    """The JSON type decides: `{"a string": Text(), "null": Null()}`."""

    by_type: Mapping[str, Schema] = field(default_factory=dict)


Schema: TypeAlias = (
    Text
    | Whole
    | Decimal
    | Flag
    | Null
    | Audio
    | Image
    | Modalities
    | Free
    | Record
    | Tagged
    | Array
    | Pairs
    | Either
)

Plain: TypeAlias = Any
"""What `msgspec.json.decode` gives: None, bool, int, float, str, list or dict."""


def parse(frame: str) -> dict[str, Plain]:
    """The JSON object in a frame. Raises `RefusedError`."""
    try:
        value = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
        raise refuse("not_json", reason=f"{error}.") from None
    if not isinstance(value, dict):
        raise refuse("not_json", reason=f"Expected an object, but got {json_type(value)} instead.")
    return value


def json_type(value: Plain) -> str:
    """The value's JSON type, with its article, as an error text of the service names it."""
    return _JSON_TYPES[type(value)]


_JSON_TYPES: Mapping[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def check(value: Plain, schema: Schema, path: str) -> None:
    """Raises `RefusedError` for the first thing in `value` that the schema does not allow."""
    match schema:
        case Record():
            _check_record(value, schema, path)
        case Tagged():
            _check_tagged(value, schema, path)
        case Text():
            _check_text(value, schema, path)
        case Whole():
            _expect(value, "an integer", path)
            _check_range(value, schema, "integer", path)
        case Decimal():
            if type(value) is not int:
                _expect(value, "a decimal", path)
            _check_range(value, schema, "decimal", path)
        case Flag():
            _expect(value, "a boolean", path)
        case Null():
            _expect(value, "null", path)
        case Audio():
            _check_audio(value, path)
        case Image():
            _check_image(value, path)
        case Modalities():
            _check_modalities(value, schema, path)
        case Free():
            _check_free(value, schema, path)
        case Array():
            _check_array(value, schema, path)
        case Pairs():
            _check_pairs(value, schema, path)
        case Either():
            _check_either(value, schema, path)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _expect(value: Plain, expected: str, path: str) -> None:
    got = json_type(value)
    if got != expected:
        raise refuse("wrong_type", path=path, expected=expected, got=got)


def _check_record(value: Plain, schema: Record, path: str) -> None:
    if type(value) is not dict:
        _expect(value, "an object", path)
    for name in schema.required:
        if name not in value:
            raise refuse("missing", path=_join(path, name))
    fields = schema.fields
    for name, member in value.items():
        known = fields.get(name)
        if known is None:
            raise refuse("unknown", path=_join(path, name))
        check(member, known, _join(path, name))


def _check_tagged(value: Plain, schema: Tagged, path: str) -> None:
    _expect(value, "an object", path)
    if schema.tag not in value:
        raise refuse("missing", path=_join(path, schema.tag))
    tag = value[schema.tag]
    choices = tuple(name for name in schema.records if name not in schema.hidden)
    _check_text(tag, Text(choices=choices, hidden=schema.hidden), _join(path, schema.tag))
    _check_record(value, schema.records[tag], path)


def _check_text(value: Plain, schema: Text, path: str) -> None:
    if type(value) is not str:
        _expect(value, "a string", path)
    if schema.choices and value not in schema.choices and value not in schema.hidden:
        rule = "wrong_value" if len(schema.choices) > 1 else "one_value"
        supported = listed(schema.choices) if len(schema.choices) > 1 else schema.choices[0]
        raise refuse(rule, path=path, value=_shown(value), supported=supported)
    if schema.max_length is not None and len(value) > schema.max_length:
        raise refuse("text_too_long", path=path, limit=schema.max_length, length=len(value))


def _shown(value: str) -> str:
    """A client's text as an error shows it: an error must not grow with what it refuses."""
    return value if len(value) <= 200 else f"{value[:200]}…"


def _check_range(value: float, schema: Whole | Decimal, kind: str, path: str) -> None:
    if schema.least is not None and value < schema.least:
        raise refuse(f"{kind}_too_small", path=path, limit=schema.least, value=_number(value))
    if schema.most is not None and value > schema.most:
        raise refuse(f"{kind}_too_big", path=path, limit=schema.most, value=_number(value))


def _number(value: float) -> str:
    # Python refuses to print integers of more than 4300 digits, and nobody wants to read them.
    return "a huge integer" if isinstance(value, int) and abs(value) >= 10**30 else f"{value}"


def _check_audio(value: Plain, path: str) -> None:
    _expect(value, "a string", path)
    length = len(value) * 3 // 4
    if length > MAX_AUDIO_BYTES:
        raise refuse("audio_too_long", path=path, limit=MAX_AUDIO_BYTES, length=length)
    try:
        audio = pybase64.b64decode(value, validate=True)
    except ValueError:
        raise refuse("not_audio", path=path) from None
    if not audio:
        raise refuse("no_audio", path=path)


def _check_image(value: Plain, path: str) -> None:
    _expect(value, "a string", path)
    try:
        images.check(value)
    except images.BadImageError as problem:
        raise refuse("not_an_image_uri", path=path, problem=problem) from None
    except ValueError:
        raise refuse("not_an_image", path=path) from None


def _check_modalities(value: Plain, schema: Modalities, path: str) -> None:
    _check_array(value, Array(Text(), 16), path)
    both = sorted(value) == ["audio", "text"]
    if value != ["text"] and not (both if schema.beta else value == ["audio"]):
        given = ", ".join(f"'{_shown(modality)}'" for modality in value)
        spoken = "['audio', 'text']" if schema.beta else "['audio']"
        raise refuse("modalities", given=f"[{given}]", spoken=spoken, path=path)


def _check_free(value: Plain, schema: Free, path: str) -> None:
    if schema.only_object:
        _expect(value, "an object", path)
    level: Sequence[Plain] = [value]
    for _ in range(MAX_NESTING):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise refuse("nested_too_deep", path=path, limit=MAX_NESTING)


def _check_array(value: Plain, schema: Array, path: str) -> None:
    _expect(value, "an array", path)
    if len(value) > schema.max_length:
        raise refuse("array_too_long", path=path, limit=schema.max_length, length=len(value))
    for index, member in enumerate(value):
        check(member, schema.item, f"{path}[{index}]")


def _check_pairs(value: Plain, schema: Pairs, path: str) -> None:
    _expect(value, "an object", path)
    if len(value) > schema.max_pairs:
        raise refuse("object_too_big", path=path, limit=schema.max_pairs, length=len(value))
    for key, text in value.items():
        _check_text(key, Text(schema.max_key_length), path)
        _check_text(text, Text(schema.max_value_length), _join(path, _shown(key)))


def _check_either(value: Plain, schema: Either, path: str) -> None:
    got = json_type(value)
    name = "a decimal" if got == "an integer" and got not in schema.by_type else got
    chosen = schema.by_type.get(name)
    if chosen is None:
        expected = " or ".join(name for name in schema.by_type if name != "null")
        raise refuse("wrong_type", path=path, expected=expected, got=got)
    check(value, chosen, path)
