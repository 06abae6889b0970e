"""What the server remembers, and what it forgets."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.server.model.model_rig import RATE, Rig, error, silence, sound, types

from bargein.server.model import score
from bargein.server.model.options import Limits, Options


def truncate(rig: Rig, item_id: str, ms: int, index: int = 0) -> list[dict[str, Any]]:
    return rig.say(
        "conversation.item.truncate", item_id=item_id, content_index=index, audio_end_ms=ms
    )


def story(rig: Rig, *, final: bool = True) -> tuple[str, str]:
    """Two words in two seconds: (response id, item id)."""
    response_id = rig.respond()
    sent = rig.produce(
        response_id,
        score.OpenMessage(),
        score.OpenPart("audio"),
        score.SayText("Once upon"),
        score.Word("Once", 0, RATE),
        score.Word(" upon", RATE, 2 * RATE),
        sound(2_000),
        final=final,
    )
    return response_id, str(sent[0]["item"]["id"])


def test_a_truncation_keeps_the_audio_to_the_sample_and_drops_the_transcript() -> None:
    rig = Rig()
    _, item_id = story(rig)
    assert rig.machine.memory[0].parts[0].text == "Once upon"
    truncate(rig, item_id, 1_500)
    part = rig.machine.memory[0].parts[0]
    assert (part.kept_samples, part.made_samples) == (36_000, 48_000)
    assert part.truncated and part.text is None
    assert part.words == ("Once",)
    assert rig.machine.memory[0].status == "completed"


def test_the_model_is_told_the_words_that_were_heard() -> None:
    rig = Rig()
    _, item_id = story(rig)
    rig.respond(conversation="none")
    truncate(rig, item_id, 1_500)
    rig.respond()
    told = [start.context[0] for start in rig.started[1:]]
    transcripts = [item.content[0].transcript for item in told]  # type: ignore[union-attr]  # messages of audio
    assert transcripts == ["Once upon", "Once"]


@pytest.mark.parametrize("kept_ms", [0, 1, 1_999, 2_000])
def test_a_truncation_may_keep_anything_up_to_the_whole(kept_ms: int) -> None:
    rig = Rig()
    _, item_id = story(rig)
    assert types(truncate(rig, item_id, kept_ms)) == ["conversation.item.truncated"]
    assert rig.machine.memory[0].parts[0].kept_samples == kept_ms * 24


def test_a_truncation_cannot_bring_back_what_an_earlier_one_cut() -> None:
    rig = Rig()
    _, item_id = story(rig)
    truncate(rig, item_id, 700)
    message = error(truncate(rig, item_id, 701))["message"]
    assert message == "Audio content of 700ms is already shorter than 701ms"
    assert types(truncate(rig, item_id, 600)) == ["conversation.item.truncated"]


def test_an_item_in_progress_is_as_long_as_what_was_sent() -> None:
    rig = Rig()
    response_id, item_id = story(rig, final=False)
    message = error(truncate(rig, item_id, 2_001))["message"]
    assert message == "Audio content of 2000ms is already shorter than 2001ms"
    assert types(truncate(rig, item_id, 1_000)) == ["conversation.item.truncated"]
    # The response goes on, but a part that was cut stays cut.
    sent = rig.produce(response_id, score.SayText(" a time"), sound(500))
    assert "response.output_audio.delta" in types(sent)
    done = next(e for e in sent if e["type"] == "response.output_audio_transcript.done")
    assert done["transcript"] == "Once upon a time"
    assert rig.machine.memory[0].parts[0].kept_samples == RATE


def test_a_part_of_a_fraction_of_a_millisecond_is_compared_by_whole_ones() -> None:
    rig = Rig()
    _, item_id = rig.speaking(2_680.7)
    error(truncate(rig, item_id, 2_681))
    assert types(truncate(rig, item_id, 2_680)) == ["conversation.item.truncated"]


def test_a_part_without_audio_yet_cannot_be_truncated() -> None:
    rig = Rig()
    _, item_id = rig.speaking()
    assert error(truncate(rig, item_id, 0))["code"] == "unsupported_content_type"


def test_the_content_index_says_which_part_is_cut() -> None:
    rig = Rig()
    sent = rig.produce(
        rig.respond(),
        score.OpenMessage(),
        score.OpenPart("text"),
        score.SayText("a"),
        score.OpenPart("audio"),
        sound(3_000),
    )
    item_id = sent[0]["item"]["id"]
    assert error(truncate(rig, item_id, 900, index=0))["code"] == "unsupported_content_type"
    assert error(truncate(rig, item_id, 900, index=2))["param"] == "content_index"
    assert types(truncate(rig, item_id, 900, index=1)) == ["conversation.item.truncated"]
    parts = rig.machine.memory[0].parts
    assert (parts[0].text, parts[1].kept_samples) == ("a", 900 * 24)


def test_a_deleted_item_in_flight_is_forgotten_while_its_events_go_on() -> None:
    rig = Rig()
    response_id, item_id = story(rig, final=False)
    assert types(rig.say("conversation.item.delete", item_id=item_id)) == [
        "conversation.item.deleted"
    ]
    assert rig.machine.memory == ()
    codes = [
        error(truncate(rig, item_id, 0))["code"],
        error(rig.say("conversation.item.retrieve", item_id=item_id))["code"],
        error(rig.say("conversation.item.delete", item_id=item_id))["code"],
    ]
    assert codes == [f"item_{verb}_invalid_item_id" for verb in ("truncate", "retrieve", "delete")]
    sent = rig.produce(response_id, sound(100))
    assert types(sent)[0] == "response.output_audio.delta"
    assert "conversation.item.done" in types(sent) and types(sent)[-1] == "response.done"
    assert rig.machine.memory == ()


def test_after_a_delete_the_new_tail_is_the_predecessor() -> None:
    rig = Rig()
    first, second = rig.user_says("one"), rig.user_says("two")
    rig.say("conversation.item.delete", item_id=second)
    rig.user_says("three")
    assert rig.log[-1]["previous_item_id"] == first


def test_an_item_is_retrieved_with_its_audio_as_it_is_remembered() -> None:
    rig = Rig()
    _, item_id = story(rig)
    whole = rig.say("conversation.item.retrieve", item_id=item_id)[0]["item"]["content"][0]
    assert (whole["transcript"], whole["format"]) == ("Once upon", "pcm16")
    assert len(base64.b64decode(whole["audio"])) == 2 * 2 * RATE
    truncate(rig, item_id, 250)
    cut = rig.say("conversation.item.retrieve", item_id=item_id)[0]["item"]["content"][0]
    assert "transcript" not in cut and len(base64.b64decode(cut["audio"])) == 2 * RATE // 4


def test_audio_that_a_client_puts_in_comes_back() -> None:
    rig = Rig()
    audio = base64.b64encode(silence(200)).decode()
    part = {"type": "input_audio", "audio": audio, "transcript": "hm"}
    item = {"type": "message", "role": "user", "content": [part], "id": "i"}
    shown = rig.say("conversation.item.create", item=item)[0]["item"]["content"][0]
    assert shown == {"type": "input_audio", "transcript": "hm"}
    back = rig.say("conversation.item.retrieve", item_id="i")[0]["item"]["content"][0]
    assert (back["audio"], back["transcript"]) == (audio, "hm")
    assert rig.machine.memory[0].parts[0].kept_samples == 4_800


def test_the_oldest_sound_is_let_go_beyond_the_limit_and_its_length_is_not() -> None:
    rig = Rig(options=Options(limits=Limits(kept_audio_bytes=2 * RATE)))
    _, first = rig.spoken(600)
    _, second = rig.spoken(600)
    assert rig.machine.let_go_bytes == 2 * RATE * 6 // 10
    gone = rig.say("conversation.item.retrieve", item_id=first)[0]["item"]["content"][0]
    kept = rig.say("conversation.item.retrieve", item_id=second)[0]["item"]["content"][0]
    assert "audio" not in gone and gone["transcript"] == "Hello there"
    assert len(base64.b64decode(kept["audio"])) == 2 * RATE * 6 // 10
    assert types(truncate(rig, first, 600)) == ["conversation.item.truncated"]


def test_sound_that_is_cut_or_deleted_makes_room() -> None:
    rig = Rig(options=Options(limits=Limits(kept_audio_bytes=2 * RATE)))
    _, first = rig.spoken(900)
    truncate(rig, first, 100)
    _, second = rig.spoken(900)
    rig.say("conversation.item.delete", item_id=second)
    rig.spoken(900)
    assert rig.machine.let_go_bytes == 0


def test_an_item_without_room_ends_the_response_as_failed() -> None:
    rig = Rig(options=Options(limits=Limits(items=1)))
    rig.user_says("a")
    sent = rig.produce(rig.respond(), score.OpenMessage())
    assert types(sent) == ["response.done"]
    assert sent[0]["response"]["status_details"]["error"]["code"] == "conversation_full"


def test_what_a_deleted_item_still_says_takes_no_room() -> None:
    rig = Rig(options=Options(limits=Limits(kept_audio_bytes=2 * RATE)))
    response_id, item_id = rig.speaking(100)
    rig.say("conversation.item.delete", item_id=item_id)
    rig.produce(response_id, sound(900), score.OpenPart("audio"), sound(900))
    rig.spoken(900)
    assert rig.machine.let_go_bytes == 0


def test_texts_are_taken_up_to_a_limit_and_a_deleted_one_makes_room() -> None:
    rig = Rig(options=Options(limits=Limits(text_characters=12)))
    call = {"type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "It rains."}
    assert len(rig.say("conversation.item.create", item=call)) == 2
    assert len(rig.say("conversation.item.create", item={**output, "id": "one"})) == 2
    assert error(rig.say("conversation.item.create", item=output))["code"] == "conversation_full"
    rig.say("conversation.item.delete", item_id="one")
    assert len(rig.say("conversation.item.create", item=output)) == 2
