"""The way of a packet of sound between the socket and us, without the library's tasks.

1. In the library a packet that arrives waits in a queue for a task, and one that leaves wakes a
   task: with fifty a second each way that is a sixth of what a call costs. Here both go at once,
   in the caller's own turn.
2. Keys, sockets and reports stay the library's: what it tells in RTCP is kept up.
3. As `tracks`, this stands on names that aiortc and aioice do not promise.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pylibsrtp
from aiortc import RTCRtpReceiver, RTCRtpSender, clock
from aiortc.rtp import RtpPacket

_HEAD = struct.Struct("!BBHLL")
_PLAIN = 0x80
"""Version 2, and neither padding, extension nor further sources: the payload follows the head."""
_MARKED = 0x80
_CLOCK_EVERY = 16
"""The time that a report pairs with a timestamp is taken of every so many packets."""
_MOST_BYTES = 1_400


@dataclass(frozen=True, slots=True)
class Sound:
    """A packet, as far as it is looked at; the names are those of the library's own."""

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes


def read(data: bytes) -> Sound | RtpPacket:
    """An RTP packet. Raises `ValueError` for what is none."""
    if len(data) > _HEAD.size and data[0] == _PLAIN:
        _, kind, sequence, timestamp, ssrc = _HEAD.unpack_from(data)
        return Sound(kind & 0x7F, sequence, timestamp, ssrc, data[_HEAD.size :])
    return RtpPacket.parse(data)


def receive_at_once(receiver: RTCRtpReceiver, take: Callable[[Sound | RtpPacket], None]) -> None:
    """From now on, what is sound goes from the socket to `take`; all else takes its usual way."""
    transport: Any = receiver.transport
    connection = transport.transport._connection
    usual = connection.data_received

    def received(data: bytes, component: int) -> None:
        keys = transport._rx_srtp
        if keys is None or transport.state != "connected" or not _is_sound(data):
            usual(data, component)
            return
        try:
            packet = read(keys.unprotect(data))
        except (pylibsrtp.Error, ValueError):
            return  # Not the peer's, or twice, or no RTP: as the library does.
        take(packet)

    connection.data_received = received


def _is_sound(data: bytes) -> bool:
    """RTP, and neither DTLS nor RTCP (RFC 7983; RFC 5761, section 4)."""
    return len(data) > _HEAD.size and 128 <= data[0] < 192 and not 64 <= data[1] & 0x7F < 96


class Outlet:
    """One sender, whose packets leave at once. No header extension may be agreed on, and the
    library's own task must have nothing to send."""

    def __init__(self, sender: RTCRtpSender, payload_type: int) -> None:
        self._sender: Any = sender
        self._kind = _MARKED | payload_type
        self._sequence = secrets.randbits(15)
        self._origin = secrets.randbits(31)
        self._packets = self._bytes = 0

    def send(self, payload: bytes, position: int) -> bool:
        """Send it with that place on the track. False where the connection takes none now."""
        sender = self._sender
        transport = sender.transport
        pair = transport.transport._connection._nominated.get(1)
        if pair is None or transport.state != "connected" or len(payload) > _MOST_BYTES:
            return False
        timestamp = (self._origin + position) & 0xFFFF_FFFF
        head = _HEAD.pack(_PLAIN, self._kind, self._sequence, timestamp, sender._ssrc)
        pair.protocol.transport.sendto(transport._tx_srtp.protect(head + payload), pair.remote_addr)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._tell(timestamp, len(payload))
        return True

    def _tell(self, timestamp: int, size: int) -> None:
        """What the library's reports say. Private names of its class are mangled."""
        sender = self._sender
        if not self._packets % _CLOCK_EVERY:
            sender._RTCRtpSender__ntp_timestamp = clock.current_ntp_time()
            sender._RTCRtpSender__rtp_timestamp = timestamp
        self._packets += 1
        self._bytes += size
        sender._RTCRtpSender__packet_count = self._packets
        sender._RTCRtpSender__octet_count = self._bytes
