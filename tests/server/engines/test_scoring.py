"""The score of a reply is a pure function of the reply and its speech."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from bargein.server.engines.espeak import Speech, Word
from bargein.server.engines.scenario import Reply, Scenario
from bargein.server.engines.scoring import Sounding, build, sounding, spoken_texts
from bargein.server.model import score
from bargein.server.model.score import Step
from bargein.units import AudioFormat

RATE = 24_000
MS = 1_000
MANNER: dict[str, Any] = {
    "speed": 4,
    "first_event_after_ms": 100,
    "first_audio_after_ms": 80,
    "text_delta_every_ms": 10,
    "words_before_audio": 2,
}


def speech(text: str, word_ms: int = 300) -> Speech:
    """Words of one length each, as noise that has every value once in a while."""
    each = RATE * word_ms // 1_000
    tokens = text.split()
    pcm = np.arange(each * len(tokens), dtype=np.int16)
    words = tuple(Word(t, i * each, (i + 1) * each) for i, t in enumerate(tokens))
    return Speech(pcm, RATE, words)


def scored(
    reply: dict[str, Any],
    *,
    format: AudioFormat = AudioFormat.PCM,
    speaks: bool = True,
    **manner: Any,
) -> tuple[Step, ...]:
    scenario = Scenario.of({**MANNER, **manner, "replies": [reply]})
    (the_reply,) = scenario.replies
    soundings: dict[str, Sounding] = {}
    for text in spoken_texts(the_reply) if speaks else ():
        soundings[text] = sounding(speech(text), format)
    return build(the_reply, scenario.manner_of(the_reply), soundings)


def names(steps: Iterable[Step]) -> list[str]:
    return [type(step.action).__name__ for step in steps]


def sounds(steps: Iterable[Step]) -> list[bytes]:
    return [step.action.audio for step in steps if isinstance(step.action, score.Sound)]


def written(steps: Iterable[Step]) -> str:
    return "".join(step.action.delta for step in steps if isinstance(step.action, score.SayText))


SENTENCE = "one two three four five six seven eight"


def say(text: str = SENTENCE, **output: Any) -> dict[str, Any]:
    return {"outputs": [{"say": text, **output}]}


def test_a_spoken_reply_opens_says_and_closes() -> None:
    steps = scored(say())
    assert names(steps)[:2] == ["OpenMessage", "OpenPart"]
    assert names(steps)[-1] == "CloseMessage"
    assert written(steps) == SENTENCE
    assert b"".join(sounds(steps)) == speech(SENTENCE).pcm.astype("<i2").tobytes()


def test_the_deltas_are_whole_samples_but_no_whole_milliseconds() -> None:
    sizes = [len(audio) // 2 for audio in sounds(scored(say()))]
    assert sizes[0] == 2_397
    assert set(sizes[1:-1]) == {5_997}
    assert 0 < sizes[-1] < 5_997
    assert 5_997 * 1_000 % RATE != 0


def test_audio_is_made_faster_than_it_sounds_by_the_speed() -> None:
    slow, quick = (
        sum(step.after_us for step in scored(say(), speed=speed, first_audio_after_ms=0))
        for speed in (1, 4)
    )
    sounding_us = 8 * 300 * MS
    assert slow - 100 * MS == pytest.approx(sounding_us, abs=20)
    assert quick - 100 * MS == pytest.approx(sounding_us / 4, abs=20)


def test_some_words_come_before_the_first_audio_and_a_pause_between() -> None:
    steps = scored(say(), first_delta_samples=1)
    first = names(steps).index("Sound")
    assert written(steps[:first]) == "one two"
    part = names(steps).index("OpenPart")
    assert sum(step.after_us for step in steps[part + 1 : first + 1]) >= 80 * MS


def test_the_transcript_is_finished_well_before_the_audio() -> None:
    steps = scored(say(), transcript_pace=2)
    last_word = max(i for i, name in enumerate(names(steps)) if name == "SayText")
    left = sum(len(audio) for audio in sounds(steps[last_word:]))
    assert left > len(b"".join(sounds(steps))) * 0.4


def test_each_word_comes_with_its_place_in_the_audio() -> None:
    words = [s.action for s in scored(say()) if isinstance(s.action, score.Word)]
    assert [word.text for word in words] == ["one", *(f" {w}" for w in SENTENCE.split()[1:])]
    assert (words[1].start_sample, words[1].end_sample) == (7_200, 14_400)


def test_g711_has_a_third_of_the_samples_and_the_words_in_the_same_places() -> None:
    steps = scored(say(), format=AudioFormat.PCMU)
    assert len(b"".join(sounds(steps))) == 8 * 300 * 8
    assert [len(audio) for audio in sounds(steps)][:2] == [799, 1_999]
    words = [s.action for s in steps if isinstance(s.action, score.Word)]
    assert (words[1].start_sample, words[1].end_sample) == (2_400, 4_800)


def test_a_words_end_is_rounded_up_since_it_was_heard_only_if_all_of_it_was() -> None:
    said = Speech(np.zeros(3_000, np.int16), RATE, (Word("one", 500, 1_000),))
    (word,) = sounding(said, AudioFormat.PCMU).words
    assert (word.start_sample, word.end_sample) == (166, 334)


def test_silence_behind_the_last_word_is_part_of_the_audio() -> None:
    plain = sounding(speech("one"), AudioFormat.PCM)
    longer = sounding(speech("one"), AudioFormat.PCM, trailing_silence_ms=100)
    assert longer.audio == plain.audio + bytes(2 * 2_400)
    assert longer.words == plain.words


def test_where_only_text_may_be_what_would_be_said_is_written() -> None:
    steps = scored(say(), speaks=False)
    assert steps[1].action == score.OpenPart("text")
    assert written(steps) == SENTENCE
    assert sounds(steps) == []


def test_white_space_of_written_text_survives() -> None:
    text = " one\n\n two  three \n"
    steps = scored({"outputs": [{"write": text}]})
    assert written(steps) == text


def test_a_gap_comes_before_the_delta_that_reaches_it() -> None:
    gap = {"at_ms": 500, "for_ms": 5_000}
    steps, plain = scored(say(gaps=[gap])), scored(say())
    waits = [
        (with_gap.after_us - without.after_us)
        for with_gap, without in zip(steps, plain, strict=True)
    ]
    assert sum(waits) == 5_000 * MS
    stalled = next(i for i, wait in enumerate(waits) if wait)
    assert sum(len(audio) for audio in sounds(steps[:stalled])) // 2 < 500 * RATE // 1_000


def test_a_gap_at_the_end_of_a_delta_comes_once() -> None:
    even: dict[str, Any] = {"first_delta_samples": 2_400}
    gap = {"at_ms": 100, "for_ms": 5_000}
    stalled, plain = scored(say(gaps=[gap]), **even), scored(say(), **even)
    added_us = sum(step.after_us for step in stalled) - sum(step.after_us for step in plain)
    assert added_us == 5_000 * MS


def test_several_parts_and_messages_keep_their_order() -> None:
    reply = {
        "outputs": [
            {"parts": [{"say": "one"}, {"write": "two"}], "phase": "commentary"},
            {"say": "three", "after_ms": 700},
        ]
    }
    steps = scored(reply)
    assert [name for name in names(steps) if name not in ("SayText", "Word", "Sound")] == [
        *("OpenMessage", "OpenPart", "ClosePart", "OpenPart", "CloseMessage"),
        *("OpenMessage", "OpenPart", "CloseMessage"),
    ]
    assert steps[0].action == score.OpenMessage("commentary")
    second = [step for step in steps if isinstance(step.action, score.OpenMessage)][1]
    assert second.after_us == 700 * MS


def test_a_message_before_a_call_stays_open() -> None:
    call = {"call": "weather", "arguments": {"city": "Zürich"}}
    steps = scored({"outputs": [{"say": "one"}, call]})
    assert "CloseMessage" not in names(steps)
    assert names(steps)[-1] == "CloseCall"
    deltas = [s.action.delta for s in steps if isinstance(s.action, score.Arguments)]
    assert "".join(deltas) == '{"city": "Zürich"}'
    assert len(deltas) > 1


def test_arguments_that_are_text_go_out_as_they_are() -> None:
    steps = scored({"outputs": [{"call": "weather", "arguments": "{not json"}]})
    deltas = [s.action.delta for s in steps if isinstance(s.action, score.Arguments)]
    assert "".join(deltas) == "{not json"


@pytest.mark.parametrize(
    ("ending", "action"),
    [
        (
            {"status": "incomplete", "reason": "content_filter"},
            score.EndIncomplete("content_filter"),
        ),
        (
            {"status": "failed", "type": "server_error", "code": "overloaded", "message": "Busy."},
            score.EndFailed("server_error", "overloaded", "Busy."),
        ),
    ],
)
def test_an_ending_cuts_the_audio_to_the_sample(ending: dict[str, Any], action: Any) -> None:
    steps = scored({**say(), "ending": {**ending, "at_ms": 1_000}})
    assert steps[-1].action == action
    assert len(b"".join(sounds(steps))) == 2 * RATE
    whole = scored({**say(), "ending": ending})
    assert whole[-1].action == action
    assert len(b"".join(sounds(whole))) == 2 * 8 * 7_200


def test_an_ending_at_the_end_of_a_delta_comes_right_behind_it() -> None:
    ending = {"status": "failed", "at_ms": 100}
    steps = scored({**say(), "ending": ending}, first_delta_samples=2_400)
    assert names(steps)[-2:] == ["Sound", "EndFailed"]


def test_a_reply_that_fails_at_once_has_nothing_else() -> None:
    steps = scored({"ending": {"status": "failed"}})
    assert names(steps) == ["EndFailed"]
    assert steps[0].after_us == 100 * MS


def test_an_empty_reply_has_no_steps() -> None:
    assert scored({}) == ()


def test_a_text_without_sound_is_still_told() -> None:
    scenario = Scenario.of({**MANNER, "replies": [say("...")]})
    silent = Sounding(b"", AudioFormat.PCM, (score.Word("...", 0, 0),))
    reply: Reply = scenario.replies[0]
    steps = build(reply, scenario.manner_of(reply), {"...": silent})
    assert written(steps) == "..."
    assert sounds(steps) == []
