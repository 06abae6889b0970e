"""A call over WebRTC as a pipe, on aiortc: events on the data channel, one Opus track each way.

1. The pipe is open when the channel is. It ends with the channel, with the connection (ICE has
   failed, DTLS has closed), or by `close`, which hangs up.
2. While more than 1 MiB is on its way over the channel, `send` waits.
3. Packets of sound are handed on as they arrive, unread; those that leave are encoded already.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidStateError

from bargein.errors import DeadlineExceeded, TransportError
from bargein.rtc.tracks import PacketTrack, abandon, gather_at, own_addresses, tap
from bargein.transports.base import MediaSink, PipeEnd
from bargein.transports.signaling import Signaling

LABEL = "oai-events"
TRACK_RATE = 48_000
BUFFERED_BYTES = 1024 * 1024
UNREAD_FRAMES = 10_000
"""A service that says more than is read is cut off: there is no way to slow it down."""
CLOSE_DEADLINE_S = 2.0


class WebRtcPipe:
    """One call. `session` begins it: what else is wanted is said by `session.update`."""

    def __init__(
        self, signaling: Signaling, session: dict[str, Any], *, open_timeout_s: float = 10.0
    ) -> None:
        self._signaling, self._session = signaling, session
        self._open_timeout_s = open_timeout_s
        self._peer: RTCPeerConnection | None = None
        self._channel: Any = None
        self._track = PacketTrack(TRACK_RATE)
        self._frames: deque[str | bytes] = deque()
        self._end: PipeEnd | None = None
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self.call_url = ""
        """Where the call is ended; empty before it was answered."""
        self._sink: MediaSink | None = None
        self._closing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return "<WebRtcPipe>"

    def attach_media(self, sink: MediaSink) -> None:
        """See `MediaPipe.attach_media`."""
        self._sink = sink

    def send_media(self, payload: bytes, position: int) -> None:
        """See `MediaPipe.send_media`."""
        self._track.send(payload, position)

    async def open(self) -> None:
        """Make the call, and wait for its channel."""
        peer = self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.on("connectionstatechange", self._state)
        channel = self._channel = peer.createDataChannel(LABEL)
        channel.bufferedAmountLowThreshold = BUFFERED_BYTES // 2
        channel.on("open", self._changed.set)
        channel.on("close", lambda: self._finish("the data channel closed"))
        channel.on("message", self._take)
        channel.on("bufferedamountlow", self._drained.set)
        transceiver = peer.addTransceiver(self._track, direction="sendrecv")
        tap(transceiver.receiver, self._heard)
        try:
            async with asyncio.timeout(self._open_timeout_s):
                offer = await peer.createOffer()
                gather_at(peer, own_addresses(loopback=True))
                await peer.setLocalDescription(offer)
                made = await self._signaling.call(peer.localDescription.sdp, self._session)
                self.call_url = made.call_url
                await self._answered(peer, made.sdp)
                while channel.readyState != "open" and self._end is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            if isinstance(error, TransportError):
                raise
            raise DeadlineExceeded(
                f"webrtc: the call did not stand after {self._open_timeout_s:g} s"
            ) from None
        if self._end is not None:
            raise TransportError(f"webrtc: {self._end.reason}")

    async def _answered(self, peer: RTCPeerConnection, sdp: str) -> None:
        try:
            await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        except Exception as error:
            # The library's parser meets what it does not expect with whatever Python raises.
            raise TransportError(f"webrtc: the answer is none ({type(error).__name__})") from error

    async def send(self, frame: str) -> None:
        """See `Pipe.send`."""
        while self._end is None and self._channel.bufferedAmount > BUFFERED_BYTES:
            self._drained.clear()
            await self._drained.wait()
        if self._end is not None:
            raise TransportError(f"webrtc: {self._end.reason}")
        try:
            self._channel.send(frame)
        except InvalidStateError as error:
            raise TransportError("webrtc: the data channel is not open") from error

    async def receive(self) -> str | bytes | PipeEnd:
        """See `Pipe.receive`."""
        while not self._frames and self._end is None:
            self._changed.clear()
            await self._changed.wait()
        if self._frames:
            return self._frames.popleft()
        assert self._end is not None
        return self._end

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up. Never raises; who is cancelled while it waits leaves the end under way."""
        self._finish(reason, code)
        if self._peer is None:
            return
        if self._closing is None:
            self._closing = asyncio.create_task(self._hang_up(self._peer), name="webrtc close")
        await asyncio.shield(self._closing)

    async def _hang_up(self, peer: RTCPeerConnection) -> None:
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                if self.call_url:
                    with contextlib.suppress(TransportError):
                        await self._signaling.hang_up(self.call_url)
                await peer.close()
        except Exception:
            # The library does not close what it could not set up, and a service that does not
            # answer keeps nobody here.
            await abandon(peer)

    def _heard(self, codec: str, rate: int, sequence: int, timestamp: int, payload: bytes) -> None:
        if self._sink is not None and codec == "opus" and rate == TRACK_RATE and not self._end:
            self._sink(sequence, timestamp, payload)

    def _take(self, message: str | bytes) -> None:
        if len(self._frames) >= UNREAD_FRAMES:
            self._finish("more was said than was read")
            return
        self._frames.append(message)
        self._changed.set()

    def _state(self) -> None:
        if self._peer is not None and self._peer.connectionState in ("failed", "closed"):
            self._finish(f"the connection is {self._peer.connectionState}")

    def _finish(self, reason: str, code: int | None = None) -> None:
        if self._end is None:
            self._end = PipeEnd(code, reason)
        self._changed.set()
        self._drained.set()
