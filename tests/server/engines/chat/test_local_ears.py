"""The local engine's ears before a mind behind a URL: with children that stand in for the
recogniser, and once with the recogniser itself."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from tests.server.engines.chat.services import says, services
from tests.server.engines.local.test_ears import ears, second
from tests.server.engines.local.test_spoken import turn
from tests.server.wire.wire_rig import AT_ONCE, wire

from bargein.errors import DeviceError, LocalValueError
from bargein.server.engines.base import EngineError
from bargein.server.engines.chat.local_ears import LocalEars
from bargein.server.engines.chat.making import chat_engine
from bargein.server.engines.chat.options import ChatOptions
from bargein.server.engines.local.ears import EarLimits
from bargein.units import AudioFormat

pytestmark = [pytest.mark.real_time, pytest.mark.timeout(240)]


async def heard(local: LocalEars, format: AudioFormat = AudioFormat.PCM) -> list[str]:
    return [words async for words in local.hear(second(format), format, None)]


@pytest.mark.parametrize("format", AudioFormat)
async def test_a_turn_is_heard_whole_whatever_its_format(
    tmp_path: Path, format: AudioFormat
) -> None:
    async with ears(tmp_path) as pool:
        local = LocalEars(pool)
        (words,) = await heard(local, format)
        assert words.startswith("heard 16000 ")
        await local.close()


async def test_the_speakers_voice_goes_from_turn_to_turn(tmp_path: Path) -> None:
    said = (
        "tell(grammar=begun, score=1.0, sounds_score=1.0, grammar_sounds=9, sounds=9, "
        'frames=1000, means="voice"); continue'
    )
    async with ears(tmp_path, at_end=said) as pool:
        local = LocalEars(pool)
        (first,) = await heard(local)
        assert first.startswith("51.5,")
        assert await heard(local) == ["voice"]
        # Another band is another voice to the recogniser.
        (narrow,) = await heard(local, AudioFormat.PCMU)
        assert narrow.startswith("31.9,")
        await local.close()


async def test_what_cannot_be_heard_is_the_engines_error(tmp_path: Path) -> None:
    async with ears(tmp_path, EarLimits(deadline_s=5), at_end="os._exit(1)") as pool:
        local = LocalEars(pool)
        with pytest.raises(EngineError, match="died twice") as caught:
            await heard(local)
        assert caught.value.code == "ears_failed"
        await local.close()


def test_there_is_one_way_to_hear() -> None:
    for other in ({"mind_hears": True}, {"hear_url": "http://127.0.0.1:1/v1"}):
        options: dict[str, Any] = {"chat_url": "http://127.0.0.1:1/v1", **other}
        with pytest.raises(LocalValueError, match="are two ways to hear: give one"):
            ChatOptions(**options, hear_locally=True)


def test_without_the_recogniser_it_is_said_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    options = ChatOptions(chat_url="http://127.0.0.1:1/v1", hear_locally=True)
    with pytest.raises(DeviceError, match=r'pip install "bargein\[local\]"'):
        chat_engine(options)


async def test_a_mind_is_spoken_to_without_a_server_that_hears() -> None:
    async with services() as served:
        served.minds(says("There was one."))
        engine = chat_engine(served.options(hear_locally=True))
        async with wire(AT_ONCE, engine=engine) as client:
            audio = {"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}}
            await client.send("session.update", session={"type": "realtime", "audio": audio})
            sound = base64.b64encode(turn("story-slt")).decode()
            await client.send("input_audio_buffer.append", audio=sound)
            await client.send("input_audio_buffer.commit")
            await client.send("response.create", response={"output_modalities": ["text"]})
            done = await client.until("response.done")
            assert done["response"]["status"] == "completed"
            kind = "conversation.item.input_audio_transcription.completed"
            told = [event for event in client.seen if event["type"] == kind]
            transcript = (told or [await client.until(kind)])[0]["transcript"]
        *_, message = served.asked[-1].body["messages"]
        # What the mind is told and what the client is shown is what was said, and one thing.
        assert message == {"role": "user", "content": transcript}
        assert "story" in transcript and "dragon" in transcript
