"""The shapes that a client may send are shapes of the vocabulary, and the other way round."""

from __future__ import annotations

import json
import string
from typing import Any, assert_never

import pybase64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.image_files import png
from tests.server.model.model_rig import Rig, error

from bargein import events
from bargein.server.model import schema as shapes
from bargein.server.model import validate as v

_TEXTS = st.text(string.ascii_letters, max_size=8)


def values(schema: v.Schema) -> st.SearchStrategy[Any]:
    """JSON values that the schema allows."""
    match schema:
        case v.Text():
            return st.sampled_from(schema.choices) if schema.choices else _TEXTS
        case v.Whole():
            return st.integers(schema.least or 0, min(schema.most or 9, 2**31 - 1))
        case v.Decimal():
            return st.floats(schema.least, schema.most, width=32) | st.just(1)
        case v.Flag():
            return st.booleans()
        case v.Null():
            return st.none()
        case v.Audio():
            return st.binary(min_size=2, max_size=8).map(lambda b: pybase64.b64encode(b).decode())
        case v.Image():
            return st.just(png(1, 1))
        case v.Modalities():
            return st.sampled_from([["text"], ["audio"]])
        case v.Free():
            return st.fixed_dictionaries({}, optional={"a": st.lists(st.integers(), max_size=2)})
        case v.Record():
            required = {name: values(schema.fields[name]) for name in schema.required}
            optional = {n: values(s) for n, s in schema.fields.items() if n not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case v.Tagged():
            return st.one_of([tagged(schema.tag, tag, rec) for tag, rec in schema.records.items()])
        case v.Array():
            return st.lists(values(schema.item), max_size=2)
        case v.Pairs():
            return st.dictionaries(_TEXTS, _TEXTS, max_size=2)
        case v.Either():
            return st.one_of([values(each) for each in schema.by_type.values()])
        case _:
            assert_never(schema)


def tagged(name: str, value: str, record: v.Schema) -> st.SearchStrategy[Any]:
    return values(record).map(lambda made: {**made, name: value})


def items(kinds: Any) -> st.SearchStrategy[Any]:
    return st.one_of([tagged("type", name, kind) for name, kind in kinds.items()])


def client_events() -> st.SearchStrategy[dict[str, Any]]:
    """Client events of the right shape."""

    def filled(name: str, record: v.Record) -> st.SearchStrategy[dict[str, Any]]:
        made = values(record).map(lambda value: {**value, "type": name})
        if name == "conversation.item.create":
            return st.tuples(made, items(shapes._ITEMS)).map(lambda two: {**two[0], "item": two[1]})
        if name == "response.create":
            given_input = st.lists(items(shapes._INPUT_ITEMS), max_size=2)

            def with_input(two: tuple[dict[str, Any], list[Any]]) -> dict[str, Any]:
                event, given_items = two
                if event.get("response") and "input" in event["response"]:
                    event["response"]["input"] = given_items
                return event

            return st.tuples(made, given_input).map(with_input)
        return made

    return st.one_of([filled(n, r) for n, r in shapes.EVENTS.items() if r is not None])


@given(client_events())
@settings(max_examples=300, deadline=None)
def test_what_has_the_right_shape_is_exactly_in_the_vocabulary(event: dict[str, Any]) -> None:
    shapes.check_event(event)
    decoded = events.decode_client(json.dumps(event))
    assert not isinstance(decoded, events.Malformed | events.Unknown), decoded
    # A transcription session has fewer fields; it is refused whatever it says.
    if event.get("session", {}).get("type") != "transcription":
        assert events.oddities(decoded) == ()
    # Structs go through the same check as frames.
    shapes.check_event(json.loads(events.encode(decoded)))


def test_the_events_are_those_of_the_vocabulary_but_for_webrtc_and_translation() -> None:
    ours = {name for name, record in shapes.EVENTS.items() if record is not None}
    vocabulary = {events.type_of(cls) for cls in events.ClientEvent.__args__}
    assert vocabulary - ours == {"output_audio_buffer.clear"}
    assert ours < vocabulary


@pytest.mark.parametrize(
    ("record", "struct"),
    [
        (shapes._SESSION.records["realtime"], events.Session),
        (shapes._SESSION.records["transcription"], events.TranscriptionSession),
        (shapes._RESPONSE, events.ResponseParams),
        (shapes._FUNCTION_TOOL, events.FunctionTool),
        (shapes._MCP_TOOL, events.McpTool),
        (shapes._ITEMS["mcp_approval_response"], events.McpApprovalResponseItem),
        (shapes._TRANSCRIPTION, events.Transcription),
        (shapes._TURN_DETECTION.records["server_vad"], events.ServerVad),
        (shapes._TURN_DETECTION.records["semantic_vad"], events.SemanticVad),
    ],
)
def test_a_record_has_the_fields_of_its_struct(record: v.Record, struct: type[Any]) -> None:
    assert set(record.fields) - {"type"} == set(struct.__struct_fields__) - {"extra"}


def test_output_audio_buffer_clear_is_an_unknown_type_over_websocket() -> None:
    body = error(Rig().say("output_audio_buffer.clear"))
    assert body["code"] == "invalid_value" and body["param"] == "type"
    assert body["message"].startswith(
        "Invalid value: 'output_audio_buffer.clear'. Supported values are: 'session.update', "
        "'session.close', 'input_audio_buffer.append', 'session.input_audio_buffer.append', "
    )
    assert body["message"].endswith("'response.create', and 'response.cancel'.")


def test_the_list_for_a_users_part_leaves_out_the_image_that_is_taken() -> None:
    rig = Rig()

    def create(part: dict[str, Any]) -> list[dict[str, Any]]:
        item = {"type": "message", "role": "user", "content": [part]}
        return rig.say("conversation.item.create", item=item)

    body = error(create({"type": "text", "text": "a"}))
    supported = "Supported values are: 'input_text' and 'input_audio'."
    assert body["message"] == f"Invalid value: 'text'. {supported}"
    assert len(create({"type": "input_image", "image_url": png(1, 1)})) == 2


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"role": "user", "content": []}, "item.type"),
        ({"type": "message", "content": []}, "item.role"),
        ({"type": "message", "role": "user"}, "item.content"),
        (
            {"type": "message", "role": "user", "content": [{"type": "input_audio"}]},
            "item.content[0].audio",
        ),
        ({"type": "function_call_output", "content": "x", "role": "tool"}, "item.call_id"),
        ({"type": "function_call", "name": "f"}, "item.arguments"),
    ],
)
def test_what_an_item_lacks_is_named_by_its_path(item: dict[str, Any], path: str) -> None:
    body = error(Rig().say("conversation.item.create", item=item))
    assert (body["code"], body["param"]) == ("missing_required_parameter", path)


@pytest.mark.parametrize("path", ["session", "session.type", "session.tools[0].name"])
def test_what_a_session_lacks_is_named_by_its_path(path: str) -> None:
    sessions: dict[str, dict[str, Any]] = {
        "session": {},
        "session.type": {"session": {"instructions": "x"}},
        "session.tools[0].name": {"session": {"type": "realtime", "tools": [{"type": "function"}]}},
    }
    body = error(Rig().say("session.update", **sessions[path]))
    assert (body["code"], body["param"]) == ("missing_required_parameter", path)


def test_a_session_of_another_kind_is_named_with_the_two_that_there_are() -> None:
    body = error(Rig().say("session.update", session={"type": "session"}))
    assert body["message"] == (
        "Invalid value: 'session'. Supported values are: 'realtime' and 'transcription'."
    )


def test_a_length_in_fractions_of_a_millisecond_is_no_integer() -> None:
    body = error(
        Rig().say("conversation.item.truncate", item_id="x", content_index=0, audio_end_ms=700.5)
    )
    assert body["message"] == (
        "Invalid type for 'audio_end_ms': expected an integer, but got a decimal instead."
    )


def test_a_reference_to_an_item_has_no_field_but_its_name() -> None:
    reference = {"type": "item_reference", "id": "x", "status": "completed"}
    body = error(Rig().say("response.create", response={"input": [reference]}))
    assert (body["code"], body["param"]) == ("unknown_parameter", "response.input[0].status")
