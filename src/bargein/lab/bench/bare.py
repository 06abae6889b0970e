"""The peer of the live figures: a loop of `websockets` and `msgspec` that does the work and
decides nothing.

It is the least that a voice program can do. It reads each frame (one msgspec struct of the five
fields it needs), decodes base64 audio (pybase64) and hands it to the player; it writes each chunk
of the microphone as one `input_audio_buffer.append`; it tells the player where a part ends, and
stops it when the server hears speech, because otherwise the two players would not have the same
work. It keeps no conversation, counts nothing, truncates nothing, filters nothing, has no
deadlines and no bounds, and ignores what the player reports.
"""

from __future__ import annotations

import asyncio
import json

import msgspec
import pybase64
from websockets.asyncio.client import ClientConnection, connect

from bargein.lab.bench.stage import Devices


class _Frame(msgspec.Struct):
    type: str
    response_id: str | None = None
    item_id: str | None = None
    content_index: int | None = None
    delta: str | None = None


_DECODER = msgspec.json.Decoder(_Frame)
_UPDATE = json.dumps(
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "audio": {"input": {"turn_detection": {"type": "server_vad"}}},
        },
    }
)


class BareClient:
    """One connection; `begin` returns when the session stands, with the microphone on."""

    def __init__(self, url: str, api_key: str, devices: Devices) -> None:
        self._cuts = 0
        self._url, self._api_key, self._devices = url, api_key, devices
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._socket: ClientConnection | None = None

    async def begin(self) -> None:
        """Connect and configure the session as the other client does."""
        socket = self._socket = await connect(
            self._url,
            additional_headers={"Authorization": f"Bearer {self._api_key}"},
            compression=None,
            max_size=16 * 1024 * 1024,
            proxy=None,
        )
        self._devices.player.attach(lambda report: None)
        self._devices.recorder.attach(self._hear)
        await socket.send(_UPDATE)
        while _DECODER.decode(await socket.recv()).type != "session.updated":
            pass
        self._tasks = [asyncio.create_task(work()) for work in (self._read, self._write)]
        self._devices.recorder.start()

    async def end(self) -> None:
        """Close everything; raises what broke a task before."""
        broken = [task.exception() for task in self._tasks if task.done()]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._devices.close()
        if self._socket is not None:
            await self._socket.close()
        for error in broken:
            if error is not None:
                raise error

    def _hear(self, pcm: bytes, rate: int) -> None:
        audio = pybase64.b64encode_as_string(pcm)
        self._waiting.put_nowait(f'{{"type":"input_audio_buffer.append","audio":"{audio}"}}')

    async def _write(self) -> None:
        assert self._socket is not None
        while True:
            await self._socket.send(await self._waiting.get())

    async def _read(self) -> None:
        assert self._socket is not None
        player = self._devices.player
        async for text in self._socket:
            frame = _DECODER.decode(text)
            match frame.type:
                case "response.output_audio.delta":
                    assert frame.delta is not None
                    audio = pybase64.b64decode(frame.delta, validate=True)
                    mark = (frame.response_id, frame.item_id, frame.content_index)
                    player.play(mark, audio, 24_000)
                case "response.output_audio.done":
                    player.finish((frame.response_id, frame.item_id, frame.content_index))
                case "input_audio_buffer.speech_started":
                    self._cuts += 1
                    player.stop(f"cut {self._cuts}")
