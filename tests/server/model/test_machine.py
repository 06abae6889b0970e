"""The machine as a whole: its one entrance, its clock, the first report, and anything at all."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.model.model_rig import MS, Rig, error, silence, sound, speech, steps, types
from tests.server.model.test_schema import client_events

from bargein import events
from bargein.server.model import score
from bargein.server.model.commands import SendEvent, StartEngine
from bargein.server.model.ids import Ids
from bargein.server.model.inputs import (
    EngineFailed,
    EventReceived,
    FrameReceived,
    Opened,
    PipeClosed,
    Produced,
    Tick,
)
from bargein.server.model.machine import Machine
from bargein.server.model.options import Limits, Options
from bargein.server.model.vad import EnergyVad


def test_the_first_report_comes_out_when_a_client_sends_what_its_client_sent() -> None:
    # Report 000: on speech the client sends a bare cancel and a truncate without its numbers. The
    # fault of shape overtakes the refusal of the cancel, which was sent first.
    rig = Rig(options=Options(processing_us=70 * MS))
    rig.wait(100)
    response = rig.say("response.create") + rig.wait(70)
    response_id = response[0]["response"]["id"]
    made = rig.produce(
        response_id,
        score.OpenMessage(),
        score.OpenPart("audio"),
        score.SayText("¿En qué puedo ayudarte hoy?"),
        sound(250),
        sound(250),
        sound(250),
        final=False,
    )
    item_id = made[0]["item"]["id"]
    rig.append(speech(100))
    log = rig.wait(100)
    log += rig.say("response.cancel")
    log += rig.say("conversation.item.truncate", item_id=item_id)
    log += rig.append(silence(20))
    log += rig.wait(200)
    assert types(log) == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "error",
        "rate_limits.updated",
        "error",
    ]
    refusals = [event["error"] for event in log if event["type"] == "error"]
    assert refusals == [
        {
            "type": "invalid_request_error",
            "code": "missing_required_parameter",
            "message": "Missing required parameter: 'content_index'.",
            "param": "content_index",
            "event_id": None,
        },
        {
            "type": "invalid_request_error",
            "code": "response_cancel_not_active",
            "message": "Cancellation failed: no active response found",
            "param": None,
            "event_id": None,
        },
    ]
    assert not rig.machine.ended


def test_session_created_is_first_and_shows_the_time_it_ends() -> None:
    rig = Rig("gpt-realtime-2.1")
    assert types(rig.log) == ["session.created"]
    assert list(rig.log[0])[:2] == ["type", "event_id"]
    assert rig.log[0]["session"]["expires_at"] == 1_785_460_927


def test_nothing_happens_before_a_client_is_admitted() -> None:
    machine = Machine(ids=Ids(itertools.count().__next__), detector=EnergyVad())
    assert machine.deadline_us is None and machine.memory == ()
    assert machine.handle(FrameReceived('{"type":"response.create"}'), now_us=0) == []
    assert machine.handle(PipeClosed(), now_us=0) == []
    assert machine.handle(Opened("gpt-realtime", 0), now_us=0) == []


def test_steps_play_at_their_times_also_when_the_tick_is_late() -> None:
    rig = Rig()
    response_id = rig.respond()
    rig.produce(
        response_id,
        score.OpenMessage(),
        score.OpenPart("audio"),
        sound(10),
        every_us=100 * MS,
        final=False,
    )
    assert rig.machine.deadline_us == rig.now_us + 100 * MS
    assert types(rig.give(Tick(), after_us=250 * MS)) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
    ]
    assert types(rig.give(Tick(), after_us=50 * MS)) == ["response.output_audio.delta"]


def test_what_is_due_is_done_before_an_input_that_comes_later() -> None:
    rig = Rig()
    response_id = rig.respond()
    made = (score.OpenMessage(), score.OpenPart("audio"), sound(100))
    rig.produce(response_id, *made, every_us=10 * MS, final=False)
    rig.now_us += 500 * MS
    sent = rig.say("response.cancel")
    assert "response.output_audio.delta" in types(sent)
    assert types(sent)[-1] == "response.done"


def test_time_that_runs_backwards_stands_still() -> None:
    rig = Rig()
    rig.wait(1_000)
    rig.now_us = 0
    commands = rig.machine.handle(FrameReceived('{"type":"response.create"}'), now_us=0)
    rig.note([])
    assert any(isinstance(command, StartEngine) for command in commands)


def test_events_wait_their_turn_and_keep_their_order() -> None:
    rig = Rig(options=Options(processing_us=10 * MS))
    assert rig.say("input_audio_buffer.clear") == []
    rig.now_us += 5 * MS
    assert rig.say("response.create") == []
    assert types(rig.wait(5)) == ["input_audio_buffer.cleared"]
    assert types(rig.wait(5)) == ["response.created"]


def test_a_session_ends_after_its_time_with_an_error_and_close_1001() -> None:
    rig = Rig()
    response_id, _ = rig.speaking(100)
    sent = rig.wait(3_600_000)
    message = "Your session hit the maximum duration of 60 minutes."
    assert error(sent)["message"] == message and error(sent)["event_id"] is None
    assert rig.closed is not None
    assert (rig.closed.code, rig.closed.reason) == (1001, message)
    assert rig.stopped == [response_id] and rig.machine.ended
    assert rig.say("response.create") == [] and rig.machine.deadline_us is None


def test_a_client_that_is_gone_stops_its_engines() -> None:
    rig = Rig(options=Options(processing_us=MS))
    rig.say("response.create")
    rig.wait(1)
    rig.say("response.cancel")
    assert rig.give(PipeClosed()) == []
    assert rig.stopped == [rig.started[0].response_id]
    assert rig.machine.ended and rig.machine.deadline_us is None


@pytest.mark.parametrize("end", ["the client is gone", "the time is up"])
def test_no_response_runs_in_a_session_that_has_ended(end: str) -> None:
    rig = Rig()
    running = [rig.respond(conversation="none"), rig.speaking(100)[0]]
    assert list(rig.machine.running_response_ids) == running
    if end == "the client is gone":
        rig.give(PipeClosed())
    else:
        rig.wait(3_600_000)
    assert rig.machine.ended
    assert list(rig.machine.running_response_ids) == []
    assert rig.stopped == running
    rig.give(PipeClosed())
    assert rig.stopped == running
    assert rig.machine.memory != (), "the conversation can still be read"


def test_a_broken_engine_fails_the_response_without_an_error_event() -> None:
    rig = Rig()
    response_id, _ = rig.speaking(100)
    failure = EngineFailed(response_id, "server_error", "broken", "It broke.")
    sent = rig.give(failure)
    assert "error" not in types(sent)
    response = sent[-1]["response"]
    assert (response["status"], response["output"][0]["status"]) == ("failed", "incomplete")
    assert response["status_details"] == {
        "type": "failed",
        "error": {"type": "server_error", "code": "broken", "message": "It broke."},
    }
    assert rig.give(failure) == []


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(["server_vad", "message", "user", "AAAA", "realtime", "function_call"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "type session item audio input output format content role id response event_id "
                "tools item_id content_index audio_end_ms turn_detection metadata".split()
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
TYPES = [events.type_of(cls) for cls in events.ClientEvent.__args__]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*TYPES, "nope", ""]), st.dictionaries(st.text(), json_values)
        ).map(lambda two: json.dumps({"type": two[0], **two[1]}))
        | json_values.map(json.dumps)
        | st.text(st.characters(), max_size=30)
        | st.binary(max_size=10),
        max_size=5,
    )
)
@settings(max_examples=300, deadline=None)
def test_no_frame_makes_it_raise_and_each_is_answered_or_obeyed(frames: list[str | bytes]) -> None:
    rig = Rig()
    for frame in frames:
        for event in rig.give(FrameReceived(frame)):
            assert events.decode_server(json.dumps(event))
    assert not rig.machine.ended


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "null",
        "[]",
        "3",
        '{"type":7}',
        '{"type":null}',
        "[" * 100_000,
        '{"type":"session.update","session":' + '{"a":' * 5_000 + "1" + "}" * 5_001,
        '{"type":"conversation.item.truncate","item_id":"x","content_index":0,"audio_end_ms":'
        + "9" * 5_000
        + "}",
        '{"type":"response.cancel","response_id":"\\ud800"}',
        '{"type":"response.cancel","response_id":"\ud800"}',
        '{"type":"input_audio_buffer.append","audio":"AAA"}',
        '{"type":"input_audio_buffer.append","audio":"AAAA","audio":7}',
        '{"type":"response.cancel"}{"type":"response.cancel"}',
    ],
)
def test_a_hostile_frame_gets_one_error(frame: str) -> None:
    assert error(Rig().give(FrameReceived(frame)))["type"] == "invalid_request_error"


class Course:
    """Checks the promises of a session against everything that it says."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.order: list[str] = []
        self.open: dict[str, bool] = {}

    def follow(self, sent: list[dict[str, Any]]) -> None:
        for event in sent:
            getattr(self, "_" + event["type"].replace(".", "_"), lambda _: None)(event)
        assert self.order == [item.id for item in self.rig.machine.memory]
        assert set(self.open) == set(self.rig.machine.running_response_ids)

    def _response_created(self, event: dict[str, Any]) -> None:
        response = event["response"]
        in_band = response["conversation_id"] is not None
        assert response["id"] not in self.open
        assert not (in_band and any(self.open.values())), "two in the default conversation"
        self.open[response["id"]] = in_band

    def _response_done(self, event: dict[str, Any]) -> None:
        assert event["response"]["status"] != "in_progress"
        assert all(item.get("status") != "in_progress" for item in event["response"]["output"])
        del self.open[event["response"]["id"]]

    def _response_output_audio_delta(self, event: dict[str, Any]) -> None:
        assert event["response_id"] in self.open, "a delta after the end"

    def _conversation_item_added(self, event: dict[str, Any]) -> None:
        previous = event["previous_item_id"]
        index = 0 if previous is None else self.order.index(previous) + 1
        self.order.insert(index, event["item"]["id"])

    def _conversation_item_deleted(self, event: dict[str, Any]) -> None:
        self.order.remove(event["item_id"])


ACTIONS: st.SearchStrategy[list[score.Action]] = st.lists(
    st.sampled_from(
        [
            score.OpenMessage(),
            score.OpenPart("audio"),
            score.OpenPart("text"),
            score.SayText("word "),
            sound(40),
            sound(7.3),
            score.ClosePart(),
            score.CloseMessage(),
            score.OpenCall("f"),
            score.Arguments("{}"),
            score.CloseCall(),
            score.EndIncomplete("max_output_tokens"),
            score.EndFailed("server_error", None, "no"),
        ]
    ),
    max_size=8,
)


@given(st.data(), st.sampled_from([0, 30 * MS]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_whatever_comes_whenever_the_promises_hold(
    data: st.DataObject, processing_us: int, interrupts: bool
) -> None:
    options = Options(processing_us=processing_us, limits=Limits(items=12, responses=3))
    rig = Rig(options=options)
    rig.configure(
        {"type": "server_vad", "silence_duration_ms": 64, "interrupt_response": interrupts}
    )
    course = Course(rig)
    for _ in range(data.draw(st.integers(1, 12))):
        what = data.draw(st.integers(0, 6))
        known = [item.id for item in rig.machine.memory] or ["none"]
        running = rig.machine.running_response_ids or ("none",)
        if what == 0:
            course.follow(rig.append(speech(150) if data.draw(st.booleans()) else silence(150)))
        elif what == 1:
            response = {"conversation": data.draw(st.sampled_from(["auto", "none"]))}
            course.follow(rig.say("response.create", response=response))
        elif what == 2 and running != ("none",):
            made = steps(*data.draw(ACTIONS), every_us=data.draw(st.integers(0, 50 * MS)))
            produced = Produced(data.draw(st.sampled_from(running)), made, data.draw(st.booleans()))
            course.follow(rig.give(produced))
        elif what == 3:
            item_id = data.draw(st.sampled_from(known))
            kind = data.draw(st.sampled_from(["truncate", "delete", "retrieve"]))
            numbers = {"content_index": 0, "audio_end_ms": data.draw(st.integers(0, 100))}
            more = numbers if kind == "truncate" else {}
            course.follow(rig.say(f"conversation.item.{kind}", item_id=item_id, **more))
        elif what == 4:
            event = data.draw(client_events())
            course.follow(rig.give(FrameReceived(json.dumps(event))))
        elif what == 5:
            course.follow(
                rig.say("response.cancel", response_id=data.draw(st.sampled_from(running)))
            )
        course.follow(rig.wait(data.draw(st.sampled_from([0, 1, 20, 50, 1_000]))))
    assert not rig.machine.ended
    for part in (part for item in rig.machine.memory for part in item.parts):
        assert 0 <= part.kept_samples <= part.made_samples


def test_the_same_inputs_give_the_same_commands() -> None:
    def run() -> list[dict[str, Any]]:
        rig = Rig()
        rig.spoken(100)
        rig.append(speech(500) + silence(700))
        return rig.log

    assert run() == run()


def test_a_struct_does_what_its_frame_does() -> None:
    one, other = Rig(), Rig()
    event = events.ResponseCreate(event_id="e")
    sent = one.give(EventReceived(event))
    assert sent == other.give(FrameReceived(events.encode(event)))
    assert not any(
        isinstance(command, SendEvent) for command in one.machine.handle(Tick(), now_us=9)
    )


def test_the_second_report_is_acknowledged_in_progress_and_closed_with_its_whole_text() -> None:
    # Report 001: truncate, then cancel without an id, over a reply that is still being made.
    rig = Rig()
    text = "Once upon a time, in a land where the mountains touched the sky"
    _, item_id = rig.speaking(5_000, text=text)
    log = rig.say(
        "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=2_449
    )
    log += rig.say("response.cancel")
    assert types(log) == [
        "conversation.item.truncated",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert log[2]["transcript"] == log[3]["part"]["transcript"] == text
    assert log[5]["item"]["status"] == "incomplete"
    assert log[5]["item"]["content"][0]["transcript"] == text
    details = log[6]["response"]["status_details"]
    assert details == {"type": "cancelled", "reason": "client_cancelled"}
    assert log[6]["response"]["usage"]["output_token_details"]["audio_tokens"] == 100
    assert rig.machine.memory[0].parts[0].kept_samples == 2_449 * 24
