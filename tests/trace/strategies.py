"""Any input and any command that the types allow, made from the types themselves."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st
from msgspec import UNSET, Struct, inspect

from bargein import events
from bargein.core import commands, inputs
from bargein.events import McpTool, UnknownShape
from bargein.masking import without_secrets

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = TEXT.filter(lambda name: without_secrets({name: "shown"}) == {name: "shown"})
"""Of a field; what a name like "headers" holds is masked, and so does not come back."""
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
FOREIGN_NAME = TEXT.map("x_{}".format)
FOREIGN = st.dictionaries(FOREIGN_NAME, JSON, max_size=2)
SOME_FOREIGN = st.dictionaries(FOREIGN_NAME, JSON, min_size=1, max_size=2)
UNKNOWN_RAW = st.builds(lambda kind, rest: rest | {"type": kind}, FOREIGN_NAME, FOREIGN)
SECRET_FIELDS = {(McpTool, name) for name in ("authorization", "headers", "server_url")}


@st.composite
def _structs(draw: st.DrawFn, cls: type[Struct]) -> Struct:
    """Composed when it is drawn: one of forty unions costs nothing until it is chosen."""
    return cls(**{name: draw(values) for name, values in _fields(cls).items()})


def _struct(cls: type[Struct]) -> st.SearchStrategy[Any]:
    if issubclass(cls, UnknownShape):
        return UNKNOWN_RAW.map(lambda raw: cls(raw=events.Fields(raw)))
    return _structs(cls)


@cache
def _fields(cls: type[Struct]) -> dict[str, st.SearchStrategy[Any]]:
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in info.fields:
        absent = [st.just(UNSET)] if field.default is UNSET else []
        if field.name == "extra":
            fields[field.name] = st.one_of(*absent, SOME_FOREIGN.map(events.Fields))
        elif (cls, field.name) not in SECRET_FIELDS:
            fields[field.name] = st.one_of(*absent, values_of(field.type))
    return fields


def values_of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Any value of the type."""
    match kind:
        case inspect.StructType():
            return _struct(kind.cls)
        case inspect.UnionType():
            return st.one_of(*(values_of(each) for each in kind.types))
        case inspect.Metadata():
            return values_of(kind.type)
        case inspect.VarTupleType():
            return st.lists(values_of(kind.item_type), max_size=2).map(tuple)
        case inspect.DictType():
            return st.dictionaries(TEXT, values_of(kind.value_type), max_size=2)
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.EnumType():
            return st.sampled_from(list(kind.cls))
        case inspect.StrType():
            return TEXT
        case inspect.BytesType():
            return st.binary(max_size=12)
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return INTEGERS
        case inspect.FloatType():
            return FLOATS
        case inspect.NoneType():
            return st.none()
        case inspect.AnyType():
            return JSON
        case _:
            raise AssertionError(f"no values known for {kind}")


def _received() -> st.SearchStrategy[inputs.Received]:
    known = [_struct(cls) for cls in events.members(events.ServerEvent)]
    unknown = UNKNOWN_RAW.map(
        lambda raw: events.Unknown(type=raw["type"], event_id=None, raw=events.Fields(raw))
    )
    malformed = st.builds(events.Malformed, reason=TEXT, raw=TEXT)
    return st.builds(inputs.Received, st.one_of(*known, unknown, malformed))


EACH_INPUT = {
    cls.__name__: _received() if cls is inputs.Received else _struct(cls)
    for cls in events.members(inputs.Input)
}
INPUTS: st.SearchStrategy[inputs.Input] = st.one_of(*EACH_INPUT.values())
COMMANDS: st.SearchStrategy[commands.Command] = st.one_of(
    *(_struct(cls) for cls in events.members(commands.Command))
)
