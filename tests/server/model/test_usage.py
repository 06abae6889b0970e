"""Tokens: audio is counted, text estimated."""

from __future__ import annotations

import pytest

from bargein import events
from bargein.server.model import score, usage
from bargein.server.model.entries import Entry, Part
from bargein.units import AudioFormat

NOTHING = usage.Input(0, 0, 0)
VALUES = {"instructions": "", "tools": []}


def message(*parts: Part, role: str = "user") -> Entry:
    return Entry("i", "message", role=role, parts=list(parts))


def test_a_token_is_100_ms_heard_and_50_ms_spoken() -> None:
    heard = message(Part("input_audio", kept_samples=24_000 * 2))
    # Report 001: 237 tokens for 11.85 s.
    spoken = message(Part("output_audio", "", made_samples=24 * 11_850), role="assistant")
    counted = usage.measure(usage.measure_input([heard], VALUES), (spoken,), status="completed")
    assert counted.input_tokens == 20 and counted.output_tokens == 237
    assert counted.total_tokens == 257


@pytest.mark.parametrize(("ms", "tokens"), [(2_796, 27), (2_800, 28), (99, 0)])
def test_a_begun_token_of_what_is_heard_is_not_billed(ms: int, tokens: int) -> None:
    """As recorded: the turn from 1460 to 4256 ms cost 27."""
    heard = message(Part("input_audio", kept_samples=8 * ms, format=AudioFormat.PCMU))
    assert usage.measure_input([heard], VALUES).audio_tokens == tokens


def test_a_begun_token_of_what_is_spoken_is_billed_in_every_format() -> None:
    spoken = message(Part("output_audio", "", format=AudioFormat.PCMU, made_samples=401))
    assert usage.measure(NOTHING, (spoken,), status="completed").output_tokens == 2


def test_four_characters_of_text_are_about_a_token() -> None:
    assert [usage.text_tokens(text) for text in ("", "a", "abcd", "abcde", None)] == [0, 1, 1, 2, 0]


def test_cut_speech_costs_the_words_that_are_still_known() -> None:
    part = Part("output_audio", "a long story, cut", made_samples=240, kept_samples=240)
    part.cut(0)
    assert usage.measure_input([message(part, role="assistant")], VALUES).text_tokens == 0


def test_what_ended_before_it_made_anything_costs_nothing() -> None:
    given = usage.Input(7, 8, 9)
    assert usage.measure(given, (), status="cancelled").total_tokens == 0
    assert usage.measure(given, (), status="completed").total_tokens == 24


def test_what_the_engines_own_model_counted_takes_the_place_of_the_estimate() -> None:
    heard = message(Part("input_audio", kept_samples=24_000), Part("input_image"))
    spoken = message(Part("output_audio", "Hello.", made_samples=24_000), role="assistant")
    given = usage.measure_input([heard], VALUES)
    counted = usage.measure(given, (spoken,), status="completed", cost=score.Cost(700, 9, 640))
    assert counted.input_token_details == events.InputTokenDetails(
        text_tokens=700,
        audio_tokens=10,
        image_tokens=0,
        cached_tokens=640,
        cached_tokens_details=events.CachedTokensDetails(
            text_tokens=640, audio_tokens=0, image_tokens=0
        ),
    )
    assert counted.output_token_details == events.OutputTokenDetails(text_tokens=9, audio_tokens=20)
    assert (counted.input_tokens, counted.output_tokens) == (710, 29)
