"""Types of events, and equality of what holds foreign fields."""

from __future__ import annotations

import re

import pytest
from msgspec import UNSET

import bargein.events as events
from bargein.events import (
    ClientEvent,
    ErrorBody,
    Fields,
    FunctionTool,
    InputText,
    MessageItem,
    ResponseCreate,
    ResponseDone,
    ServerEvent,
    Unknown,
    UnknownItem,
    members,
    type_of,
)


def test_every_event_class_has_the_name_of_its_type() -> None:
    for cls in (*members(ServerEvent), *members(ClientEvent)):
        words = re.split(r"[._]", type_of(cls))
        assert cls.__name__ == "".join(word.capitalize() for word in words)
        assert getattr(events, cls.__name__) is cls


def test_no_type_is_both_a_client_and_a_server_event() -> None:
    server = {type_of(cls) for cls in members(ServerEvent)}
    client = {type_of(cls) for cls in members(ClientEvent)}
    assert len(server) == len(members(ServerEvent))
    assert not server & client


def test_the_type_of_an_event_an_item_or_their_classes_is_the_one_on_the_wire() -> None:
    assert type_of(ResponseDone) == "response.done"
    assert type_of(ResponseCreate()) == "response.create"
    assert type_of(InputText(text="")) == "input_text"
    assert type_of(Unknown(type="ping", raw=Fields())) == "ping"
    assert type_of(UnknownItem(raw=Fields({"type": "hologram"}))) == "hologram"
    assert type_of(UnknownItem(raw=Fields())) == ""


def test_a_class_without_one_type_on_the_wire_is_refused() -> None:
    for value in (UnknownItem, ErrorBody, ErrorBody(message="")):
        with pytest.raises(TypeError, match=r"UnknownItem|ErrorBody"):
            type_of(value)


def test_events_with_equal_foreign_fields_are_equal_and_have_equal_hashes() -> None:
    def event(value: list[int]) -> ResponseCreate:
        return ResponseCreate(extra=Fields({"x": value}))

    assert event([1]) == event([1])
    assert event([1]) != event([2])
    assert hash(event([1])) == hash(event([1]))
    assert len({event([1]), event([1]), event([2]), ResponseCreate()}) == 3


def test_fields_do_not_follow_the_mapping_they_were_made_of() -> None:
    values = {"a": 1}
    fields = Fields(values)
    values["a"] = 2
    assert dict(fields) == {"a": 1}
    assert repr(fields) == "Fields({'a': 1})"
    assert not Fields()
    assert len(fields) == 1


def test_an_item_is_hashable_and_one_with_a_json_schema_is_not() -> None:
    item = MessageItem(role="user", content=(InputText(text="x"),))
    assert hash(item) == hash(MessageItem(role="user", content=(InputText(text="x"),)))
    assert item.id is UNSET
    with pytest.raises(TypeError):
        hash(FunctionTool(name="f", parameters={}))


def test_the_id_of_an_unknown_item_is_a_text_or_absent() -> None:
    assert UnknownItem(raw=Fields({"id": "a"})).id == "a"
    assert UnknownItem(raw=Fields({"id": 1})).id is UNSET
    assert UnknownItem(raw=Fields({"type": 1})).type is None
