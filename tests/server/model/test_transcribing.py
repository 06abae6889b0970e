"""What the user said, in words: its events, by model, beside everything else."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.server.model.model_rig import Rig, silence, speech, types

from bargein import events
from bargein.server.model import score
from bargein.server.model.commands import Overhear
from bargein.server.model.heard import Guess, Languages, Segment, Token, Words
from bargein.server.model.inputs import PipeClosed, TranscriptionFailed
from bargein.server.model.options import Limits, Options

DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"
FAILED = "conversation.item.input_audio_transcription.failed"
SEGMENT = "conversation.item.input_audio_transcription.segment"
VAD = {"type": "server_vad", "silence_duration_ms": 200}
WITHOUT_RESPONSES = {
    "type": "realtime",
    "audio": {"input": {"turn_detection": {**VAD, "create_response": False}}},
}


def rig(
    model: str | None = "gpt-4o-transcribe",
    turn_detection: Any = VAD,
    include: Any = None,
    **options: Any,
) -> Rig:
    made = Rig(**options)
    transcription = None if model is None else {"model": model}
    audio = {"input": {"turn_detection": turn_detection, "transcription": transcription}}
    made.say("session.update", session={"type": "realtime", "audio": audio, "include": include})
    return made


def begin_turn(rig: Rig, ms: int = 640) -> str:
    rig.append(silence(640))
    sent = rig.append(speech(ms))
    started = next(e for e in sent if e["type"] == "input_audio_buffer.speech_started")
    return str(started["item_id"])


def end_turn(rig: Rig) -> list[dict[str, Any]]:
    return rig.append(silence(320))


def turn(rig: Rig, ms: int = 640) -> str:
    item_id = begin_turn(rig, ms)
    end_turn(rig)
    return item_id


def part_of(item: events.Item) -> events.InputAudio:
    assert isinstance(item, events.MessageItem)
    (part,) = item.content
    assert isinstance(part, events.InputAudio)
    return part


def audio_of(item: events.Item) -> bytes:
    audio = part_of(item).audio
    assert isinstance(audio, bytes)
    return audio


def test_nobody_is_asked_for_words_that_nobody_wants() -> None:
    quiet = rig(None)
    turn(quiet)
    assert quiet.to_transcribe == []


def test_the_engine_is_asked_for_what_was_committed_and_how_the_session_wants_it() -> None:
    made = rig("gpt-4o-transcribe")
    item_id = turn(made)
    (asked,) = made.to_transcribe
    assert (asked.item_id, asked.content_index, asked.live) == (item_id, 0, False)
    assert asked.settings.model == "gpt-4o-transcribe"
    assert asked.audio == audio_of(made.started[0].context[0]) and len(asked.audio) > 24_000


def test_words_are_deltas_padded_to_16_and_then_the_whole() -> None:
    made = rig()
    item_id = turn(made)
    sent = made.hear(item_id, " Hello", ", you", final=False) + made.hear(item_id)
    assert types(sent) == [DELTA, DELTA, COMPLETED]
    assert [event["delta"] for event in sent[:2]] == [" Hello", ", you"]
    assert {len(e["delta"]) + len(e["obfuscation"]) for e in sent[:2]} == {16}
    assert sent[2]["transcript"] == "Hello, you"
    assert {(e["item_id"], e["content_index"]) for e in sent} == {(item_id, 0)}
    assert "logprobs" not in sent[0] and "logprobs" not in sent[2]


def test_silence_has_an_empty_transcript() -> None:
    made = rig(turn_detection=None)
    made.append(silence(500))
    made.say("input_audio_buffer.commit")
    (sent,) = made.hear(made.to_transcribe[0].item_id)
    assert sent["type"] == COMPLETED and sent["transcript"] == ""


def test_whisper_has_no_deltas() -> None:
    made = rig("whisper-1")
    assert types(made.hear(turn(made), "Hello", " you")) == [COMPLETED]


def test_a_length_is_paid_for_in_whole_seconds() -> None:
    made = rig("whisper-1", turn_detection=None)
    for ms, seconds in ((2_000, 2), (2_001, 3), (100, 1)):
        made.append(silence(ms))
        made.say("input_audio_buffer.commit")
        (sent,) = made.hear(made.to_transcribe[-1].item_id)
        assert sent["usage"] == {"type": "duration", "seconds": seconds}


def test_the_gpt_4o_models_are_paid_by_the_token() -> None:
    made = rig("gpt-4o-mini-transcribe", turn_detection=None)
    made.append(silence(2_000))
    made.say("input_audio_buffer.commit")
    (*_, sent) = made.hear(made.to_transcribe[0].item_id, "Hello you")
    assert sent["usage"] == {
        "type": "tokens",
        "total_tokens": 23,
        "input_tokens": 20,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 20},
        "output_tokens": 3,
    }


def test_logprobs_are_shown_to_who_includes_them() -> None:
    made = rig(include=["item.input_audio_transcription.logprobs"])
    words = Words("Hé", (Token("H", -0.1), Token("é", -0.5)))
    delta, completed = made.hear(turn(made), words)
    assert delta["logprobs"] == completed["logprobs"]
    assert delta["logprobs"][1] == {"token": "é", "logprob": -0.5, "bytes": [195, 169]}


def test_segments_and_languages_are_shown_as_documented() -> None:
    made = rig("gpt-4o-transcribe-diarize")
    segment, completed = made.hear(
        turn(made), Segment("Hello", "A", 0.25, 1.5), Languages(("en", "fr"))
    )
    shown = ("text", "id", "speaker", "start", "end")
    assert segment["type"] == SEGMENT
    assert [segment[name] for name in shown] == ["Hello", "seg_0001", "A", 0.25, 1.5]
    assert completed["languages"] == [{"code": "en"}, {"code": "fr"}]


def test_a_failure_is_told_of_the_item_and_leaves_the_response_alone() -> None:
    made = rig()
    item_id = turn(made)
    fault = TranscriptionFailed(item_id, "server_error", "no_ears", "Deaf.")
    (sent,) = made.give(fault)
    assert sent["type"] == FAILED and (sent["item_id"], sent["content_index"]) == (item_id, 0)
    error = {"type": "server_error", "code": "no_ears", "message": "Deaf.", "param": None}
    assert sent["error"] == error
    assert made.machine.running_response_ids
    assert made.hear(item_id, "too late") == []


def test_words_come_between_the_events_of_the_response() -> None:
    made = rig()
    item_id = turn(made)
    response_id = made.started[0].response_id
    made.produce(response_id, score.OpenMessage(), score.OpenPart("audio"), final=False)
    assert types(made.hear(item_id, "Hello", final=False)) == [DELTA]
    made.produce(response_id)
    assert types(made.hear(item_id)) == [COMPLETED]
    shown = types(made.log)
    assert shown.index(DELTA) < shown.index("response.done") < shown.index(COMPLETED)


def test_the_model_is_told_the_words_and_later_events_are_not() -> None:
    made = rig(turn_detection=None)
    made.append(silence(500))
    made.say("input_audio_buffer.commit")
    item_id = made.to_transcribe[0].item_id
    made.hear(item_id, "Hello")
    made.respond()
    assert part_of(made.started[0].context[0]).transcript == "Hello"
    (sent,) = made.say("conversation.item.retrieve", item_id=item_id)
    assert sent["item"]["content"][0]["transcript"] is None


def test_a_server_may_show_the_words_of_a_retrieved_item() -> None:
    made = rig(turn_detection=None, options=Options(retrieved_shows_transcripts=True))
    made.append(silence(500))
    made.say("input_audio_buffer.commit")
    item_id = made.to_transcribe[0].item_id
    made.hear(item_id, "Hello")
    (sent,) = made.say("conversation.item.retrieve", item_id=item_id)
    assert sent["item"]["content"][0]["transcript"] == "Hello"


def test_who_deletes_an_item_does_not_want_its_words() -> None:
    made = rig()
    item_id = turn(made)
    made.hear(item_id, "Hel", final=False)
    made.say("conversation.item.delete", item_id=item_id)
    assert made.not_to_transcribe == [item_id]
    assert made.hear(item_id, "lo") == []


def test_the_end_of_the_session_ends_what_is_being_transcribed() -> None:
    made = rig()
    item_id = turn(made)
    made.give(PipeClosed())
    assert made.not_to_transcribe == [item_id]


def test_more_at_once_than_the_server_bears_fail() -> None:
    made = rig(options=Options(limits=Limits(transcriptions=1)), turn_detection=None)
    for _ in range(2):
        made.append(silence(200))
        sent = made.say("input_audio_buffer.commit")
    assert types(sent)[-1] == FAILED
    assert sent[-1]["error"]["code"] == "too_many_transcriptions"
    assert len(made.to_transcribe) == 1


# Live models.


def test_a_live_model_writes_while_the_user_speaks_under_the_items_id() -> None:
    made = rig("gpt-realtime-whisper", overhears=True)
    item_id = begin_turn(made)
    (asked,) = made.to_transcribe
    assert asked.live and asked.audio == b"" and asked.item_id == item_id
    (delta,) = made.hear(item_id, " Hello", final=False)
    assert delta["type"] == DELTA and delta["item_id"] == item_id
    assert types(made.hear(item_id, " you")) == [DELTA], "it is not completed before the commit"
    sent = end_turn(made)
    assert types(sent)[:5] == [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        COMPLETED,
    ]
    assert sent[4]["transcript"] == "Hello you" and len(made.to_transcribe) == 1


def test_a_live_model_before_deaf_ears_is_asked_with_the_commit() -> None:
    made = rig("gpt-realtime-whisper")
    begin_turn(made)
    assert made.to_transcribe == []
    end_turn(made)
    assert [asked.live for asked in made.to_transcribe] == [False]


def joined(overheard: list[Overhear], item_id: str) -> bytes:
    assert all(sound.item_id == item_id for sound in overheard)
    assert [sound.last for sound in overheard] == [False] * (len(overheard) - 1) + [True]
    return b"".join(sound.audio for sound in overheard)


@pytest.mark.parametrize("chunk_ms", [7, 20, 500])
def test_what_is_overheard_is_what_is_committed(chunk_ms: int) -> None:
    made = rig(None, overhears=True)
    size = 48 * chunk_ms
    sound = silence(640) + speech(640) + silence(640)
    for start in range(0, len(sound), size):
        made.append(sound[start : start + size])
    known = made.started[0].context[0]
    item_id = str(known.id)
    assert joined(made.overheard, item_id) == audio_of(known)


def test_what_is_overheard_ends_with_a_commit_by_hand_and_goes_on_as_the_next_item() -> None:
    made = rig(None, overhears=True)
    item_id = begin_turn(made)
    made.say("input_audio_buffer.commit")
    committed = joined(made.overheard, item_id)
    made.overheard.clear()
    sent = made.append(speech(320)) + end_turn(made)
    stopped = next(e for e in sent if e["type"] == "input_audio_buffer.speech_stopped")
    rest = joined(made.overheard, stopped["item_id"])
    assert stopped["item_id"] != item_id
    (first, second) = made.started[-1].context
    assert audio_of(first).endswith(committed)
    assert rest == audio_of(second)


def test_by_hand_only_a_live_model_overhears_from_the_first_sound_on() -> None:
    made = rig("gpt-4o-transcribe", turn_detection=None, overhears=True)
    made.append(speech(200))
    assert made.overheard == []
    made = rig("gpt-live-transcribe", turn_detection=None, overhears=True)
    made.append(speech(200))
    made.append(speech(100))
    (asked,) = made.to_transcribe
    assert types(made.hear(asked.item_id, "Hello", final=False)) == [DELTA]
    sent = made.say("input_audio_buffer.commit")
    assert sent[0]["item_id"] == asked.item_id
    assert joined(made.overheard, asked.item_id) == speech(200) + speech(100)
    made.append(speech(100))
    assert made.to_transcribe[1].item_id != asked.item_id


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_clear_drops_the_words_of_the_turn(by_hand: bool) -> None:
    made = rig("gpt-realtime-whisper", turn_detection=None if by_hand else VAD, overhears=True)
    made.append(speech(640))
    (asked,) = made.to_transcribe
    made.say("input_audio_buffer.clear")
    assert made.not_to_transcribe == [asked.item_id]
    assert made.hear(asked.item_id, "Hello") == []


def test_turn_detection_switched_off_drops_the_words_of_the_turn() -> None:
    made = rig("gpt-realtime-whisper", overhears=True)
    item_id = begin_turn(made)
    made.configure(None)
    assert made.not_to_transcribe == [item_id]


# For the judge of a turn's end.

SEMANTIC = {"type": "semantic_vad", "eagerness": "high"}


def test_a_judge_of_turns_wants_the_words_at_once_and_nobody_sees_them() -> None:
    made = rig(None, SEMANTIC, overhears=True)
    item_id = begin_turn(made)
    (asked,) = made.to_transcribe
    assert asked.live
    assert made.hear(item_id, Guess("so I"), "So", final=False) == []
    made.say("input_audio_buffer.commit")
    assert made.not_to_transcribe == [item_id]
    assert made.hear(item_id, " I") == []


def test_words_that_are_wanted_after_the_commit_wait_for_it() -> None:
    made = rig("gpt-4o-transcribe", SEMANTIC, overhears=True)
    item_id = begin_turn(made)
    assert made.hear(item_id, "Hello", final=False) == []
    sent = made.say("input_audio_buffer.commit")
    assert types(sent)[-2:] == ["conversation.item.done", DELTA]
    assert types(made.hear(item_id)) == [COMPLETED]


@pytest.mark.parametrize(
    ("words", "least_ms", "most_ms"), [("Go on.", 200, 500), ("and", 1_500, 2_000)]
)
def test_the_words_that_are_overheard_end_the_turn_or_do_not(
    words: str, least_ms: int, most_ms: int
) -> None:
    made = rig(None, SEMANTIC, overhears=True)
    item_id = begin_turn(made)
    made.hear(item_id, Guess(words), final=False)
    sent = made.append(silence(3_000))
    assert least_ms < sent[0]["audio_end_ms"] - 1_280 <= most_ms


def test_a_turn_that_finds_no_room_in_the_conversation_is_not_written_down_either() -> None:
    made = rig("gpt-realtime-whisper", overhears=True, options=Options(limits=Limits(items=1)))
    made.say("session.update", session=WITHOUT_RESPONSES)
    first, second = turn(made), turn(made)
    assert [asked.item_id for asked in made.to_transcribe] == [first, second]
    assert made.log[-1]["error"]["code"] == "conversation_full"
    assert made.not_to_transcribe == [second]


def test_the_sound_of_an_item_that_the_client_made_is_not_transcribed() -> None:
    made = rig(turn_detection=None)
    content = [{"type": "input_audio", "audio": base64.b64encode(speech(200)).decode()}]
    item = {"type": "message", "role": "user", "content": content}
    sent = made.say("conversation.item.create", item=item)
    assert types(sent) == ["conversation.item.added", "conversation.item.done"]
    assert made.to_transcribe == []
