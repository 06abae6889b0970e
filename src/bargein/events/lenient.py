"""The slow way in and out, for frames that hold more or less than the vocabulary names.

1. In: the struct is built field by field from plain JSON values. What has no field goes to
   `extra`; a shape of unknown `type` becomes the unknown member of its union; a field that is
   required but may be missing (`Index`, `LenientText` …) gets its neutral value, and `extra`
   notes the absence.
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

    __slots__ = ("cls", "fields", "tag", "tag_field")

    def __init__(self, cls: type[Shape]) -> None:
        info = inspect.type_info(cls)
        assert isinstance(info, inspect.StructType)
        self.cls = cls
        self.tag_field = info.tag_field
        self.tag = info.tag
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
        value = rest.pop(name, UNSET)
        where = f"{path}.{name}" if path else name
        if value is not UNSET:
            values[field.name] = _value(field.type, value, where)
        elif field.required:
            values[field.name] = _neutral(field.type, where)
            rest[name] = UNSET
    if rest:
        values["extra"] = Fields(rest)
    return cls(**values)


def _neutral(kind: inspect.Type, path: str) -> Any:
    if isinstance(kind, inspect.Metadata) and kind.extra is not None:
        return kind.extra["lenient"]
    raise WrongValue(path, "missing")


def _value(kind: inspect.Type, value: Any, path: str) -> Any:
    match kind:
        case inspect.Metadata():
            return _value(kind.type, value, path)
        case inspect.UnionType():
            return _choose(kind, value, path)
        case inspect.AnyType():
            return value
        case _:
            return _single(kind, value, path)


def _single(kind: inspect.Type, value: Any, path: str) -> Any:
    match kind, value:
        case (inspect.StructType(), dict()):
            return _shape([kind], value, path)
        case (inspect.VarTupleType(), list()):
            return tuple(
                _value(kind.item_type, each, f"{path}[{i}]") for i, each in enumerate(value)
            )
        case (inspect.DictType(), dict()):
            return {k: _value(kind.value_type, each, f"{path}.*") for k, each in value.items()}
        case (inspect.StrType(), str()) | (inspect.BoolType(), bool()):
            return value
        case (inspect.BytesType(), str()):
            return _audio(value, path)
        case (inspect.FloatType(), bool()) | (inspect.IntType(), bool()):
            pass
        case (inspect.FloatType(), int() | float()):
            return _number(value, path)
        case (inspect.IntType(), int()):
            return value
        case (inspect.IntType(), float()) if value.is_integer():
            return int(value)
    raise WrongValue(path, f"expected {_expected(kind)}, got {_NAMES[type(value)]}")


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


def _choose(kind: inspect.UnionType, value: Any, path: str) -> Any:
    if value is None and any(isinstance(t, inspect.NoneType) for t in kind.types):
        return None
    if isinstance(value, dict):
        shapes = [t for t in kind.types if isinstance(t, inspect.StructType)]
        if shapes:
            return _shape(shapes, value, path)
    for member in kind.types:
        if not isinstance(member, inspect.NoneType):
            try:
                return _single(member, value, path)
            except WrongValue as wrong:
                if len(kind.types) == 2 or isinstance(value, list):
                    raise wrong
    expected = " or ".join(_expected(t) for t in kind.types)
    raise WrongValue(path, f"expected {expected}, got {_NAMES[type(value)]}")


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


def _expected(kind: inspect.Type) -> str:
    match kind:
        case inspect.StructType() | inspect.DictType():
            return _NAMES[dict]
        case inspect.VarTupleType():
            return _NAMES[list]
        case inspect.StrType():
            return _NAMES[str]
        case inspect.BytesType():
            return "a base64 string"
        case inspect.BoolType():
            return _NAMES[bool]
        case inspect.IntType():
            return _NAMES[int]
        case inspect.FloatType():
            return _NAMES[float]
        case inspect.NoneType():
            return _NAMES[type(None)]
        case _:
            raise AssertionError(f"the vocabulary has no fields of {kind}")


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
