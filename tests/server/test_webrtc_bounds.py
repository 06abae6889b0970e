"""The edge of a call without a network, on a clock that jumps: what its channel and its tracks
bear, and when what leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest
from aiortc.exceptions import InvalidStateError
from av.packet import Packet
from tests.virtual_loop import run

from bargein.rtc.opus import Decoder, Encoder
from bargein.rtc.tracks import PacketTrack
from bargein.server import webrtc
from bargein.server.model.commands import SendMedia
from bargein.server.webrtc import TAIL_FRAMES, Channel, Tracks
from bargein.units import AudioFormat

FRAME_US = 20_000
LOUD = (8_000 * np.sin(np.arange(480) / 10)).astype("<i2").tobytes()


class FakeChannel:
    """A data channel that takes what it is told to take."""

    def __init__(self, label: str = webrtc.LABEL, longest: int = 1_000_000) -> None:
        self.label = label
        self.longest = longest
        self.bufferedAmount = 0
        self.bufferedAmountLowThreshold = 0
        self.sent: list[str] = []
        self.closed = self.gone = False
        self._on: dict[str, Callable[..., None]] = {}

    def on(self, event: str, call: Callable[..., None]) -> None:
        self._on[event] = call

    def send(self, frame: str) -> None:
        if self.gone:
            raise InvalidStateError
        if len(frame) > self.longest:
            raise ValueError(f"only supports messages up to {self.longest} bytes")
        self.sent.append(frame)
        self.bufferedAmount += len(frame)

    def close(self) -> None:
        self.closed = True

    def say(self, message: str | bytes) -> None:
        self._on["message"](message)

    def drain(self) -> None:
        self.bufferedAmount = 0
        self._on["bufferedamountlow"]()


def played(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run(scenario())


def opened(**settings: Any) -> tuple[Channel, Any]:
    channel, fake = Channel(), FakeChannel(**settings)
    given: Any = fake
    channel.offered(given)
    return channel, fake


def test_what_is_said_before_the_channel_opens_waits_for_it() -> None:
    async def scenario() -> None:
        channel, fake = Channel(), FakeChannel()
        sending = asyncio.create_task(channel.send("first"))
        await asyncio.sleep(5)
        assert not sending.done()
        given: Any = fake
        channel.offered(given)
        await sending
        assert fake.sent == ["first"]

    played(scenario)


def test_only_the_first_channel_of_the_right_name_is_kept() -> None:
    async def scenario() -> None:
        channel = Channel()
        fakes: list[Any] = [FakeChannel("other"), FakeChannel(), FakeChannel()]
        for each in fakes:
            channel.offered(each)
        await channel.send("x")
        assert [each.closed for each in fakes] == [True, False, True]
        assert [each.sent for each in fakes] == [[], ["x"], []]

    played(scenario)


def test_a_channel_that_takes_nothing_holds_up_the_writer() -> None:
    async def scenario() -> None:
        channel, fake = opened()
        fake.bufferedAmount = webrtc.BUFFERED_BYTES + 1
        sending = asyncio.create_task(channel.send("x"))
        await asyncio.sleep(60)
        assert not sending.done()
        fake.drain()
        await sending
        assert fake.sent == ["x"]

    played(scenario)


def test_closing_waits_for_what_is_on_its_way() -> None:
    async def scenario() -> None:
        channel, fake = opened()
        await channel.send("x")
        closing = asyncio.create_task(channel.close(1000, ""))
        await asyncio.sleep(1)
        assert not closing.done() and fake.bufferedAmountLowThreshold == 0
        fake.drain()
        await closing

    played(scenario)


def test_an_event_that_is_too_long_is_told_and_the_next_one_is_sent() -> None:
    async def scenario() -> None:
        channel, fake = opened(longest=300)
        await channel.send("x" * 400)
        await channel.send("y")
        assert channel.oversized == 1
        error = json.loads(fake.sent[0])["error"]
        assert error["code"] == "event_too_long" and "up to 300 bytes" in error["message"]
        assert fake.sent[1] == "y"

    played(scenario)


def test_a_channel_that_is_gone_ends_the_reading() -> None:
    async def scenario() -> None:
        channel, fake = opened()
        fake.say("last")
        fake.gone = True
        await channel.send("x")
        assert [await channel.receive() for _ in range(3)] == ["last", None, None]
        await channel.send("nobody hears it")

    played(scenario)


def test_a_call_without_a_channel_is_told_nothing_and_not_waited_for() -> None:
    async def scenario() -> None:
        channel = Channel()
        channel.nobody_listens()
        await channel.send("x")

    played(scenario)


@pytest.mark.parametrize("message", ["x" * 1024 * 1024, "x"])
def test_a_client_that_sends_more_than_is_read_is_cut_off(message: str) -> None:
    async def scenario() -> None:
        channel, fake = opened()
        for _ in range(webrtc.UNREAD_MESSAGES + 1):
            fake.say(message)
            if channel._over:
                break
        assert channel._over
        read = 0
        while await channel.receive() is not None:
            read += 1
        assert read <= webrtc.UNREAD_MESSAGES
        assert read * len(message) <= webrtc.UNREAD_BYTES

    played(scenario)


class Line:
    """A call's tracks, and what a far end would get: places and loudness."""

    def __init__(self) -> None:
        self.track = PacketTrack(48_000)
        self.guarded = 0
        self.tracks = Tracks(self.track, "opus", self._guard)
        self._decoder = Decoder()

    def _guard(self) -> None:
        self.guarded += 1

    def play(self, at_us: int, *, more: bool, pcm: bytes = LOUD) -> None:
        self.tracks.play(SendMedia("resp", pcm, AudioFormat.PCM, at_us, more))

    def listen(self) -> tuple[list[bytes], asyncio.Task[None]]:
        """What the host is given of the client's sound, piece by piece, until the tracks end."""
        heard: list[bytes] = []

        async def hear() -> None:
            while (audio := await self.tracks.receive()) is not None:
                heard.append(audio)

        return heard, asyncio.create_task(hear())

    def got(self) -> list[tuple[int, bool]]:
        sent: list[tuple[int, bool]] = []
        while self.track._packets:
            packet: Packet[Any] = self.track._packets.popleft()
            heard = np.frombuffer(self._decoder.decode(bytes(packet)), "<i2")
            assert packet.pts is not None
            sent.append((packet.pts, bool(np.abs(heard).max() > 1_000)))
        return sent


def test_behind_the_last_frame_come_ten_of_silence_and_then_nothing() -> None:
    async def scenario() -> None:
        line = Line()
        for index in range(5):
            line.play(1_000_000 + index * FRAME_US, more=index < 4)
            await asyncio.sleep(0.02)
        await asyncio.sleep(5)
        got = line.got()
        assert [at for at, _ in got] == [960 * index for index in range(5 + TAIL_FRAMES)]
        assert not any(loud for _, loud in got[6:])
        line.tracks.end()

    played(scenario)


def test_a_cut_is_followed_by_silence_at_once_and_the_places_go_on_in_real_time() -> None:
    async def scenario() -> None:
        line = Line()
        line.play(0, more=True)
        await asyncio.sleep(0.01)
        line.tracks.silence()
        line.tracks.silence()
        await asyncio.sleep(0.04)
        assert [at for at, _ in line.got()] == [0, 960]
        await asyncio.sleep(0.95)
        line.got()
        line.play(1_000_000, more=False)
        assert line.got()[0] == (48_000, True)
        line.tracks.end()
        await asyncio.sleep(1)
        assert line.got() == []

    played(scenario)


def test_sound_that_goes_on_takes_no_place_twice() -> None:
    async def scenario() -> None:
        line = Line()
        line.play(0, more=False)
        await asyncio.sleep(0.055)  # Two frames of silence have gone.
        line.play(40_000, more=False)
        places = [at for at, _ in line.got()]
        line.tracks.end()
        assert places == [0, 960, 1_920, 2_880]

    played(scenario)


def test_the_clients_sound_comes_as_fast_as_time_passes_also_where_there_is_none() -> None:
    async def scenario() -> None:
        line = Line()
        encoder = Encoder()
        line.tracks.connected()
        heard, listening = line.listen()
        for index in range(50):
            line.tracks.arrived("opus", 48_000, index, index * 960, encoder.encode(LOUD))
            await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        pcm = b"".join(heard)
        assert abs(len(pcm) - 2 * 48_000) <= 5 * 960
        loud = [bool(np.abs(np.frombuffer(each, "<i2")).max() > 1_000) for each in heard]
        assert 45 <= sum(loud) <= 55 and not any(loud[60:])
        assert line.guarded >= 9
        line.tracks.end()
        await listening

    played(scenario)


def test_a_lost_packet_is_made_up_and_rubbish_is_not_heard() -> None:
    async def scenario() -> None:
        line = Line()
        encoder = Encoder()
        line.tracks.connected()
        heard, listening = line.listen()
        for index in range(30):
            payload = encoder.encode(LOUD)
            if index % 10 != 5:
                line.tracks.arrived("opus", 48_000, index, index * 960, payload)
            line.tracks.arrived("opus", 48_000, 40_000, 5, b"\xff\xff\xff")
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        pcm = np.frombuffer(b"".join(heard), "<i2").astype(float)
        frames = np.abs(pcm[: len(pcm) // 480 * 480].reshape(-1, 480)).max(axis=1) > 1_000
        first, last = np.flatnonzero(frames)[[0, -1]]
        assert frames[first : last + 1].all() and last - first >= 28
        line.tracks.end()
        await listening

    played(scenario)


def test_another_length_of_packets_is_another_stream() -> None:
    async def scenario() -> None:
        line = Line()
        line.tracks.connected()
        encoder = Encoder()
        line.tracks.arrived("opus", 48_000, 1, 960, encoder.encode(LOUD))
        first = line.tracks._playout
        line.tracks.arrived("opus", 48_000, 2, 1_920, encoder.encode(LOUD))
        assert line.tracks._playout is first
        line.tracks.arrived("pcmu", 8_000, 3, 160, b"\x00" * 160)
        assert line.tracks._playout is not first
        line.tracks.end()
        assert await line.tracks.receive() is None

    played(scenario)
