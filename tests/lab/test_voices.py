"""What the user says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bargein.errors import DeviceError
from bargein.lab.plan import plan_of
from bargein.lab.voices import VOICE, lines_of, replies_of, trimmed
from bargein.server.engines.scenario import load_scenario
from bargein.server.engines.script import VOICES


def test_the_user_has_another_voice_than_the_assistant() -> None:
    assert VOICE not in VOICES.values()
    assert VOICE != load_scenario("demo").voice


def test_every_turn_has_a_line_that_begins_and_ends_with_sound() -> None:
    lines = lines_of(plan_of(1), None)
    assert [line.text for line in lines] == [turn.line for turn in plan_of(1).turns]
    for line in lines:
        loud = np.abs(line.pcm.astype(int)).max() / 50
        assert abs(int(line.pcm[0])) > loud
        assert abs(int(line.pcm[-1])) > loud
        assert 1 < len(line.pcm) / line.rate < 5


def test_the_story_is_long_enough_to_be_interrupted_and_the_last_reply_short() -> None:
    story, second, last, *_ = (
        len(speech.pcm) / speech.rate for speech in replies_of(load_scenario("demo"))
    )
    assert story >= 20
    assert second >= 8
    assert last <= 8


def test_silence_is_left_out_before_and_after_and_kept_within() -> None:
    pcm = np.array([0, 0, 10, 9_000, 0, 0, -8_000, 100, 0], np.int16)
    assert list(trimmed(pcm)) == [9_000, 0, 0, -8_000]


@pytest.mark.parametrize("samples", [0, 5])
def test_pure_silence_stays_as_it_is(samples: int) -> None:
    assert len(trimmed(np.zeros(samples, np.int16))) == samples


def test_the_loudest_negative_sample_is_loud() -> None:
    assert list(trimmed(np.array([0, -32_768, 0], np.int16))) == [-32_768]


def test_a_missing_recording_is_named() -> None:
    with pytest.raises(DeviceError, match=r"nowhere\.wav"):
        lines_of(plan_of(1), Path("nowhere.wav"))


def test_of_replies_without_a_voice_of_their_own_the_words_are_not_known() -> None:
    assert replies_of(load_scenario("storyteller")) == ()
