"""A plain aiortc peer that does what OpenAI's guide to WebRTC does, against our server.

It has the library's own encoder, decoder and jitter buffer: nothing of ours but the address at
which it gathers, since a machine may have loopback only.
"""

from __future__ import annotations

import asyncio
import fractions
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame
from tests.server.serving_rig import a_server, settle

from bargein.rtc.tracks import gather_at
from bargein.server.serving import Server

LOOPBACK = ("127.0.0.1",)
RATE = 24_000
FRAME = RATE // 50
LOUD = 500


class Microphone(MediaStreamTrack):
    """20 ms every 20 ms: what is to be said, else silence."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self._said = b""
        self._began_s: float | None = None

    def say(self, pcm: bytes) -> None:
        self._said += pcm

    async def recv(self) -> AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._began_s is None:
            self._began_s = loop.time()
        await asyncio.sleep(max(0.0, self._began_s + self.sent * 0.02 - loop.time()))
        pcm, self._said = self._said[: 2 * FRAME], self._said[2 * FRAME :]
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(pcm.ljust(2 * FRAME, b"\0"))
        frame.sample_rate, frame.time_base = RATE, fractions.Fraction(1, RATE)
        frame.pts = self.sent * FRAME
        self.sent += 1
        return frame


class Peer:
    """One call of the guide's: `events` are what came over the channel, `loud` which of the frames
    that were heard had sound in them."""

    def __init__(self, server: Server, *, label: str = "oai-events") -> None:
        self.server = server
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.microphone = Microphone()
        self.events: list[dict[str, Any]] = []
        self.loud: list[bool] = []
        self.call_id = ""
        self._arrived = asyncio.Event()
        self._heard = asyncio.Event()
        self._hearing: asyncio.Task[None] | None = None
        self.connection.addTrack(self.microphone)
        self.channel = self.connection.createDataChannel(label)
        self.channel.on("message", self._take)
        self.connection.on("track", self._listen)

    def prefer(self, *codecs: str) -> None:
        """Offer these only."""
        known = RTCRtpSender.getCapabilities("audio").codecs
        chosen: list[RTCRtpCodecCapability] = [
            each for name in codecs for each in known if each.mimeType.lower() == f"audio/{name}"
        ]
        self.connection.getTransceivers()[0].setCodecPreferences(chosen)

    async def offer(self) -> str:
        description = await self.connection.createOffer()
        gather_at(self.connection, LOOPBACK)
        await self.connection.setLocalDescription(description)
        sdp: str = self.connection.localDescription.sdp
        return sdp

    async def call(self, session: dict[str, Any] | None = None, *, key: str = "") -> httpx.Response:
        """POST the offer: with a session as a form, as with an API key, else bare."""
        answer = await post(self.server, "/calls", await self.offer(), session=session, key=key)
        if answer.status_code == 201:
            self.call_id = answer.headers["location"].rpartition("/")[2]
            described = RTCSessionDescription(answer.text, "answer")
            await self.connection.setRemoteDescription(described)
        return answer

    def send(self, type: str, **fields: Any) -> None:
        self.channel.send(json.dumps({"type": type, **fields}))

    async def until(self, type: str, count: int = 1) -> dict[str, Any]:
        """The `count`th event of this type."""
        async with asyncio.timeout(20):
            while len(found := [each for each in self.events if each["type"] == type]) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return found[count - 1]

    async def until_loud(self, frames: int = 1) -> None:
        """So many frames with sound were heard."""
        async with asyncio.timeout(20):
            while sum(self.loud) < frames:
                self._heard.clear()
                await self._heard.wait()

    @property
    def types(self) -> list[str]:
        return [each["type"] for each in self.events]

    async def close(self) -> None:
        await self.connection.close()
        if self._hearing is not None:
            # The library ends a track only where the connection had come about.
            self._hearing.cancel()
            await asyncio.wait({self._hearing})

    def _take(self, message: str) -> None:
        self.events.append(json.loads(message))
        self._arrived.set()

    def _listen(self, track: MediaStreamTrack) -> None:
        async def hear() -> None:
            while True:
                try:
                    frame = await track.recv()
                except MediaStreamError:
                    return
                assert isinstance(frame, AudioFrame)
                self.loud.append(int(np.abs(frame.to_ndarray()).max()) > LOUD)
                self._heard.set()

        self._hearing = asyncio.create_task(hear())


async def post(
    server: Server,
    path: str,
    offer: str | bytes | None = None,
    *,
    session: Any = None,
    json_body: Any = None,
    key: str = "",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """One request of HTTP below `/v1/realtime`."""
    head = {"Authorization": f"Bearer {key or server.api_key}", **(headers or {})}
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        url = f"{server.url}/realtime{path}"
        if json_body is not None:
            return await client.post(url, headers=head, json=json_body)
        if offer is None:
            return await client.post(url, headers=head)
        if session is None:
            head = {"Content-Type": "application/sdp", **head}
            return await client.post(url, headers=head, content=offer)
        files = {
            "sdp": (None, offer, "application/sdp"),
            "session": (None, json.dumps(session), "application/json"),
        }
        return await client.post(url, headers=head, files=files)


def sockets() -> int:
    """Open descriptors of this process that are sockets."""
    links = (Path("/proc/self/fd") / each for each in os.listdir("/proc/self/fd"))
    found = 0
    for link in links:
        try:
            found += os.readlink(link).startswith("socket:")
        except OSError:
            continue
    return found


async def nothing_is_left(server: Server) -> None:
    """The calls' sessions, their connections and their tasks are gone."""
    async with asyncio.timeout(10):
        await settle(server)
        while held := [each for each in asyncio.all_tasks() if each.get_name().startswith("call ")]:
            await asyncio.wait(held)
    assert not server.sessions
    assert not [each for each in asyncio.all_tasks() if "session-" in each.get_name()]


SESSION = {"type": "realtime", "model": "gpt-realtime"}
BY_HAND = {**SESSION, "audio": {"input": {"turn_detection": None}}}


@asynccontextmanager
async def a_call(
    *replies: dict[str, Any], session: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Peer]:
    """A peer in a call whose session has begun."""
    async with a_server(*replies, media_hosts=LOOPBACK, **options) as server:
        peer = Peer(server)
        try:
            answer = await peer.call(session or BY_HAND)
            assert answer.status_code == 201, answer.text
            await peer.until("session.created")
            yield peer
        finally:
            await peer.close()
