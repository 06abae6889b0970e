"""What a voice by URL is asked, and what becomes of its sound."""

from __future__ import annotations

import numpy as np
import pytest
from tests.server.engines.chat.chat_rig import ALOUD, BEEP, actions, asks, fault, rig, sound
from tests.server.engines.chat.services import gives, says, streams

from bargein import events
from bargein.audio.formats import bytes_of
from bargein.server.engines.chat.wav import wav_of
from bargein.server.model import score

PCM = bytes_of(BEEP)


def output(**fields: object) -> events.AudioConfig:
    # The fields are of different types.
    return events.AudioConfig(output=events.AudioOutputConfig(**fields))  # type: ignore[arg-type]


async def test_its_sound_is_put_into_the_responses_format_and_its_words_into_the_sound() -> None:
    telephone = output(format=events.AudioFormatConfig(type="audio/pcmu"), speed=1.5, voice="ash")
    wav = wav_of(np.tile(BEEP, 10), 24_000)
    pieces = (wav[start : start + 777] for start in range(0, len(wav), 777))
    async with rig(speak_url=True) as (served, engine):
        served.minds(says("One two three."))
        served.voices(streams(*pieces, media_type="audio/wav"))
        made = await actions(engine, asks(**ALOUD, audio=telephone))
        (asked,) = served.asked_of("/audio/speech")
    words = [action for action in made if isinstance(action, score.Word)]
    assert len(sound(made)) == 16_000
    assert [word.text for word in words] == ["One", " two", " three."]
    assert words[-1].end_sample == 16_000
    assert asked.body == {
        "model": "tts-1",
        "input": "One two three.",
        "voice": "ash",
        "response_format": "pcm",
        "speed": 1.5,
    }


async def test_the_servers_own_model_and_voice_can_be_named() -> None:
    names = {"speak_model": "kokoro", "speak_voice": "af_sky"}
    async with rig(speak_url=True, **names) as (served, engine):
        served.minds(says("Hi there."))
        served.voices(gives(PCM, "audio/pcm"))
        await actions(engine, asks(**ALOUD))
        (asked,) = served.asked_of("/audio/speech")
    assert (asked.body["model"], asked.body["voice"]) == ("kokoro", "af_sky")


async def test_bare_pcm_may_come_in_halves_of_samples() -> None:
    async with rig(speak_url=True) as (served, engine):
        served.minds(says("Hi there."))
        served.voices(streams(PCM[:1], PCM[1:101], PCM[101:], media_type="audio/pcm"))
        assert sound(await actions(engine, asks(**ALOUD))) == PCM


async def test_bare_pcm_may_have_a_rate_of_its_own() -> None:
    async with rig(speak_url=True) as (served, engine):
        served.minds(says("Hi there."))
        served.voices(gives(PCM, "audio/pcm;rate=16000"))
        assert len(sound(await actions(engine, asks(**ALOUD)))) == len(PCM) * 3 // 2


async def test_words_of_the_next_sentence_stand_behind_the_sound_of_the_first() -> None:
    async with rig(speak_url=True) as (served, engine):
        served.minds(says("This is the first. ", "This is the second."))
        served.voices(gives(PCM, "audio/pcm"))
        made = await actions(engine, asks(**ALOUD))
    second = [action for action in made if isinstance(action, score.Word)][4:]
    assert [word.text for word in second] == [" This", " is", " the", " second."]
    assert second[0].start_sample == len(BEEP) and second[-1].end_sample == 2 * len(BEEP)


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"ID3", "audio/mpeg", "audio/mpeg"),
        (b"{}", "application/json", "application/json"),
        (b"RIFFxxxxAVI LIST", "audio/wav", "cannot be read"),
        (b"", "audio/pcm", "without a sound"),
    ],
)
async def test_something_else_than_sound_is_a_failure_by_name(
    body: bytes, kind: str, said: str
) -> None:
    async with rig(speak_url=True) as (served, engine):
        served.minds(says("Hi there."))
        served.voices(gives(body, kind))
        error = await fault(engine, asks(**ALOUD))
    assert said in str(error) and "The voice at" in str(error)
