"""A recorded client, played against our server over a WebSocket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.golden.recording import Frame, Recording, types
from tests.golden.speech import sound
from websockets.asyncio.client import ClientConnection, connect

from bargein.lab.lanes.moments import RATE_LIMITS
from bargein.server.model.options import Options
from bargein.server.serving import serve_local

AT_ONCE = Options(rate_limits_after_us=0)
PATIENCE_S = 20.0


async def replay(recording: Recording) -> list[Frame]:
    """What our server sends for the same client frames, each sent once everything has come that
    came before it in the recording."""
    async with serve_local(recording.scenario(), options=AT_ONCE) as server:
        headers = {"Authorization": f"Bearer {server.api_key}"}
        url = f"{server.ws_url}?model={recording.model}"
        async with connect(url, additional_headers=headers, max_size=None) as socket:
            client = _Client(socket, recording)
            async with asyncio.timeout(PATIENCE_S):
                await client.play()
    return client.seen


class _Client:
    def __init__(self, socket: ClientConnection, recording: Recording) -> None:
        self.seen: list[Frame] = []
        self._socket = socket
        self._recording = recording
        self._sound = _pieces(recording)
        self._came: Counter[str] = Counter()

    async def play(self) -> None:
        wanted: Counter[str] = Counter()
        for sent, frame in self._recording.interactions:
            if sent:
                await self._wait_for(wanted)
                await self._send(frame)
            elif frame["type"] != RATE_LIMITS and not frame["type"].endswith(".delta"):
                wanted[frame["type"]] += 1
        await self._wait_for(wanted)
        # What else is sent unasked is sent by now: it would come before the answer to this.
        await self._socket.send(json.dumps({"type": "no.such.event", "event_id": "the end"}))
        while (await self._receive()).get("error", {}).get("event_id") != "the end":
            pass
        self.seen.pop()

    async def _wait_for(self, wanted: Counter[str]) -> None:
        while wanted - self._came:
            await self._receive()

    async def _receive(self) -> Frame:
        frame: Frame = json.loads(await self._socket.recv())
        self.seen.append(frame)
        self._came[frame["type"]] += 1
        return frame

    async def _send(self, frame: Frame) -> None:
        if frame["type"] == "input_audio_buffer.append":
            frame = {**frame, "audio": next(self._sound)}
        elif frame.get("item", {}).get("type") == "function_call_output":
            ours = dict(zip(_calls(self._recording.received), _calls(self.seen), strict=False))
            frame = {**frame, "item": {**frame["item"], "call_id": ours[frame["item"]["call_id"]]}}
        await self._socket.send(json.dumps(frame))


def _calls(frames: list[Frame]) -> list[Any]:
    return [f["call_id"] for f in frames if f["type"] == "response.function_call_arguments.done"]


def _pieces(recording: Recording) -> Iterator[str]:
    """As many pieces of sound as the recorded client appended, all of one length."""
    count = types(recording.sent).count("input_audio_buffer.append")
    if count:
        pcm = sound(recording.turns, recording.turn_detection)
        size = -(-len(pcm) // 2 // count) * 2
        for start in range(0, count * size, size):
            yield base64.b64encode(pcm[start : start + size].ljust(size, b"\0")).decode()
