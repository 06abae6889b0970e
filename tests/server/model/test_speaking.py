"""Responses beside and after each other, on time, and what they cost."""

from __future__ import annotations

import pytest
from tests.server.model.model_rig import MS, Rig, error, sound, steps, types

from bargein import events
from bargein.server.model import score
from bargein.server.model.inputs import EngineFailed, Produced
from bargein.server.model.options import Limits, Options

SPOKEN = (score.OpenMessage(), score.OpenPart("audio"), sound(100))


def test_created_shows_the_response_before_it_begins() -> None:
    rig = Rig()
    rig.say("response.create", response={"max_output_tokens": 5})
    response = rig.log[-1]["response"]
    assert response == {
        "object": "realtime.response",
        "id": rig.started[0].response_id,
        "status": "in_progress",
        "status_details": None,
        "output": [],
        "conversation_id": response["conversation_id"],
        "output_modalities": ["audio"],
        "max_output_tokens": 5,
        "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"}},
        "usage": None,
        "metadata": None,
    }
    assert response["conversation_id"].startswith("conv_")


def test_the_engine_is_told_the_conversation_and_the_effective_parameters() -> None:
    rig = Rig()
    rig.configure(None, instructions="Be brief.")
    user = rig.user_says("Hi")
    rig.respond(max_output_tokens=5)
    start = rig.started[0]
    assert [item.id for item in start.context] == [user]
    assert start.params.instructions == "Be brief." and start.params.max_output_tokens == 5


def test_input_replaces_the_conversation_for_one_response() -> None:
    rig = Rig()
    user = rig.user_says("Hi")
    rig.user_says("Bye")
    message = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "Other"}],
    }
    rig.respond(conversation="none", input=[{"type": "item_reference", "id": user}, message])
    rig.respond(conversation="none", input=[])
    texts = [
        part.text
        for item in rig.started[0].context
        if isinstance(item, events.MessageItem)
        for part in item.content
        if isinstance(part, events.InputText)
    ]
    assert texts == ["Hi", "Other"]
    assert rig.started[1].context == ()
    assert len(rig.machine.memory) == 2


def test_responses_out_of_band_run_beside_the_one_in_the_conversation() -> None:
    rig = Rig()
    aside, other = rig.respond(conversation="none"), rig.respond(conversation="none")
    main = rig.respond()
    assert rig.machine.running_response_ids == (aside, other, main)
    assert error(rig.say("response.create"))["code"] == "conversation_already_has_active_response"
    rig.produce(main)
    rig.respond()


def test_steps_of_two_responses_play_in_the_order_of_time() -> None:
    rig = Rig()
    one, two = rig.respond(), rig.respond(conversation="none")
    rig.give(Produced(one, steps(*SPOKEN, every_us=20 * MS), False))
    rig.give(Produced(two, steps(*SPOKEN, every_us=30 * MS), False))
    sent = [e["response_id"] for e in rig.wait(100) if "response_id" in e]
    assert sent == [one, two, one, one, two, two]


def test_a_step_waits_for_the_one_before_or_the_arrival_whichever_is_later() -> None:
    rig = Rig()
    response_id = rig.respond()
    rig.give(Produced(response_id, steps(*SPOKEN[:2], every_us=10 * MS), False))
    rig.give(Produced(response_id, steps(sound(1), every_us=10 * MS), False))
    assert types(rig.wait(29))[-1] == "response.content_part.added"
    assert types(rig.wait(1)) == ["response.output_audio.delta"]
    rig.wait(500)
    rig.give(Produced(response_id, steps(sound(1), every_us=10 * MS), False))
    assert rig.wait(9) == [] and len(rig.wait(1)) == 1


def test_a_response_ends_with_its_last_step_and_not_before() -> None:
    rig = Rig()
    response_id = rig.respond()
    rig.give(Produced(response_id, steps(*SPOKEN, every_us=10 * MS), True))
    assert "response.done" not in types(rig.wait(29))
    assert types(rig.wait(1))[-1] == "response.done"
    assert rig.stopped == []


def test_an_empty_response_is_completed() -> None:
    rig = Rig()
    sent = rig.produce(rig.respond())
    assert types(sent) == ["response.done"]
    assert (sent[0]["response"]["status"], sent[0]["response"]["output"]) == ("completed", [])


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_an_incomplete_response_names_its_reason(reason: str) -> None:
    rig = Rig()
    end = score.EndIncomplete(reason)  # type: ignore[arg-type]  # the two reasons of the type
    sent = rig.produce(rig.respond(), *SPOKEN, end)
    response = sent[-1]["response"]
    assert response["status_details"] == {"type": "incomplete", "reason": reason}
    assert (response["status"], response["output"][0]["status"]) == ("incomplete", "incomplete")


def test_an_incomplete_call_is_closed_with_what_there_is_of_it() -> None:
    rig = Rig()
    sent = rig.produce(
        rig.respond(),
        score.OpenCall("pay"),
        score.Arguments('{"to":"bob","amount":10'),
        score.EndIncomplete("max_output_tokens"),
    )
    assert sent[-2]["item"]["status"] == "incomplete"
    assert sent[-2]["item"]["arguments"] == '{"to":"bob","amount":10'


def test_a_failed_response_tells_its_error_in_done_only() -> None:
    rig = Rig()
    end = score.EndFailed("invalid_request_error", "rate_limit_exceeded", "Rate limit reached")
    sent = rig.produce(rig.respond(), end)
    assert types(sent) == ["response.done"]
    details = sent[0]["response"]["status_details"]
    assert details["error"]["code"] == "rate_limit_exceeded"
    assert sent[0]["response"]["usage"]["total_tokens"] == 0


def test_the_engine_is_told_which_items_were_cut() -> None:
    rig = Rig()
    _, whole = rig.spoken(1_000)
    _, cut = rig.spoken(1_000)
    rig.say("conversation.item.truncate", item_id=cut, content_index=0, audio_end_ms=500)
    rig.respond()
    assert [item.id for item in rig.started[-1].context] == [whole, cut]
    assert rig.started[-1].cut_item_ids == {cut}


def test_what_the_engine_counted_is_what_the_response_is_said_to_have_cost() -> None:
    rig = Rig()
    sent = rig.produce(rig.respond(), *SPOKEN, score.Cost(700, 9), score.Cost(701, 10))
    used = next(event for event in sent if event["type"] == "response.done")["response"]["usage"]
    assert used["input_tokens"] == 701
    assert used["output_token_details"]["text_tokens"] == 10


def test_after_the_end_the_engine_is_not_listened_to() -> None:
    rig = Rig()
    response_id = rig.respond()
    rig.produce(response_id, *SPOKEN)
    assert rig.produce(response_id, sound(10)) == []
    assert rig.give(EngineFailed(response_id, "server_error", None, "late")) == []
    assert rig.give(Produced("resp_unknown", (), True)) == []


def test_an_engine_too_far_ahead_is_stopped() -> None:
    rig = Rig(options=Options(limits=Limits(waiting_steps=3)))
    response_id = rig.respond()
    sent = rig.give(Produced(response_id, steps(*[sound(10)] * 4, every_us=MS), False))
    assert sent[-1]["response"]["status"] == "failed" and rig.stopped == [response_id]


def test_rate_limits_come_a_while_after_done_and_fall_with_what_was_used() -> None:
    rig = Rig()
    rig.produce(rig.respond(), *SPOKEN)
    assert rig.wait(42) == []
    sent = rig.wait(1)
    assert types(sent) == ["rate_limits.updated"]
    limit = sent[0]["rate_limits"][0]
    assert limit["name"] == "tokens" and limit["remaining"] < limit["limit"]
    rig.produce(rig.respond(), *SPOKEN)
    assert rig.wait(43)[0]["rate_limits"][0]["remaining"] < limit["remaining"]


def test_an_output_format_of_one_response_is_the_format_of_its_audio() -> None:
    rig = Rig()
    response_id = rig.respond(audio={"output": {"format": {"type": "audio/pcmu"}}})
    rig.produce(response_id, score.OpenMessage(), score.OpenPart("audio"), score.Sound(bytes(801)))
    part = rig.machine.memory[0].parts[0]
    assert part.kept_samples == 801
    item_id = rig.machine.memory[0].id
    ask = {"item_id": item_id, "content_index": 0}
    error(rig.say("conversation.item.truncate", **ask, audio_end_ms=101))
    rig.say("conversation.item.truncate", **ask, audio_end_ms=100)
    assert rig.machine.memory[0].parts[0].kept_samples == 800
