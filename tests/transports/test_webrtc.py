"""The client's end of a call without a network: its channel under pressure, and its ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc.exceptions import InvalidStateError
from tests.virtual_loop import run

from bargein.errors import TransportError
from bargein.secret import Secret
from bargein.transports import webrtc
from bargein.transports.base import PipeEnd
from bargein.transports.signaling import Signaling
from bargein.transports.webrtc import BUFFERED_BYTES, UNREAD_FRAMES, WebRtcPipe


class Channel:
    """A data channel that keeps what it is given until it is drained."""

    def __init__(self) -> None:
        self.bufferedAmount = 0
        self.sent: list[str] = []
        self.gone = False

    def send(self, frame: str) -> None:
        if self.gone:
            raise InvalidStateError
        self.sent.append(frame)
        self.bufferedAmount += len(frame)


def a_pipe() -> tuple[WebRtcPipe, Channel]:
    """As it is when its channel has opened."""
    pipe = WebRtcPipe(Signaling("http://127.0.0.1:9/v1", Secret("sk-x")), {})
    channel = pipe._channel = Channel()
    return pipe, channel


def drained(pipe: WebRtcPipe, channel: Channel) -> None:
    channel.bufferedAmount = 0
    pipe._drained.set()


def played(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run(scenario())


def test_events_wait_while_much_is_on_its_way_and_sound_does_not() -> None:
    async def scenario() -> None:
        pipe, channel = a_pipe()
        await pipe.send("x" * (BUFFERED_BYTES + 1))
        waiting = [asyncio.create_task(pipe.send(text)) for text in ("a", "b")]
        await asyncio.sleep(600)
        assert not any(each.done() for each in waiting) and len(channel.sent) == 1
        pipe.send_media(b"sound", 0)
        assert len(pipe._track._packets) == 1
        drained(pipe, channel)
        await asyncio.gather(*waiting)
        assert channel.sent[1:] == ["a", "b"]

    played(scenario)


def test_what_is_left_on_its_way_is_bounded_by_one_frame_more() -> None:
    async def scenario() -> None:
        pipe, channel = a_pipe()
        frame = "x" * 300_000

        async def flood() -> None:
            for _ in range(50):
                await pipe.send(frame)

        flooding = asyncio.create_task(flood())
        most = 0
        while not flooding.done():
            await asyncio.sleep(1)
            most = max(most, channel.bufferedAmount)
            drained(pipe, channel)
        assert BUFFERED_BYTES < most <= BUFFERED_BYTES + len(frame)
        assert len(channel.sent) == 50

    played(scenario)


def test_who_waits_to_send_is_told_when_the_call_ends() -> None:
    async def scenario() -> None:
        pipe, channel = a_pipe()
        channel.bufferedAmount = BUFFERED_BYTES + 1
        sending = asyncio.create_task(pipe.send("x"))
        await asyncio.sleep(1)
        pipe._finish("the data channel closed")
        with pytest.raises(TransportError, match="the data channel closed"):
            await sending
        with pytest.raises(TransportError, match="the data channel closed"):
            await pipe.send("y")
        assert channel.sent == []

    played(scenario)


def test_a_channel_that_is_gone_without_a_word_is_an_error_of_the_pipe() -> None:
    async def scenario() -> None:
        pipe, channel = a_pipe()
        channel.gone = True
        with pytest.raises(TransportError, match="not open"):
            await pipe.send("x")

    played(scenario)


def test_what_came_before_the_end_is_read_first_and_the_end_again_and_again() -> None:
    async def scenario() -> None:
        pipe, _ = a_pipe()
        pipe._take("first")
        pipe._finish("the connection is failed")
        assert await pipe.receive() == "first"
        end = PipeEnd(None, "the connection is failed")
        assert [await pipe.receive(), await pipe.receive()] == [end, end]

    played(scenario)


@pytest.mark.parametrize("state", ["failed", "closed"])
def test_a_connection_that_fails_ends_the_call_by_its_name(state: str) -> None:
    """ICE has lost the other side, or DTLS has closed."""

    async def scenario() -> None:
        pipe, _ = a_pipe()
        peer: Any = SimpleNamespace(connectionState="connected")
        pipe._peer = peer
        pipe._state()
        assert not pipe._changed.is_set()
        peer.connectionState = state
        pipe._state()
        assert await pipe.receive() == PipeEnd(None, f"the connection is {state}")

    played(scenario)


def test_a_service_that_says_more_than_is_read_is_cut_off() -> None:
    async def scenario() -> None:
        pipe, _ = a_pipe()
        for _ in range(UNREAD_FRAMES + 5):
            pipe._take("x")
        assert len(pipe._frames) == UNREAD_FRAMES
        for _ in range(UNREAD_FRAMES):
            assert await pipe.receive() == "x"
        assert await pipe.receive() == PipeEnd(None, "more was said than was read")

    played(scenario)


def test_sound_is_handed_on_until_the_end_and_only_what_is_opus() -> None:
    async def scenario() -> None:
        pipe, _ = a_pipe()
        pipe._heard("opus", 48_000, 1, 0, b"nobody listens yet")
        got: list[bytes] = []
        pipe.attach_media(lambda sequence, timestamp, payload: got.append(payload))
        pipe._heard("opus", 48_000, 2, 960, b"heard")
        pipe._heard("pcmu", 8_000, 3, 160, b"another codec")
        pipe._finish("over")
        pipe._heard("opus", 48_000, 4, 1_920, b"too late")
        assert got == [b"heard"]

    played(scenario)


def test_closing_a_pipe_that_was_never_opened_ends_it() -> None:
    async def scenario() -> None:
        pipe = WebRtcPipe(Signaling("http://127.0.0.1:9/v1", Secret("sk-x")), {})
        await pipe.close(1000, "left")
        assert await pipe.receive() == PipeEnd(1000, "left")
        assert repr(pipe) == "<WebRtcPipe>" and webrtc.LABEL == "oai-events"

    played(scenario)


def test_one_who_is_cancelled_while_it_hangs_up_leaves_the_end_under_way() -> None:
    class Peer:
        closed = False

        async def close(self) -> None:
            await asyncio.sleep(1)
            self.closed = True

    async def scenario() -> None:
        pipe, _ = a_pipe()
        peer: Any = Peer()
        pipe._peer = peer
        closing = asyncio.create_task(pipe.close())
        await asyncio.sleep(0.5)
        closing.cancel()
        await asyncio.sleep(1)
        assert closing.cancelled() and peer.closed

    played(scenario)
