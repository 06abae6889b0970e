"""The slow way in and out, for frames that hold more or less than the vocabulary names.

1. In: the struct is built field by field from plain JSON values. What has no field goes to
   `extra`; a shape of unknown `type` becomes the unknown member of its union; a field that is
   required but may be missing or null (`Index`, `LenientText` …) gets its neutral value, and
   `extra` notes what came.
2. A known field with a value of the wrong type is refused: guessing would hide a fault.
3. Out: the same, backwards. Going in and out again gives an equal JSON value.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, cast

import pybase64
from msgspec import NODEFAULT, UNSET, inspect

from .base import Fields, Shape, UnknownShape
from .config import Session

S = TypeVar("S", bound=Shape)

# What each kind of field takes, as exact types of plain JSON values: a boolean is no number.
_TAKES: dict[type[inspect.Type], tuple[str, tuple[type, ...]]] = {
    inspect.StructType: ("an object", (dict,)),
    inspect.DictType: ("an object", (dict,)),
    inspect.VarTupleType: ("an array", (list,)),
    inspect.StrType: ("a string", (str,)),
    inspect.BytesType: ("a base64 string", (str,)),
    inspect.BoolType: ("a boolean", (bool,)),
    inspect.IntType: ("an integer", (int, float)),
    inspect.FloatType: ("a number", (int, float)),
    inspect.NoneType: ("null", (type(None),)),
}
_NAMES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    type(None): "null",
}


class WrongValue(Exception):
    """A value that its field cannot hold. The text names the field and the problem, no value."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path or 'event'}: {problem}")


class _Plan:
    """How to build one struct class: its own fields, by their names on the wire."""

    __slots__ = ("fields", "tag_field")

    def __init__(self, cls: type[Shape]) -> None:
        info = inspect.type_info(cls)
        assert isinstance(info, inspect.StructType)
        self.tag_field = info.tag_field
        self.fields = [f for f in info.fields if f.name != "extra"]


@cache
def _plan(cls: type[Shape]) -> _Plan:
    return _Plan(cls)


def build(cls: type[S], raw: dict[str, Any], path: str = "") -> S:
    """The struct for a plain JSON object. Raises WrongValue."""
    plan = _plan(cls)
    rest = dict(raw)
    values: dict[str, Any] = {}
    if plan.tag_field is not None and rest.pop(plan.tag_field, UNSET) is UNSET:
        rest[plan.tag_field] = UNSET
    for field in plan.fields:
        name = field.encode_name
        value = rest.get(name, UNSET)
        where = f"{path}.{name}" if path else name
        neutral = _neutral(field.type)
        if neutral is not UNSET and (value is UNSET or value is None):
            values[field.name] = neutral
            rest[name] = value
        elif value is not UNSET:
            values[field.name] = _value(field.type, rest.pop(name), where)
        elif field.required:
            raise WrongValue(where, "missing")
    if rest:
        values["extra"] = Fields(rest)
    return cls(**values)


def _neutral(kind: inspect.Type) -> Any:
    """What stands for a missing value of a lenient field; UNSET for all other fields."""
    if isinstance(kind, inspect.Metadata) and kind.extra is not None:
        return kind.extra["lenient"]
    return UNSET


def _value(kind: inspect.Type, value: Any, path: str) -> Any:
    if isinstance(kind, inspect.Metadata):
        return _value(kind.type, value, path)
    if isinstance(kind, inspect.AnyType):
        return value
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    fitting = [each for each in kinds if type(value) in _TAKES[type(each)][1]]
    if not fitting:
        expected = " or ".join(dict.fromkeys(_TAKES[type(each)][0] for each in kinds))
        raise WrongValue(path, f"expected {expected}, got {_NAMES[type(value)]}")
    match fitting[0]:
        case inspect.StructType():
            shapes = [each for each in fitting if isinstance(each, inspect.StructType)]
            return _shape(shapes, value, path)
        case inspect.VarTupleType(item_type=item):
            return tuple(_value(item, each, f"{path}[{i}]") for i, each in enumerate(value))
        case inspect.DictType(value_type=member):
            return {name: _value(member, each, f"{path}.*") for name, each in value.items()}
        case inspect.BytesType():
            return _audio(value, path)
        case inspect.FloatType():
            return _number(value, path)
        case inspect.IntType():
            return _integer(value, path)
        case _:
            return value


def _integer(value: int | float, path: str) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise WrongValue(path, "expected an integer, got a fraction")
    return int(value)


def _number(value: float, path: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise WrongValue(path, "the number is out of range") from None


def _audio(value: str, path: str) -> bytes:
    try:
        return pybase64.b64decode(value, validate=True)
    except ValueError:
        raise WrongValue(path, "not base64") from None


def _shape(kinds: list[inspect.StructType], value: dict[str, Any], path: str) -> Shape:
    """The member of the union that the object's `type` names."""
    unknown: type[UnknownShape] | None = None
    tag = value.get("type")
    for kind in kinds:
        if issubclass(kind.cls, UnknownShape):
            unknown = kind.cls
        elif kind.tag_field is None or kind.tag == tag:
            return build(cast(type[Shape], kind.cls), value, path)
        elif kind.cls is Session and "type" not in value:
            return build(Session, value, path)
    if unknown is not None:
        return unknown(raw=Fields(value))
    raise WrongValue(f"{path}.type", "missing" if tag is None else "not one of the known types")


def plain(value: Any) -> Any:
    """The plain JSON value of a struct, with what `extra` and `raw` hold put back in its place."""
    match value:
        case UnknownShape():
            return dict(value.raw)
        case Shape():
            return _plain_struct(value)
        case tuple() | list():
            return [plain(each) for each in value]
        case Fields() | dict():
            return {name: plain(each) for name, each in value.items()}
        case bytes():
            return pybase64.b64encode_as_string(value)
        case _:
            return value


def _plain_struct(value: Shape) -> dict[str, Any]:
    config = value.__struct_config__
    result: dict[str, Any] = {}
    if config.tag_field is not None:
        result[config.tag_field] = config.tag
    plan = _plan(type(value))
    for field in plan.fields:
        each = getattr(value, field.name)
        if each is UNSET or (config.omit_defaults and each == field.default != NODEFAULT):
            continue
        result[field.encode_name] = plain(each)
    for name, each in value.extra.items() if isinstance(value.extra, Fields) else ():
        if each is UNSET:
            result.pop(name, None)
        else:
            result[name] = plain(each)
    return result
