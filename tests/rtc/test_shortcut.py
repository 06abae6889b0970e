"""Packets that take the short way: they are what the library would have sent and taken, and its
reports say so."""

from __future__ import annotations

import asyncio
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.rtp import RtpPacket
from tests.rtc.test_tracks import pair

from bargein.rtc.shortcut import Outlet, read, receive_at_once
from bargein.rtc.tracks import PacketTrack, tap


def packet(**fields: Any) -> RtpPacket:
    made = RtpPacket(payload_type=96, sequence_number=7, timestamp=960, ssrc=5, **fields)
    made.payload = b"sound"
    return made


def test_a_plain_packet_is_read_as_the_library_reads_it() -> None:
    plain = read(packet().serialize())
    assert (plain.payload_type, plain.sequence_number, plain.timestamp) == (96, 7, 960)
    assert (plain.ssrc, plain.payload) == (5, b"sound")


def test_a_packet_with_more_sources_is_left_to_the_library() -> None:
    made = packet()
    made.csrc = [1, 2]
    found = read(made.serialize())
    assert isinstance(found, RtpPacket) and (found.csrc, found.payload) == ([1, 2], b"sound")
    with pytest.raises(ValueError, match="truncated"):
        read(made.serialize()[:14])


class Keys:
    """Takes what it knows."""

    def unprotect(self, data: bytes) -> bytes:
        import pylibsrtp

        if data.endswith(b"foreign"):
            raise pylibsrtp.Error("authentication failure")
        return data


def receiver(state: str = "connected") -> tuple[Any, list[bytes]]:
    waiting: list[bytes] = []
    connection = SimpleNamespace(data_received=lambda data, component: waiting.append(data))
    transport = SimpleNamespace(
        state=state, _rx_srtp=Keys(), transport=SimpleNamespace(_connection=connection)
    )
    return SimpleNamespace(transport=transport), waiting


@pytest.mark.parametrize(
    ("data", "state", "where"),
    [
        (packet().serialize(), "connected", "taken"),
        (packet().serialize(), "closed", "waits"),
        (struct.pack("!BBHL", 0x81, 201, 1, 5) + bytes(24), "connected", "waits"),  # RTCP
        (b"\x16\xfe\xfd" + bytes(30), "connected", "waits"),  # DTLS
        (packet().serialize() + b"foreign", "connected", "dropped"),
        (b"\xb0" + packet().serialize()[1:], "connected", "dropped"),  # What it announces lacks.
    ],
)
def test_only_sound_with_the_right_key_takes_the_short_way(
    data: bytes, state: str, where: str
) -> None:
    here, waiting = receiver(state)
    taken: list[Any] = []
    receive_at_once(here, taken.append)
    here.transport.transport._connection.data_received(data, 1)
    assert (bool(taken), bool(waiting)) == {
        "taken": (True, False), "waits": (False, True), "dropped": (False, False),
    }[where]  # fmt: skip


@pytest.mark.real_time
async def test_what_leaves_at_once_arrives_in_order_and_is_reported() -> None:
    nowhere = RTCConfiguration(iceServers=[])
    here, there = RTCPeerConnection(nowhere), RTCPeerConnection(nowhere)
    track = PacketTrack(48_000)
    sender = here.addTrack(track)
    track.leave_by(Outlet(sender, 96))
    track.send(b"too early", 0)
    assert track.dropped == 1
    got: list[tuple[str, int, int, int, bytes]] = []

    def arrived(*packet: Any) -> None:
        got.append(packet)

    there.on("track", lambda track: tap(there.getReceivers()[0], arrived))
    up = asyncio.Event()

    def note() -> None:
        if here.connectionState == there.connectionState == "connected":
            up.set()

    here.on("connectionstatechange", note)
    there.on("connectionstatechange", note)
    await pair(here, there)
    async with asyncio.timeout(10):
        await up.wait()
        while len(got) < 20:
            track.send(b"%03d" % len(got), 960 * len(got))
            await asyncio.sleep(0.005)
    assert track.dropped == 1
    numbers = [(each[2] - got[0][2]) % 65_536 for each in got]
    assert numbers == list(range(len(got)))
    places = [(each[3] - got[0][3]) % 2**32 for each in got]
    assert places == sorted(places)
    inside: Any = sender
    assert inside._RTCRtpSender__packet_count >= 20
    assert inside._RTCRtpSender__octet_count == 3 * inside._RTCRtpSender__packet_count
    assert inside._RTCRtpSender__ntp_timestamp > 0
    await here.close()
    await there.close()
    track.send(b"too late", 0)
    assert track.dropped == 1
