"""aiortc's tracks without its threads and its jitter buffer.

1. What we send is encoded already: the library packs it and does not touch it, in the loop.
2. What arrives is handed on as it arrives. The library's own way behind that (a buffer that holds
   four packets and, after one loss, sixteen; a decoder in a thread) is not taken.
3. This stands on names that aiortc and aioice do not promise; `pyproject.toml` pins their range and
   the tests of both ends talk over them. Nobody else names them.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import deque
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from aioice import ice
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpReceiver
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtpPacket
from av.packet import Packet

from bargein.rtc.shortcut import Outlet, Sound, receive_at_once

QUEUED_PACKETS = 50
_MOST_SOURCES = 4
_ANNOUNCED_BYTES = 1024 * 1024

Arrived: TypeAlias = Callable[[str, int, int, int, bytes], None]
"""A packet: codec in lower case, clock rate, sequence number, timestamp, payload."""


class PacketTrack(MediaStreamTrack):
    """A track outwards. Positions are in samples of `clock_rate`, and rise."""

    kind = "audio"

    def __init__(self, clock_rate: int) -> None:
        super().__init__()
        self.dropped = 0
        """Packets that were not sent because the connection took none."""
        self._base = Fraction(1, clock_rate)
        self._outlet: Outlet | None = None
        self._packets: deque[Packet[Any]] = deque()
        self._changed = asyncio.Event()

    def leave_by(self, outlet: Outlet) -> None:
        """From its first packet on, what is sent leaves by this, and is dropped where that takes
        nothing."""
        self._outlet = outlet

    def send(self, payload: bytes, position: int) -> None:
        """Put it on its way; it leaves at once, or in the loop's next rounds."""
        if self.readyState != "live":
            return
        if self._outlet is not None:
            self.dropped += not self._outlet.send(payload, position)
            return
        packet = Packet(payload)
        packet.pts, packet.time_base = position, self._base
        self._packets.append(packet)
        if len(self._packets) > QUEUED_PACKETS:
            self._packets.popleft()
            self.dropped += 1
        self._changed.set()

    async def recv(self) -> Packet[Any]:
        while not self._packets:
            if self.readyState != "live":
                raise MediaStreamError
            self._changed.clear()
            await self._changed.wait()
        return self._packets.popleft()

    def stop(self) -> None:
        super().stop()
        self._packets.clear()
        self._changed.set()


def tap(receiver: RTCRtpReceiver, arrived: Arrived) -> None:
    """Hand what arrives at the receiver to `arrived` alone. What it knows for its reports goes on.

    At most four sources are counted at once: each costs memory, and a peer may claim any number.
    """
    inside: Any = receiver
    # Private names of the library's class are mangled.
    sources: dict[int, Any] = inside._RTCRtpReceiver__remote_streams
    codecs: dict[int, Any] = inside._RTCRtpReceiver__codecs

    async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
        # The first one has come by the library's way: the connection stands.
        if inside._handle_rtp_packet is handle:
            inside._handle_rtp_packet = late
            receive_at_once(receiver, take)
        take(packet)

    async def late(packet: RtpPacket, arrival_time_ms: int) -> None:
        take(packet)

    def take(packet: RtpPacket | Sound) -> None:
        codec = codecs.get(packet.payload_type)
        if codec is None or not packet.payload:
            return
        if packet.ssrc not in sources:
            if len(sources) >= _MOST_SOURCES:
                sources.clear()
            sources[packet.ssrc] = StreamStatistics(codec.clockRate)
        counted: Any = packet
        sources[packet.ssrc].add(counted)
        arrived(
            codec.name.lower(),
            codec.clockRate,
            packet.sequence_number,
            packet.timestamp,
            packet.payload,
        )

    inside._handle_rtp_packet = handle


def gather_at(peer: RTCPeerConnection, addresses: Sequence[str]) -> None:
    """Let the peer have a candidate at each of these addresses of this machine, and no other.

    Before its local description is set. Without this, the library takes every address but
    loopback, and none where there is only that.
    """
    carried: list[Any] = [*peer.getSenders(), *peer.getReceivers()]
    if peer.sctp is not None:
        carried.append(peer.sctp)
    for connection in {each.transport.transport.iceGatherer._connection for each in carried}:
        connection.gather_candidates = _gatherer(connection, tuple(addresses))


def _gatherer(connection: Any, addresses: tuple[str, ...]) -> Callable[[], Any]:
    async def gather() -> None:
        connection._local_candidates_start = True
        found = await connection.get_component_candidates(component=1, addresses=list(addresses))
        connection._local_candidates += found
        connection._local_candidates_end = True

    return gather


def reassembling_bytes(peer: RTCPeerConnection) -> int:
    """How much the library holds of messages that are not whole yet. It announces how much room is
    left, and takes what comes all the same."""
    sctp: Any = peer.sctp
    return 0 if sctp is None else _ANNOUNCED_BYTES - int(sctp._advertised_rwnd)


async def abandon(peer: RTCPeerConnection) -> None:
    """Let go of the sockets of a peer whose `close` broke."""
    inside: Any = peer
    for transport in tuple(inside._RTCPeerConnection__dtlsTransports):
        await transport.stop()
    for transport in tuple(inside._RTCPeerConnection__iceTransports):
        await transport.stop()
    peer.remove_all_listeners()


def own_addresses(*, loopback: bool) -> tuple[str, ...]:
    """This machine's addresses for media. With `loopback`, 127.0.0.1 too, as wherever there is
    nothing else."""
    found = [
        each
        for each in ice.get_host_addresses(use_ipv4=True, use_ipv6=True)
        if not ipaddress.ip_address(each).is_loopback
    ]
    return (*found, "127.0.0.1") if loopback or not found else tuple(found)
