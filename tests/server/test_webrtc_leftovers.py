"""Bad input to calls, several times each, and that nothing is left of it: no port, no task, and
nothing that a call's memory is in."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from aioice import ice
from aiortc import RTCDtlsTransport, RTCIceTransport, RTCPeerConnection, RTCSctpTransport
from tests.server.peer_rig import BY_HAND, LOOPBACK, SESSION, Peer, nothing_is_left, post, sockets
from tests.server.serving_rig import a_server

from bargein.rtc.opus import Decoder, Encoder
from bargein.rtc.tracks import PacketTrack
from bargein.server import calls
from bargein.server.client_secrets import ClientSecrets
from bargein.server.host import Session
from bargein.server.limits import HostLimits
from bargein.server.serving import Server
from bargein.server.webrtc import Call, Channel, Tracks

pytestmark = pytest.mark.real_time
TIMES = 2
CLOCK = [1_000.0]
"""That of the ephemeral keys."""
Bad = Callable[[Server, Peer], Awaitable[int]]
KINDS = (
    *(RTCPeerConnection, RTCDtlsTransport, RTCIceTransport, RTCSctpTransport, ice.Connection),
    *(Session, Call, Channel, Tracks, PacketTrack, Encoder, Decoder, Peer),
)
"""All that a call's memory is in; the codecs' is the C library's."""


async def offered(server: Server, offer: str, **how: Any) -> int:
    return (await post(server, "/calls", offer, **{"session": SESSION, **how})).status_code


async def malformed(server: Server, peer: Peer) -> int:
    return await offered(server, "v=0\r\n\x00\xff m=audio m=audio")


async def cut_short(server: Server, peer: Peer) -> int:
    offer = await peer.offer()
    return await offered(server, offer[: offer.index("a=ice-pwd")])


async def without_audio(server: Server, peer: Peer) -> int:
    offer = await peer.offer()
    audio, channel = offer.index("m=audio"), offer.index("m=application")
    bare = offer[:audio] + offer[channel:]
    return await offered(server, bare.replace("BUNDLE 0 1", "BUNDLE 1"))


async def foreign_codecs(server: Server, peer: Peer) -> int:
    peer.prefer("g722")
    return await offered(server, await peer.offer())


async def half_an_audio_line(server: Server, peer: Peer) -> int:
    offer = await peer.offer()
    return await offered(server, offer.replace("a=ice-ufrag", "a=ufrag"))


async def wrong_key(server: Server, peer: Peer) -> int:
    return await offered(server, await peer.offer(), key="sk-wrong-0123456789abcdefghij")


async def expired_key(server: Server, peer: Peer) -> int:
    body = {"session": SESSION, "expires_after": {"anchor": "created_at", "seconds": 10}}
    key = (await post(server, "/client_secrets", json_body=body)).json()["value"]
    CLOCK[0] += 10
    return await offered(server, await peer.offer(), session=None, key=key)


async def never_connects(server: Server, peer: Peer) -> int:
    return await offered(server, await peer.offer())


async def another_fingerprint(server: Server, peer: Peer) -> int:
    """What the client says of its certificate is not so: the connection is not made."""
    described = await peer.offer()
    at = described.index("a=fingerprint:sha-256 ") + len("a=fingerprint:sha-256 ")
    forged = described.replace(described[at : at + 95], ":".join(["00"] * 32))
    answer = await post(server, "/calls", forged, session=SESSION)
    return answer.status_code


async def channel_of_another_name(server: Server, peer: Peer) -> int:
    other = Peer(server, label="events")
    closed = asyncio.Event()
    other.channel.on("close", closed.set)
    status = (await other.call(SESSION)).status_code
    async with asyncio.timeout(10):
        await closed.wait()
    await other.close()
    return status


async def leaves_in_mid_handshake(server: Server, peer: Peer) -> int:
    answer = await peer.call(BY_HAND)
    await peer.close()
    return answer.status_code


@pytest.fixture(scope="module", autouse=True)
def only_what_is_new() -> Iterator[None]:
    """To look through all that the other tests have loaded takes longer than these tests."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


async def objects_gone() -> None:
    """The library's own tasks look up every 20 ms whether the connection is closed."""
    for _ in range(100):
        gc.collect()
        if not any(isinstance(each, KINDS) for each in gc.get_objects()):
            return
        await asyncio.sleep(0.02)
    left = [each for each in gc.get_objects() if isinstance(each, KINDS)]
    raise AssertionError(f"left: {left}")


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (malformed, 400),
        (cut_short, 400),
        (without_audio, 400),
        (foreign_codecs, 400),
        (half_an_audio_line, 400),
        (wrong_key, 401),
        (expired_key, 401),
        (never_connects, 201),
        (another_fingerprint, 201),
        (channel_of_another_name, 201),
        (leaves_in_mid_handshake, 201),
    ],
)
async def test_nothing_is_left_of(bad: Bad, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "ClientSecrets", lambda: ClientSecrets(lambda: CLOCK[0]))
    limits = HostLimits(write_deadline_s=0.2)
    async with a_server(media_hosts=LOOPBACK, limits=limits) as server:
        tasks = {each.get_name() for each in asyncio.all_tasks()}

        async def once() -> None:
            peer = Peer(server)
            try:
                assert await bad(server, peer) == status
            finally:
                await peer.close()
            await nothing_is_left(server)
            del peer
            await objects_gone()

        await once()
        before = sockets()
        for _ in range(TIMES):
            await once()
        assert sockets() <= before + 1  # A connection of the client's own may linger.
        running = {each.get_name() for each in asyncio.all_tasks()} - tasks
        assert not [each for each in running if "call" in each or "session" in each]
