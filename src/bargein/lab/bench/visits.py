"""Visitors of a served server, each with a manner: they talk and interrupt, type, call functions,
fall silent, are refused, or are gone in the middle of a word.

They speak plain JSON over a WebSocket, so nothing of the client is in what they leave behind.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bargein.server.engines.espeak import speak
from bargein.server.serving import Server

MODEL: Final = "gpt-realtime"
_RATE = 24_000
_CHUNK_MS = 100
_SAYS = "Wait, please stop for a moment. I have a question."


def spoken() -> bytes:
    """A sentence; PCM, 24 kHz."""
    return speak(_SAYS).pcm.astype("<i2").tobytes()


class Visitor:
    """One connection, past its `session.created`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, type: str, **fields: Any) -> None:
        """Send an event."""
        await self.socket.send(json.dumps({"type": type, **fields}))

    async def until(self, type: str) -> dict[str, Any]:
        """The next event of this type."""
        while True:
            event: dict[str, Any] = json.loads(await self.socket.recv())
            if event["type"] == type:
                return event

    async def say(self) -> None:
        """Speak a sentence at the pace at which it sounds, with silence behind it."""
        pcm = spoken() + bytes(2 * _RATE)
        size = 2 * _RATE * _CHUNK_MS // 1_000
        for start in range(0, len(pcm), size):
            chunk = base64.b64encode(pcm[start : start + size]).decode()
            await self.send("input_audio_buffer.append", audio=chunk)
            await asyncio.sleep(_CHUNK_MS / 1_000)

    async def write(self, text: str) -> str:
        """Type something; the item's id."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.send("conversation.item.create", item=item)
        return str((await self.until("conversation.item.done"))["item"]["id"])


@asynccontextmanager
async def visitor(server: Server, compression: str | None = None) -> AsyncIterator[Visitor]:
    """A connection with the right key."""
    headers = {"Authorization": f"Bearer {server.api_key}"}
    async with connect(
        f"{server.ws_url}?model={MODEL}",
        additional_headers=headers,
        max_size=None,
        ping_interval=None,
        compression=compression,
    ) as socket:
        guest = Visitor(socket)
        await guest.until("session.created")
        yield guest


async def talk(server: Server) -> None:
    """Two spoken turns; the reply to the first is truncated, and cut by the second."""
    async with visitor(server) as guest:
        await guest.say()
        delta = await guest.until("response.output_audio.delta")
        await guest.send(
            "conversation.item.truncate",
            item_id=delta["item_id"],
            content_index=0,
            audio_end_ms=40,
        )
        await guest.until("conversation.item.truncated")
        await guest.say()
        await guest.until("response.done")
        await asyncio.sleep(20)


async def write(server: Server) -> None:
    """Five written turns over a compressed connection; one is read again, one deleted."""
    async with visitor(server, "deflate") as guest:
        for number in range(5):
            item_id = await guest.write(f"Tell me number {number}.")
            await guest.send("response.create", response={"output_modalities": ["text"]})
            await guest.until("response.done")
        await guest.send("conversation.item.retrieve", item_id=item_id)
        await guest.until("conversation.item.retrieved")
        await guest.send("conversation.item.delete", item_id=item_id)
        await guest.until("conversation.item.deleted")
        await asyncio.sleep(60)


async def vanish(server: Server) -> None:
    """Gone without a word while the reply is made."""
    async with visitor(server) as guest:
        await guest.send("response.create")
        await guest.until("response.output_audio.delta")
        guest.socket.transport.abort()


async def err(server: Server) -> None:
    """Everything wrong that a client can say, and a goodbye."""
    async with visitor(server) as guest:
        for frame in ("{", '{"type":"nope"}', b"\x00", '{"type":"response.cancel"}'):
            await guest.socket.send(frame)
            await guest.until("error")


async def be_refused(server: Server) -> None:
    """A model that is not there."""
    headers = {"Authorization": f"Bearer {server.api_key}"}
    url = f"{server.ws_url}?model=gpt-nope"
    async with connect(url, additional_headers=headers, ping_interval=None) as socket:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await socket.recv()


async def knock(server: Server) -> None:
    """Half a request, and then nothing."""
    reader, writer = await asyncio.open_connection(server.address, server.port)
    writer.write(b"GET /v1/realtime HTTP/1.1\r\nHost: 127.0.0.1")
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


async def be_silent(server: Server) -> None:
    """Four minutes of nothing but pings."""
    async with visitor(server):
        await asyncio.sleep(240)


async def stay(server: Server) -> None:
    """A spoken and a written turn every five minutes, until the session expires."""
    async with visitor(server) as guest:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await guest.say()
                await guest.until("response.done")
                await guest.write("And then?")
                await guest.send("response.create", response={"output_modalities": ["text"]})
                await guest.until("response.done")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(300):
                        # Never said; what comes meanwhile is taken, and the end is seen.
                        await guest.until("conversation.created")
        if (guest.socket.close_code, guest.socket.close_reason) != EXPIRED:
            raise AssertionError(f"the session ended otherwise: {guest.socket.close_code}")


EXPIRED: Final = (1001, "Your session hit the maximum duration of 60 minutes.")
Manner: TypeAlias = Callable[[Server], Awaitable[None]]
MANNERS: Final[Mapping[str, Manner]] = {
    "talk": talk,
    "write": write,
    "vanish": vanish,
    "err": err,
    "be_refused": be_refused,
    "knock": knock,
    "be_silent": be_silent,
}
"""The short visits; `stay` lasts as long as a session may."""
