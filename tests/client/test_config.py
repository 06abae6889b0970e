"""From the arguments of `connect` to what the service is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bargein import events
from bargein.capabilities import Capabilities
from bargein.client.config import (
    PushToTalk,
    Turns,
    check_barge_in,
    check_capabilities,
    client_event,
    merged_session,
    response_params,
    socket_url,
    turn_detection_of,
)
from bargein.core.interruption import refusal
from bargein.core.settings import BargeIn
from bargein.errors import LocalProtocolError, LocalValueError
from bargein.events import codec

VAD = {"type": "server_vad", "threshold": 0.7, "silence_duration_ms": 300}


def wire(session: events.Session) -> Any:
    plain = msgspec.json.decode(codec.encode(events.SessionUpdate(session=session)))["session"]
    plain.pop("type")
    return plain


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://api.openai.com/v1", "wss://api.openai.com/v1/realtime?model=m"),
        ("https://api.openai.com/v1/", "wss://api.openai.com/v1/realtime?model=m"),
        ("http://127.0.0.1:80/v1", "ws://127.0.0.1:80/v1/realtime?model=m"),
        ("http://[::1]:8/v1", "ws://[::1]:8/v1/realtime?model=m"),
        ("wss://host/openai/v1/realtime", "wss://host/openai/v1/realtime?model=m"),
        ("wss://host/v1/realtime?model=other&x=", "wss://host/v1/realtime?model=other&x="),
        ("wss://host/v1/realtime?call_id=rtc_1", "wss://host/v1/realtime?call_id=rtc_1"),
        ("https://host/v1?api-version=2", "wss://host/v1/realtime?api-version=2&model=m"),
    ],
)
def test_the_socket_is_under_the_base_address(base: str, url: str) -> None:
    assert socket_url(base, "m") == url


def test_a_model_with_odd_characters_is_quoted() -> None:
    assert socket_url("ws://h/v1", "a b&c") == "ws://h/v1/realtime?model=a+b%26c"


@pytest.mark.parametrize(
    "base", ["", "host/v1", "ftp://host", "http://", "http://h:port/", "http://[::1/v1"]
)
def test_an_address_that_is_none_is_refused(base: str) -> None:
    with pytest.raises(LocalValueError, match="url"):
        socket_url(base, "m")


def test_an_address_with_a_password_is_refused_without_showing_it() -> None:
    with pytest.raises(LocalValueError, match="api_key") as raised:
        socket_url("https://user:hunter22@host/v1", "m")
    assert "hunter" not in str(raised.value)


def test_an_empty_model_is_refused() -> None:
    with pytest.raises(LocalValueError, match="model"):
        socket_url("https://host/v1", "")


def test_nothing_said_leaves_everything_to_the_service() -> None:
    assert merged_session(None) == events.Session()


def test_friendly_arguments_lie_over_the_raw_session() -> None:
    raw = {
        "instructions": "raw",
        "max_output_tokens": 7,
        "audio": {"input": {"turn_detection": VAD}, "output": {"speed": 1.5, "voice": "alloy"}},
    }
    session = merged_session(
        raw,
        instructions="mine",
        voice="marin",
        turns=events.ServerVad(threshold=0.2),
        tools=[{"type": "function", "name": "f"}],
    )
    assert wire(session) == {
        "instructions": "mine",
        "max_output_tokens": 7,
        "tools": [{"type": "function", "name": "f"}],
        "audio": {
            "input": {"turn_detection": {**VAD, "threshold": 0.2}},
            "output": {"speed": 1.5, "voice": "marin"},
        },
    }
    assert raw["instructions"] == "raw", "what the caller gave is not changed"


def test_turns_of_another_kind_replace_the_raw_ones_whole() -> None:
    raw = {"audio": {"input": {"turn_detection": VAD}}}
    session = merged_session(raw, turns=events.SemanticVad(eagerness="low"))
    detection = {"type": "semantic_vad", "eagerness": "low"}
    assert wire(session) == {"audio": {"input": {"turn_detection": detection}}}
    assert turn_detection_of(merged_session(raw, turns=PushToTalk())) is None


def test_fields_that_nobody_knows_yet_reach_the_service() -> None:
    assert wire(merged_session({"new_field": {"a": [1]}})) == {"new_field": {"a": [1]}}


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ({"model": "m"}, "session.model"),
        ({"type": "transcription"}, "session.type"),
        ({"instructions": 5}, "instructions"),
        ({"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": "x"}}}}, "thr"),
        ({"instructions": object()}, "JSON"),
        ({"instructions": "\ud800"}, "JSON"),
    ],
)
def test_a_session_that_cannot_be_is_refused_by_the_name_of_its_field(
    raw: dict[str, Any], names: str
) -> None:
    with pytest.raises(LocalValueError, match=names):
        merged_session(raw)


@pytest.mark.parametrize("ms", [-1, 10_001])
def test_a_pre_roll_that_cannot_be_is_refused(ms: int) -> None:
    with pytest.raises(LocalValueError, match="pre_roll_ms"):
        PushToTalk(pre_roll_ms=ms)


@pytest.mark.parametrize(
    "turns",
    [
        None,
        events.ServerVad(),
        events.ServerVad(interrupt_response=True),
        events.ServerVad(interrupt_response=None),
        events.SemanticVad(),
    ],
)
def test_keep_talking_is_refused_where_the_service_cuts_by_itself(turns: Turns | None) -> None:
    with pytest.raises(LocalProtocolError) as raised:
        check_barge_in("keep_talking", merged_session(None, turns=turns))
    assert str(raised.value) == refusal("keep_talking", service_cancels=True)
    check_barge_in("cut", merged_session(None, turns=turns))


@pytest.mark.parametrize(
    "turns",
    [
        PushToTalk(),
        events.ServerVad(interrupt_response=False),
        events.SemanticVad(interrupt_response=False),
    ],
)
def test_keep_talking_is_possible_where_only_the_client_cuts(turns: Turns) -> None:
    check_barge_in("keep_talking", merged_session(None, turns=turns))


def test_a_barge_in_that_is_none_is_refused() -> None:
    wrong: BargeIn = "duck"  # type: ignore[assignment]  # that is the test
    with pytest.raises(LocalValueError, match="barge_in: 'duck'"):
        check_barge_in(wrong, events.Session())


def test_an_event_may_be_given_as_plain_values_or_from_the_vocabulary() -> None:
    plain = {"type": "response.cancel", "response_id": "r"}
    assert client_event(plain) == events.ResponseCancel(response_id="r")
    assert client_event(events.ResponseCancel()) == events.ResponseCancel()


@pytest.mark.parametrize(
    ("event", "names"),
    [
        ({}, "type"),
        ({"type": "session.created"}, "session.created"),
        ({"type": "conversation.item.delete"}, "item_id"),
        ({"type": "response.create", "response": {"instructions": {1, 2}.__iter__}}, "JSON"),
        (events.ConversationItemDelete(item_id="\ud800"), "Unicode"),
    ],
)
def test_what_is_no_client_event_is_refused_before_anything_is_sent(event: Any, names: str) -> None:
    with pytest.raises(LocalValueError, match=names):
        client_event(event)


def an_output(**given: Any) -> dict[str, Any]:
    item = {"type": "function_call_output", "call_id": "call_1", "output": "rain", **given}
    return {"type": "conversation.item.create", "item": item}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"call_id": None}, "item.call_id: expected a string"),
        ({"call_id": ""}, "item.call_id: is empty"),
        ({"output": None}, "item.output: is null"),
        ({"output": {"sky": "grey"}}, "item.output: expected a string, got an object"),
        ({"type": None}, "item.type: missing"),
    ],
)
def test_a_result_that_the_service_would_refuse_is_refused_before_it_is_sent(
    given: dict[str, Any], says: str
) -> None:
    with pytest.raises(LocalProtocolError, match=says):
        client_event(an_output(**given))
    if "type" not in given:
        item = events.FunctionCallOutputItem(**{"call_id": "call_1", "output": "rain", **given})
        with pytest.raises(LocalProtocolError, match=says):
            client_event(events.ConversationItemCreate(item=item))


def test_a_response_without_wishes_has_no_parameters() -> None:
    assert response_params(None, None) is None
    assert response_params({}, None) is None
    assert response_params({"conversation": "none"}, "be brief") == events.ResponseParams(
        conversation="none", instructions="be brief"
    )
    with pytest.raises(LocalValueError, match="max_output_tokens"):
        response_params({"max_output_tokens": []}, None)


@pytest.mark.parametrize(
    ("capabilities", "named"),
    [
        (Capabilities(playback_owner="server"), "playback_owner: 'server'"),
        (Capabilities(lengths_grid_ms=0), "lengths_grid_ms: 0"),
    ],
)
def test_capabilities_that_cannot_be_driven_are_refused(
    capabilities: Capabilities, named: str
) -> None:
    check_capabilities(Capabilities(lengths_grid_ms=50))
    with pytest.raises(LocalValueError, match=named):
        check_capabilities(capabilities)


@pytest.mark.parametrize("turns", ["server_vad", events.ServerVad, {"type": "server_vad"}])
def test_turns_that_are_no_turns_are_named(turns: Any) -> None:
    with pytest.raises(LocalValueError, match=r"turns: .*ServerVad\(\)"):
        merged_session(None, turns=turns)
