"""What ears by URL send, and which answers they understand."""

from __future__ import annotations

import pytest
from tests.server.engines.chat.chat_rig import BEEP, rig
from tests.server.engines.chat.services import Answer, event, gives, streams

from bargein import events
from bargein.audio.formats import bytes_of, decode, encode, samples_of
from bargein.server.engines.base import EngineError
from bargein.server.engines.chat.engine import ChatEngine
from bargein.server.engines.chat.wav import wav_of
from bargein.server.model import heard
from bargein.server.model.commands import StartTranscription
from bargein.units import AudioFormat

DELTAS = (
    event({"type": "transcript.text.delta", "delta": "What is "}),
    event({"type": "transcript.text.delta", "delta": "that?"}),
    event({"type": "transcript.text.done", "text": "What is that?"}),
)


async def words(engine: ChatEngine, format: AudioFormat = AudioFormat.PCM) -> list[str]:
    settings = events.Transcription(model="gpt-4o-transcribe", language="en", prompt="beeps")
    audio = encode(bytes_of(BEEP), format)
    request = StartTranscription("item_u", 0, audio, format, settings)
    pieces = [piece async for piece in engine.transcribe(request)]
    return [piece.text for piece in pieces if isinstance(piece, heard.Words)]


async def test_the_turn_is_sent_as_wav_with_what_the_session_says_of_it() -> None:
    async with rig(hear_url=True) as (served, engine):
        served.ears(streams(*DELTAS))
        assert await words(engine) == ["What is ", "that?"]
        (asked,) = served.asked
    assert asked.body == {
        "model": "gpt-4o-transcribe",
        "language": "en",
        "prompt": "beeps",
        "response_format": "json",
        "stream": "true",
    }
    assert asked.files["file"] == wav_of(BEEP, 24_000)


async def test_sound_of_a_telephone_is_sent_at_its_own_rate() -> None:
    async with rig(hear_url=True, hear_model="base.en") as (served, engine):
        served.ears(gives("Hm.", "text/plain"))
        await words(engine, AudioFormat.PCMU)
        (asked,) = served.asked
    law = encode(bytes_of(BEEP), AudioFormat.PCMU)
    assert asked.files["file"] == wav_of(samples_of(decode(law, AudioFormat.PCMU)), 8_000)
    assert asked.body["model"] == "base.en"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (streams(*DELTAS), ["What is ", "that?"]),
        (streams(DELTAS[-1]), ["What is that?"]),
        (streams(event({"text": "What is "}), event({"text": "that?"})), ["What is ", "that?"]),
        (gives('{"text": " Stop. "}', "application/json"), ["Stop."]),
        (gives("Stop.\n", "text/plain"), ["Stop."]),
        (gives('{"text": ""}', "application/json"), []),
    ],
)
async def test_every_usual_kind_of_answer_is_understood(answer: Answer, said: list[str]) -> None:
    async with rig(hear_url=True) as (served, engine):
        served.ears(answer)
        assert await words(engine) == said


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (gives("{}", "application/json"), "without a `text`"),
        (gives("<p>", "text/html"), "text/html"),
        (streams(event({"error": {"message": "no GPU"}})), "no GPU"),
        (streams(*DELTAS[:1], then="breaks"), "broke off"),
    ],
)
async def test_every_other_answer_is_a_failure_that_says_what_came(
    answer: Answer, told: str
) -> None:
    async with rig(hear_url=True) as (served, engine):
        served.ears(answer)
        with pytest.raises(EngineError, match=told):
            await words(engine)
