"""What client events and the turns of the user do, in the order in which the service tells it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.model.model_rig import RATE, Rig, error, silence, sound, speech, types

from bargein import events
from bargein.server.model import score
from bargein.server.model.inputs import EventReceived
from bargein.server.model.options import Limits, Options

VAD = {"type": "server_vad", "silence_duration_ms": 200}
COMMITTED = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]


def cut_short(kind: str = "output_audio") -> list[str]:
    return [
        f"response.{kind}.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]


def talking(**turn_detection: Any) -> Rig:
    rig = Rig()
    rig.configure({**VAD, **turn_detection})
    return rig


def test_a_turn_of_the_user_is_told_committed_shown_and_answered() -> None:
    rig = talking()
    rig.append(silence(1_000))
    started = rig.append(speech(500))
    assert types(started) == ["input_audio_buffer.speech_started"]
    sent = rig.append(silence(500))
    assert types(sent) == ["input_audio_buffer.speech_stopped", *COMMITTED, "response.created"]
    item_id = started[0]["item_id"]
    assert sent[0]["item_id"] == sent[1]["item_id"] == sent[2]["item"]["id"] == item_id
    assert sent[2]["item"] == {
        "type": "message",
        "id": item_id,
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    start_ms, end_ms = started[0]["audio_start_ms"], sent[0]["audio_end_ms"]
    assert (start_ms + 300) % 32 == 0 and end_ms % 32 == 0
    # The item holds the prefix padding and the silence that ended the turn.
    assert rig.machine.memory[0].parts[0].kept_samples == (end_ms - start_ms) * RATE // 1_000


def test_without_create_response_a_turn_ends_with_its_item() -> None:
    rig = talking(create_response=False)
    rig.append(speech(500))
    sent = rig.append(silence(500))
    assert types(sent) == ["input_audio_buffer.speech_stopped", *COMMITTED]
    assert rig.started == []


def test_speech_cuts_the_response_before_anything_else_is_said() -> None:
    rig = talking()
    response_id, item_id = rig.speaking(700, text="Once upon a time")
    sent = rig.append(speech(200))
    assert types(sent) == ["input_audio_buffer.speech_started", *cut_short()]
    assert sent[2]["transcript"] == "Once upon a time"
    assert sent[4]["item"]["status"] == "incomplete"
    assert sent[6]["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert rig.stopped == [response_id]
    assert error(rig.say("response.cancel"))["code"] == "response_cancel_not_active"
    # Nothing is truncated by the server over WebSocket.
    assert rig.machine.memory[-1].id == item_id
    assert not rig.machine.memory[-1].parts[0].truncated


def test_speech_after_the_end_of_a_response_is_told_and_nothing_else() -> None:
    rig = talking()
    rig.spoken(5_000)
    assert types(rig.append(speech(200))) == ["input_audio_buffer.speech_started"]


def test_speech_before_the_first_item_ends_the_response_without_item_events() -> None:
    rig = talking()
    rig.respond()
    sent = rig.append(speech(200))
    assert types(sent) == ["input_audio_buffer.speech_started", "response.done"]
    assert sent[1]["response"]["output"] == []
    assert sent[1]["response"]["usage"]["total_tokens"] == 0


def test_what_is_produced_for_a_cut_response_is_not_heard_of() -> None:
    rig = talking()
    response_id, _ = rig.speaking(100)
    rig.append(speech(200))
    assert rig.produce(response_id, sound(100)) == []


def test_out_of_band_responses_are_not_cut_by_speech() -> None:
    rig = talking()
    aside = rig.respond(conversation="none")
    rig.speaking(100)
    rig.append(speech(200))
    assert rig.machine.running_response_ids == (aside,)


def test_without_interrupt_response_the_next_turn_fails_to_create_its_response() -> None:
    rig = talking(interrupt_response=False)
    response_id, _ = rig.speaking(100)
    assert types(rig.append(speech(300))) == ["input_audio_buffer.speech_started"]
    sent = rig.append(silence(400), event_id="mine")
    assert types(sent) == ["input_audio_buffer.speech_stopped", *COMMITTED, "error"]
    body = sent[-1]["error"]
    assert body["code"] == "conversation_already_has_active_response"
    assert body["event_id"] is None and response_id in body["message"]
    assert rig.machine.running_response_ids == (response_id,)


def test_a_commit_by_hand_during_speech_takes_the_announced_id() -> None:
    rig = talking()
    started = rig.append(speech(500))
    sent = rig.say("input_audio_buffer.commit")
    assert types(sent) == COMMITTED and sent[0]["item_id"] == started[0]["item_id"]
    stopped = rig.append(speech(200) + silence(400))
    assert types(stopped)[:2] == ["input_audio_buffer.speech_stopped", COMMITTED[0]]
    assert stopped[0]["item_id"] == stopped[1]["item_id"] != started[0]["item_id"]
    assert stopped[1]["previous_item_id"] == started[0]["item_id"]


def test_a_commit_by_hand_makes_an_item_and_no_response() -> None:
    rig = Rig()
    rig.configure(None)
    assert rig.append(speech(100)) == []
    sent = rig.say("input_audio_buffer.commit")
    assert types(sent) == COMMITTED and rig.started == []
    body = error(rig.say("input_audio_buffer.commit"))
    assert "buffer only has 0.00ms" in body["message"]


def test_a_commit_needs_a_hundred_milliseconds_since_the_last_clear() -> None:
    rig = Rig()
    rig.configure(None)
    rig.append(silence(90))
    assert types(rig.say("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    rig.append(silence(90))
    assert error(rig.say("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"
    rig.append(silence(10))
    assert types(rig.say("input_audio_buffer.commit")) == COMMITTED


def test_a_clear_during_speech_forgets_the_turn() -> None:
    rig = talking()
    first = rig.append(speech(300))[0]["item_id"]
    rig.say("input_audio_buffer.clear")
    assert rig.append(silence(500)) == []
    again = rig.append(speech(300))
    assert types(again) == ["input_audio_buffer.speech_started"] and again[0]["item_id"] != first


def test_turning_detection_off_during_speech_leaves_the_turn_to_the_client() -> None:
    rig = talking()
    rig.append(speech(300))
    rig.configure(None)
    assert rig.append(silence(1_000)) == []
    assert types(rig.say("input_audio_buffer.commit")) == COMMITTED
    assert rig.machine.memory[0].parts[0].kept_samples == RATE * 13 // 10


def test_an_item_of_the_client_is_added_and_done_at_once() -> None:
    rig = Rig()
    first = rig.user_says("one")
    third = rig.user_says("three")
    second = rig.user_says("two", previous_item_id=first)
    root = rig.user_says("zero", previous_item_id="root")
    assert [item.id for item in rig.machine.memory] == [root, first, second, third]
    shown = [e["previous_item_id"] for e in rig.log if e["type"].startswith("conversation.item.")]
    assert shown == [None, None, first, first, first, first, None, None]


def test_the_output_of_a_call_is_taken_while_its_response_still_runs() -> None:
    rig = Rig()
    response_id = rig.respond()
    opened = rig.produce(response_id, score.OpenCall("f"), score.CloseCall(), final=False)
    call_id = opened[0]["item"]["call_id"]
    item = {"type": "function_call_output", "call_id": call_id, "output": "1"}
    sent = rig.say("conversation.item.create", item=item)
    assert types(sent) == ["conversation.item.added", "conversation.item.done"]
    assert "status" not in sent[0]["item"] and sent[0]["item"]["output"] == "1"


def test_a_call_of_the_client_gets_an_id_if_it_has_none() -> None:
    rig = Rig()
    item = {"type": "function_call", "name": "f", "arguments": "{}"}
    sent = rig.say("conversation.item.create", item=item)
    call_id = sent[0]["item"]["call_id"]
    output = {"type": "function_call_output", "call_id": call_id, "output": "1"}
    assert len(rig.say("conversation.item.create", item=output)) == 2


def test_a_deleted_call_takes_no_output_any_more() -> None:
    rig = Rig()
    item = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c", "id": "i"}
    rig.say("conversation.item.create", item=item)
    deleted = rig.say("conversation.item.delete", item_id="i")
    assert deleted[0]["item_id"] == "i" and types(deleted) == ["conversation.item.deleted"]
    output = {"type": "function_call_output", "call_id": "c", "output": "1"}
    assert error(rig.say("conversation.item.create", item=output))["code"] == "invalid_tool_call_id"


def test_truncated_echoes_the_request_and_nothing_else_is_sent() -> None:
    rig = Rig()
    _, item_id = rig.speaking(1_000)
    ask = {"item_id": item_id, "content_index": 0, "audio_end_ms": 700}
    sent = rig.say("conversation.item.truncate", **ask)
    assert [{k: e[k] for k in ask} for e in sent] == [ask]
    assert types(sent) == ["conversation.item.truncated"]


def test_a_cancel_by_an_unknown_id_leaves_the_active_response_alone() -> None:
    rig = Rig()
    response_id, _ = rig.speaking(100)
    body = error(rig.say("response.cancel", response_id="resp_other"))
    assert body["code"] == "response_cancel_not_active"
    assert rig.machine.running_response_ids == (response_id,)


def test_a_cancel_without_an_id_spares_what_is_out_of_band() -> None:
    rig = Rig()
    aside = rig.respond(conversation="none")
    assert error(rig.say("response.cancel"))["code"] == "response_cancel_not_active"
    assert types(rig.say("response.cancel", response_id=aside)) == ["response.done"]


def test_g711_is_heard_and_kept_in_its_own_samples() -> None:
    from bargein.audio.formats import encode
    from bargein.audio.resample import Resampler
    from bargein.units import AudioFormat

    def ulaw(pcm: bytes) -> bytes:
        narrow = Resampler(RATE, 8_000)
        samples = b"".join(part.tobytes() for part in (narrow.push(pcm), narrow.flush()))
        return encode(samples, AudioFormat.PCMU)

    rig = Rig()
    audio = {"input": {"format": {"type": "audio/pcmu"}, "turn_detection": VAD}}
    rig.say("session.update", session={"type": "realtime", "audio": audio})
    started = rig.append(ulaw(silence(500) + speech(500)))
    stopped = rig.append(ulaw(silence(500)))
    assert types(started) == ["input_audio_buffer.speech_started"]
    ms = stopped[0]["audio_end_ms"] - started[0]["audio_start_ms"]
    part = rig.machine.memory[0].parts[0]
    assert (part.format, part.kept_samples) == (AudioFormat.PCMU, ms * 8)


def test_semantic_vad_waits_longer_the_less_eager_it_is() -> None:
    waits = {}
    for eagerness in ("high", "auto", "low"):
        rig = Rig()
        rig.configure({"type": "semantic_vad", "eagerness": eagerness})
        rig.append(speech(320))
        stopped = rig.append(silence(9_000))[0]
        waits[eagerness] = stopped["audio_end_ms"]
    assert waits["high"] < waits["auto"] < waits["low"]


def test_an_event_as_a_struct_is_checked_like_a_frame() -> None:
    rig = Rig()
    bad = events.ConversationItemTruncate(
        item_id="x", content_index=-1, audio_end_ms=0, event_id="mine"
    )
    body = error(rig.give(EventReceived(bad)))
    assert (body["param"], body["event_id"]) == ("content_index", "mine")
    assert error(rig.give(EventReceived(events.OutputAudioBufferClear())))["param"] == "type"
    foreign = events.ResponseCancel(extra=events.Fields({"bogus": 1}))
    assert error(rig.give(EventReceived(foreign)))["param"] == "bogus"
    surrogate = events.ResponseCancel(response_id="\ud800")
    assert error(rig.give(EventReceived(surrogate)))["code"] == "invalid_json"


@pytest.mark.parametrize("grid_ms", [1, 50])
def test_lengths_are_compared_on_the_servers_grid(grid_ms: int) -> None:
    rig = Rig(options=Options(lengths_grid_ms=grid_ms))
    _, item_id = rig.spoken(2_680)

    def truncate(ms: int) -> list[dict[str, Any]]:
        return rig.say(
            "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=ms
        )

    if grid_ms == 50:
        body = error(truncate(2_670))
        assert body["message"] == "Audio content of 2650ms is already shorter than 2670ms"
        assert types(truncate(2_650)) == ["conversation.item.truncated"]
    else:
        assert types(truncate(2_670)) == ["conversation.item.truncated"]


def idle(**turn_detection: Any) -> Rig:
    rig = talking(idle_timeout_ms=6_000, **turn_detection)
    rig.append(silence(10_000))
    rig.spoken(1_500)
    return rig


def test_silence_after_the_reply_was_played_is_committed_and_answered() -> None:
    rig = idle()
    assert rig.wait(1_500 + 6_000 - 51) == []
    sent = rig.wait(1)
    assert types(sent) == [
        "input_audio_buffer.timeout_triggered",
        *COMMITTED,
        "response.created",
    ]
    start_ms, end_ms = sent[0]["audio_start_ms"], sent[0]["audio_end_ms"]
    assert end_ms - start_ms == 6_016 and end_ms % 32 == 0
    assert sent[1]["item_id"] == sent[0]["item_id"]
    rig.say("response.cancel", response_id=rig.machine.running_response_ids[0])


def test_an_idle_timeout_comes_once_and_not_after_the_user_spoke() -> None:
    rig = idle(create_response=False)
    rig.append(speech(300))
    assert rig.wait(20_000) == []
    rig = idle(create_response=False)
    assert "input_audio_buffer.timeout_triggered" in types(rig.wait(10_000))
    assert rig.wait(20_000) == []


def test_who_spoke_when_the_response_ended_was_not_idle() -> None:
    rig = talking(idle_timeout_ms=6_000, interrupt_response=False, create_response=False)
    response_id, _ = rig.speaking(200)
    rig.append(silence(320) + speech(640))
    rig.produce(response_id)
    assert types(rig.wait(20_000)) == ["rate_limits.updated"], "the user is still speaking"
    rig.append(silence(1_000))
    assert rig.wait(20_000) == []


def test_there_is_no_idle_timeout_unless_it_is_set() -> None:
    rig = talking()
    rig.spoken(100)
    assert rig.wait(60_000) == []


def test_a_commit_that_finds_no_room_leaves_the_buffer_as_it_was() -> None:
    rig = Rig(options=Options(limits=Limits(items=1)))
    rig.configure(None)
    full = rig.user_says("a")
    rig.append(silence(200))
    assert error(rig.say("input_audio_buffer.commit"))["code"] == "conversation_full"
    rig.say("conversation.item.delete", item_id=full)
    rig.say("input_audio_buffer.commit")
    assert rig.machine.memory[0].parts[0].kept_samples == RATE // 5
