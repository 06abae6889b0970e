"""A local server for one test, a plain WebSocket client, and a user who speaks."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from bargein.server.engines.espeak import speak
from bargein.server.engines.scenario import Scenario
from bargein.server.serving import Server, serve_local

MODEL = "gpt-realtime-2.1"
KEY = "sk-test-0123456789abcdefghijklmnop"
RATE = 24_000
CHUNK_MS = 20
STALL_MS = 600_000
"""Longer than any test: what stalls goes on only if it is cut."""

STORY = (
    "Once upon a time there was a fox who lived by the sea. Every evening she counted the boats "
    "that came home, and every evening one of them was missing."
)


def scenario(*replies: dict[str, Any], **manner: Any) -> Scenario:
    """Replies without pauses, made fifty times as fast as they sound."""
    quick = {
        "speed": 50,
        "first_event_after_ms": 0,
        "first_audio_after_ms": 5,
        "text_delta_every_ms": 0,
    }
    return Scenario.of({**quick, **manner, "replies": list(replies)})


def says(text: str, **reply: Any) -> dict[str, Any]:
    return {"outputs": [{"say": text}], **reply}


def story_that_stalls(at_ms: int = 3_000) -> dict[str, Any]:
    """A reply that gets so far and then waits to be interrupted."""
    return {"outputs": [{"say": STORY, "gaps": [{"at_ms": at_ms, "for_ms": STALL_MS}]}]}


@asynccontextmanager
async def a_server(
    *replies: dict[str, Any], script: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Server]:
    """A server with these replies; with none, one that says hello. `script`: more keys of its
    scenario."""
    given = scenario(*(replies or (says("Hello there, how are you?"),)), **(script or {}))
    async with serve_local(given, **{"api_key": KEY, **options}) as server:
        yield server


class Client:
    """A connection that speaks plain JSON and keeps what it received."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen: list[dict[str, Any]] = []

    async def send(self, type: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": type, **fields}))

    async def next(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(await self.socket.recv())
        self.seen.append(event)
        return event

    async def until(self, type: str) -> dict[str, Any]:
        """The next event of this type, after all that come before it."""
        while (event := await self.next())["type"] != type:
            pass
        return event

    async def configure(self, turn_detection: Any = None, **session: Any) -> None:
        audio = {"input": {"turn_detection": turn_detection}}
        await self.send("session.update", session={"type": "realtime", "audio": audio, **session})
        await self.until("session.updated")

    async def type(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.send("conversation.item.create", item=item)
        await self.until("conversation.item.done")

    async def speak(self, pcm: bytes) -> None:
        """Send sound in small chunks, faster than it sounds."""
        for chunk in chunks(pcm):
            await self.send("input_audio_buffer.append", audio=base64.b64encode(chunk).decode())


@asynccontextmanager
async def a_client(
    server: Server, model: str = MODEL, *, query: str = "", **options: Any
) -> AsyncIterator[Client]:
    """An admitted client that has seen `session.created`."""
    headers = {"Authorization": f"Bearer {server.api_key}"}
    url = f"{server.ws_url}?{query or f'model={model}'}"
    settings = {"additional_headers": headers, "compression": None, "max_size": None, **options}
    async with connect(url, **settings) as socket:
        client = Client(socket)
        await client.until("session.created")
        yield client


@cache
def user_speech(text: str = "Wait, please stop for a moment. I have a question.") -> bytes:
    """A spoken sentence with a second of silence on either side; PCM, 24 kHz."""
    silence = np.zeros(RATE, np.int16)
    return np.concatenate((silence, speak(text).pcm, silence)).astype("<i2").tobytes()


def chunks(pcm: bytes) -> Iterator[bytes]:
    size = 2 * RATE * CHUNK_MS // 1_000
    return (pcm[start : start + size] for start in range(0, len(pcm), size))


def types(events: Iterable[dict[str, Any]]) -> list[str]:
    return [str(event["type"]) for event in events]


def audio_bytes(events: Iterable[dict[str, Any]], item_id: str) -> int:
    """How much sound of an item was received."""
    return sum(
        len(base64.b64decode(event["delta"]))
        for event in events
        if event["type"] == "response.output_audio.delta" and event["item_id"] == item_id
    )


async def settle(server: Server) -> None:
    """Wait until the server has no session left."""
    async with asyncio.timeout(10):
        for session in list(server.sessions.values()):
            await session.ended.wait()
