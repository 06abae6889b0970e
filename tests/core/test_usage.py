"""What the session cost so far: every token once, by kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.test_recordings import CONVERSATIONS, Played
from tests.scenarios.rig import Talk

from bargein import events
from bargein.core import asks
from bargein.core.notices import UsageReported
from bargein.core.usage import REMEMBERED_LIMIT, Meter, UsageTotal
from bargein.errors import LocalValueError
from bargein.units import AudioFormat

COUNT = st.integers(0, 10_000)
TOTALS = st.builds(UsageTotal, *[COUNT] * 16, COUNT.map(float), COUNT, COUNT)
SPOKEN = events.Usage(
    total_tokens=300,
    input_tokens=200,
    output_tokens=100,
    input_token_details=events.InputTokenDetails(
        text_tokens=120,
        audio_tokens=70,
        image_tokens=10,
        cached_tokens=64,
        cached_tokens_details=events.CachedTokensDetails(
            text_tokens=60, audio_tokens=4, image_tokens=0
        ),
    ),
    output_token_details=events.OutputTokenDetails(text_tokens=20, audio_tokens=80),
)
PRICES = {
    "input_text": 4.0,
    "input_audio": 32.0,
    "input_image": 5.0,
    "cached_text": 0.4,
    "cached_audio": 0.4,
    "output_text": 16.0,
    "output_audio": 64.0,
}


def test_a_response_counts_by_kind() -> None:
    assert UsageTotal.of_response(SPOKEN) == UsageTotal(
        responses=1,
        total_tokens=300,
        input_tokens=200,
        input_text_tokens=120,
        input_audio_tokens=70,
        input_image_tokens=10,
        cached_tokens=64,
        cached_text_tokens=60,
        cached_audio_tokens=4,
        output_tokens=100,
        output_text_tokens=20,
        output_audio_tokens=80,
    )


@pytest.mark.parametrize(
    "usage",
    [
        events.Usage(),
        events.Usage(input_token_details=None, output_token_details=None),
        events.Usage(total_tokens=-5, input_tokens=None),
    ],
)
def test_what_is_left_out_or_cannot_be_counts_nothing(usage: events.Usage) -> None:
    assert UsageTotal.of_response(usage) == UsageTotal(responses=1)


@given(TOTALS, TOTALS)
def test_sums_are_sums_of_every_field(one: UsageTotal, two: UsageTotal) -> None:
    both, first, second = (each.as_dict() for each in (one + two, one, two))
    assert both == {name: first[name] + second[name] for name in first}


@given(TOTALS)
def test_a_sum_is_plain_json(total: UsageTotal) -> None:
    assert UsageTotal(**json.loads(total.to_json())) == total
    assert json.loads(json.dumps(total.as_dict())) == json.loads(total.to_json())


def test_a_response_that_is_told_twice_counts_once_and_the_memory_of_it_is_bounded() -> None:
    meter = Meter()
    assert meter.responded("r1", SPOKEN)
    assert not meter.responded("r1", SPOKEN)
    assert meter.total == UsageTotal.of_response(SPOKEN)
    for number in range(REMEMBERED_LIMIT):
        meter.responded(f"other_{number}", SPOKEN)
    assert meter.responded("r1", SPOKEN)


def test_transcriptions_are_counted_apart_in_tokens_or_in_seconds() -> None:
    meter = Meter()
    tokens = events.TokensUsage(total_tokens=30, input_tokens=22, output_tokens=8)
    meter.transcribed("A", 0, tokens)
    meter.transcribed("A", 0, tokens)
    meter.transcribed("A", 1, events.DurationUsage(seconds=3))
    meter.transcribed("B", 0, events.DurationUsage(seconds=0.5))
    meter.transcribed("C", 0, None)
    assert meter.total == UsageTotal(
        transcriptions=4,
        transcription_input_tokens=22,
        transcription_output_tokens=8,
        transcribed_s=3.5,
    )


def test_sound_is_counted_exactly_whatever_its_pieces_and_formats() -> None:
    meter = Meter()
    for _ in range(1_000):
        meter.spoke(2 * 7, AudioFormat.PCM)
        meter.spoke(7, AudioFormat.PCMU)
        meter.listened(5, AudioFormat.PCM)
    assert meter.total.spoken_ms == 7_000_000 * (1 + 3) // 24_000
    assert meter.total.listened_ms == 5_000_000 // 24_000


def test_every_token_has_one_price() -> None:
    total = UsageTotal.of_response(SPOKEN)
    expected = 60 * 4 + 66 * 32 + 10 * 5 + 60 * 0.4 + 4 * 0.4 + 20 * 16 + 80 * 64
    assert total.cost(PRICES) == pytest.approx(expected / 1e6)
    heard = UsageTotal(
        transcriptions=2,
        transcribed_s=90,
        transcription_input_tokens=5,
        transcription_output_tokens=2,
    )
    prices = {"transcription_minute": 0.006, "transcription_input": 6, "transcription_output": 10}
    assert heard.cost(prices) == pytest.approx(1.5 * 0.006 + 30e-6 + 20e-6)
    assert UsageTotal().cost({}) == 0


@pytest.mark.parametrize(
    ("total", "prices", "error"),
    [
        (UsageTotal(), {"output_sound": 1.0}, "'output_sound' is no kind"),
        (UsageTotal.of_response(SPOKEN), {"input_text": 4.0}, "'input_audio' was used and has no"),
        (UsageTotal(input_tokens=7), PRICES, "of 7 tokens the service did not tell the kind"),
    ],
)
def test_a_price_that_is_not_known_is_not_guessed(
    total: UsageTotal, prices: dict[str, float], error: str
) -> None:
    with pytest.raises(LocalValueError, match=error):
        total.cost(prices)


# In a session.

TOKENS: dict[str, Any] = {"total_tokens": 30, "input_tokens": 20, "output_tokens": 10}


def ended(talk: Talk, response_id: str, status: str = "completed") -> None:
    response = {"id": response_id, "status": status, "output": [], "usage": TOKENS}
    talk.receive("response.done", response=response)


def test_responses_count_in_the_conversation_and_beside_it_whole_and_cancelled() -> None:
    talk = Talk()
    talk.response("r1")
    ended(talk, "r1")
    talk.response("r2", conversation_id=None)
    ended(talk, "r2")
    talk.speaking("r3")
    talk.speech_started()
    ended(talk, "r3", "cancelled")
    assert (talk.machine.usage.responses, talk.machine.usage.total_tokens) == (3, 90)
    assert [told.response_id for told in talk.told(UsageReported)] == ["r1", "r2", "r3"]


def test_a_cancelled_response_counts_though_its_end_was_waited_for_long_enough() -> None:
    talk = Talk()
    talk.speaking("r1")
    talk.speech_started()
    talk.stopped({"A": 500})
    talk.pass_ms(20_000)
    assert talk.machine.usage.responses == 0
    ended(talk, "r1", "cancelled")
    ended(talk, "r1", "cancelled")
    assert (talk.machine.usage.responses, talk.machine.usage.total_tokens) == (1, 30)


@pytest.mark.parametrize(
    ("beside", "counted"), [(TOKENS, 1), ({"total_tokens": "many"}, 0), ("much", 0), (None, 0)]
)
def test_a_usage_beside_an_empty_one_counts_if_it_can_be_read(beside: Any, counted: int) -> None:
    talk = Talk()
    talk.response("r1")
    response = {"id": "r1", "status": "completed", "output": [], "usage": {}}
    talk.receive("response.done", response=response, usage=beside)
    found = talk.machine.usage
    assert (found.responses, found.total_tokens) == (counted, 30 * counted)


def test_sound_counts_as_it_comes_and_as_it_is_sent() -> None:
    talk = Talk(None, push_to_talk=True)
    talk.capture(400)
    talk.ask(asks.Press())
    talk.capture(300)
    talk.speaking(ms=2_000)
    assert (talk.machine.usage.spoken_ms, talk.machine.usage.listened_ms) == (2_000, 300)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_of_a_recorded_session_every_usage_is_in_the_sum(name: str) -> None:
    played = Played(name)
    frames = [data for direction, data in played.frames if direction == "received"]
    found = played.machine.usage
    done = [frame for frame in frames if frame["type"] == "response.done"]
    reported = [frame["response"]["usage"] or frame["usage"] for frame in done]
    assert found.responses == len(reported) > 0
    for field in ("total_tokens", "input_tokens", "output_tokens"):
        assert getattr(found, field) == sum(usage[field] for usage in reported)
    for kind in ("text", "audio"):
        for way in ("input", "output"):
            told = [usage.get(f"{way}_token_details") or {} for usage in reported]
            expected = sum(each.get(f"{kind}_tokens", 0) for each in told)
            assert getattr(found, f"{way}_{kind}_tokens") == expected


def test_the_recorded_turn_of_sound_costs_what_the_service_said() -> None:
    found = Played("openai_ws__audio_in_server_vad_turn.yaml").machine.usage
    assert found == UsageTotal(
        responses=1,
        total_tokens=205,
        input_tokens=41,
        input_text_tokens=14,
        input_audio_tokens=27,
        output_tokens=164,
        output_text_tokens=28,
        output_audio_tokens=136,
        transcriptions=1,
        transcribed_s=3.0,
        spoken_ms=18,
        listened_ms=36,
    )
