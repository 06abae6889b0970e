"""What a trace leaves out besides secrets (`bargein.masking`): sound.

Sound is replaced by its length: `hollow` takes the bytes out of structs and notes how many there
were and where. All that the machine looks for in sound is how loud a reply is (`loudness_of`), so
that and the counts suffice to replay. `plain` makes JSON values of what is left, ready to be
masked.
"""

from __future__ import annotations

import enum
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, inspect
from msgspec.structs import replace

from bargein import events
from bargein.core.inputs import Input, MediaArrived, Received
from bargein.core.loudness import levels_of
from bargein.events import lenient
from bargein.units import AudioFormat

S = TypeVar("S", bound=msgspec.Struct)


def plain(value: Any) -> Any:
    """The plain JSON value of an input, a command, or a part of one; events as on the wire."""
    match value:
        case events.Shape():
            return lenient.plain(value)
        case events.Unknown():
            return plain(value.raw)
        case msgspec.Struct():
            config = value.__struct_config__
            tag = {} if config.tag_field is None else {config.tag_field: config.tag}
            names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
            return tag | {wire: plain(getattr(value, name)) for wire, name in names}
        case dict() | events.Fields():
            return {name: plain(each) for name, each in value.items() if each is not UNSET}
        case list() | tuple():
            return [plain(each) for each in value]
        case enum.Enum():
            return value.value
        case bytes():
            return f"[{len(value)} bytes]" if value else ""  # hollowed before, but in plain values
        case _:
            return value


def loudness_of(input: Input, audio_format: AudioFormat) -> str:
    """How loud the sound of a reply is, for the trace; empty for any other input."""
    match input:
        case (
            MediaArrived(audio=sound)
            | Received(event=events.ResponseOutputAudioDelta(delta=bytes(sound)))
        ) if sound:
            levels = levels_of(sound, audio_format)
            return f"{audio_format.value} " + "".join(f"{level:x}" for level in levels)
        case _:
            return ""


def hollow(value: S, path: str, counts: dict[str, int]) -> S:
    """The struct with empty sound; `counts` gets the number of bytes by path: `in.audio`."""
    changes: dict[str, Any] = {}
    for name in _places(type(value)):
        old = getattr(value, name)
        new = _hollow_value(old, f"{path}.{name}", counts)
        if new is not old:
            changes[name] = new
    return replace(value, **changes) if changes else value


def _hollow_value(value: Any, path: str, counts: dict[str, int]) -> Any:
    match value:
        case bytes():
            if value:
                counts[path] = len(value)
            return b""
        case msgspec.Struct():
            return hollow(value, path, counts)
        case list() | tuple():
            each = [_hollow_value(part, f"{path}.{i}", counts) for i, part in enumerate(value)]
            same = all(new is old for new, old in zip(each, value, strict=True))
            return value if same else tuple(each)
        case dict():  # of the application's own: no wire object is one
            return {
                name: f"[{len(part)} bytes]"
                if isinstance(part, bytes)
                else _hollow_value(part, f"{path}.{name}", counts)
                for name, part in value.items()
            }
        case _:
            return value


@cache
def _places(cls: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of the class that may hold sound, at any depth."""
    if cls is Received:
        return ("event",)  # a union that msgspec cannot describe: its last two members have no tag
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    return tuple(field.name for field in info.fields if _may_sound(field.type))


def _may_sound(kind: inspect.Type) -> bool:
    match kind:
        case inspect.BytesType() | inspect.AnyType():
            return True
        case inspect.Metadata():
            return _may_sound(kind.type)
        case inspect.UnionType():
            return any(_may_sound(each) for each in kind.types)
        case inspect.VarTupleType():
            return _may_sound(kind.item_type)
        case inspect.StructType():
            return bool(_places(kind.cls))
        case _:
            return False
