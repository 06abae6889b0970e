"""A stand-in for the server: `python -m bargein.lab.bench.replay_server FILE`.

It plays the service's side of a recorded conversation to every client, frame by frame at the
recorded times, and throws away what it is sent. So fifty clients hear the same at a fifth of a
core, where the real server would spend the machine on listening to fifty microphones.

FILE is JSON, a list of [microseconds, frame]. The first frame is sent at once, the second after
the client's first frame, and the times of the others count from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path

import msgspec
from websockets import ConnectionClosed
from websockets.asyncio.server import ServerConnection, serve

from bargein.core.inputs import Received
from bargein.lab.bench.recording import Conversation
from bargein.units import US_PER_S

Frames = list[tuple[int, str]]


def write(conversation: Conversation, file: Path) -> None:
    """Write FILE."""
    times_us = [each.now_us for each in conversation.happened if isinstance(each.input, Received)]
    file.write_bytes(msgspec.json.encode(list(zip(times_us, conversation.frames, strict=True))))


async def _attend(socket: ServerConnection, frames: Frames) -> None:
    (_, created), (begin_us, updated), *rest = frames
    with contextlib.suppress(ConnectionClosed):
        await socket.send(created)
        await socket.recv()
        begin_s = asyncio.get_running_loop().time()
        await socket.send(updated)
        playing = asyncio.create_task(_play(socket, rest, begin_s - begin_us / US_PER_S))
        try:
            # What the microphone says is read, or the client would be held up.
            async for _ in socket:
                pass
        finally:
            playing.cancel()


async def _play(socket: ServerConnection, frames: Frames, zero_s: float) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionClosed):
        for at_us, frame in frames:
            await asyncio.sleep(zero_s + at_us / US_PER_S - loop.time())
            await socket.send(frame)


async def _serve(frames: Frames) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def attend(socket: ServerConnection) -> None:
        await _attend(socket, frames)

    async with serve(attend, "127.0.0.1", 0, compression=None, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        told = {
            "base_url": f"http://127.0.0.1:{port}/v1",
            "ws_url": f"ws://127.0.0.1:{port}/v1/realtime",
            "api_key": "sk-local-replay",
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Serve until SIGTERM."""
    frames = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Frames)
    asyncio.run(_serve(frames))


if __name__ == "__main__":
    main()
