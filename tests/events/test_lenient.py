"""Round trips of generated frames of each event, with and without foreign fields."""

from __future__ import annotations

import json
from typing import Any, cast
from unittest.mock import patch

import pybase64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from bargein.events import (
    ClientEvent,
    Malformed,
    ServerEvent,
    Shape,
    Unknown,
    UnknownShape,
    codec,
    decode_client,
    decode_server,
    encode,
    members,
    oddities,
)
from bargein.events.lenient import WrongValue, build, plain

SERVER_EVENTS = sorted(members(ServerEvent), key=lambda cls: cls.__name__)
CLIENT_EVENTS = sorted(members(ClientEvent), key=lambda cls: cls.__name__)
BY_NAME = {"server": SERVER_EVENTS, "client": CLIENT_EVENTS}

TEXTS = st.text(max_size=5)
# Whole numbers that a float holds exactly: the other side may read them as floats.
INTEGERS = st.integers(-(2**53), 2**53)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
AUDIO = (st.binary(max_size=6) | st.binary(min_size=600, max_size=700)).map(
    pybase64.b64encode_as_string
)
FOREIGN_NAMES = st.sampled_from(["x_foreign", "extra", "raw", "x_ü"])


def _is_unknown(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.StructType) and issubclass(kind.cls, UnknownShape)


class Wire:
    """Draws plain JSON for the types of the vocabulary, with foreign matter if it `strays`."""

    def __init__(self, data: st.DataObject, *, strays: bool) -> None:
        self.draw = data.draw
        self.strays = strays

    def stray(self) -> bool:
        return self.strays and self.draw(st.integers(0, 5)) == 0

    def shape(self, cls: type[Shape]) -> dict[str, Any]:
        info = inspect.type_info(cls)
        assert isinstance(info, inspect.StructType)
        result: dict[str, Any] = {}
        if info.tag_field is not None:
            result[info.tag_field] = info.tag
        for field in info.fields:
            if field.name == "extra":
                continue
            lenient = isinstance(field.type, inspect.Metadata)
            if lenient and self.stray():
                if self.draw(st.booleans()):
                    result[field.encode_name] = None
            elif field.required or self.draw(st.booleans()):
                result[field.encode_name] = self.value(field.type)
        if result.get("event_id", "") is None:
            del result["event_id"]  # null is not sent by clients: `None` means absent there
        if self.stray():
            result[self.draw(FOREIGN_NAMES)] = self.draw(ANY_JSON)
        return result

    def value(self, kind: inspect.Type) -> Any:
        match kind:
            case inspect.Metadata():
                return self.value(kind.type)
            case inspect.UnionType():
                choices = [each for each in kind.types if self.strays or not _is_unknown(each)]
                return self.value(self.draw(st.sampled_from(choices)))
            case inspect.StructType() if _is_unknown(kind):
                return {"type": "x_foreign", "x": self.draw(ANY_JSON)}
            case inspect.StructType():
                return self.shape(cast(type[Shape], kind.cls))
            case inspect.VarTupleType():
                return [self.value(kind.item_type) for _ in range(self.draw(st.integers(0, 2)))]
            case inspect.DictType():
                return {self.draw(TEXTS): self.value(kind.value_type) for _ in range(2)}
            case inspect.AnyType():
                return self.draw(ANY_JSON)
            case inspect.NoneType():
                return None
            case inspect.BytesType():
                return self.draw(AUDIO)
            case inspect.StrType():
                return self.draw(TEXTS)
            case inspect.BoolType():
                return self.draw(st.booleans())
            case inspect.IntType():
                return self.draw(INTEGERS)
            case inspect.FloatType():
                return self.draw(st.floats(-1e9, 1e9) | INTEGERS)
            case _:
                raise AssertionError(kind)


DECODERS = {"server": decode_server, "client": decode_client}


@pytest.mark.parametrize("side", ["server", "client"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_exact_frames_come_back_equal_and_take_the_fast_way(side: str, data: st.DataObject) -> None:
    cls = data.draw(st.sampled_from(BY_NAME[side]))
    frame = Wire(data, strays=False).shape(cls)
    with patch.object(codec, "build", side_effect=AssertionError("the slow way was taken")):
        event = DECODERS[side](json.dumps(frame))
    assert type(event) is cls
    assert not isinstance(event, Unknown | Malformed)
    assert oddities(event) == ()
    assert json.loads(encode(event)) == frame
    assert DECODERS[side](encode(event)) == event
    assert build(cast(type[Shape], cls), frame) == event
    assert plain(event) == frame


@pytest.mark.parametrize("side", ["server", "client"])
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_frames_with_foreign_and_missing_fields_at_any_depth_come_back_equal(
    side: str, data: st.DataObject
) -> None:
    cls = data.draw(st.sampled_from(BY_NAME[side]))
    frame = Wire(data, strays=True).shape(cls)
    event = DECODERS[side](json.dumps(frame))
    assert type(event) is cls, event
    assert not isinstance(event, Unknown | Malformed)
    assert json.loads(encode(event)) == frame
    assert DECODERS[side](encode(event)) == event


@pytest.mark.parametrize("cls", SERVER_EVENTS + CLIENT_EVENTS, ids=lambda cls: cls.__name__)
def test_no_event_can_be_built_from_wrong_values_alone(cls: type[Shape]) -> None:
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        if field.name != "extra":
            # No field of an event takes a list of empty lists.
            with pytest.raises(WrongValue, match=field.encode_name):
                build(cls, {**_least(cls), field.encode_name: [[]]})


def _least(cls: type[Shape]) -> dict[str, Any]:
    """The smallest good frame of an event whose fields are texts and numbers."""
    values: dict[type[inspect.Type], Any] = {
        inspect.StrType: "x",
        inspect.IntType: 1,
        inspect.FloatType: 1.0,
        inspect.BytesType: "",
        inspect.VarTupleType: [],
    }
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    result: dict[str, Any] = {"type": info.tag}
    for field in info.fields:
        kind = field.type.type if isinstance(field.type, inspect.Metadata) else field.type
        if field.required and field.name != "extra":
            result[field.encode_name] = values.get(type(kind), {"type": "realtime", "id": "x"})
    return result
