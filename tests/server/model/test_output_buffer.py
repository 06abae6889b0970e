"""The output buffer of a call: what leaves when, what is told of it, and what a clear keeps."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.model.model_rig import MS, RATE, Rig, silence, sound, speech, types

from bargein.server.model import score
from bargein.server.model.inputs import MediaReceived, PipeClosed
from bargein.server.model.options import Limits, Options

FRAME_BYTES = 2 * RATE // 50
SPOKEN = (score.OpenMessage(), score.OpenPart("audio"), score.SayText("Once upon a time"))
STARTED, STOPPED = "output_audio_buffer.started", "output_audio_buffer.stopped"
CLEARED, TRUNCATED = "output_audio_buffer.cleared", "conversation.item.truncated"


def call(**options: Any) -> Rig:
    """A call under manual turns."""
    rig = Rig(pipe="webrtc", options=Options(**options))
    rig.configure(None)
    rig.log.clear()
    return rig


def speaks(rig: Rig, *ms: float, final: bool = True, **response: Any) -> tuple[str, str]:
    """A response whose sound is made at once: (response id, item id)."""
    response_id = rig.respond(**response)
    sent = rig.produce(response_id, *SPOKEN, *(sound(each) for each in ms), final=final)
    return response_id, str(sent[0]["item"]["id"])


def hears(rig: Rig, pcm: bytes) -> list[dict[str, Any]]:
    """The track brings this in real time."""
    sent: list[dict[str, Any]] = []
    for start in range(0, len(pcm), FRAME_BYTES):
        sent += rig.wait(20)
        sent += rig.give(MediaReceived(pcm[start : start + FRAME_BYTES]))
    return sent


def left_ms(rig: Rig) -> list[int]:
    """When the frames left."""
    return [at_us // MS for at_us, _ in rig.left]


def cuts(events: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(e["item_id"], e["audio_end_ms"]) for e in events if e["type"] == TRUNCATED]


def kept_ms(rig: Rig, item_id: str) -> int:
    (item,) = (each for each in rig.machine.memory if each.id == item_id)
    return item.parts[0].kept_samples * 1_000 // RATE


def test_sound_leaves_in_frames_of_20_ms_in_real_time_however_fast_it_was_made() -> None:
    rig = call()
    speaks(rig, 60, 40)
    rig.wait(1_000)
    assert left_ms(rig) == [0, 20, 40, 60, 80]
    assert [each.at_us // MS for _, each in rig.left] == [0, 20, 40, 60, 80]
    assert {len(each.audio) for _, each in rig.left} == {FRAME_BYTES}
    assert [each.more for _, each in rig.left] == [True, True, True, True, False]


def test_no_audio_delta_is_sent_on_a_call_and_the_rest_of_the_ladder_is() -> None:
    rig = call()
    rig.produce(rig.respond(), *SPOKEN, sound(20), sound(20), every_us=5 * MS)
    rig.wait(1_000)
    assert types(rig.log) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        STARTED,
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        STOPPED,
        "rate_limits.updated",
    ]


def test_frames_stay_on_the_grid_of_the_session() -> None:
    rig = call()
    rig.wait(7)
    speaks(rig, 20)
    rig.wait(106)
    speaks(rig, 20)
    rig.wait(100)
    assert left_ms(rig) == [20, 120]


def test_the_last_frame_of_a_part_is_filled_with_silence_once_the_part_is_whole() -> None:
    rig = call()
    response_id, _ = speaks(rig, 30, final=False)
    rig.wait(100)
    assert left_ms(rig) == [0]
    rig.produce(response_id, score.ClosePart(), final=False)
    rig.wait(100)
    assert left_ms(rig) == [0, 100]
    assert rig.left[1][1].audio == sound(10).audio + silence(10)
    assert rig.machine.running_response_ids == (response_id,)


@pytest.mark.parametrize(
    ("format", "frame"),
    [("audio/pcmu", b"\x01" * 80 + b"\xff" * 80), ("audio/pcma", b"\x01" * 80 + b"\xd5" * 80)],
)
def test_a_frame_of_g711_is_160_bytes_and_filled_with_its_own_silence(
    format: str, frame: bytes
) -> None:
    rig = call()
    response_id = rig.respond(audio={"output": {"format": {"type": format}}})
    rig.produce(response_id, *SPOKEN, score.Sound(b"\x01" * 80))
    rig.wait(20)
    assert [each.audio for _, each in rig.left] == [frame]


def test_stopped_waits_for_the_last_frame_and_for_response_done() -> None:
    rig = call()
    response_id, _ = speaks(rig, 100, final=False)
    rig.wait(500)
    assert STOPPED not in types(rig.log)
    sent = rig.produce(response_id)
    assert types(sent)[-2:] == ["response.done", STOPPED]
    rig = call()
    speaks(rig, 100)
    assert types(rig.wait(99)).count(STOPPED) == 0
    (stopped,) = (event for event in rig.wait(1) if event["type"] == STOPPED)
    assert stopped["response_id"] == rig.started[0].response_id
    assert stopped["event_id"].startswith("event_") and len(stopped["event_id"]) == 6 + 16
    int(stopped["event_id"][6:], 16)


def test_a_response_without_sound_neither_starts_nor_stops() -> None:
    rig = call()
    response_id = rig.respond(output_modalities=["text"])
    rig.produce(response_id, score.OpenMessage(), score.OpenPart("text"), score.SayText("Hi"))
    rig.wait(1_000)
    assert not {STARTED, STOPPED} & {*types(rig.log)} and rig.machine.deadline_us


def test_one_response_plays_behind_the_other() -> None:
    rig = call()
    first, _ = speaks(rig, 100)
    second, _ = speaks(rig, 60)
    rig.wait(1_000)
    told = [(e["type"], e["response_id"]) for e in rig.log if e["type"] in (STARTED, STOPPED)]
    assert told == [(STARTED, first), (STOPPED, first), (STARTED, second), (STOPPED, second)]
    assert left_ms(rig) == [0, 20, 40, 60, 80, 100, 120, 140]


def test_speech_clears_and_truncates_at_what_left_long_after_the_response_was_done() -> None:
    rig = Rig(pipe="webrtc")
    response_id, item_id = speaks(rig, 10_000)
    rig.wait(1_000)
    sent = hears(rig, silence(500) + speech(500))
    assert types(sent) == ["input_audio_buffer.speech_started", CLEARED, TRUNCATED]
    ((_, audio_end_ms),) = cuts(sent)
    assert sent[1]["response_id"] == response_id and sent[2]["content_index"] == 0
    assert audio_end_ms == 20 * len(rig.left) == kept_ms(rig, item_id)
    assert 1_500 <= audio_end_ms < 2_000 and len(rig.silenced_us) == 1
    assert STOPPED not in types(rig.wait(20_000))


def test_speech_cuts_what_is_being_made_and_then_closes_it_out() -> None:
    rig = Rig(pipe="webrtc")
    speaks(rig, 10_000, final=False)
    sent = hears(rig, silence(500) + speech(500))
    assert types(sent) == [
        "input_audio_buffer.speech_started",
        CLEARED,
        TRUNCATED,
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    assert sent[-2]["response"]["status_details"]["reason"] == "turn_detected"


def test_the_order_of_clear_and_close_out_is_a_switch() -> None:
    rig = Rig(pipe="webrtc", options=Options(clears_before_closing=False))
    speaks(rig, 10_000, final=False)
    sent = hears(rig, silence(500) + speech(500))
    (done,) = (at for at, type in enumerate(types(sent)) if type == "response.done")
    assert types(sent)[done : done + 3] == ["response.done", CLEARED, TRUNCATED]


def uninterrupted(**options: Any) -> Rig:
    rig = Rig(pipe="webrtc", options=Options(**options))
    rig.configure({"type": "server_vad", "interrupt_response": False, "create_response": False})
    rig.log.clear()
    return rig


def test_without_interrupt_response_the_buffer_is_cleared_and_generation_goes_on() -> None:
    rig = uninterrupted()
    response_id, item_id = speaks(rig, 10_000, final=False)
    sent = hears(rig, silence(500) + speech(500))
    assert types(sent) == ["input_audio_buffer.speech_started", CLEARED, TRUNCATED]
    kept = kept_ms(rig, item_id)
    left = len(rig.left)
    assert rig.machine.running_response_ids == (response_id,)
    second = rig.produce(
        response_id, sound(1_000), score.OpenMessage(), score.OpenPart("audio"), sound(500)
    )
    assert types(second)[-1] == "response.done"
    item_2 = next(e["item"]["id"] for e in second if e["type"] == "conversation.item.added")
    assert cuts(second) == [(item_2, 0)]
    rig.wait(5_000)
    assert len(rig.left) == left and kept_ms(rig, item_id) == kept and kept_ms(rig, item_2) == 0
    assert STOPPED not in types(rig.log)
    # The next response is heard as ever.
    speaks(rig, 100)
    assert types(rig.wait(1_000)).count(STOPPED) == 1


def test_what_is_made_after_a_clear_is_played_if_told_so() -> None:
    rig = uninterrupted(plays_on_after_clear=True)
    response_id, item_id = speaks(rig, 10_000, final=False)
    hears(rig, silence(500) + speech(500))
    left = len(rig.left)
    rig.log.clear()
    rig.produce(response_id, sound(100))
    rig.wait(1_000)
    assert len(rig.left) == left + 5
    assert [each for each in types(rig.log) if "buffer" in each] == [STARTED, STOPPED]
    assert kept_ms(rig, item_id) < 2_000


def test_later_items_are_truncated_to_what_left_of_them_in_playing_order() -> None:
    rig = call()
    response_id = rig.respond()
    message = (score.OpenMessage(), score.OpenPart("audio"))
    sent = rig.produce(
        response_id, *message, sound(100), *message, sound(400), *message, sound(300)
    )
    first, second, third = (e["item"]["id"] for e in sent if e["type"] == "conversation.item.added")
    rig.wait(199)
    sent = rig.say("output_audio_buffer.clear")
    assert types(sent) == [CLEARED, TRUNCATED, TRUNCATED]
    assert cuts(sent) == [(second, 100), (third, 0)]
    assert [kept_ms(rig, each) for each in (first, second, third)] == [100, 100, 0]


def test_items_of_which_nothing_left_are_kept_whole_if_told_so() -> None:
    rig = call(truncates_unplayed=False)
    speaks(rig, 100)
    _, item_2 = speaks(rig, 300)
    rig.wait(50)
    sent = rig.say("output_audio_buffer.clear")
    assert len(cuts(sent)) == 1 and kept_ms(rig, item_2) == 300


def test_a_clear_names_the_response_that_was_started_only() -> None:
    rig = call()
    first, _ = speaks(rig, 300)
    speaks(rig, 300)
    rig.wait(50)
    sent = rig.say("output_audio_buffer.clear")
    assert [e["response_id"] for e in sent if e["type"] == CLEARED] == [first]
    assert len(cuts(sent)) == 2
    assert types(rig.wait(1_000)).count(STOPPED) == 0


def test_a_part_that_left_whole_is_not_truncated() -> None:
    rig = call()
    response_id = rig.respond()
    said = (*SPOKEN, sound(30), score.ClosePart(), score.CloseMessage())
    rig.produce(response_id, *said, final=False)
    rig.produce(response_id, score.OpenCall("weather"), final=False)
    rig.wait(200)
    assert types(rig.say("output_audio_buffer.clear")) == [CLEARED]


def test_a_part_that_ran_dry_is_truncated_at_what_left_of_it() -> None:
    rig = call()
    _, item_id = speaks(rig, 50, final=False)
    rig.wait(200)
    assert cuts(rig.say("output_audio_buffer.clear")) == [(item_id, 40)]


def test_a_clear_of_nothing_is_not_answered_unless_told_so() -> None:
    rig = call()
    assert rig.say("output_audio_buffer.clear") == []
    assert rig.silenced_us == []
    rig = call(answers_empty_clear=True)
    assert rig.say("output_audio_buffer.clear") == []
    response_id, _ = speaks(rig, 20)
    rig.wait(100)
    (cleared,) = rig.say("output_audio_buffer.clear")
    assert (cleared["type"], cleared["response_id"]) == (CLEARED, response_id)


def test_a_clients_truncate_leaves_the_track_as_it_is_and_a_clear_does_not_lengthen() -> None:
    rig = call()
    _, item_id = speaks(rig, 1_000)
    rig.wait(100)
    where = {"item_id": item_id, "content_index": 0}
    assert types(rig.say(TRUNCATED[:-1], **where, audio_end_ms=60)) == [TRUNCATED]
    rig.wait(200)
    assert len(rig.left) == 16 and kept_ms(rig, item_id) == 60
    assert types(rig.say("output_audio_buffer.clear")) == [CLEARED]
    assert kept_ms(rig, item_id) == 60


def test_a_clear_after_a_truncate_of_more_than_left_cuts_to_what_left() -> None:
    rig = call()
    _, item_id = speaks(rig, 1_000)
    rig.wait(99)
    rig.say(TRUNCATED[:-1], item_id=item_id, content_index=0, audio_end_ms=900)
    assert cuts(rig.say("output_audio_buffer.clear")) == [(item_id, 100)]


def test_the_sound_of_a_deleted_item_plays_on_and_nothing_is_truncated() -> None:
    rig = call()
    _, item_id = speaks(rig, 200)
    rig.say("conversation.item.delete", item_id=item_id)
    rig.wait(100)
    assert len(rig.left) == 6
    assert types(rig.say("output_audio_buffer.clear")) == [CLEARED]


def test_a_cancel_without_a_clear_lets_the_track_play_to_the_end() -> None:
    rig = call()
    _, item_id = speaks(rig, 2_000, final=False)
    rig.wait(500)
    assert types(rig.say("response.cancel"))[-1] == "response.done"
    rig.wait(2_000)
    assert len(rig.left) == 100 and types(rig.log)[-1] == STOPPED
    assert kept_ms(rig, item_id) == 2_000


def test_sound_out_of_band_plays_and_is_truncated_nowhere() -> None:
    rig = call()
    response_id = rig.respond(conversation="none")
    rig.produce(response_id, *SPOKEN, sound(500))
    rig.wait(100)
    assert len(rig.left) == 6
    assert types(rig.say("output_audio_buffer.clear")) == [CLEARED]


def test_a_response_fails_that_is_too_far_ahead_of_what_is_played() -> None:
    rig = call(limits=Limits(output_buffer_bytes=4 * FRAME_BYTES))
    response_id, _ = speaks(rig, 80, final=False)
    done = rig.produce(response_id, sound(40))[-1]["response"]
    assert done["status"] == "failed"
    assert done["status_details"]["error"]["message"] == (
        "The engine failed: it is too far ahead of what is played."
    )
    # What was made is played.
    rig.wait(1_000)
    assert len(rig.left) == 4


def test_silence_is_counted_from_the_end_of_the_sound() -> None:
    rig = Rig(pipe="webrtc")
    rig.configure({"type": "server_vad", "idle_timeout_ms": 5_000})
    speaks(rig, 7_000)
    assert "input_audio_buffer.timeout_triggered" not in types(rig.wait(11_900))
    assert "input_audio_buffer.timeout_triggered" in types(rig.wait(200))


def test_the_sound_of_the_track_is_pcm_whatever_format_the_session_names() -> None:
    rig = Rig(pipe="webrtc")
    audio = {"input": {"format": {"type": "audio/pcmu"}}}
    rig.say("session.update", session={"type": "realtime", "audio": audio})
    sent = hears(rig, speech(500) + silence(500))
    assert "input_audio_buffer.committed" in types(sent)
    assert rig.log[1]["session"]["audio"]["input"]["format"] == {"type": "audio/pcmu"}


def test_an_append_beside_the_track_is_heard_if_told_so() -> None:
    rig = call(appends_beside_track=True)
    rig.append(silence(200))
    assert "input_audio_buffer.committed" in types(rig.say("input_audio_buffer.commit"))


def test_a_track_that_nobody_commits_keeps_the_latest_and_refuses_nothing() -> None:
    rig = call(limits=Limits(input_buffer_bytes=10 * FRAME_BYTES))
    assert hears(rig, silence(500) + speech(100)) == []
    rig.say("input_audio_buffer.commit")
    item = rig.machine.memory[-1]
    assert item.parts[0].kept_samples == 10 * RATE // 50


def test_nothing_leaves_after_the_client_is_gone() -> None:
    rig = call()
    speaks(rig, 1_000)
    rig.give(PipeClosed())
    rig.wait(1_000)
    assert rig.machine.deadline_us is None and len(rig.left) == 1


def test_push_to_talk_takes_what_the_track_brought_since_the_press() -> None:
    rig = call()
    speaks(rig, 5_000)
    hears(rig, silence(400))
    assert types(rig.say("output_audio_buffer.clear")) == [CLEARED, TRUNCATED]
    assert types(rig.say("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    hears(rig, speech(300))
    rig.say("input_audio_buffer.commit")
    turn = rig.machine.memory[-1]
    assert turn.role == "user" and turn.parts[0].kept_samples == 300 * RATE // 1_000
    assert rig.respond()


def test_a_call_that_only_writes_down_has_nothing_to_clear() -> None:
    rig = Rig(pipe="webrtc", kind="transcription")
    assert types(rig.say("output_audio_buffer.clear")) == ["error"]
    sent = hears(rig, silence(200) + speech(500) + silence(800))
    assert types(sent)[:2] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
    ]
