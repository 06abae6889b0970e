"""A process of its own for dropped connections: `python -m bargein.lab.bench.drops_child COUNT`.

The server is the one that ships, on a socket and on real time. Each peer is cut off at a byte that
is drawn, of what it says or of what it hears: in the handshake, in a frame, in a response. It goes
by a close, by a reset, or by half a close; eight are there at once. It writes a line of JSON after
the first fifth, and one at the end.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import socket
import struct
import sys
import tracemalloc
from collections.abc import Callable, Iterator

import msgspec

from bargein.lab.bench.left import Left, found
from bargein.lab.bench.visits import MODEL, spoken, visitor
from bargein.server.limits import HostLimits
from bargein.server.serving import Server, serve_local

SPEED = 50.0
SEED = 1
_AT_ONCE = 8
_SETTLE_S = 30.0


async def drop(count: int, told: Callable[[Left], None]) -> None:
    """Open and drop so many; `told` gets what is left after the first fifth, and after all."""
    chance = random.Random(SEED)
    tracemalloc.start()
    try:
        limits = HostLimits(visits=10_000)  # All of them come from one address.
        async with serve_local(speed=SPEED, limits=limits) as server:
            head, frames = upgrade(server), conversation()
            tasks = asyncio.all_tasks()
            for begin, end in ((0, count // 5), (count // 5, count)):
                peers = iter(range(begin, end))  # shared: each task takes the next
                async with asyncio.TaskGroup() as group:
                    for _ in range(_AT_ONCE):
                        group.create_task(_peers(peers, server, head, frames, chance))
                await _gone(server, tasks)
                told(found(end, sessions=len(server.sessions), opened=server.host.sessions_opened))
    finally:
        tracemalloc.stop()


async def _peers(
    peers: Iterator[int], server: Server, head: bytes, frames: bytes, chance: random.Random
) -> None:
    for _ in peers:
        await _peer(server, head, frames, chance)


async def _peer(server: Server, head: bytes, frames: bytes, chance: random.Random) -> None:
    """Say a part of it, hear a part of the answer, and go: a third each in the request, in the
    frames, and in what the server says then."""
    loop = asyncio.get_running_loop()
    hears = 0
    match chance.randrange(3):
        case 0:
            head, frames = head[: chance.randrange(len(head))], b""
        case 1:
            frames = frames[: chance.randrange(len(frames))]
        case _:
            hears = chance.randrange(400_000)
    way = chance.choice(("close", "reset", "half"))
    peer = socket.create_connection((server.address, server.port))
    peer.setblocking(False)
    with peer, contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_SETTLE_S):
            await loop.sock_sendall(peer, head)
            if frames:
                # Nothing may be said before the answer to the request (RFC 6455, 4.1).
                await loop.sock_recv(peer, 4_096)
                await loop.sock_sendall(peer, frames)
            while hears > 0 and (heard := await loop.sock_recv(peer, 65_536)):
                hears -= len(heard)
            if way == "reset":
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif way == "half":
                peer.shutdown(socket.SHUT_WR)
                while await loop.sock_recv(peer, 65_536):
                    pass


async def _gone(server: Server, before: set[asyncio.Task[object]]) -> None:
    """Wait until the server has noticed. Raises TimeoutError if it does not."""
    async with asyncio.timeout(_SETTLE_S):
        async with visitor(server):
            pass  # Connections are taken in order, so all of them were.
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)


def upgrade(server: Server) -> bytes:
    """The request for a session."""
    lines = (
        f"GET /v1/realtime?model={MODEL} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
        f"Authorization: Bearer {server.api_key}",
    )
    return "\r\n".join((*lines, "", "")).encode()


def conversation() -> bytes:
    """Frames: a spoken sentence in one append, its commit, a text, and a reply asked for."""
    audio = base64.b64encode(spoken()).decode()
    item = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "Tell me a story."}],
    }
    session = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    said: tuple[dict[str, object], ...] = (
        {"type": "session.update", "session": session},
        {"type": "input_audio_buffer.append", "audio": audio},
        {"type": "input_audio_buffer.commit"},
        {"type": "conversation.item.create", "item": item},
        {"type": "response.create"},
    )
    return b"".join(_frame(json.dumps(event).encode()) for event in said)


def _frame(payload: bytes) -> bytes:
    """A masked text frame; the mask is zeros, which leaves the payload as it is."""
    size = bytes([0x80 | 127]) + struct.pack("!Q", len(payload))
    return b"\x81" + size + bytes(4) + payload


def _tell(what: Left) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(drop(int(sys.argv[1]), _tell))
