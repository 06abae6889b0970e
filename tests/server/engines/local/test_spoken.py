"""A spoken conversation from the wire, with no scripted transcript: the recogniser hears, the mind
answers, the voice speaks. The user is synthetic speech of four voices (`tests/data/README.md`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.server.serving_rig import KEY, RATE, a_client, settle, types

from bargein.audio.files import read_sound
from bargein.audio.formats import bytes_of, encode
from bargein.audio.resample import resample
from bargein.server.engines.local.engine import local_engine
from bargein.server.engines.local.mind import JOKES, UNKNOWN, Clock
from bargein.server.serving import Server, serve_local
from bargein.units import AudioFormat

# The recogniser is real: on a machine that has much else to do, it takes its time.
pytestmark = [pytest.mark.real_time, pytest.mark.timeout(240)]

SPEECH = Path(__file__).parents[3] / "data" / "spoken"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
QUESTIONS = (
    ("story-slt", "there lived a dragon"),
    ("where-rms", "My last words were"),
    ("weather-awb", '{"city": "Paris"}'),
    ("time-kal16", "It is 3 05"),
    ("color-slt", "your favorite color is blue"),
    ("which-color-rms", "your favorite color is blue"),
    ("joke-awb", "?"),
    ("can-kal16", "I tell stories, short ones and long ones."),
    ("name-slt", "Nice to meet you, Peter"),
    ("how-rms", "I am fine"),
)
"""Who asks what, and what is in an answer that was meant for it."""


@cache
def turn(name: str) -> bytes:
    """What somebody says, with silence before it and, to end the turn, behind it."""
    sound, rate = read_sound(SPEECH / f"{name}.flac")
    speech = resample(sound, rate, RATE)
    before, behind = np.zeros(RATE * 3 // 10, np.int16), np.zeros(RATE * 7 // 10, np.int16)
    return bytes_of(np.concatenate((before, speech, behind)))


@asynccontextmanager
async def a_local_server() -> AsyncIterator[Server]:
    factory = local_engine(speed=20, clock=lambda: Clock(15, 5, "Saturday"))
    async with serve_local(engine=factory, api_key=KEY) as server:
        yield server
        await settle(server)


def said(response: dict[str, Any]) -> str:
    """What a response says, writes or calls."""
    told = ""
    for item in response["output"]:
        told += item.get("arguments", "")
        for part in item.get("content", ()):
            told += part.get("text") or part.get("transcript") or ""
    return told


VAD = {"type": "server_vad"}


async def test_ten_questions_of_its_domain_are_answered_as_they_were_meant() -> None:
    answers: dict[str, str] = {}
    async with a_local_server() as server, a_client(server) as client:
        await client.configure(VAD, output_modalities=["text"], tools=[WEATHER])
        for name in (*(name for name, _ in QUESTIONS), "multiply-kal16"):
            await client.speak(turn(name))
            answers[name] = said((await client.until("response.done"))["response"])
    wrong = {name: answers[name] for name, meant in QUESTIONS if meant not in answers[name]}
    assert len(wrong) <= 1, wrong
    # What is not of its domain it says it did not understand.
    assert answers["multiply-kal16"] in UNKNOWN


async def test_after_a_spoken_barge_in_it_goes_on_at_the_word_after_the_last_heard_one() -> None:
    heard_ms = 5_300
    async with a_local_server() as server, a_client(server) as client:
        sound = {"turn_detection": VAD, "transcription": {"model": "gpt-4o-transcribe"}}
        settings = {"type": "realtime", "audio": {"input": sound}}
        await client.send("session.update", session=settings)
        await client.until("session.updated")
        await client.speak(turn("story-slt"))
        story = (await client.until("response.output_item.added"))["item"]
        for _ in range(60):
            await client.until("response.output_audio.delta")
        await client.speak(turn("stop-awb"))
        cut = (await client.until("response.done"))["response"]
        assert cut["status_details"]["reason"] == "turn_detected"
        check_order(client.seen)
        truncation = {"item_id": story["id"], "content_index": 0, "audio_end_ms": heard_ms}
        await client.send("conversation.item.truncate", **truncation)
        await client.until("conversation.item.truncated")
        assert said((await client.until("response.done"))["response"]) == "All right."

        (session,) = server.sessions.values()
        remembered = {item.id: item for item in session.machine.memory}
        (part,) = remembered[story["id"]].parts
        heard = "".join(part.words).split()
        assert part.truncated and part.kept_samples == heard_ms * RATE // 1_000
        assert 8 < len(heard) < 25

        await client.speak(turn("go-on-slt"))
        for _ in range(20):
            await client.until("response.output_audio.delta")
        await client.send("response.cancel")
        rest = said((await client.until("response.done"))["response"]).split()

        await client.type("Start again, please.")
        await client.send("response.create", response={"output_modalities": ["text"]})
        whole = said((await client.until("response.done"))["response"]).split()
    assert heard == whole[: len(heard)]
    assert rest == whole[len(heard) : len(heard) + len(rest)] and len(rest) > 5
    assert transcripts(client.seen) == [
        "tell me a story about a dragon",
        "stop please",
        "please go on",
    ]


def check_order(seen: list[dict[str, Any]]) -> None:
    """The answer begins after the turn and before all of it is made; nobody reads a clock here."""
    kinds = types(seen)
    first_audio = kinds.index("response.output_audio.delta")
    last_word = len(kinds) - 1 - kinds[::-1].index("response.output_audio_transcript.delta")
    assert kinds.index("input_audio_buffer.speech_stopped") < first_audio < last_word


def transcripts(seen: list[dict[str, Any]]) -> list[str]:
    kind = "conversation.item.input_audio_transcription.completed"
    return [event["transcript"] for event in seen if event["type"] == kind]


async def test_a_push_to_talk_turn_in_the_telephones_format_is_understood() -> None:
    format = AudioFormat.PCMU
    async with a_local_server() as server, a_client(server) as client:
        audio = {"input": {"turn_detection": None, "format": {"type": format.value}}}
        settings = {"type": "realtime", "audio": audio, "output_modalities": ["text"]}
        await client.send("session.update", session=settings)
        await client.until("session.updated")
        narrow = resample(np.frombuffer(turn("joke-awb"), "<i2"), RATE, format.rate)
        await client.speak(encode(bytes_of(narrow), format))
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        answer = said((await client.until("response.done"))["response"])
    assert answer in JOKES


async def test_sessions_that_come_and_go_leave_no_child_behind() -> None:
    before = children()
    async with a_local_server() as server:
        for _ in range(3):
            async with a_client(server), a_client(server):
                pass
        await settle(server)
        assert children() == before


def children() -> set[str]:
    """The processes that this one has."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {child for each in tasks for child in each.read_text().split()}
