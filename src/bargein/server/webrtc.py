"""A call's end at the server: one aiortc connection, as the host's `Connection` and `Media`.

1. Sound leaves when the machine says so, encoded here (libopus, or G.711 where the client took
   that). Behind the last frame of a burst come ten of silence, so that a far end's concealment has
   nothing to stretch, and then nothing. Timestamps run with the machine's time throughout.
2. What arrives goes through a jitter buffer by time, with concealment and FEC, and from there to
   the host as fast as time passes: silence where nothing came.
3. Events go over the data channel `oai-events`, which the client opens; others are closed. One that
   takes nothing holds up its session only, and a message that is longer than the client takes is
   told to it by an error.
4. The call is over when the channel or the connection is, whoever ends it; `close` leaves no socket
   and no task. What floods us is cut off.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc import sdp as sdp_of
from aiortc.exceptions import InvalidStateError

from bargein import events
from bargein.audio.jitter import JitterBuffer, Playout
from bargein.rtc import opus
from bargein.rtc.shortcut import Outlet
from bargein.rtc.tracks import PacketTrack, abandon, gather_at, reassembling_bytes, tap
from bargein.server import offers
from bargein.server.model.commands import SendMedia
from bargein.server.offers import Answered, OfferError
from bargein.server.sounds import G711Decoder, Sounds
from bargein.units import US_PER_S

log = logging.getLogger(__name__)

LABEL = "oai-events"
CLOSE_DEADLINE_S = 5.0
"""How long the library may take to close a connection."""
BUFFERED_BYTES = 1024 * 1024
"""While so much is on its way over the data channel, nothing more is put there."""
UNREAD_BYTES = 32 * 1024 * 1024
UNREAD_MESSAGES = 10_000
"""A client that sends more than is read meanwhile is cut off: there is no way to slow it down."""
FRAME_S = 0.02
GRID_S = 0.01
"""Half of the calls are heard at once: all of them would hold up the loop."""
TAIL_FRAMES = 10
_TAIL_AFTER_S = 0.01
"""How much later than a frame of sound one of silence is sent: it must not take its place."""
_GUARD_EVERY = 10
_BEHIND_FRAMES = 3
"""So many frames may be missing before silence stands in for them."""


class Call:
    """One call. `channel` and `media` are the host's; the rest is for whoever answers the offer."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._addresses = addresses
        self.channel = Channel()
        self.media: Tracks | None = None
        self._peer.on("datachannel", self.channel.offered)
        self._peer.on("connectionstatechange", self._changed)

    async def answer(self, offer: str) -> str:
        """Take the offer and give the answer; the connection comes about by itself. Raises
        `OfferError`."""
        peer = self._peer
        try:
            await peer.setRemoteDescription(RTCSessionDescription(offers.checked(offer), "offer"))
            (transceiver,) = peer.getTransceivers()
            wanted = [each for each in transceiver._codecs if each.name.lower() in _CODECS]
            if not wanted:
                raise OfferError("its audio line has none of the codecs opus, PCMU and PCMA")
            transceiver._codecs = wanted
            transceiver._headerExtensions = []
            transceiver.direction = "sendrecv"
            track = PacketTrack(wanted[0].clockRate)
            transceiver.sender.replaceTrack(track)
            payload_type = wanted[0].payloadType
            assert payload_type is not None, "the library gave each codec a number"
            track.leave_by(Outlet(transceiver.sender, payload_type))
            self.media = Tracks(track, wanted[0].name.lower(), self._guard)
            tap(transceiver.receiver, self.media.arrived)
            answer = await peer.createAnswer()
            gather_at(peer, self._addresses)
            await peer.setLocalDescription(answer)
        except OfferError:
            raise
        except Exception as error:
            # The library's parser meets what it does not expect with whatever Python raises.
            raise OfferError(f"{type(error).__name__}: {error}") from error
        transport: Any = transceiver.sender.transport
        transport.on("statechange", self._changed)
        if peer.sctp is None:
            self.channel.nobody_listens()
        made = _answered(peer.localDescription.sdp, wanted, transceiver.sender._ssrc)
        return offers.written(made, session=secrets.randbits(62), version=int(time.time()))

    async def close(self) -> None:
        """End it and let go of everything."""
        self.channel.abort()
        if self.media is not None:
            self.media.end()
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                await self._peer.close()
        except TimeoutError:
            log.error("a call's connection was not closed within %s s", CLOSE_DEADLINE_S)
        except Exception as error:
            # The library does not close what it could not set up.
            log.info("a call's connection was not closed in order: %r", error)
            await abandon(self._peer)

    def _changed(self) -> None:
        states = {self._peer.connectionState}
        states |= {each.transport.state for each in self._peer.getSenders()}
        if states & {"failed", "closed"}:
            self.channel.abort()
            if self.media is not None:
                self.media.end()
        elif self._peer.connectionState == "connected" and self.media is not None:
            self.media.connected()

    def _guard(self) -> None:
        """A message that never ends is held by the library without a bound."""
        if reassembling_bytes(self._peer) > UNREAD_BYTES:
            self.channel.cut_off("sends a message without an end")


_CODECS = ("opus", "pcmu", "pcma")


def _answered(local: str, codecs: list[Any], ssrc: int) -> Answered:
    """What the library's own answer says, read again."""
    described = sdp_of.SessionDescription.parse(local)
    audio = next(each for each in described.media if each.kind == "audio")
    channel = next((each for each in described.media if each.kind == "application"), None)
    # Bundled, the first line has the transport of both.
    bearing = described.media[0]
    assert bearing.dtls is not None and bearing.ice is not None, "the library wrote it"
    fingerprint = next(each for each in bearing.dtls.fingerprints if each.algorithm == "sha-256")
    return Answered(
        audio_mid=audio.rtp.muxId,
        direction=audio.direction or "sendrecv",
        payloads=tuple((each.payloadType, each.name.lower()) for each in codecs),
        channel_mid=None if channel is None else channel.rtp.muxId,
        channel_first=channel is bearing,
        fingerprint=fingerprint.value,
        ufrag=bearing.ice.usernameFragment or "",
        password=bearing.ice.password or "",
        ssrc=ssrc,
        candidates=tuple(
            f"{each.foundation} {each.priority} {each.ip} {each.port}"
            for each in bearing.ice_candidates
        ),
    )


class Channel:
    """The data channel, as a `Connection`."""

    def __init__(self) -> None:
        self.oversized = 0
        """Events that were longer than the client takes."""
        self._channel: RTCDataChannel | None = None
        self._ready = asyncio.Event()
        self._unread: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._unread_bytes = 0
        self._over = False
        self._mute = False

    def offered(self, channel: RTCDataChannel) -> None:
        """The client opened a channel."""
        if channel.label != LABEL or self._channel is not None or self._over:
            channel.close()
            return
        self._channel = channel
        channel.bufferedAmountLowThreshold = BUFFERED_BYTES // 2
        channel.on("message", self._take)
        channel.on("bufferedamountlow", self._ready.set)
        channel.on("close", self.abort)
        self._ready.set()

    def nobody_listens(self) -> None:
        """The client offered no channel: what it would be told is dropped."""
        self._mute = True
        self._ready.set()

    async def receive(self) -> str | bytes | None:
        message = await self._unread.get()
        if message is None:
            self._unread.put_nowait(None)  # For whoever asks again.
            return None
        self._unread_bytes -= len(message)
        return message

    async def send(self, frame: str) -> None:
        while not self._over and not self._mute:
            channel = self._channel
            if channel is not None and channel.bufferedAmount <= BUFFERED_BYTES:
                self._put(channel, frame)
                return
            self._ready.clear()
            await self._ready.wait()

    async def close(self, code: int, reason: str) -> None:
        # A data channel has no close frame. What is on its way is given time to get there.
        channel = self._channel
        if channel is not None:
            channel.bufferedAmountLowThreshold = 0
            while channel.bufferedAmount and not self._over:
                self._ready.clear()
                await self._ready.wait()

    def abort(self) -> None:
        if not self._over:
            self._over = True
            self._ready.set()
            self._unread.put_nowait(None)

    def cut_off(self, why: str) -> None:
        log.info("a call's client %s and is cut off", why)
        self.abort()

    def _take(self, message: str | bytes) -> None:
        self._unread_bytes += len(message)
        if self._unread_bytes > UNREAD_BYTES or self._unread.qsize() >= UNREAD_MESSAGES:
            self.cut_off("sends more than is read")
        if not self._over:
            self._unread.put_nowait(message)

    def _put(self, channel: RTCDataChannel, frame: str) -> None:
        try:
            channel.send(frame)
        except InvalidStateError:
            self.abort()
        except ValueError as error:
            # Longer than the client's `max-message-size`.
            self.oversized += 1
            log.info("an event of %d characters does not fit a call's channel", len(frame))
            body = events.ErrorBody(
                type="server_error",
                code="event_too_long",
                message=f"An event could not be sent to you over this channel: {error}.",
                param=None,
                event_id=None,
            )
            told = events.Error(event_id=f"event_{secrets.token_hex(8)}", error=body)
            channel.send(events.encode(told))


class Tracks:
    """The two tracks, as a `Media`. `guard` is called now and then."""

    def __init__(self, track: PacketTrack, codec: str, guard: Callable[[], None]) -> None:
        self._track = track
        self._sounds = Sounds(codec)
        self._guard = guard
        self._origin_us: int | None = None
        self._position = -1
        self._tail: asyncio.TimerHandle | None = None
        self._playout: Playout | None = None
        self._stream: tuple[str, int] | None = None
        self._up = asyncio.Event()
        self._over = False
        self._due_s = 0.0
        self._behind = 0
        self._since_guard = 0

    def connected(self) -> None:
        self._up.set()

    def end(self) -> None:
        self._over = True
        self._up.set()
        self._stop_tail()
        self._track.stop()

    def play(self, frame: SendMedia) -> None:
        if self._origin_us is None:
            self._origin_us = frame.at_us
        self._stop_tail()
        at = (frame.at_us - self._origin_us) * self._sounds.clock_rate // US_PER_S
        if at <= self._position:
            at = self._position + self._sounds.clock_rate // 50
        self._position = at
        self._track.send(self._sounds.encoded(frame.audio, frame.format), self._position)
        if not frame.more:
            self._begin_tail()

    def silence(self) -> None:
        if self._tail is None and self._origin_us is not None:
            self._begin_tail()

    def _begin_tail(self) -> None:
        when = asyncio.get_running_loop().time() + FRAME_S + _TAIL_AFTER_S
        self._tail_on(when, TAIL_FRAMES)

    def _tail_on(self, when: float, left: int) -> None:
        if left and not self._over:
            loop = asyncio.get_running_loop()
            self._tail = loop.call_at(when, self._send_silence, when, left)

    def _send_silence(self, when: float, left: int) -> None:
        self._tail = None
        self._position += self._sounds.clock_rate // 50
        self._track.send(self._sounds.silence(), self._position)
        self._tail_on(when + FRAME_S, left - 1)

    def _stop_tail(self) -> None:
        if self._tail is not None:
            self._tail.cancel()
            self._tail = None

    def arrived(
        self, codec: str, clock_rate: int, sequence: int, timestamp: int, payload: bytes
    ) -> None:
        """A packet of the client's."""
        samples = opus.duration_samples(payload) if codec == "opus" else len(payload)
        if not samples:
            return
        if self._stream != (codec, samples):
            # Another codec or another length of its packets: another stream.
            self._stream = codec, samples
            frame_ms = samples * 1_000 // clock_rate
            decoder = opus.Decoder(frame_ms=frame_ms) if codec == "opus" else G711Decoder(codec)
            self._playout = Playout(JitterBuffer(rate=clock_rate, frame_samples=samples), decoder)
        assert self._playout is not None, "there is a stream"
        now_us = round(asyncio.get_running_loop().time() * US_PER_S)
        self._playout.buffer.push(sequence, timestamp, payload, now_us)

    async def receive(self) -> bytes | None:
        await self._up.wait()
        loop = asyncio.get_running_loop()
        if not self._due_s:
            # On one grid, so that calls are heard one behind the other: what each needs is at hand.
            self._due_s = -(-loop.time() // GRID_S) * GRID_S
        while not self._over:
            self._due_s += FRAME_S
            await asyncio.sleep(max(0.0, self._due_s - loop.time()))
            self._since_guard += 1
            if self._since_guard >= _GUARD_EVERY:
                self._since_guard = 0
                self._guard()
            audio = self._heard(loop.time())
            if audio and not self._over:
                return audio
        return None

    def _heard(self, now_s: float) -> bytes:
        """What is due, and silence for what has been missing for some time."""
        frame_bytes = 960
        due = [] if self._playout is None else self._playout.take(round(now_s * US_PER_S))
        audio = b"".join(frame.pcm for frame in due)
        self._behind += frame_bytes - len(audio)
        missing = self._behind // frame_bytes - _BEHIND_FRAMES
        if missing > 0:
            audio += bytes(missing * frame_bytes)
            self._behind -= missing * frame_bytes
        return audio
