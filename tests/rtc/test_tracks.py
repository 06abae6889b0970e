"""Two peers on loopback, over the names that aiortc does not promise: packets go out as they are
and are handed on as they arrive."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aioice import ice
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket

from bargein.rtc.tracks import QUEUED_PACKETS, PacketTrack, gather_at, own_addresses, tap

LOOPBACK = ("127.0.0.1",)


async def pair(
    here: RTCPeerConnection, there: RTCPeerConnection, addresses: tuple[str, ...] = LOOPBACK
) -> None:
    offer = await here.createOffer()
    gather_at(here, addresses)
    await here.setLocalDescription(offer)
    await there.setRemoteDescription(here.localDescription)
    answer = await there.createAnswer()
    gather_at(there, addresses)
    await there.setLocalDescription(answer)
    await here.setRemoteDescription(there.localDescription)


@pytest.mark.real_time
async def test_packets_arrive_as_they_were_sent_with_their_places() -> None:
    nowhere = RTCConfiguration(iceServers=[])
    here, there = RTCPeerConnection(nowhere), RTCPeerConnection(nowhere)
    outwards = PacketTrack(48_000)
    here.addTrack(outwards)
    here.createDataChannel("x")
    got: list[tuple[str, int, int, int, bytes]] = []
    enough = asyncio.Event()

    def arrived(*packet: Any) -> None:
        got.append(packet)
        if len(got) == 20:
            enough.set()

    there.on("track", lambda track: tap(there.getReceivers()[0], arrived))
    await pair(here, there)
    connected = asyncio.Event()

    def note() -> None:
        if "connected" == here.connectionState == there.connectionState:
            connected.set()

    here.on("connectionstatechange", note)
    there.on("connectionstatechange", note)
    note()
    async with asyncio.timeout(10):
        await connected.wait()
        await asyncio.sleep(0.1)
        for index in range(20):
            # A pause of a second stands in the places, not in the numbers.
            outwards.send(b"%02d" % index, 960 * index + (48_000 if index >= 10 else 0))
            await asyncio.sleep(0.002)
        await enough.wait()
    assert [each[4] for each in got] == [b"%02d" % index for index in range(20)]
    assert {each[:2] for each in got} == {("opus", 48_000)}
    numbers = [(each[2] - got[0][2]) % 65_536 for each in got]
    assert numbers == list(range(20))
    places = [(each[3] - got[0][3]) % 2**32 for each in got]
    assert places[9:11] == [9 * 960, 10 * 960 + 48_000]
    assert "127.0.0.1" in there.localDescription.sdp
    assert "candidate" in there.localDescription.sdp
    for line in there.localDescription.sdp.splitlines():
        assert not line.startswith("a=candidate") or " 127.0.0.1 " in line
    await here.close()
    await there.close()
    with pytest.raises(MediaStreamError):
        await outwards.recv()
    outwards.send(b"late", 0)


async def test_a_track_that_nobody_reads_keeps_the_newest() -> None:
    track = PacketTrack(48_000)
    for index in range(QUEUED_PACKETS + 5):
        track.send(bytes([index]), index)
    assert track.dropped == 5
    first = await track.recv()
    assert (bytes(first), first.pts) == (b"\x05", 5)
    track.stop()


async def test_a_reader_of_a_track_that_stops_is_told() -> None:
    track = PacketTrack(48_000)
    reading = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.stop()
    with pytest.raises(MediaStreamError):
        await reading


async def test_sources_that_a_peer_claims_do_not_add_up() -> None:
    class Codec:
        name, clockRate = "opus", 48_000

    ice = SimpleNamespace(_connection=SimpleNamespace(data_received=None))
    receiver: Any = SimpleNamespace(
        _RTCRtpReceiver__remote_streams={},
        _RTCRtpReceiver__codecs={96: Codec()},
        transport=SimpleNamespace(transport=ice),
    )
    got: list[bytes] = []
    tap(receiver, lambda *packet: got.append(packet[4]))
    for ssrc in range(1_000):
        packet = RtpPacket(payload_type=96, sequence_number=ssrc, timestamp=0)
        packet.ssrc, packet.payload = ssrc, b"x"
        await receiver._handle_rtp_packet(packet, arrival_time_ms=0)
    assert len(got) == 1_000 and len(receiver._RTCRtpReceiver__remote_streams) <= 4
    for wrong in (RtpPacket(payload_type=97), RtpPacket(payload_type=96)):
        await receiver._handle_rtp_packet(wrong, arrival_time_ms=0)
    assert len(got) == 1_000


def test_where_there_is_only_loopback_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def some(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return ["192.0.2.7", "127.0.0.2"]

    monkeypatch.setattr(ice, "get_host_addresses", some)
    assert own_addresses(loopback=False) == ("192.0.2.7",)
    assert own_addresses(loopback=True) == ("192.0.2.7", "127.0.0.1")
    monkeypatch.setattr(ice, "get_host_addresses", lambda **_: [])
    assert own_addresses(loopback=False) == ("127.0.0.1",)
