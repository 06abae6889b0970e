"""The order of a response's events, as in the recordings (protocol.md §4.2 to §4.6)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.model.model_rig import Rig, sound, types

from bargein.server.model import score

TEXT = [
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
CUT_SHORT = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]


def test_a_text_turn_climbs_the_recorded_ladder() -> None:
    rig = Rig()
    rig.configure(output_modalities=["text"])
    user = rig.user_says("Hi")
    response_id = rig.respond()
    sent = rig.produce(
        response_id,
        score.OpenMessage(),
        score.OpenPart("text"),
        score.SayText("Good "),
        score.SayText("day."),
    )
    assert types(sent) == TEXT
    added, text_done, part_done, item_done = sent[1], sent[5], sent[6], sent[7]
    assert added["previous_item_id"] == user
    assert added["item"]["status"] == "in_progress" and added["item"]["content"] == []
    assert text_done["text"] == "Good day."
    assert part_done["part"] == {"type": "text", "text": "Good day."}
    assert item_done["item"]["content"] == [{"type": "output_text", "text": "Good day."}]
    assert sent[8]["item"] == item_done["item"]
    done = sent[9]["response"]
    assert done["status"] == "completed" and done["status_details"] is None
    assert done["output"] == [item_done["item"]]
    assert types(rig.wait(50)) == ["rate_limits.updated"]


def test_an_audio_turn_closes_audio_before_transcript_before_part() -> None:
    rig = Rig()
    sent = rig.produce(
        rig.respond(),
        score.OpenMessage(),
        score.OpenPart("audio"),
        score.SayText("Hello"),
        sound(100),
        sound(50),
    )
    assert types(sent) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.delta",
        *CUT_SHORT,
    ]
    assert sent[2]["part"] == {"type": "audio", "transcript": ""}
    assert sent[7]["transcript"] == "Hello"
    assert sent[9]["item"]["status"] == "completed"
    assert sent[9]["item"]["content"] == [{"type": "output_audio", "transcript": "Hello"}]


def test_item_done_hides_its_predecessor_only_behind_the_first_item() -> None:
    rig = Rig()
    first = rig.user_says("one")
    said = (score.OpenMessage(), score.OpenPart("audio"), sound(20))
    sent = rig.produce(rig.respond(), *said)
    item_done = next(e for e in sent if e["type"] == "conversation.item.done")
    assert sent[1]["previous_item_id"] == first and item_done["previous_item_id"] is None
    second = sent[0]["item"]["id"]
    sent = rig.produce(rig.respond(), *said)
    item_done = next(e for e in sent if e["type"] == "conversation.item.done")
    assert sent[1]["previous_item_id"] == item_done["previous_item_id"] == second


def test_a_call_alone_climbs_the_recorded_ladder() -> None:
    rig = Rig()
    sent = rig.produce(
        rig.respond(),
        score.OpenCall("weather"),
        score.Arguments('{"city":'),
        score.Arguments('"Rom"}'),
        score.CloseCall(),
    )
    assert types(sent) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    call = sent[0]["item"]
    assert (call["status"], call["name"], call["arguments"]) == ("in_progress", "weather", "")
    done = sent[4]
    assert (done["call_id"], done["name"], done["arguments"]) == (
        call["call_id"],
        "weather",
        '{"city":"Rom"}',
    )
    assert sent[5]["item"] == {**call, "status": "completed", "arguments": '{"city":"Rom"}'}


def test_a_message_before_a_call_stays_open_until_the_end() -> None:
    rig = Rig("gpt-realtime-2.1")
    sent = rig.produce(
        rig.respond(output_modalities=["text"]),
        score.OpenMessage("commentary"),
        score.OpenPart("text"),
        score.SayText("Wait."),
        score.OpenCall("weather"),
        score.Arguments("{}"),
        score.CloseCall(),
    )
    assert types(sent)[4:] == [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert sent[0]["item"]["phase"] == "commentary"
    assert [item["type"] for item in sent[-1]["response"]["output"]] == ["message", "function_call"]


def test_two_calls_have_indexes_and_call_ids_of_their_own() -> None:
    rig = Rig()
    sent = rig.produce(
        rig.respond(),
        score.OpenCall("a"),
        score.CloseCall(),
        score.OpenCall("b"),
        score.Arguments("{}"),
    )
    opened = [e for e in sent if e["type"] == "response.output_item.added"]
    assert [e["output_index"] for e in opened] == [0, 1]
    assert opened[0]["item"]["call_id"] != opened[1]["item"]["call_id"]


def test_a_second_part_and_a_second_message_close_the_ones_before() -> None:
    rig = Rig()
    sent = rig.produce(
        rig.respond(),
        score.OpenMessage(),
        score.OpenPart("text"),
        score.SayText("a"),
        score.OpenPart("audio"),
        sound(30),
        score.OpenMessage(),
    )
    assert types(sent)[4:7] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.content_part.added",
    ]
    audio = next(e for e in sent if e["type"] == "response.output_audio.delta")
    assert audio["content_index"] == 1
    first_done = types(sent).index("response.output_item.done")
    assert types(sent)[first_done + 1] == "response.output_item.added"


def test_a_cancelled_response_closes_what_is_open_as_incomplete() -> None:
    rig = Rig()
    response_id, item_id = rig.speaking(500, text="Once upon a time")
    sent = rig.say("response.cancel", response_id=response_id)
    assert types(sent) == CUT_SHORT
    assert sent[1]["transcript"] == "Once upon a time"
    assert sent[3]["item"]["status"] == sent[4]["item"]["status"] == "incomplete"
    response = sent[5]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert response["usage"]["output_token_details"]["audio_tokens"] == 10
    assert response["output"][0]["id"] == item_id


def test_a_response_cancelled_before_its_first_item_has_no_item_events_and_costs_nothing() -> None:
    rig = Rig()
    rig.user_says("Hi")
    rig.respond()
    sent = rig.say("response.cancel")
    assert types(sent) == ["response.done"]
    response = sent[0]["response"]
    assert response["output"] == [] and response["usage"]["total_tokens"] == 0


def test_a_whole_item_of_a_cancelled_response_stays_completed() -> None:
    rig = Rig()
    response_id = rig.respond()
    rig.produce(
        response_id,
        score.OpenMessage(),
        score.OpenPart("audio"),
        sound(10),
        score.CloseMessage(),
        score.OpenMessage(),
        final=False,
    )
    sent = rig.say("response.cancel")
    statuses = [item["status"] for item in sent[-1]["response"]["output"]]
    assert statuses == ["completed", "incomplete"]


def test_out_of_band_items_are_in_no_conversation() -> None:
    rig = Rig()
    response_id = rig.respond(conversation="none", metadata={"k": "v"})
    sent = rig.produce(response_id, score.OpenMessage(), score.OpenPart("audio"), sound(10))
    assert not [kind for kind in types(sent) if kind.startswith("conversation.")]
    response = sent[-1]["response"]
    assert response["conversation_id"] is None and response["metadata"] == {"k": "v"}
    assert rig.machine.memory == ()


def test_a_text_delta_and_its_obfuscation_have_sixteen_characters() -> None:
    rig = Rig()
    sent = rig.produce(
        rig.respond(),
        score.OpenMessage(),
        score.OpenPart("audio"),
        score.SayText(" upon"),
        score.SayText("a delta of more than sixteen"),
    )
    deltas = [e for e in sent if e["type"].endswith("transcript.delta")]
    assert [len(e["delta"]) + len(e["obfuscation"]) for e in deltas] == [16, 28]


@pytest.mark.parametrize(
    "actions",
    [
        (score.Sound(b"\0\0"),),
        (score.SayText("a"),),
        (score.Word("a", 0, 1),),
        (score.OpenPart("audio"),),
        (score.ClosePart(),),
        (score.CloseMessage(),),
        (score.Arguments("{}"),),
        (score.CloseCall(),),
        (score.OpenMessage(), score.OpenPart("text"), score.Sound(b"\0\0")),
        (score.OpenMessage(), score.OpenPart("audio"), score.Sound(b"\0")),
        (score.OpenMessage(), score.OpenPart("audio"), score.Sound(b"")),
        (score.OpenMessage(), score.OpenPart("audio"), score.ClosePart(), score.SayText("a")),
    ],
)
def test_a_score_that_cannot_be_played_fails_the_response(
    actions: tuple[score.Action, ...],
) -> None:
    rig = Rig()
    response_id = rig.respond()
    response = rig.produce(response_id, *actions, final=False)[-1]["response"]
    assert response["status"] == "failed"
    assert response["status_details"]["error"]["type"] == "server_error"
    assert rig.stopped == [response_id]
    rig.respond()


def test_audio_in_a_response_of_text_only_fails_it() -> None:
    rig = Rig()
    response_id = rig.respond(output_modalities=["text"])
    sent = rig.produce(response_id, score.OpenMessage(), score.OpenPart("audio"))
    assert sent[-1]["response"]["status"] == "failed"


def test_a_whole_call_that_waits_behind_a_message_is_completed_even_by_a_cancel() -> None:
    rig = Rig()
    response_id = rig.respond()
    rig.produce(
        response_id,
        score.OpenMessage(),
        score.OpenPart("audio"),
        sound(10),
        score.OpenCall("f"),
        score.Arguments("{}"),
        score.CloseCall(),
        final=False,
    )
    output = rig.say("response.cancel")[-1]["response"]["output"]
    assert [item["status"] for item in output] == ["incomplete", "completed"]


@pytest.mark.parametrize(
    ("model", "given", "shown"),
    [
        ("gpt-realtime-2.1", "commentary", "commentary"),
        ("gpt-realtime-2.1", None, "final_answer"),
        ("gpt-realtime", "commentary", None),
        ("gpt-realtime-2025-08-28", None, None),
    ],
)
def test_messages_of_the_2_line_have_a_phase_and_others_have_none(
    model: str, given: Any, shown: str | None
) -> None:
    rig = Rig(model)
    sent = rig.produce(rig.respond(), score.OpenMessage(given))
    assert sent[0]["item"].get("phase") == shown
